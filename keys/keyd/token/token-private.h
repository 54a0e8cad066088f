/*
 * What the files of a token share.  token.c holds the configuration and answers
 * questions.  token-state.c is the state machine.  It drives token-login.c (the
 * PIN), token-attempt.c (how attempts with it end), token-jobs.c (the jobs) and
 * token-worker.c (the worker).  No other file includes this.
 */

#ifndef KEYS_KEYD_TOKEN_TOKEN_PRIVATE_H
#define KEYS_KEYD_TOKEN_TOKEN_PRIVATE_H

#include "keys/keyd/token/queue.h"
#include "keys/keyd/token/secret.h"
#include "keys/keyd/token/token.h"
#include "lib/proc.h"
#include "protocol/messages.h"
#include "store/journal/journal.h"
#include "store/journal/pins.h"

#define TOKEN_HASH_MAX 64

/* Jobs do not wait if the next start is further away than this. */
#define TOKEN_PATIENCE 5000U /* ms */

/* A job that takes longer than this makes its token slow. */
#define TOKEN_SLOW 5000U /* ms */

/* A token that is away is looked for so often. */
#define TOKEN_LOOK 5000U /* ms */

/*
 * The phases in the life of a worker, in this order.  In LOCKED the token is
 * open, but no PIN may be tried; only an administrator can unlock it.
 */
enum token_phase {
	TOKEN_DOWN,        /* no worker; a job starts one */
	TOKEN_WAITING,     /* jobs wait; too soon to start */
	TOKEN_STARTING,    /* the parent was asked for a worker */
	TOKEN_OPENING,     /* OPEN is sent */
	TOKEN_PIN_WRITTEN, /* the attempt is recorded, not yet durable */
	TOKEN_PIN_COMMITTED,
	TOKEN_LOGGING_IN, /* LOGIN is sent */
	TOKEN_LOCKED,
	TOKEN_KEYS, /* KEY is sent */
	TOKEN_READY
};

struct token_key {
	char uri[PROTOCOL_PATH];
	uint8_t *spki;
	size_t nspki;
	bool found;
	bool warned;                /* that it is extractable */
	bool each;                  /* it wants the PIN for each signature */
	char reason[PROTOCOL_TEXT]; /* why it was not found */
};

enum job_phase {
	JOB_QUEUED,    /* in the queue or the list again */
	JOB_WRITTEN,   /* in the window: its event is recorded */
	JOB_COMMITTED, /* in the window: its event is durable */
	JOB_SENT,      /* in the window: the token has it */
	JOB_ENDING     /* done() will be called now */
};

TAILQ_HEAD(job_list, token_job);

struct token_job {
	struct queue_item item;       /* in the queue */
	TAILQ_ENTRY(token_job) entry; /* in the list again or the window */
	struct token *token;
	struct token_job_ops ops;
	void *cookie;
	enum job_phase phase;
	unsigned int attempt; /* how many hand-overs were authorised */
	uint32_t tag;
	uint64_t since; /* loop_now() when the worker began with it, or 0 */
	uint32_t key;
	char digest[PROTOCOL_WORD];
	uint8_t hash[TOKEN_HASH_MAX];
	size_t nhash;
};

/* The administrator who waits for an unlock. */
struct token_unlocking {
	token_unlock_fn *fn; /* NULL if the administrator is gone */
	void *cookie;
	bool active;
	char name[PROTOCOL_NAME];
	char role[PROTOCOL_WORD];
	char peer[PROTOCOL_ADDRESS];
	struct store_actor actor; /* points to the fields above */
};

/*
 * How the last attempt with a PIN ended, until that is durable.  If a commit was
 * undone, later is the timer that writes it again.
 */
struct token_outcome {
	enum { OUTCOME_DURABLE, OUTCOME_ACCEPTED, OUTCOME_REFUSED } what;
	bool each;                   /* for a signature */
	char guarded[PROTOCOL_NAME]; /* the token's name in the records */
	char text[PROTOCOL_TEXT];
	struct loop_timer *later;
};

/*
 * The attempts of keys that want the PIN for each signature.  One record stands
 * for all jobs in the window.
 */
struct token_each {
	enum {
		EACH_NONE,
		EACH_WRITTEN, /* it is recorded, not yet durable */
		EACH_DURABLE  /* the worker may use the PIN */
	} phase;
	bool at_risk; /* the token may be about to refuse it */
	uint8_t salt[PIN_SALT], hash[PIN_HASH]; /* of the PIN */
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
	int key_file; /* descriptor or -1 */
	enum conf_pin pin_source;
	char *pin_where;      /* or the key file's path; for token_matches */
	unsigned int timeout; /* milliseconds */
	unsigned int sessions;
	bool pin_counted;
	unsigned int pin_retries;
	char *guard_path;
	int guard;     /* our lock of that file, or -1 */
	bool unusable; /* never started */
	bool logs_in;  /* wanted a PIN when it was opened last */
	bool held;     /* locked by an administrator: no PIN is tried */

	enum token_phase phase;
	char reason[PROTOCOL_TEXT];
	struct protocol_link link;
	struct loop_watch *watch;
	struct loop_timer *deadline; /* for the answer that is awaited */
	struct loop_timer *restart;
	unsigned int spawns; /* asked for and not yet answered */
	struct proc_backoff backoff;
	uint64_t retry_at; /* loop_now() of the earliest restart */

	char serial[PROTOCOL_NAME];
	char about[PROTOCOL_TEXT]; /* what the journal says of the token */
	uint8_t pin_flags;         /* when the token was opened */
	struct secret *configured; /* the PIN of the file or credential */
	struct secret *given;      /* the PIN that an administrator gave */
	struct token_unlocking unlocking;
	struct token_outcome outcome;
	struct token_each each;
	bool slow; /* does not answer, and has not hung for long enough */
	uint64_t signatures;

	struct token_key *keys;
	size_t nkeys;
	size_t next_key;            /* the first that was not yet looked for */
	struct loop_timer *missing; /* looks again for those not found */
	bool ready_said;            /* in the log, since the worker started */

	struct queue queue;
	struct job_list again;  /* jobs for their second attempt */
	struct job_list window; /* jobs that were sent come first */
	size_t nwindow, nsent, njobs;
	uint32_t last_tag;
	struct loop_timer *kick; /* fills the window in the next round */
};

/* --- token-state.c ----------------------------------------------------- */

/*
 * What token-worker.c reports to the state machine above it.  answered: the
 * worker sent an answer.  failed: the worker died, hung, or cannot be reached;
 * when failed returns, the link is closed.  not_started: the worker could not
 * be started again.  slow: a job takes long.
 */
struct token_machine {
	void (*answered)(struct token *t, const struct msg *m,
	    const union protocol_body *body);
	void (*failed)(struct token *t, const char *text);
	void (*not_started)(struct token *t, const struct ht_error *e);
	void (*slow)(struct token *t);
};
extern const struct token_machine token_machine;

/*
 * Look for keys that were added, if the token is ready and no job is sent.
 */
void token_look_for_keys(struct token *t);

/* --- token-worker.c ---------------------------------------------------- */

/*
 * Send a message to the worker, with a copy of fd unless that is -1.  Returns
 * true if the link is still open; then the caller awaits the answer with
 * token_await.  If the message cannot be sent, the worker has failed: calls
 * failed and returns false.
 */
bool token_say(struct token *t, enum protocol_type type, uint32_t tag,
    const void *body, int fd);

/*
 * token_await sets the deadline for an answer: the configured time from now, or
 * from since.  token_await_nothing removes it.
 */
void token_await(struct token *t);
void token_await_since(struct token *t, uint64_t since);
void token_await_nothing(struct token *t);

/*
 * Close the link to the worker and have the worker killed.
 */
void token_stop(struct token *t);

/*
 * Fill in *e with why there is no worker.  Returns its code,
 * HT_ERR_UNAVAILABLE.
 */
int token_say_away(const struct token *t, struct ht_error *e);

/*
 * token_wake starts a worker if there is none, but not before retry_at.
 * token_wake_now starts one at once.  Both return 0, or an error of
 * token_parent.spawn, or HT_ERR_INTERNAL if there is no memory.
 */
int token_wake(struct token *t, struct ht_error *e);
/* There is no worker: start one after a while. */
void token_look_again(struct token *t);
int token_wake_now(struct token *t, struct ht_error *e);

/*
 * Record an event about the token, in the name of the administrator who unlocks
 * it, if any.
 */
void token_note(struct token *t, enum journal_token_change change,
    const char *text);

void token_set_reason(struct token *t, const char *text);

/* --- token-guard.c ----------------------------------------------------- */

/*
 * token_guard takes the lock of those who may try a PIN of the token, unless we
 * have it.  keyd needs it to start a worker, and it goes with the PIN to the
 * worker.
 * HT_ERR_UNAVAILABLE while the worker of an attempt before still lives.
 * token_unguard gives our own copy of it back.
 */
int token_guard(struct token *t, struct ht_error *e);
void token_unguard(struct token *t);

/* --- token-attempt.c --------------------------------------------------- */

/*
 * token_guarded returns the name of the token in the records of attempts.
 *
 * token_outcome records how an attempt ended; each, that of a key which wants the
 * PIN for each signature.  An outcome that was undone is written again when there
 * is room, and by token_outcome_now, which comes before another attempt.
 *
 * token_outcome_committed, token_outcome_undone: a commit worked, or was undone.
 */
const char *token_guarded(const struct token *t);
void token_outcome(struct token *t, bool accepted, bool each, const char *text);
void token_outcome_now(struct token *t);
void token_outcome_committed(struct token *t);
void token_outcome_undone(struct token *t);

/*
 * For keys that want the PIN for each signature.
 *
 * token_each_record: such a key is going to be used.  Records an attempt, unless
 * one stands, and returns whether it is durable.
 *
 * token_each_done: no job wants the PIN any more, or the worker is gone.  Clears
 * the attempt, unless nobody knows what became of it.
 *
 * token_each_failed: the token has refused the PIN, or nobody knows.  The
 * attempt stands.
 */
bool token_each_record(struct token *t);
void token_each_done(struct token *t);
void token_each_failed(struct token *t, bool refused, const char *text);

/* --- token-login.c ----------------------------------------------------- */

/*
 * token_login: the token is open and wants a PIN.  Records an attempt, or
 * locks.
 *
 * token_login_committed: the attempt is durable.  Sends the PIN.
 *
 * token_logged_in, token_pin_refused: the token's answer.  The first clears all
 * attempts; the second records that it was refused, and locks.
 */
void token_login(struct token *t);
void token_login_committed(struct token *t);
void token_logged_in(struct token *t);
void token_pin_refused(struct token *t, const char *text);

/*
 * Note that an administrator wants the token locked, as token_lock says; the
 * caller ends the worker.
 */
int token_hold(struct token *t, const struct store_actor *actor,
    struct ht_error *e);

/*
 * End an unlock if one is in progress.  e is NULL if it succeeded.
 */
void token_unlock_end(struct token *t, const struct ht_error *e);

/* --- token-jobs.c ------------------------------------------------------ */

/*
 * Authorise jobs until the window is full.
 */
void token_fill(struct token *t);

/*
 * Send the committed jobs of the window to the worker, in order.
 */
void token_hand_over(struct token *t);

/*
 * The answer to a job that was sent.  token_signed and token_not_signed end the
 * job.  Return false if tag is no such job's.
 */
bool token_signed(struct token *t, uint32_t tag, struct cursor signature);
bool token_not_signed(struct token *t, uint32_t tag, const char *why);

/*
 * The worker is gone: take back the jobs that were sent, and call lost() for
 * each.  A job is handed over once more, or ends if that was its second
 * attempt.
 */
void token_take_back(struct token *t, const char *text);

/*
 * Set the deadline for the jobs that the worker has.
 */
void token_await_jobs(struct token *t);

/*
 * End the jobs that the worker does not have and that go to another token.
 */
void token_offer(struct token *t, const struct ht_error *e);

/*
 * End the jobs whose decision was not committed.
 */
void token_end_written(struct token *t);

/*
 * End all jobs with the error *e.
 */
void token_end_all(struct token *t, const struct ht_error *e);

#endif
