/*
 * keyd's side of a token: its worker process, its PIN, and the queue of jobs.
 * A job is a hash that one of the token's keys is to sign.
 *
 * The event loop drives a token; a token never waits.  Its worker is started by
 * token_start, when a job needs it, and again while the token is away.  The worker is told to open the token
 * and to log in, is told each key, and then gets jobs.  A worker that dies, or
 * does not answer within the configured time, is killed and started again after
 * a while.  Each job that it had is handed over once more.  If that fails, too,
 * the job ends.
 *
 * A worker gets nothing that depends on an event before the event is durable:
 *
 *	QUEUED ─ room in the window, authorise() ─► WRITTEN
 *	WRITTEN ─ tokens_committed() ─► COMMITTED
 *	COMMITTED ─ confirm() ─► SENT ─ answer ─► done()
 *	SENT ─ worker gone, lost() ─► QUEUED again, or done()
 *
 * So keyd's main loop calls loop_once.  Then it calls store_commit and
 * tokens_committed, while there is something to commit.  Then it starts again.
 * Callbacks may submit and cancel jobs.  They must not free the token.
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

/*
 * The most jobs in the window: authorised and not yet answered.  There are
 * several, so that a token has work while an fsync runs.
 */
#define TOKEN_WINDOW 4 /* for each of a token's sessions */

/* How many times what is to be signed is lost at most. */
#define TOKEN_ATTEMPTS 2

/* The longest PIN, in bytes. */
#define TOKEN_PIN_MAX 255

struct token;
struct token_job;

/*
 * How a token has its worker started and killed.  Both return 0 or HT_ERR_*.
 * The answer to spawn is token_spawned.
 */
struct token_parent {
	int (*spawn)(void *cookie, uint32_t index, struct ht_error *e);
	int (*kill)(void *cookie, uint32_t index, struct ht_error *e);
	void *cookie;
};

/*
 * What a token asks and tells the owner of a job.  The cookie must stay valid
 * until done was called or token_cancel returned true.
 */
struct token_job_ops {
	/*
	 * The job is about to be handed over.  attempt counts that, with
	 * what was lost before.  Look at policy again and write the event "decided".  Return 0 to continue.  A
	 * negative HT_ERR_* with *e ends the job, and done() follows with *e.
	 */
	int (
	    *authorise)(void *cookie, unsigned int attempt, struct ht_error *e);
	/*
	 * The event is durable, and the token gets the job next.  Look at
	 * policy once more.  Returns as authorise.
	 */
	int (*confirm)(void *cookie, struct ht_error *e);
	/*
	 * The token had the job, and nobody knows whether it signed.  Write the
	 * event "maybe-signed".  text says why.  authorise() or done() follows.
	 */
	void (*lost)(void *cookie, const char *text);
	/*
	 * The token is in trouble.  Return true if another one would sign now;
	 * then done() follows, with HT_ERR_UNAVAILABLE.
	 */
	bool (*elsewhere)(void *cookie);
	/*
	 * The end of the job, called exactly once.  The job is freed
	 * afterwards.  signature is n bytes, not yet verified, and valid during
	 * the call.  RSA: PKCS #1 v1.5; EC: DER of ECDSA-Sig-Value.  On error
	 * signature is NULL, and e is HT_ERR_UNAVAILABLE or what authorise or
	 * confirm returned.
	 */
	void (*done)(void *cookie, const uint8_t *signature, size_t n,
	    const struct ht_error *e);
};

/* What is to be signed. */
struct token_work {
	const char *client; /* clients take turns */
	uint32_t key;       /* from token_key */
	const char *digest; /* "sha256", "sha384", "sha512" */
	const uint8_t *hash;
	size_t n;          /* bytes of hash */
	unsigned int lost; /* how often a token had it already, and nobody knows
	                      what became of that: below TOKEN_ATTEMPTS */
};

/*
 * Make the token at index of conf, which is copied.  index is the number of its
 * worker at the parent, too.  Checks the token's files, and opens the key file,
 * or reads the PIN into locked memory; keyd must still have the right to do
 * that.  If that fails, logs why, and the token is unusable.  Starts nothing.
 * The caller frees the result with token_free.
 *
 * Returns NULL on error: HT_ERR_USAGE if a text is too long; HT_ERR_INTERNAL if
 * there is no memory.
 */
struct token *token_new(struct loop *loop, const struct conf *conf,
    uint32_t index, const struct token_parent *parent, struct ht_error *e);

/*
 * Jobs that are left are freed without done().  The PIN is wiped.  NULL is
 * fine.
 */
void token_free(struct token *t);

/*
 * Add a key.  uri is its PKCS#11 URI.  uri is NULL or "" for a key file, or if
 * the certificate's public key is enough to find the key.  spki is the DER of
 * the SubjectPublicKeyInfo of its certificate.  Both are copied.  *key is the
 * key's number; a key that is added again keeps its number.  May be called at
 * any time.  The token looks for the key when it opens, or at once if it is
 * ready.
 *
 * Errors: HT_ERR_USAGE if uri is too long; HT_ERR_INTERNAL if there are too
 * many keys (64) or no memory.
 */
int token_key(struct token *t, const char *uri, const uint8_t *spki, size_t n,
    uint32_t *key, struct ht_error *e);

/*
 * Start the worker, open the token and log in.  From now on events are written
 * to s.  Errors are logged, and returned to those who submit jobs.  A token that
 * is unusable is not started.
 */
void token_start(struct token *t, struct store *s);

/*
 * The parent's answer to spawn.  fd is the link to the worker and is taken
 * over.
 */
void token_spawned(struct token *t, int fd);

/*
 * After store_commit returned 0, and before anything else is written.
 * token_mark_committed notes what that commit made durable.  token_committed
 * goes on with it and may write new events.
 */
void token_mark_committed(struct token *t);
void token_committed(struct token *t);

/*
 * A commit was undone.  Jobs whose decision was in it end with
 * HT_ERR_UNAVAILABLE.  A PIN whose attempt was in it is not tried: the token is
 * away, until the next job.  How an attempt ended is written again when there is
 * room.
 */
void token_undo(struct token *t);

/*
 * Check that the token is expected to sign with this key.  It may still fail
 * later.  A token that is starting passes.  Errors: HT_ERR_UNAVAILABLE if the
 * token is locked, is away, or does not have the key; HT_ERR_INTERNAL if the
 * number is not from token_key, or the token was not started.
 */
int token_check(const struct token *t, uint32_t key, struct ht_error *e);

/*
 * The same for people: HT_ERR_UNAVAILABLE also if the token is away now, and may
 * be back for the next job.
 */
int token_check_now(const struct token *t, uint32_t key, struct ht_error *e);

/*
 * How soon the token is going to sign with this key: 2, it answers; 1, it is
 * starting, or has a job for longer than it should; 0, otherwise.  token_jobs
 * says how many jobs it has, and token_signatures how many it has done.
 */
unsigned int token_readiness(const struct token *t, uint32_t key);
size_t token_jobs(const struct token *t);
uint64_t token_signatures(const struct token *t);

/*
 * Queue a job.  work and ops are copied.  *job is valid until done() is called,
 * or token_cancel returns true.  No callback is called before the next round of
 * the loop.  Errors: those of token_check; those of token_parent.spawn;
 * HT_ERR_INTERNAL if the hash is too long or there is no memory.
 */
int token_submit(struct token *t, const struct token_work *work,
    const struct token_job_ops *ops, void *cookie, struct token_job **job,
    struct ht_error *e);

/*
 * The owner of the job is gone.  Returns true if the job was not yet
 * authorised; then it is freed, and no callback follows.  Otherwise an event
 * stands for the job: returns false, and the job goes on until done().
 */
bool token_cancel(struct token_job *job);

/*
 * How an unlock ended.  e is NULL if the token accepted the PIN, and is valid
 * during the call.
 */
typedef void token_unlock_fn(void *cookie, const struct ht_error *e);

/*
 * Log in with a PIN that an administrator gave.  pin is n bytes and is copied
 * into locked memory; the caller wipes its own.  If n is 0, the configured PIN
 * is tried again.  The PIN is tried once, whatever the PIN guard knows of it.
 * If this returns 0, fn is called once, later.  Otherwise fn is not called.
 *
 * Errors: HT_ERR_USAGE if the token needs no PIN, is unusable, is not locked, is
 * starting or is already being unlocked; also if pin cannot be a PIN, or n is 0 and no PIN
 * is configured.  Errors of the store and of token_parent.spawn.
 */
int token_unlock(struct token *t, const struct store_actor *actor,
    const uint8_t *pin, size_t n, token_unlock_fn *fn, void *cookie,
    struct ht_error *e);

/*
 * An administrator locks the token: its worker is ended, as if it had died, the
 * PIN that an administrator gave is forgotten, and no PIN is tried until
 * token_unlock, or until keyd is started again.  Jobs end with
 * HT_ERR_UNAVAILABLE.  HT_ERR_USAGE if the token takes no PIN, is unusable, or is
 * locked.  Errors of the store.
 */
int token_lock(struct token *t, const struct store_actor *actor,
    struct ht_error *e);

/*
 * The one who waits for an unlock with this cookie is gone: fn is not called.
 */
void token_unlock_forget(struct token *t, void *cookie);

const char *token_name(const struct token *t);

/*
 * For people.  token_state is "ready", "slow", "locked", "starting" or "away".
 * token_reason says why, or is "".  Both are borrowed.
 */
const char *token_state(const struct token *t);
const char *token_reason(const struct token *t);

/* The serial number of the token; "" while it is unknown.  Borrowed. */
const char *token_serial(const struct token *t);

/*
 * True if the token's files could not be used when it was made: token_reason
 * says why, with the configuration's file and line.  It has no jobs.
 */
bool token_unusable(const struct token *t);

/* True if a login attempt is recorded and not yet answered. */
bool token_logging_in(const struct token *t);

/*
 * True if conf still describes this token.  A reload cannot change a token.
 */
bool token_matches(const struct token *t, const struct conf_token *conf);

#endif
