/*
 * A test stand for tokens, driven as keyd does it.  It has real workers under a
 * real parent and a SoftHSM token.  A module in front of the token fails on
 * demand (lying_token.c).
 */

#ifndef TESTS_SUPPORT_STAND_H
#define TESTS_SUPPORT_STAND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <openssl/evp.h>

#include "keys/keyd/token/tokens.h"
#include "lib/loop.h"
#include "store/store.h"

#define STAND_PIN "123456"
#define STAND_JOBS 64

/* There is one key of each kind. */
enum stand_kind {
	STAND_P256,
	STAND_P384,
	STAND_RSA3072,
	STAND_RSA4096,
	STAND_KEYS
};
extern EVP_PKEY *stand_keys[STAND_KEYS];

/* A job and its results. */
struct stand_job {
	struct stand *stand;
	struct token_job *job;
	enum stand_kind kind;
	uint8_t hash[64];
	unsigned int authorised, confirmed, lost, done; /* calls */
	uint64_t written;   /* stand->commits at authorise */
	unsigned int order; /* 1, 2, … in the order of done() */
	int refuse_authorise, refuse_confirm;
	int code;
	char text[240];
	bool verified;
};

/* One keyd. */
struct stand {
	struct loop *loop;
	struct store *store;
	struct tokens *tokens;
	struct token *token;
	pid_t parent;
	uint64_t commits;
	unsigned int done;
	uint32_t key[STAND_KEYS];
	struct stand_job job[STAND_JOBS];
	size_t njobs;
	bool unlocked; /* the callback was called */
	int unlock_code;
	bool gone;
	/* its configuration */
	struct conf conf;
	struct conf_token token_conf;
	const char *environment[3];
	const char *writable[2];
	char texts[4][256];
};

/*
 * main must call stand_is_parent first.  It returns whether a test has started
 * the program as keyd's parent.  Then main calls stand_parent and returns its
 * result, the exit status.
 */
bool stand_is_parent(int argc, char **argv);
int stand_parent(void);

/*
 * Make a folder with the SoftHSM token and all keys, or only that of P-256,
 * which takes less time; remove them.  All three are group functions of cmocka.
 */
int stand_enter(void **state);
int stand_enter_p256(void **state);
int stand_leave(void **state);

/*
 * A test that starts with a new store, no faults, and the right PIN in the
 * configured file.
 */
#define STAND_TEST(name) cmocka_unit_test_setup(name, stand_fresh)
int stand_fresh(void **state);

/*
 * stand_new makes and opens a keyd that gets its PIN in this way.
 * stand_guarded and stand_new_sessions are the same with a PIN file and these
 * settings.  stand_open
 * opens one whose conf and token_conf the test has filled in.  stand_close ends
 * and frees it, as a crash would: nothing more is committed.
 */
struct stand *stand_new(enum conf_pin pin);
struct stand *stand_guarded(bool pin_counted, unsigned int pin_retries);
struct stand *stand_new_sessions(unsigned int sessions);
void stand_open(struct stand *stand);
void stand_close(struct stand *stand);

/*
 * stand_settle commits all that is pending.  stand_undo is the same without
 * room for what is written, so that all of it is undone.  stand_run runs until
 * so many jobs are done and the token is in this state; state may be NULL.
 */
void stand_settle(struct stand *stand);
void stand_undo(struct stand *stand);
void stand_run(struct stand *stand, unsigned int done, const char *state);

/*
 * Submit a job for the key of this kind, for the client "ci" or another one.
 * job->code is the result of token_submit, and later that of the job.  The
 * stand owns the job.
 */
struct stand_job *stand_submit(struct stand *stand, enum stand_kind kind);
struct stand_job *stand_submit_as(struct stand *stand, const char *client,
    enum stand_kind kind);

/*
 * Unlock the token with an administrator's PIN.  Returns as token_unlock.
 * stand->unlocked and unlock_code get the result.
 */
int stand_unlock(struct stand *stand, const char *pin);

/*
 * stand_fault causes the fault name in the module's next calls, times times.
 * times is at most 8.  stand_calls returns how often the function name was
 * called since the test began.
 */
void stand_fault(const char *name, size_t times);
unsigned int stand_calls(const char *name);

/*
 * stand_assert_signed fails the test unless the job was signed after this
 * number of attempts.  stand_assert_events fails it unless the journal has n
 * events of this kind.
 */
void stand_assert_signed(const struct stand_job *j, unsigned int attempts);
void stand_assert_events(struct stand *stand, const char *kind, unsigned int n);

#endif
