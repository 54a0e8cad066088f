#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "keys/keyd/token/token.h"
#include "tests/support/core_client.h"
#include "tests/support/core_token.h"

struct core_token core_token;

/* keyd's calls, by the names that the linker gives to what takes their place. */
int __wrap_token_submit(struct token *t, const struct token_work *work,
    const struct token_job_ops *ops, void *cookie, struct token_job **job,
    struct ht_error *e);
bool __wrap_token_cancel(struct token_job *job);

int
__wrap_token_submit(struct token *t, const struct token_work *work,
    const struct token_job_ops *ops, void *cookie, struct token_job **job,
    struct ht_error *e)
{
	assert_string_equal(token_name(t), "near");
	assert_true(work->key < 2 && core_token.keys[work->key] != NULL);
	assert_null(core_token.ops);
	if (core_token.refuses != 0)
		return ht_error_set(e, core_token.refuses,
		    "token near is away");
	core_token.ops = ops;
	core_token.cookie = cookie;
	core_token.key = work->key;
	(void)snprintf(core_token.client, sizeof(core_token.client), "%s",
	    work->client);
	core_token.hash.algorithm = spc_algorithm(work->digest, NULL);
	assert_true(work->n <= sizeof(core_token.hash.value));
	memcpy(core_token.hash.value, work->hash, work->n);
	core_token.hash.length = work->n;
	*job = (struct token_job *)&core_token;
	return 0;
}

bool
__wrap_token_cancel(struct token_job *job)
{
	assert_ptr_equal(job, &core_token);
	core_token.cancelled++;
	if (core_token.cancels)
		core_token.ops = NULL;
	return core_token.cancels;
}

int
core_token_authorise(unsigned int attempt, struct ht_error *e)
{
	int rc;

	assert_non_null(core_token.ops);
	rc = core_token.ops->authorise(core_token.cookie, attempt, e);
	core_settle();
	return rc;
}

void
core_token_take(void)
{
	struct ht_error e;

	assert_int_equal(core_token_authorise(1, &e), 0);
	assert_int_equal(core_token.ops->confirm(core_token.cookie, &e), 0);
}

void
core_token_answer(bool bad)
{
	const struct token_job_ops *ops = core_token.ops;
	struct buf signature = BUF_INIT;
	struct ht_error e;

	assert_int_equal(signing_raw(core_token.keys[core_token.key],
	                     &core_token.hash, &signature, &e),
	    0);
	if (bad)
		signature.data[signature.len - 1] ^= 1;
	core_token.ops = NULL;
	ops->done(core_token.cookie, signature.data, signature.len, NULL);
	core_settle();
	buf_free(&signature);
}

void
core_token_give_up(const struct ht_error *why)
{
	const struct token_job_ops *ops = core_token.ops;

	core_token.ops = NULL;
	ops->done(core_token.cookie, NULL, 0, why);
	core_settle();
}

int
core_token_set_up(void **state)
{
	memset(&core_token, 0, sizeof(core_token));
	core_token.keys[0] = &core_client_key;
	return core_client_set_up(state);
}
