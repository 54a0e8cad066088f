/*
 * keyd's side of a token: its worker process, its PIN, and the queue of what
 * is to be signed with its keys.
 *
 * A token is driven by the event loop and never waits.  Its worker is started
 * when the first job needs it or at token_start, told to open the token, logged
 * in, shown each key, and then given jobs.  One that dies, or does not answer
 * within the configured time, is killed and started again after a while; what
 * it had been given is handed over once more, and after that given up.
 *
 * Nothing reaches a worker on the strength of an event that is not durable:
 *
 *	QUEUED ── room in the window, authorise() ──► WRITTEN
 *	WRITTEN ── store_commit, tokens_committed ──► COMMITTED
 *	COMMITTED ── confirm() ──► SENT ── answer ──► done()
 *	SENT ── the worker died or hung, lost() ──► QUEUED again, or done()
 *
 * So keyd's main loop is: loop_once; while something is to be committed,
 * store_commit and tokens_committed; then again.  Callbacks may submit and
 * cancel jobs; they must not free the token.
 */

#ifndef KEYS_KEYD_TOKEN_TOKEN_H
#define KEYS_KEYD_TOKEN_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/conf.h"
#include "lib/error.h"
#include "lib/loop.h"
#include "store/store.h"

/* Jobs handed over and not answered: so that no fsync leaves a token idle. */
#define TOKEN_WINDOW 4

/* The longest PIN, in bytes. */
#define TOKEN_PIN_MAX 255

struct token;
struct token_job;

/*
 * How a token has its worker started (the answer is token_spawned) and killed.
 */
struct token_parent {
	int (*spawn)(void *cookie, uint32_t index, struct ht_error *e);
	int (*kill)(void *cookie, uint32_t index, struct ht_error *e);
	void *cookie;
};

/*
 * What the owner of a job is asked and told.  Cookies must live until done
 * has been called or token_cancel has returned true.
 */
struct token_job_ops {
	/*
	 * The job is about to be handed over for the attempt-th time, 1 or 2:
	 * look at policy again and write the event ("decided").  0 to go on; a
	 * negative HT_ERR_* with *e ends the job: done() follows with that
	 * error.
	 */
	int (
	    *authorise)(void *cookie, unsigned int attempt, struct ht_error *e);
	/*
	 * That event is durable: the verdict once more, right before the token
	 * gets it.  As above.
	 */
	int (*confirm)(void *cookie, struct ht_error *e);
	/*
	 * The token had it, and whether it signed is not known: write the
	 * event ("maybe-signed").  text says why.  authorise() or done()
	 * follows.
	 */
	void (*lost)(void *cookie, const char *text);
	/*
	 * The end, exactly once: n bytes of signature (RSA: PKCS #1 v1.5; EC:
	 * DER of ECDSA-Sig-Value), not yet verified and valid during the call;
	 * or NULL with *e: HT_ERR_UNAVAILABLE, or what authorise or confirm
	 * returned.  The job is gone.
	 */
	void (*done)(void *cookie, const uint8_t *signature, size_t n,
	    const struct ht_error *e);
};

/* What is to be signed. */
struct token_work {
	const char *client; /* jobs are taken from each client in turn */
	uint32_t key;       /* of token_key */
	const char *digest; /* "sha256", "sha384", "sha512" */
	const uint8_t *hash;
	size_t n; /* bytes, as the digest has */
};

/*
 * A token of the configuration (which is copied), the index-th worker of the
 * parent.  Opens the key file, or reads the PIN into locked memory, so it comes
 * while keyd may still do that; it starts nothing.  NULL and *e:
 * HT_ERR_USAGE if a file cannot be opened or holds no PIN, HT_ERR_INTERNAL
 * without memory, also of the kind that can be locked.
 */
struct token *token_new(struct loop *loop, const struct conf_token *conf,
    uint32_t index, const struct token_parent *parent, struct ht_error *e);

/*
 * Jobs that are left end without done(); the PIN is wiped.  NULL is fine.
 */
void token_free(struct token *t);

/*
 * Add a key, by its PKCS#11 URI (NULL or "" for a key file, or for the only
 * key that fits) and the DER of the SubjectPublicKeyInfo of its certificate.
 * *key is its number; the same key added again has the same number.  May come
 * at any time; the token looks for it when it opens.  HT_ERR_INTERNAL.
 */
int token_key(struct token *t, const char *uri, const uint8_t *spki, size_t n,
    uint32_t *key, struct ht_error *e);

/*
 * Begin: start the worker, open, log in.  From here on events are written to
 * s.  Failures are logged, and said to who submits a job.
 */
void token_start(struct token *t, struct store *s);

/*
 * The parent's answer to spawn: fd is the link to the worker; it is taken.
 */
void token_spawned(struct token *t, int fd);

/*
 * store_commit has returned 0, and nothing was written since: take note of what
 * that covers.  Then go on with it, which may write.
 */
void token_mark_committed(struct token *t);
void token_committed(struct token *t);

/*
 * Whether the token can be expected to sign with that key: 0, or
 * HT_ERR_UNAVAILABLE if it is locked ("an administrator must unlock it"), away
 * or without that key.  It may still fail; one that is starting counts.
 */
int token_check(const struct token *t, uint32_t key, struct ht_error *e);

/*
 * Queue a job; *job names it until it is done.  No callback is called before
 * the loop's next round.  Errors as token_check, and HT_ERR_INTERNAL.
 */
int token_submit(struct token *t, const struct token_work *work,
    const struct token_job_ops *ops, void *cookie, struct token_job **job,
    struct ht_error *e);

/*
 * The job's owner went away.  True if the job had not been authorised yet: it
 * is gone, no callback follows.  False if an event stands for it: it goes on,
 * and ends with done().
 */
bool token_cancel(struct token_job *job);

/*
 * How an unlock ended: *e is NULL if the token accepted the PIN.
 */
typedef void token_unlock_fn(void *cookie, const struct ht_error *e);

/*
 * Log in with a PIN (n bytes, copied into locked memory, the caller wipes its
 * own; n is 0: the configured one again).  This is the administrator's word
 * that clears the PIN guard.  fn is called once, never before this returns 0.
 * HT_ERR_USAGE if the token needs no PIN, is not locked, or is being unlocked.
 */
int token_unlock(struct token *t, const struct store_actor *actor,
    const uint8_t *pin, size_t n, token_unlock_fn *fn, void *cookie,
    struct ht_error *e);

/*
 * Who waits for an unlock went away: fn is not called any more.
 */
void token_unlock_forget(struct token *t, void *cookie);

const char *token_name(const struct token *t);

/* For people: "ready", "locked", "starting", "away"; and why, or "". */
const char *token_state(const struct token *t);
const char *token_reason(const struct token *t);

/* The serial number of the token, "" while it is not known. */
const char *token_serial(const struct token *t);

/* Whether an attempt to log in is recorded, and not yet answered. */
bool token_logging_in(const struct token *t);

/* How many jobs are not done yet. */
size_t token_jobs(const struct token *t);

/*
 * Whether conf still says the same of this token: a reload cannot change it.
 */
bool token_matches(const struct token *t, const struct conf_token *conf);

#endif
