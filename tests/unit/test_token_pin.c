/*
 * The PIN of a token: who gives it, and how often it is tried
 * (tests/support/stand.h).
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

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

/* Without its secret nobody knows which PIN was wrong: none is tried. */
static void
a_lost_secret_keeps_the_token_locked(void **state)
{
	struct stand *stand;

	(void)state;
	scratch_write("pin", "999999\n", 7);
	stand = stand_new(CONF_PIN_FILE);
	stand_run(stand, 0, "locked");
	stand_close(stand);
	assert_int_equal(unlink("pin.key"), 0);
	scratch_write("pin", STAND_PIN "\n", strlen(STAND_PIN) + 1);
	stand = stand_new(CONF_PIN_FILE);
	stand_run(stand, 0, "locked");
	stand_assert_events(stand, "pin-held", 1);
	assert_int_equal(stand_calls("login"), 1);
	assert_int_equal(stand_unlock(stand, ""), 0);
	stand_run(stand, 0, "ready");
	stand_close(stand);
	stand = stand_new(CONF_PIN_FILE);
	stand_run(stand, 0, "ready");
	assert_int_equal(stand_calls("login"), 3);
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

static void
wake(void *cookie)
{
	(void)cookie;
}

/* Run until the token has the PIN. */
static void
until_login(struct stand *stand)
{
	struct ht_error e;

	stand_settle(stand);
	while (stand_calls("login") == 0) {
		assert_string_not_equal(token_state(stand->token), "away");
		assert_non_null(loop_timer_add(stand->loop, 10, wake, NULL));
		assert_int_equal(loop_once(stand->loop, &e), 0);
		stand_settle(stand);
	}
}

/* keyd dies between the attempt and its outcome. */
static void
keyd_killed_at_login_is_guarded(void **state)
{
	struct stand *stand;

	(void)state;
	stand_fault("login-hang", 1);
	stand = stand_new(CONF_PIN_FILE);
	until_login(stand);
	stand_close(stand);
	stand = stand_new(CONF_PIN_FILE);
	stand_run(stand, 0, "locked");
	assert_int_equal(stand_calls("login"), 1);
	stand_close(stand);
}

static void
an_attempt_that_is_undone_is_not_made(void **state)
{
	struct stand *stand = stand_new(CONF_PIN_FILE);
	struct ht_error e;

	(void)state;
	stand_settle(stand);
	while (!token_logging_in(stand->token))
		assert_int_equal(loop_once(stand->loop, &e), 0);
	stand_undo(stand);
	stand_run(stand, 0, "away");
	assert_non_null(strstr(token_reason(stand->token), "no room"));
	assert_int_equal(stand_calls("login"), 0);
	/* With room, a job is enough. */
	(void)stand_submit(stand, STAND_P256);
	stand_run(stand, 1, "ready");
	stand_assert_signed(&stand->job[0], 1);
	assert_int_equal(stand_calls("login"), 1);
	stand_close(stand);
}

/* Run to the outcome of a first login, which is written and then undone. */
static struct stand *
undo_outcome(const char *pin)
{
	struct stand *stand;
	struct ht_error e;

	scratch_write("pin", pin, strlen(pin));
	stand = stand_new(CONF_PIN_FILE);
	stand_settle(stand);
	while (!token_logging_in(stand->token))
		assert_int_equal(loop_once(stand->loop, &e), 0);
	stand_settle(stand);
	while (!store_dirty(stand->store))
		assert_int_equal(loop_once(stand->loop, &e), 0);
	stand_undo(stand);
	stand_assert_events(stand, "token-unlocked", 0);
	stand_assert_events(stand, "pin-refused", 0);
	return stand;
}

/* Run until what was undone is written again, and commit it if there is room. */
static void
write_again(struct stand *stand, bool room)
{
	struct ht_error e;

	while (!store_dirty(stand->store))
		assert_int_equal(loop_once(stand->loop, &e), 0);
	if (room)
		stand_settle(stand);
	else
		stand_undo(stand);
}

static void
a_login_whose_record_is_undone_is_recorded_later(void **state)
{
	struct stand *stand = undo_outcome(STAND_PIN "\n");

	(void)state;
	stand_run(stand, 0, "ready");
	write_again(stand, false);
	write_again(stand, true);
	stand_assert_events(stand, "token-unlocked", 1);
	stand_close(stand);
	/* Nothing is unknown: a keyd that starts logs in. */
	stand = stand_new(CONF_PIN_FILE);
	stand_run(stand, 0, "ready");
	stand_assert_events(stand, "token-unlocked", 2);
	stand_close(stand);
}

static void
a_refusal_whose_record_is_undone_is_recorded_later(void **state)
{
	struct stand *stand = undo_outcome("999999\n");

	stand_run(stand, 0, "locked");
	write_again(stand, true);
	stand_assert_events(stand, "pin-refused", 1);
	stand_close(stand);
	stand = stand_guarded(false, 9);
	stand_run(stand, 0, "locked");
	assert_int_equal(stand_calls("login"), 1);
	stand_close(stand);
	/* It comes with the next attempt, not after it. */
	(void)stand_fresh(state);
	stand = undo_outcome("999999\n");
	assert_int_equal(stand_unlock(stand, STAND_PIN), 0);
	stand_undo(stand);
	stand_assert_events(stand, "pin-refused", 0);
	write_again(stand, false);
	assert_int_equal(stand_unlock(stand, STAND_PIN), 0);
	stand_run(stand, 0, "ready");
	stand_assert_events(stand, "pin-refused", 1);
	stand_close(stand);
	(void)stand_fresh(state);
	stand = undo_outcome("999999\n");
	assert_int_equal(stand_unlock(stand, STAND_PIN), 0);
	stand_settle(stand);
	stand_assert_events(stand, "pin-refused", 1);
	stand_run(stand, 0, "ready");
	stand_assert_events(stand, "pin-refused", 1);
	stand_assert_events(stand, "token-unlocked", 1);
	stand_close(stand);
	/* What the administrator's login cleared stays so. */
	stand = stand_guarded(false, 0);
	stand_run(stand, 0, "locked");
	assert_int_equal(stand_calls("login"), 3);
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

/* --- after an attempt whose outcome nobody knows ------------------------- */

/* Once the worker has died at login: a job starts the next one. */
static void
try_again(struct stand *stand, const char *state)
{
	unsigned int before = stand->done;

	stand_run(stand, 0, "away");
	assert_int_equal(stand_submit(stand, STAND_P256)->code, 0);
	stand_run(stand, before + 1, state);
}

/* What must happen at every later start: locked, and no login. */
static void
stays_locked(bool counted, unsigned int retries)
{
	unsigned int logins = stand_calls("login"), i;
	struct stand *stand;

	for (i = 0; i < 3; i++) {
		stand = stand_guarded(counted, retries);
		stand_run(stand, 0, "locked");
		assert_non_null(strstr(token_reason(stand->token),
		    "type: htsign-admin unlock unit"));
		stand_close(stand);
	}
	assert_int_equal(stand_calls("login"), logins);
}

static void
a_token_that_counts_tells_that_it_did_not_refuse(void **state)
{
	struct stand *stand;
	unsigned int i;

	(void)state;
	/* Crashes before and after the token has judged the right PIN. */
	stand_fault("login-crash", 3);
	stand = stand_guarded(true, 0);
	for (i = 0; i < 2; i++)
		try_again(stand, "away");
	stand_fault("login-late-crash", 1);
	try_again(stand, "away");
	stand_assert_events(stand, "pin-repeated", 3);
	(void)stand_submit(stand, STAND_P256);
	stand_run(stand, 4, "ready");
	stand_assert_signed(&stand->job[3], 1);
	assert_int_equal(stand_calls("login"), 5);
	stand_close(stand);
}

static void
a_token_that_counts_tells_that_it_refused(void **state)
{
	struct stand *stand;

	(void)state;
	scratch_write("pin", "999999\n", 7);
	stand_fault("login-late-crash", 1);
	stand = stand_guarded(true, 9);
	try_again(stand, "locked");
	assert_int_equal(stand->job[0].code, HT_ERR_UNAVAILABLE);
	stand_assert_events(stand, "pin-held", 1);
	assert_int_equal(stand_calls("login-refused"), 1);
	assert_int_equal(stand_calls("login"), 1);
	/* An administrator's right one sets the token's counter back. */
	assert_int_equal(stand_unlock(stand, STAND_PIN), 0);
	stand_run(stand, 0, "ready");
	stand_close(stand);
}

/* Another refusal would not show in these flags, so they tell nothing. */
static void
a_token_that_refused_before_tells_nothing(void **state)
{
	struct stand *stand;

	(void)state;
	stand_fault("login-crash", 1);
	scratch_write("control/pin-flags", "1", 1);
	stand = stand_guarded(true, 0);
	try_again(stand, "locked");
	stand_close(stand);
	assert_int_equal(stand_calls("login"), 1);
	stays_locked(true, 0);
	/* The configuration lets it be tried again. */
	stand = stand_guarded(true, 1);
	stand_run(stand, 0, "ready");
	stand_close(stand);
}

/* keyd dies while the token has the PIN. */
static void
keyd_killed_at_login_goes_on_if_the_token_counts(void **state)
{
	struct stand *stand;

	(void)state;
	stand_fault("login-hang", 1);
	stand = stand_guarded(true, 0);
	until_login(stand);
	stand_close(stand);
	stand = stand_guarded(true, 0);
	(void)stand_submit(stand, STAND_P256);
	stand_run(stand, 1, "ready");
	stand_assert_signed(&stand->job[0], 1);
	assert_int_equal(stand_calls("login"), 2);
	stand_close(stand);
}

static void
retries_are_limited(void **state)
{
	unsigned int retries, i;
	struct stand *stand;

	for (retries = 0; retries < 3; retries++) {
		(void)stand_fresh(state);
		stand_fault("login-crash", 8);
		stand = stand_guarded(false, retries);
		for (i = 0; i < retries; i++)
			try_again(stand, "away");
		try_again(stand, "locked");
		stand_assert_events(stand, "pin-repeated", retries);
		assert_int_equal(stand_calls("login"), 1 + retries);
		stand_close(stand);
		stays_locked(false, retries);
	}
}

/* One that works in between is no outcome that nobody knows. */
static void
retries_count_from_the_last_login(void **state)
{
	struct stand *stand;
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		stand_fault("login-crash", 1);
		stand = stand_guarded(false, 1);
		try_again(stand, "ready");
		assert_int_equal(stand_calls("login"), 2 * (i + 1));
		stand_close(stand);
	}
}

static void
the_final_try_is_a_humans(void **state)
{
	static const char *const flags[] = { "2", "3", "4" };
	struct stand *stand;
	size_t i;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		(void)stand_fresh(state);
		stand_fault("login-crash", 1);
		stand = stand_guarded(false, 9);
		stand_run(stand, 0, "away");
		stand_close(stand);
		scratch_write("control/pin-flags", flags[i], 1);
		stays_locked(false, 9);
		stays_locked(true, 9);
		assert_int_equal(stand_calls("login"), 1);
	}
}

static void
a_refused_pin_is_never_repeated(void **state)
{
	struct stand *stand;

	(void)state;
	scratch_write("pin", "999999\n", 7);
	stand = stand_guarded(true, 9);
	stand_run(stand, 0, "locked");
	stand_close(stand);
	stays_locked(true, 9);
	stays_locked(false, 9);
	/* Not even if the token says nothing of it. */
	scratch_write("control/pin-flags", "0", 1);
	stays_locked(true, 9);
	/* Nor after an administrator's attempt of which nobody knows. */
	stand = stand_guarded(true, 0);
	stand_run(stand, 0, "locked");
	stand_fault("login-crash", 1);
	assert_int_equal(stand_unlock(stand, STAND_PIN), 0);
	stand_run(stand, 0, "away");
	stand_close(stand);
	stays_locked(true, 9);
	assert_int_equal(stand_calls("login"), 2);
}

/* The lock of one who may still try a PIN: nobody else opens the token. */
static void
nobody_starts_beside_an_attempt(void **state)
{
	struct stand *stand;
	int other;

	(void)state;
	other = open("pin-unit.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(other >= 0);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
	stand = stand_guarded(true, 0);
	assert_string_equal(token_state(stand->token), "away");
	stand_settle(stand);
	assert_int_equal(stand_calls("initialize"), 0);
	(void)close(other);
	(void)usleep(1100 * 1000);
	(void)stand_submit(stand, STAND_P256);
	stand_run(stand, 1, "ready");
	stand_assert_signed(&stand->job[0], 1);
	/* The worker has given it back by now. */
	other = open("pin-unit.lock", O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
	(void)close(other);
	stand_close(stand);
}

/* The worker keeps the lock while the token has the PIN. */
static void
an_attempt_has_the_lock(void **state)
{
	struct stand *stand;
	int other;

	(void)state;
	stand_fault("login-hang", 1);
	stand = stand_guarded(true, 0);
	until_login(stand);
	other = open("pin-unit.lock", O_RDWR | O_CLOEXEC);
	assert_true(flock(other, LOCK_EX | LOCK_NB) < 0);
	stand_run(stand, 0, "away");
	stand_close(stand);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
	(void)close(other);
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		STAND_TEST(asks_an_administrator),
		STAND_TEST(nothing_waits_for_a_locked_token),
		STAND_TEST(a_wrong_pin_is_tried_once),
		STAND_TEST(a_lost_secret_keeps_the_token_locked),
		STAND_TEST(a_crash_at_login_is_not_repeated),
		STAND_TEST(a_hang_at_login_is_not_repeated),
		STAND_TEST(a_token_lost_at_login_is_not_tried_again),
		STAND_TEST(keyd_killed_at_login_is_guarded),
		STAND_TEST(an_attempt_that_is_undone_is_not_made),
		STAND_TEST(a_login_whose_record_is_undone_is_recorded_later),
		STAND_TEST(a_refusal_whose_record_is_undone_is_recorded_later),
		STAND_TEST(an_administrator_who_left_is_not_called),
		STAND_TEST(a_token_that_counts_tells_that_it_did_not_refuse),
		STAND_TEST(a_token_that_counts_tells_that_it_refused),
		STAND_TEST(a_token_that_refused_before_tells_nothing),
		STAND_TEST(keyd_killed_at_login_goes_on_if_the_token_counts),
		STAND_TEST(retries_are_limited),
		STAND_TEST(retries_count_from_the_last_login),
		STAND_TEST(the_final_try_is_a_humans),
		STAND_TEST(a_refused_pin_is_never_repeated),
		STAND_TEST(nobody_starts_beside_an_attempt),
		STAND_TEST(an_attempt_has_the_lock),
	};

	if (stand_is_parent(argc, argv))
		return stand_parent();
	return cmocka_run_group_tests(tests, stand_enter_p256, stand_leave);
}
