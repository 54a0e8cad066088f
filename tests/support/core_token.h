/*
 * The token of the keyd of tests/support/core_scratch.h, played by the test.  The
 * test is linked with --wrap=token_submit and --wrap=token_cancel.
 */

#ifndef TESTS_SUPPORT_CORE_TOKEN_H
#define TESTS_SUPPORT_CORE_TOKEN_H

#include "keys/keyd/token/token.h"
#include "protocol/names.h"
#include "signature/spc.h"
#include "tests/support/signing.h"

/*
 * The token has one job at most.
 */
struct core_token {
	struct signing *keys[2];         /* by their numbers; the first one is
	                            core_client_key */
	uint32_t key;                    /* the one that has the job */
	int refuses;                     /* what token_submit returns */
	bool cancels;                    /* what token_cancel returns */
	unsigned int cancelled;          /* how often that was called */
	const struct token_job_ops *ops; /* NULL: there is no job */
	void *cookie;
	char client[NAMES_SIZE];
	struct spc_digest hash;
};
extern struct core_token core_token;

/*
 * Set up for each test: core_client_set_up() and a token without a job.
 */
int core_token_set_up(void **state);

/*
 * Ask keyd whether the job may be done.  Returns what keyd answers.
 */
int core_token_authorise(unsigned int attempt, struct ht_error *e);

/*
 * Take the job: ask, and ask again after the commit.  Both must be granted.
 */
void core_token_take(void);

/*
 * End the job: with its signature (bad: with one bit flipped), or with an error.
 */
void core_token_answer(bool bad);
void core_token_give_up(const struct ht_error *why);

#endif
