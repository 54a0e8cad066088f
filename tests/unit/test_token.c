/*
 * Signing with tokens as keyd drives them, through whatever goes wrong
 * (tests/support/stand.h).
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <openssl/x509.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/stand.h"

static void
signs_with_each_kind_of_key(void **state)
{
	struct stand *stand = stand_new(CONF_PIN_FILE);
	size_t i;

	(void)state;
	for (i = 0; i < STAND_KEYS; i++)
		assert_int_equal(stand_submit(stand, i)->code, 0);
	stand_run(stand, STAND_KEYS, "ready");
	for (i = 0; i < STAND_KEYS; i++)
		stand_assert_signed(&stand->job[i], 1);
	stand_assert_events(stand, "token-unlocked", 1);
#ifndef HT_NO_SANDBOX
	/* What the module tried there and had no business with. */
	assert_int_equal(stand_calls("initialize"), 1);
	assert_int_equal(stand_calls("shm"), 0);
	assert_int_equal(stand_calls("netlink"), 0);
	assert_int_equal(stand_calls("vsock"), 0);
#endif
	stand_close(stand);
}

static void
logs_in_once(void **state)
{
	struct stand *stand = stand_new(CONF_PIN_FILE);
	unsigned int sessions, finds, i;

	(void)state;
	stand_run(stand, 0, "ready");
	sessions = stand_calls("open-session");
	finds = stand_calls("find");
	for (i = 0; i < 40; i++)
		(void)stand_submit(stand, i % STAND_KEYS);
	stand_run(stand, 40, "ready");
	for (i = 0; i < 40; i++)
		stand_assert_signed(&stand->job[i], 1);
	assert_int_equal(stand_calls("login"), 1);
	assert_int_equal(stand_calls("initialize"), 1);
	assert_int_equal(stand_calls("open-session"), sessions);
	assert_int_equal(stand_calls("find"), finds);
	assert_int_equal(stand_calls("sign"), 40);
	stand_close(stand);
}

/* Once is mended, and nobody sees it but the journal. */
static void
survives(const char *name)
{
	struct stand *stand = stand_new(CONF_PIN_FILE);

	stand_run(stand, 0, "ready");
	stand_fault(name, 1);
	(void)stand_submit(stand, STAND_RSA3072);
	stand_run(stand, 1, "ready");
	stand_assert_signed(&stand->job[0], 2);
	assert_int_equal(stand_calls("login"), 2);
	assert_int_equal(stand_calls("initialize"), 2);
	stand_assert_events(stand, "token-restarted", 1);
	stand_close(stand);
}

static void
survives_a_crash(void **state)
{
	(void)state;
	survives("sign-crash");
}

static void
survives_a_hang(void **state)
{
	(void)state;
	survives("sign-hang");
}

static void
survives_a_removed_token(void **state)
{
	(void)state;
	survives("sign-removed");
}

/* libp11 must not log in by itself, and the worker does not either. */
static void
survives_a_lost_login(void **state)
{
	(void)state;
	survives("sign-logged-out");
}

/*
 * One of four sessions hangs.  The others go on, which does not hide it: it is
 * noticed after the time that one signature may take.
 */
static void
a_session_that_hangs_stops_no_other(void **state)
{
	struct stand *stand = stand_new_sessions(4);
	unsigned int lost = 0;
	size_t i;

	(void)state;
	stand_run(stand, 0, "ready");
	stand_fault("sign-hang", 1);
	for (i = 0; i < 40; i++)
		(void)stand_submit(stand, i % STAND_KEYS);
	stand_run(stand, 39, NULL);
	assert_int_equal(stand_calls("initialize"), 1);
	stand_run(stand, 40, "ready");
	for (i = 0; i < 40; i++) {
		assert_int_equal(stand->job[i].code, 0);
		assert_true(stand->job[i].verified);
		lost += stand->job[i].lost;
	}
	assert_int_equal(lost, 1);
	assert_int_equal(stand_calls("login"), 2);
	stand_close(stand);
}

static void
gives_up_after_two_attempts(void **state)
{
	struct stand *stand = stand_new(CONF_PIN_FILE);
	struct stand_job *j;

	(void)state;
	stand_run(stand, 0, "ready");
	stand_fault("sign-crash", 2);
	j = stand_submit(stand, STAND_RSA3072);
	stand_run(stand, 1, NULL);
	assert_int_equal(j->code, HT_ERR_UNAVAILABLE);
	assert_int_equal(j->authorised, 2);
	assert_int_equal(j->lost, 2);
	(void)stand_submit(stand, STAND_P256);
	stand_run(stand, 2, "ready");
	stand_assert_signed(&stand->job[1], 1);
	stand_close(stand);
}

/*
 * What kills the worker twice does not take the rest of the window along.  How
 * much of that had been sent when the worker died is a matter of luck.
 */
static void
one_bad_job_harms_itself_only(void **state)
{
	struct stand *stand = stand_new(CONF_PIN_FILE);
	struct stand_job *j;
	size_t i;

	(void)state;
	stand_run(stand, 0, "ready");
	stand_fault("sign-poison", 2);
	for (i = 0; i < 8; i++)
		(void)stand_submit(stand, STAND_P256);
	stand_run(stand, 8, "ready");
	assert_int_equal(stand->job[0].code, HT_ERR_UNAVAILABLE);
	assert_int_equal(stand->job[0].lost, 2);
	for (i = 1; i < 8; i++) {
		j = &stand->job[i];
		assert_int_equal(j->code, 0);
		assert_true(j->verified && j->done == 1);
		assert_int_equal(j->authorised, j->lost + 1);
		assert_true(j->authorised <= 2);
	}
	stand_close(stand);
}

static void
an_orderly_refusal_is_final(void **state)
{
	struct stand *stand = stand_new(CONF_PIN_FILE);
	struct stand_job *j;

	(void)state;
	stand_run(stand, 0, "ready");
	stand_fault("sign-refused", 1);
	j = stand_submit(stand, STAND_RSA3072);
	stand_run(stand, 1, "ready");
	assert_int_equal(j->code, HT_ERR_UNAVAILABLE);
	assert_int_equal(j->authorised, 1);
	assert_int_equal(j->lost, 0);
	assert_int_equal(stand_calls("initialize"), 1);
	stand_close(stand);
}

static void
a_token_that_is_away_is_tried_on_use(void **state)
{
	struct stand *stand;
	struct stand_job *j;

	(void)state;
	stand_fault("open-removed", 3);
	stand = stand_new(CONF_PIN_FILE);
	stand_run(stand, 0, "away");
	j = stand_submit(stand, STAND_RSA3072);
	assert_int_equal(j->code, 0);
	stand_run(stand, 1, "away");
	assert_int_equal(j->code, HT_ERR_UNAVAILABLE);
	assert_int_equal(j->authorised, 0);
	stand_fault("open-removed", 0);
	(void)stand_submit(stand, STAND_RSA3072);
	stand_run(stand, 2, "ready");
	stand_assert_signed(&stand->job[1], 1);
	stand_close(stand);
}

static void
a_verdict_of_no_reaches_no_token(void **state)
{
	struct stand *stand = stand_new(CONF_PIN_FILE);

	(void)state;
	stand_run(stand, 0, "ready");
	(void)stand_submit(stand, STAND_RSA3072);
	(void)stand_submit(stand, STAND_RSA3072);
	stand->job[0].refuse_authorise = 1;
	stand->job[1].refuse_confirm = 1;
	stand_run(stand, 2, "ready");
	assert_int_equal(stand->job[0].code, HT_ERR_DENIED);
	assert_string_equal(stand->job[0].text, "not authorised");
	assert_int_equal(stand->job[0].confirmed, 0);
	assert_int_equal(stand->job[1].code, HT_ERR_DENIED);
	assert_string_equal(stand->job[1].text, "not confirmed");
	assert_int_equal(stand_calls("sign"), 0);
	stand_close(stand);
}

static void
is_fair_between_clients(void **state)
{
	struct stand *stand = stand_new(CONF_PIN_FILE);
	struct stand_job *late[2];
	unsigned int i;

	(void)state;
	stand_run(stand, 0, "ready");
	for (i = 0; i < 40; i++)
		(void)stand_submit_as(stand, "greedy", STAND_P256);
	late[0] = stand_submit_as(stand, "modest", STAND_P256);
	late[1] = stand_submit_as(stand, "third", STAND_P256);
	stand_run(stand, 42, "ready");
	for (i = 0; i < 42; i++)
		stand_assert_signed(&stand->job[i], 1);
	assert_true(late[0]->order <= 3);
	assert_true(late[1]->order <= 3);
	stand_close(stand);
}

static void
only_what_waits_can_be_cancelled(void **state)
{
	struct stand *stand = stand_new(CONF_PIN_FILE);
	struct ht_error e;
	size_t i;

	(void)state;
	stand_run(stand, 0, "ready");
	for (i = 0; i < 8; i++)
		(void)stand_submit(stand, STAND_RSA3072);
	while (stand->job[TOKEN_WINDOW - 1].authorised == 0)
		assert_int_equal(loop_once(stand->loop, &e), 0);
	/* An event stands for four, the others wait. */
	assert_false(token_cancel(stand->job[0].job));
	assert_false(token_cancel(stand->job[TOKEN_WINDOW - 1].job));
	assert_true(token_cancel(stand->job[6].job));
	assert_true(token_cancel(stand->job[7].job));
	stand_run(stand, 6, "ready");
	assert_int_equal(stand->job[7].done, 0);
	assert_int_equal(stand->job[6].authorised, 0);
	stand_close(stand);
}

/* Run until the job is on record. */
static void
until_authorised(struct stand *stand, size_t i)
{
	struct ht_error e;

	while (stand->job[i].authorised == 0)
		assert_int_equal(loop_once(stand->loop, &e), 0);
}

/* What the token has, or has had, is on record already and goes on. */
static void
what_is_undone_reaches_no_token(void **state)
{
	struct stand *stand = stand_new(CONF_PIN_FILE);
	size_t i;

	(void)state;
	stand_run(stand, 0, "ready");
	(void)stand_submit(stand, STAND_RSA4096);
	until_authorised(stand, 0);
	stand_settle(stand);
	assert_int_equal(stand->job[0].confirmed, 1);
	(void)stand_submit(stand, STAND_P256);
	(void)stand_submit(stand, STAND_P256);
	until_authorised(stand, 2);
	stand_undo(stand);
	stand_run(stand, 3, "ready");
	stand_assert_signed(&stand->job[0], 1);
	for (i = 1; i < 3; i++) {
		assert_int_equal(stand->job[i].code, HT_ERR_UNAVAILABLE);
		assert_string_equal(stand->job[i].text,
		    "no room for the record");
		assert_int_equal(stand->job[i].confirmed, 0);
		assert_int_equal(stand->job[i].done, 1);
	}
	(void)stand_submit(stand, STAND_P256);
	stand_run(stand, 4, "ready");
	stand_assert_signed(&stand->job[3], 1);
	assert_int_equal(stand_calls("sign"), 2);
	stand_close(stand);
}

/* --- other things ------------------------------------------------------ */

static void
the_key_must_be_the_certificates(void **state)
{
	struct stand *stand = stand_new(CONF_PIN_FILE);
	unsigned char *spki = NULL;
	struct ht_error e;
	uint32_t wrong;
	struct stand_job *j;
	int n = i2d_PUBKEY(stand_keys[STAND_RSA4096], &spki);

	(void)state;
	stand_run(stand, 0, "ready");
	/* Added while the token is in use. */
	assert_int_equal(token_key(stand->token, "pkcs11:object=rsa3072", spki,
	                     (size_t)n, &wrong, &e),
	    0);
	assert_int_equal(wrong, STAND_KEYS);
	stand_run(stand, 0, "ready");
	assert_int_equal(token_check(stand->token, wrong, &e),
	    HT_ERR_UNAVAILABLE);
	assert_non_null(strstr(e.text, "does not fit the certificate"));
	assert_int_equal(
	    token_check(stand->token, stand->key[STAND_RSA3072], &e), 0);
	/* Without a name the public key finds it. */
	assert_int_equal(token_key(stand->token, NULL, spki, (size_t)n,
	                     &stand->key[STAND_RSA4096], &e),
	    0);
	stand_run(stand, 0, "ready");
	j = stand_submit(stand, STAND_RSA4096);
	stand_run(stand, 1, "ready");
	stand_assert_signed(j, 1);
	OPENSSL_free(spki);
	stand_close(stand);
}

static void
a_key_file_is_a_token(void **state)
{
	struct stand *stand = calloc(1, sizeof(*stand));
	unsigned char *spki = NULL;
	struct ht_error e;
	int n = i2d_PUBKEY(stand_keys[STAND_RSA3072], &spki);
	int i;

	(void)state;
	assert_non_null(stand);
	stand->token_conf.name = "unit";
	stand->token_conf.file = "rsa3072.pem";
	stand->token_conf.timeout = 2;
	stand->token_conf.sessions = 1;
	stand->conf.tokens = &stand->token_conf;
	stand->conf.ntokens = 1;
	stand_open(stand);
	assert_int_equal(token_key(stand->token, NULL, spki, (size_t)n,
	                     &stand->key[STAND_RSA3072], &e),
	    0);
	assert_int_equal(stand_unlock(stand, STAND_PIN), HT_ERR_USAGE);
	for (i = 0; i < 3; i++)
		(void)stand_submit(stand, STAND_RSA3072);
	stand_run(stand, 3, "ready");
	for (i = 0; i < 3; i++)
		stand_assert_signed(&stand->job[i], 1);
	OPENSSL_free(spki);
	stand_close(stand);
}

static void
a_parent_that_dies_is_noticed(void **state)
{
	struct stand *stand = stand_new(CONF_PIN_FILE);
	struct ht_error e;
	int status;

	(void)state;
	stand_run(stand, 0, "ready");
	assert_int_equal(kill(stand->parent, SIGKILL), 0);
	while (!stand->gone)
		assert_int_equal(loop_once(stand->loop, &e), 0);
	/* The worker dies with its parent. */
	while (strcmp(token_state(stand->token), "away") != 0)
		assert_int_equal(loop_once(stand->loop, &e), 0);
	tokens_free(stand->tokens);
	store_close(stand->store);
	loop_free(stand->loop);
	assert_int_equal(waitpid(stand->parent, &status, 0), stand->parent);
	free(stand);
}

static void
a_reload_cannot_change_a_token(void **state)
{
	struct stand *stand = stand_new(CONF_PIN_FILE);
	struct conf_token *c = &stand->token_conf;
	struct ht_error e;

	(void)state;
	assert_int_equal(tokens_match(stand->tokens, &stand->conf, &e), 0);
	c->nwritable = 1;
	assert_int_equal(tokens_match(stand->tokens, &stand->conf, &e),
	    HT_ERR_USAGE);
	c->nwritable = 2;
	c->label = "other";
	assert_int_equal(tokens_match(stand->tokens, &stand->conf, &e),
	    HT_ERR_USAGE);
	c->label = "unit";
	c->pin = CONF_PIN_ASK;
	assert_int_equal(tokens_match(stand->tokens, &stand->conf, &e),
	    HT_ERR_USAGE);
	stand_close(stand);
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		STAND_TEST(signs_with_each_kind_of_key),
		STAND_TEST(logs_in_once),
		STAND_TEST(survives_a_crash),
		STAND_TEST(survives_a_hang),
		STAND_TEST(survives_a_removed_token),
		STAND_TEST(survives_a_lost_login),
		STAND_TEST(a_session_that_hangs_stops_no_other),
		STAND_TEST(gives_up_after_two_attempts),
		STAND_TEST(one_bad_job_harms_itself_only),
		STAND_TEST(an_orderly_refusal_is_final),
		STAND_TEST(a_token_that_is_away_is_tried_on_use),
		STAND_TEST(a_verdict_of_no_reaches_no_token),
		STAND_TEST(is_fair_between_clients),
		STAND_TEST(only_what_waits_can_be_cancelled),
		STAND_TEST(what_is_undone_reaches_no_token),
		STAND_TEST(the_key_must_be_the_certificates),
		STAND_TEST(a_key_file_is_a_token),
		STAND_TEST(a_parent_that_dies_is_noticed),
		STAND_TEST(a_reload_cannot_change_a_token),
	};

	if (stand_is_parent(argc, argv))
		return stand_parent();
	return cmocka_run_group_tests(tests, stand_enter, stand_leave);
}
