/*
 * The PIN of a token: who gives it, and how often it is tried
 * (tests/support/stand.h).
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "store/journal/pins.h"
#include "tests/support/scratch.h"
#include "tests/support/stand.h"

static void
asks_an_administrator(void **state)
{
	struct stand *stand = stand_new(CONF_PIN_ASK);
	struct stand_job *j;

	(void)state;
	stand_run(stand, 0, "locked");
	j = stand_submit(stand, STAND_P256);
	assert_int_equal(j->code, HT_ERR_UNAVAILABLE);
	assert_non_null(strstr(j->text, "an administrator must unlock it"));
	assert_int_equal(stand_unlock(stand, ""), HT_ERR_USAGE);
	assert_int_equal(stand_unlock(stand, STAND_PIN), 0);
	assert_false(stand->unlocked);
	assert_int_equal(stand_unlock(stand, STAND_PIN), HT_ERR_USAGE);
	stand_run(stand, 0, "ready");
	assert_true(stand->unlocked);
	assert_int_equal(stand->unlock_code, 0);
	assert_int_equal(stand_unlock(stand, STAND_PIN), HT_ERR_USAGE);
	/* It is kept, for a worker that dies. */
	stand_fault("sign-crash", 1);
	(void)stand_submit(stand, STAND_P256);
	stand_run(stand, 1, "ready");
	stand_assert_signed(&stand->job[1], 2);
	stand_close(stand);
}

/* Jobs that came while it was starting end when it turns out to be locked. */
static void
nothing_waits_for_a_locked_token(void **state)
{
	struct stand *stand = stand_new(CONF_PIN_ASK);

	(void)state;
	assert_int_equal(stand_submit(stand, STAND_P256)->code, 0);
	stand_run(stand, 1, "locked");
	assert_int_equal(stand->job[0].code, HT_ERR_UNAVAILABLE);
	assert_int_equal(stand->job[0].authorised, 0);
	stand_close(stand);
}

static void
a_wrong_pin_is_tried_once(void **state)
{
	struct stand *stand;
	unsigned int i;

	(void)state;
	scratch_write("pin", "999999\n", 7);
	stand = stand_new(CONF_PIN_FILE);
	stand_run(stand, 0, "locked");
	stand_assert_events(stand, "pin-refused", 1);
	assert_int_equal(stand_calls("login"), 1);
	stand_close(stand);
	/* Not again after a restart, however often. */
	for (i = 0; i < 3; i++) {
		stand = stand_new(CONF_PIN_FILE);
		stand_run(stand, 0, "locked");
		stand_assert_events(stand, "pin-held", 1 + i);
		assert_int_equal(stand_calls("login"), 1);
		if (i < 2)
			stand_close(stand);
	}
	/* An administrator's wrong one, and the right one. */
	assert_int_equal(stand_unlock(stand, "888888"), 0);
	stand_run(stand, 0, "locked");
	assert_true(stand->unlocked);
	assert_int_equal(stand->unlock_code, HT_ERR_DENIED);
	stand_assert_events(stand, "pin-cleared", 1);
	assert_int_equal(stand_calls("login"), 2);
	assert_int_equal(stand_unlock(stand, STAND_PIN), 0);
	stand_run(stand, 0, "ready");
	assert_int_equal(stand_calls("login"), 3);
	stand_close(stand);
	/* The file still holds the wrong one: the right one cleared it. */
	stand = stand_new(CONF_PIN_FILE);
	stand_run(stand, 0, "locked");
	assert_int_equal(stand_calls("login"), 4);
	stand_close(stand);
}

/* The attempt stands, whatever ended the login. */
static void
login_is_guarded_against(const char *name)
{
	struct stand *stand;
	int i;

	stand_fault(name, 1);
	stand = stand_new(CONF_PIN_FILE);
	stand_run(stand, 0, "away");
	assert_int_equal(stand_calls("login"), 1);
	/* A job starts the worker again, but does not log in. */
	assert_int_equal(stand_submit(stand, STAND_P256)->code, 0);
	stand_run(stand, 1, "locked");
	assert_int_equal(stand->job[0].code, HT_ERR_UNAVAILABLE);
	assert_int_equal(stand_calls("login"), 1);
	stand_close(stand);
	for (i = 0; i < 2; i++) {
		stand = stand_new(CONF_PIN_FILE);
		stand_run(stand, 0, "locked");
		stand_assert_events(stand, "pin-held", 2 + i);
		assert_int_equal(stand_calls("login"), 1);
		if (i == 0)
			stand_close(stand);
	}
	/* The administrator says so: the configured PIN once more. */
	assert_int_equal(stand_unlock(stand, ""), 0);
	stand_run(stand, 0, "ready");
	assert_int_equal(stand->unlock_code, 0);
	assert_int_equal(stand_calls("login"), 2);
	stand_close(stand);
}

static void
a_crash_at_login_is_not_repeated(void **state)
{
	(void)state;
	login_is_guarded_against("login-crash");
}

static void
a_hang_at_login_is_not_repeated(void **state)
{
	(void)state;
	login_is_guarded_against("login-hang");
}

static void
a_token_lost_at_login_is_not_tried_again(void **state)
{
	(void)state;
	login_is_guarded_against("login-removed");
}

/* keyd dies between the attempt and its outcome. */
static void
keyd_killed_at_login_is_guarded(void **state)
{
	struct stand *stand;
	struct ht_error e;

	(void)state;
	stand_fault("login-hang", 1);
	stand = stand_new(CONF_PIN_FILE);
	stand_settle(stand);
	while (stand_calls("login") == 0) {
		assert_int_equal(loop_once(stand->loop, &e), 0);
		stand_settle(stand);
		(void)usleep(1000);
	}
	stand_close(stand);
	stand = stand_new(CONF_PIN_FILE);
	stand_run(stand, 0, "locked");
	assert_int_equal(stand_calls("login"), 1);
	stand_close(stand);
}

static void
an_administrator_who_left_is_not_called(void **state)
{
	struct stand *stand = stand_new(CONF_PIN_ASK);

	(void)state;
	stand_run(stand, 0, "locked");
	assert_int_equal(stand_unlock(stand, STAND_PIN), 0);
	token_unlock_forget(stand->token, stand);
	stand_run(stand, 0, "ready");
	assert_false(stand->unlocked);
	stand_close(stand);
}

/* An attempt that stands although the guard was cleared: nobody waits. */
static bool stands;
int __real_pin_attempt_stands(struct store *s, const char *serial,
    const uint8_t hash[PIN_HASH], struct ht_error *e);
int __wrap_pin_attempt_stands(struct store *s, const char *serial,
    const uint8_t hash[PIN_HASH], struct ht_error *e);

int
__wrap_pin_attempt_stands(struct store *s, const char *serial,
    const uint8_t hash[PIN_HASH], struct ht_error *e)
{
	return stands ? 1 : __real_pin_attempt_stands(s, serial, hash, e);
}

static void
an_administrator_never_waits_for_a_guard_that_stands(void **state)
{
	struct stand *stand = stand_new(CONF_PIN_ASK);

	(void)state;
	stand_run(stand, 0, "locked");
	stands = true;
	assert_int_equal(stand_unlock(stand, STAND_PIN), HT_ERR_INTERNAL);
	assert_false(stand->unlocked);
	stands = false;
	stand_close(stand);
	/* The same where the worker has to start first. */
	stand_fault("login-crash", 1);
	stand = stand_new(CONF_PIN_FILE);
	stand_run(stand, 0, "away");
	stands = true;
	assert_int_equal(stand_unlock(stand, ""), 0);
	stand_run(stand, 0, "locked");
	assert_true(stand->unlocked);
	assert_int_equal(stand->unlock_code, HT_ERR_UNAVAILABLE);
	stands = false;
	stand_close(stand);
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		STAND_TEST(asks_an_administrator),
		STAND_TEST(nothing_waits_for_a_locked_token),
		STAND_TEST(a_wrong_pin_is_tried_once),
		STAND_TEST(a_crash_at_login_is_not_repeated),
		STAND_TEST(a_hang_at_login_is_not_repeated),
		STAND_TEST(a_token_lost_at_login_is_not_tried_again),
		STAND_TEST(keyd_killed_at_login_is_guarded),
		STAND_TEST(an_administrator_who_left_is_not_called),
		STAND_TEST(
		    an_administrator_never_waits_for_a_guard_that_stands),
	};

	if (stand_is_parent(argc, argv))
		return stand_parent();
	return cmocka_run_group_tests(tests, stand_enter_p256, stand_leave);
}
