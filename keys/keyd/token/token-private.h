/*
 * What token.c (what is configured and asked), token-state.c (what follows what),
 * and what that drives share: token-login.c (the PIN), token-jobs.c (what is
 * signed), token-worker.c (the worker).  Nobody else includes this.
 */

#ifndef KEYS_KEYD_TOKEN_TOKEN_PRIVATE_H
#define KEYS_KEYD_TOKEN_TOKEN_PRIVATE_H

#include "keys/keyd/token/queue.h"
#include "keys/keyd/token/secret.h"
#include "keys/keyd/token/token.h"
#include "lib/proc.h"
#include "protocol/messages.h"
#include "store/journal/journal.h"

#define TOKEN_HASH_MAX 64

/* How often a job is handed over. */
#define TOKEN_ATTEMPTS 2

/* Jobs do not wait for a start that is further away than this. */
#define TOKEN_PATIENCE 5000U /* ms */

/*
 * The life of a worker, in this order.  LOCKED is open, but no PIN may be
 * tried: the one way on is an administrator's.
 */
enum token_phase {
	TOKEN_DOWN,        /* there is none; a job starts it */
	TOKEN_WAITING,     /* jobs are there, and it is too soon to start */
	TOKEN_STARTING,    /* the parent was asked for one */
	TOKEN_OPENING,     /* OPEN is out */
	TOKEN_PIN_WRITTEN, /* the attempt is recorded, not yet durable */
	TOKEN_PIN_COMMITTED,
	TOKEN_LOGGING_IN, /* LOGIN is out */
	TOKEN_LOCKED,
	TOKEN_KEYS, /* KEY is out */
	TOKEN_READY
};

struct token_key {
	char uri[PROTOCOL_PATH];
	uint8_t *spki;
	size_t nspki;
	bool found;
	char reason[PROTOCOL_TEXT]; /* why it was not */
};

enum job_phase {
	JOB_QUEUED,    /* in the queue, or again */
	JOB_WRITTEN,   /* in the window: its event is recorded */
	JOB_COMMITTED, /* in the window: its event is durable */
	JOB_SENT,      /* in the window: the token has it */
	JOB_ENDING     /* done() is about to be called */
};

TAILQ_HEAD(job_list, token_job);

struct token_job {
	struct queue_item item;       /* in the queue */
	TAILQ_ENTRY(token_job) entry; /* again, or in the window */
	struct token *token;
	struct token_job_ops ops;
	void *cookie;
	enum job_phase phase;
	unsigned int attempt; /* the hand-overs that were authorised */
	uint32_t tag;
	uint32_t key;
	char digest[PROTOCOL_WORD];
	uint8_t hash[TOKEN_HASH_MAX];
	size_t nhash;
};

/* An administrator who waits for an unlock. */
struct token_unlocking {
	token_unlock_fn *fn; /* or NULL: went away */
	void *cookie;
	bool active;
	bool clear; /* the guard is to be cleared first */
	char name[PROTOCOL_NAME];
	char role[PROTOCOL_WORD];
	char peer[PROTOCOL_ADDRESS];
	struct store_actor actor; /* points to the above */
};

struct token_machine;

struct token {
	const struct token_machine *machine;
	struct loop *loop;
	struct store *store; /* NULL until token_start */
	struct token_parent parent;
	uint32_t index;

	char name[PROTOCOL_NAME];
	struct protocol_token_open open; /* what the worker is told */
	struct buf environment, writable;
	int key_file; /* descriptor, or -1 */
	enum conf_pin pin_source;
	char *pin_where;      /* and file of a key file, for token_matches */
	unsigned int timeout; /* milliseconds */

	enum token_phase phase;
	char reason[PROTOCOL_TEXT];
	struct protocol_link link;
	struct loop_watch *watch;
	struct loop_timer *deadline; /* of the answer that is awaited */
	struct loop_timer *restart;
	unsigned int spawns; /* asked for and not yet answered */
	struct proc_backoff backoff;
	uint64_t retry_at; /* loop_now() from which it may start again */

	char serial[PROTOCOL_NAME];
	struct secret *configured; /* the PIN by file or credential */
	struct secret *given;      /* the one an administrator gave */
	struct token_unlocking unlocking;

	struct token_key *keys;
	size_t nkeys;
	size_t next_key; /* the first not yet looked for */

	struct queue queue;
	struct job_list again;  /* to be handed over once more */
	struct job_list window; /* those sent stand first */
	size_t nwindow, nsent, njobs;
	uint32_t last_tag;
	struct loop_timer *kick; /* fill the window in the next round */
};

/* --- token-state.c ----------------------------------------------------- */

/*
 * What the worker brings about, for token-worker.c, which is below it all: an
 * answer; that it died, hung, or cannot be spoken to, and is gone when this
 * returns; that it could not be started again.
 */
struct token_machine {
	void (*answered)(struct token *t, const struct msg *m,
	    const union protocol_body *body);
	void (*failed)(struct token *t, const char *text);
	void (*not_started)(struct token *t, const struct ht_error *e);
};
extern const struct token_machine token_machine;

/*
 * Look for keys that were added, unless a job is out.
 */
void token_look_for_keys(struct token *t);

/* --- token-worker.c ---------------------------------------------------- */

/*
 * Send a message to the worker and await its answer.  When it cannot be sent
 * the worker has failed, and is gone afterwards: then false.
 */
bool token_say(struct token *t, enum protocol_type type, uint32_t tag,
    const void *body);

/*
 * Await an answer from now on; or nothing any more.
 */
void token_await(struct token *t);
void token_await_nothing(struct token *t);

/*
 * Let go of the worker, and have it killed.
 */
void token_stop(struct token *t);

/*
 * Fill *e with why there is no worker; its code.
 */
int token_say_away(const struct token *t, struct ht_error *e);

/*
 * There is work: start a worker that is down, not too soon after it failed; or
 * at once.  0, or why not.
 */
int token_wake(struct token *t, struct ht_error *e);
int token_wake_now(struct token *t, struct ht_error *e);

/*
 * Record an event about the token.
 */
void token_note(struct token *t, enum journal_token_change change,
    const char *text);

void token_set_reason(struct token *t, const char *text);

/* --- token-login.c ----------------------------------------------------- */

/*
 * The token is open and wants a PIN: record an attempt, or lock.
 */
void token_login(struct token *t);
void token_login_committed(struct token *t);
void token_logged_in(struct token *t);
void token_pin_refused(struct token *t, const char *text);

/*
 * End an unlock, if one is under way; e is NULL if it worked.
 */
void token_unlock_end(struct token *t, const struct ht_error *e);

/* --- token-jobs.c ------------------------------------------------------ */

/*
 * Authorise jobs while the window has room.
 */
void token_fill(struct token *t);

/*
 * Hand over what is committed, in order.
 */
void token_hand_over(struct token *t);

/*
 * Answers to the first job that was sent; false if tag is not of that.
 */
bool token_signed(struct token *t, uint32_t tag, struct cursor signature);
bool token_not_signed(struct token *t, uint32_t tag, const char *why);

/*
 * The worker is gone: take back what it had.
 */
void token_take_back(struct token *t, const char *text);

/*
 * End all jobs with this error.
 */
void token_end_all(struct token *t, const struct ht_error *e);

#endif
