/*
 * htsign-keyd as its shells see it, well behaved and not: who gets in, what
 * may be asked, what is on record afterwards.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "lib/proc.h"
#include "signature/init.h"
#include "signature/pkcs7.h"
#include "tests/support/endpoint.h"
#include "tests/support/scratch.h"

static int
enter(void **state)
{
	struct ht_error e;

	if (scratch_enter(state) != 0 || authenticode_init(&e) < 0)
		return 1;
	endpoint_make();
	endpoint_start();
	assert_int_equal(endpoint_admin("client add ci", NULL, NULL), 0);
	assert_int_equal(endpoint_admin("grant ci test", NULL, NULL), 0);
	assert_int_equal(endpoint_admin("grant ci away", NULL, NULL), 0);
	return 0;
}

static int
leave(void **state)
{
	int status = endpoint_stop(SIGTERM);

	return scratch_leave(state) != 0 || status != 0;
}

static void
a_request_goes_through_and_is_on_record(void **state)
{
	static const uint8_t sha256[32];
	struct protocol_output output = { 2048, { sha256, sizeof(sha256) }, 0 };
	struct buf der = BUF_INIT, pkcs7 = BUF_INIT;
	struct ht_error e;
	struct keyd_client a;
	int again;

	(void)state;
	endpoint_content(&der);
	endpoint_connect(&a);
	for (again = 0; again < 2; again++) {
		buf_reset(&pkcs7);
		assert_int_equal(endpoint_begin(&a, "test", &e), 0);
		assert_true(endpoint_last_row_holds("\"asked\""));
		assert_int_equal(
		    endpoint_sign(&a, buf_cursor(&der), &pkcs7, &e), 0);
		assert_int_equal(pkcs7_postflight(pkcs7.data, pkcs7.len,
		                     der.data, der.len, &e),
		    0);
		assert_true(endpoint_last_row_holds("\"signed\""));
		assert_int_equal(
		    keyd_client_output(&a, &output, cursor_over(NULL, 0), &e),
		    0);
		assert_true(endpoint_last_row_holds("\"finished\""));
		assert_int_equal(keyd_client_delivered(&a, 2048, &e), 0);
	}
	keyd_client_close(&a);
	assert_true(endpoint_last_row_holds("\"delivered\""));
	assert_true(endpoint_last_row_holds("My App"));
	buf_free(&der);
	buf_free(&pkcs7);
}

static void
content_that_is_not_spc_is_never_signed(void **state)
{
	struct buf der = BUF_INIT, pkcs7 = BUF_INIT;
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	endpoint_content(&der);
	endpoint_connect(&a);
	assert_int_equal(endpoint_begin(&a, "test", &e), 0);
	der.data[der.len - 40] ^= 1;
	assert_int_equal(endpoint_sign(&a, buf_cursor(&der), &pkcs7, &e),
	    HT_ERR_DATA);
	assert_true(a.refused);
	assert_int_equal(pkcs7.len, 0);
	keyd_client_close(&a);
	assert_true(endpoint_last_row_holds("\"failed\""));
	buf_free(&der);
	buf_free(&pkcs7);
}

static void
what_is_not_granted_is_refused_with_a_row(void **state)
{
	static const char *const profiles[] = { "other", "nothing", "away" };
	struct ht_error e;
	struct keyd_client a;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		endpoint_connect(&a);
		assert_int_equal(endpoint_begin(&a, profiles[i], &e),
		    HT_ERR_DENIED);
		assert_true(a.refusal.number > 0);
		keyd_client_close(&a);
		assert_true(endpoint_last_row_holds("\"refused\""));
		assert_true(endpoint_last_row_holds(profiles[i]));
	}
}

static void
a_cut_is_on_record(void **state)
{
	struct buf der = BUF_INIT, pkcs7 = BUF_INIT;
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	endpoint_content(&der);
	endpoint_connect(&a);
	assert_int_equal(endpoint_begin(&a, "test", &e), 0);
	keyd_client_close(&a);
	assert_true(endpoint_last_row_holds("\"aborted\""));
	endpoint_connect(&a);
	assert_int_equal(endpoint_begin(&a, "test", &e), 0);
	assert_int_equal(endpoint_sign(&a, buf_cursor(&der), &pkcs7, &e), 0);
	keyd_client_close(&a);
	assert_true(endpoint_last_row_holds("\"aborted\""));
	buf_free(&der);
	buf_free(&pkcs7);
}

static void
a_failure_of_the_shell_is_on_record(void **state)
{
	struct ht_error why, e;
	struct keyd_client a;

	(void)state;
	(void)ht_error_at(&why, HT_ERR_DATA, 17, "no MZ");
	endpoint_connect(&a);
	assert_int_equal(keyd_client_fail(&a, &why, "format", &e), 0);
	assert_true(a.number > 0);
	assert_true(endpoint_last_row_holds("no MZ"));
	assert_int_equal(endpoint_begin(&a, "test", &e), 0);
	assert_int_equal(keyd_client_fail(&a, &why, "format", &e), 0);
	assert_int_equal(endpoint_begin(&a, "test", &e), 0);
	keyd_client_close(&a);
	assert_true(endpoint_last_row_holds("\"aborted\""));
}

static void
tickets_must_be_genuine_fresh_and_the_certificates_own(void **state)
{
	struct buf one = BUF_INIT, two = BUF_INIT;
	char ticket[PROTOCOL_TICKET];
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	endpoint_certificate("ci", "", &one);
	endpoint_certificate("ci", "", &two);
	assert_int_equal(endpoint_ticket(&one, ticket), 0);
	assert_int_equal(endpoint_greet(&a, &one, "", &e), HT_ERR_DENIED);
	keyd_client_close(&a);
	assert_int_equal(endpoint_greet(&a, &two, ticket, &e), HT_ERR_DENIED);
	assert_non_null(strstr(e.text, "foreign"));
	keyd_client_close(&a);
	ticket[10] = ticket[10] == 'A' ? 'B' : 'A';
	assert_int_equal(endpoint_greet(&a, &one, ticket, &e), HT_ERR_DENIED);
	keyd_client_close(&a);
	one.data[40] ^= 1; /* and no ticket for a certificate not ours */
	assert_int_equal(endpoint_ticket(&one, ticket), -1);
	buf_free(&one);
	buf_free(&two);
}

static void
a_revoked_certificate_gets_nothing(void **state)
{
	struct buf blob = BUF_INIT;
	char ticket[PROTOCOL_TICKET];
	struct ht_error e;
	struct keyd_client a, open;

	(void)state;
	endpoint_certificate("ci", "", &blob);
	assert_int_equal(endpoint_ticket(&blob, ticket), 0);
	assert_int_equal(endpoint_greet(&open, &blob, ticket, &e), 0);
	assert_int_equal(endpoint_admin("revoke ci", NULL, NULL), 0);
	assert_int_equal(endpoint_begin(&open, "test", &e), HT_ERR_DENIED);
	keyd_client_close(&open);
	assert_int_equal(endpoint_greet(&a, &blob, ticket, &e), HT_ERR_DENIED);
	assert_non_null(strstr(e.text, "revoked"));
	keyd_client_close(&a);
	buf_free(&blob);
}

static void
revoked_between_signature_and_release_nothing_is_released(void **state)
{
	static const uint8_t sha256[32];
	struct protocol_output output = { 2048, { sha256, sizeof(sha256) }, 0 };
	struct buf der = BUF_INIT, pkcs7 = BUF_INIT;
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	endpoint_content(&der);
	endpoint_connect(&a);
	assert_int_equal(endpoint_begin(&a, "test", &e), 0);
	assert_int_equal(endpoint_sign(&a, buf_cursor(&der), &pkcs7, &e), 0);
	assert_int_equal(endpoint_admin("revoke ci", NULL, NULL), 0);
	assert_int_equal(
	    keyd_client_output(&a, &output, cursor_over(NULL, 0), &e),
	    HT_ERR_DENIED);
	keyd_client_close(&a);
	assert_true(endpoint_last_row_holds("\"failed\""));
	buf_free(&der);
	buf_free(&pkcs7);
}

static void
too_many_open_requests_are_told_to_come_back(void **state)
{
	struct ht_error e;
	struct keyd_client a[4];
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++)
		endpoint_connect(&a[i]);
	for (i = 0; i < 3; i++)
		assert_int_equal(endpoint_begin(&a[i], "test", &e), 0);
	assert_int_equal(endpoint_begin(&a[3], "test", &e), HT_ERR_TEMPORARY);
	assert_true(a[3].refusal.retry > 0);
	for (i = 0; i < 4; i++)
		keyd_client_close(&a[i]);
}

static void
a_size_over_the_limit_is_refused_before_the_upload(void **state)
{
	struct protocol_begin begin;
	struct protocol_go go;
	struct ht_error e;
	struct keyd_client a;
	int spool;

	(void)state;
	memset(&begin, 0, sizeof(begin));
	(void)snprintf(begin.profile, sizeof(begin.profile), "test");
	begin.size = 1000001;
	endpoint_connect(&a);
	assert_int_equal(keyd_client_begin(&a, &begin, &go, &spool, &e),
	    HT_ERR_REFUSED);
	keyd_client_close(&a);
}

static void
messages_out_of_turn_close_the_connection(void **state)
{
	struct protocol_output output = { 1, { (const uint8_t *)"", 0 }, 0 };
	struct buf bytes = BUF_INIT;
	struct ht_error e;
	struct keyd_client a;
	struct msg m;

	(void)state;
	endpoint_connect(&a);
	assert_int_equal(protocol_encode(PROTOCOL_OUTPUT, &output, &bytes), 0);
	assert_int_equal(
	    msg_queue(a.link.channel, PROTOCOL_OUTPUT, 1, &bytes, NULL, 0, &e),
	    0);
	assert_int_equal(msg_drain(a.link.channel, -1, &e), 0);
	assert_int_equal(msg_wait(a.link.channel, &m, 5000, &e),
	    HT_ERR_UNAVAILABLE);
	keyd_client_close(&a);
	buf_free(&bytes);
}

static void
certificates_may_last_ten_years(void **state)
{
	struct buf blob = BUF_INIT, key = BUF_INIT;

	(void)state;
	assert_int_equal(
	    endpoint_admin("client add longer --ttl=3654d", NULL, NULL), 64);
	assert_int_equal(
	    endpoint_admin("client add long --ttl=3653d", NULL, NULL), 0);
	endpoint_certificate("long", "--ttl=900d", &blob);
	endpoint_certificate("long", "--ttl=3653d", &blob);
	scratch_read("id.pub", &key);
	buf_u8(&key, 0);
	assert_int_equal(endpoint_admin("issue long --ttl=3654d",
	                     (const char *)key.data, NULL),
	    64);
	buf_free(&key);
	buf_free(&blob);
}

static void
commands_are_checked(void **state)
{
	(void)state;
	assert_int_equal(endpoint_admin("nonsense", NULL, NULL), 64);
	assert_int_equal(endpoint_admin("grant ci", NULL, NULL), 64);
	assert_int_equal(endpoint_admin("grant ci nowhere", NULL, NULL), 64);
	assert_int_equal(endpoint_admin("grant nobody test", NULL, NULL), 64);
	assert_int_equal(endpoint_admin("log --colour", NULL, NULL), 64);
	assert_int_equal(endpoint_admin("log --json=no", NULL, NULL), 64);
	assert_int_equal(endpoint_admin("log --limit", NULL, NULL), 64);
	assert_int_equal(endpoint_admin("log --limit=", NULL, NULL), 64);
	assert_int_equal(endpoint_admin("log --limit=1 --limit=2", NULL, NULL),
	    64);
	assert_int_equal(endpoint_admin("log --json --limit=1", NULL, NULL), 0);
	assert_int_equal(endpoint_admin("revoke nobody", NULL, NULL), 64);
	assert_int_equal(
	    endpoint_admin("revoke 18446744073709551616", NULL, NULL), 64);
	assert_int_equal(endpoint_admin("client add -x", NULL, NULL), 64);
	assert_int_equal(endpoint_admin("issue ci", "no key", NULL), 64);
	assert_int_equal(endpoint_admin("issue ci --ttl=2x", NULL, NULL), 64);
	assert_int_equal(endpoint_admin("show 999999", NULL, NULL), 64);
	assert_int_equal(endpoint_admin("unlock nothing", "1234", NULL), 64);
	assert_int_equal(endpoint_admin("help", NULL, NULL), 0);
	assert_int_equal(endpoint_admin("tokens", NULL, NULL), 0);
	assert_int_equal(endpoint_admin("events", NULL, NULL), 0);
}

static void
a_restart_ends_what_was_open_on_record(void **state)
{
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	endpoint_connect(&a);
	assert_int_equal(endpoint_begin(&a, "test", &e), 0);
	(void)endpoint_stop(SIGKILL);
	endpoint_start();
	assert_int_equal(keyd_client_check(&a, &e), HT_ERR_UNAVAILABLE);
	keyd_client_close(&a);
	assert_true(endpoint_last_row_holds("\"aborted\""));
}

static void
a_reload_takes_effect_and_a_bad_one_does_not(void **state)
{
	struct buf old = BUF_INIT, text = BUF_INIT;
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	scratch_read("htsign.conf", &old);
	buf_bytes(&text, old.data, old.len);
	buf_format(&text, "nonsense = 1;\n");
	endpoint_reload(&text);
	endpoint_connect(&a);
	assert_int_equal(endpoint_begin(&a, "test", &e), 0);
	keyd_client_close(&a);
	assert_int_equal(endpoint_admin("grant ci late", NULL, NULL), 64);
	buf_reset(&text);
	buf_bytes(&text, old.data, old.len - strlen(");\n"));
	buf_format(&text,
	    ", { name = \"late\"; certificates = [ \"test\" ]; } );\n");
	endpoint_reload(&text);
	assert_int_equal(endpoint_admin("grant ci late", NULL, NULL), 0);
	endpoint_connect(&a);
	assert_int_equal(endpoint_begin(&a, "late", &e), 0);
	keyd_client_close(&a);
	buf_free(&old);
	buf_free(&text);
}

/* What is left of an endpoint whose clock is set back by two minutes. */
static void
write_future_event(void)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open("state/journal.db", &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
	                     "INSERT INTO event (at, kind, actor, detail) "
	                     "VALUES ((unixepoch() + 120) * 1000000, "
	                     "'started', '', '{}')",
	                     NULL, NULL, NULL),
	    SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void
with_the_clock_set_back_nothing_is_signed(void **state)
{
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	assert_int_equal(endpoint_stop(SIGTERM), 0);
	write_future_event();
	endpoint_start();
	endpoint_connect(&a);
	assert_int_equal(endpoint_begin(&a, "test", &e), HT_ERR_UNAVAILABLE);
	assert_non_null(strstr(e.text, "clock"));
	keyd_client_close(&a);
	assert_true(endpoint_last_row_holds("\"refused\""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_goes_through_and_is_on_record),
		cmocka_unit_test(content_that_is_not_spc_is_never_signed),
		cmocka_unit_test(what_is_not_granted_is_refused_with_a_row),
		cmocka_unit_test(a_cut_is_on_record),
		cmocka_unit_test(a_failure_of_the_shell_is_on_record),
		cmocka_unit_test(
		    tickets_must_be_genuine_fresh_and_the_certificates_own),
		cmocka_unit_test(a_revoked_certificate_gets_nothing),
		cmocka_unit_test(
		    revoked_between_signature_and_release_nothing_is_released),
		cmocka_unit_test(too_many_open_requests_are_told_to_come_back),
		cmocka_unit_test(
		    a_size_over_the_limit_is_refused_before_the_upload),
		cmocka_unit_test(messages_out_of_turn_close_the_connection),
		cmocka_unit_test(certificates_may_last_ten_years),
		cmocka_unit_test(commands_are_checked),
		cmocka_unit_test(a_restart_ends_what_was_open_on_record),
		cmocka_unit_test(a_reload_takes_effect_and_a_bad_one_does_not),
		cmocka_unit_test(with_the_clock_set_back_nothing_is_signed),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
