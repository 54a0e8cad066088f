/*
 * A stand for tokens as keyd drives them: real workers under a real parent, a
 * SoftHSM token, and in front of it a module that fails as it is told
 * (faulty_module.c).
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

/* Of each kind there is one key. */
enum stand_kind {
	STAND_P256,
	STAND_P384,
	STAND_RSA3072,
	STAND_RSA4096,
	STAND_KEYS
};
extern EVP_PKEY *stand_keys[STAND_KEYS];

/* What has become of a job. */
struct stand_job {
	struct stand *stand;
	struct token_job *job;
	enum stand_kind kind;
	uint8_t hash[64];
	unsigned int authorised, confirmed, lost, done;
	uint64_t written;   /* the commits at authorise */
	unsigned int order; /* 1, 2, … as done() came */
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
	bool unlocked; /* the callback came */
	int unlock_code;
	bool gone;
	/* what it is configured with */
	struct conf conf;
	struct conf_token token_conf;
	const char *environment[3];
	const char *writable[2];
	char texts[4][256];
};

/*
 * To be asked by main first: whether the program was started by one of its
 * tests to be keyd's parent; and being that, which returns the exit status.
 */
bool stand_is_parent(int argc, char **argv);
int stand_parent(void);

/*
 * A folder with the SoftHSM token, and all keys or that of P-256 alone, which
 * takes less time; the end of that.  They have the form of cmocka's group
 * functions.
 */
int stand_enter(void **state);
int stand_enter_p256(void **state);
int stand_leave(void **state);

/*
 * A test with a new store, no faults, and the right PIN in the file that is
 * configured.
 */
#define STAND_TEST(name) cmocka_unit_test_setup(name, stand_fresh)
int stand_fresh(void **state);

/*
 * A keyd that gets the PIN so; one whose conf and token_conf are filled in; the
 * end of it, as of a crash: nothing more is committed.
 */
struct stand *stand_new(enum conf_pin pin);
void stand_open(struct stand *stand);
void stand_close(struct stand *stand);

/*
 * Commit what there is; run until so many jobs are done, and the token is in
 * that state unless it is NULL.
 */
void stand_settle(struct stand *stand);
void stand_run(struct stand *stand, unsigned int done, const char *state);

/*
 * Have something signed with the key of that kind, for the client "ci" or
 * another.  job->code is that of token_submit, later that of the end.
 */
struct stand_job *stand_submit(struct stand *stand, enum stand_kind kind);
struct stand_job *stand_submit_as(struct stand *stand, const char *client,
    enum stand_kind kind);

/*
 * An administrator's PIN; stand->unlocked and unlock_code say what came of it.
 */
int stand_unlock(struct stand *stand, const char *pin);

/*
 * The next calls fail so; how often the module was called so since the test
 * began.
 */
void stand_fault(const char *name, size_t times);
unsigned int stand_calls(const char *name);

/*
 * That a job was signed at that attempt; that the journal has such an event.
 */
void stand_assert_signed(const struct stand_job *j, unsigned int attempts);
void stand_assert_events(struct stand *stand, const char *kind, unsigned int n);

#endif
