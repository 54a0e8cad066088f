/*
 * A request in keyd from its signature to its timestamp.  The test is the shell,
 * the token, and htsign-fetch.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keys/keyd/fetch-link.h"
#include "lib/proc.h"
#include "signature/pkcs7.h"
#include "store/authority/clients.h"
#include "store/journal/journal.h"
#include "tests/support/core_client.h"
#include "tests/support/core_fetch.h"
#include "tests/support/core_token.h"
#include "tests/support/scratch.h"

#define TOKEN "\x30\x03\x02\x01\x05"
#define ROOTS "these are roots"

static const char configuration[] =
    "tokens = ( { name = \"near\"; file = \"$/user_key\"; } );\n"
    "certificates = ( { name = \"good\"; token = \"near\";\n"
    "  chain = \"$/good.pem\"; } );\n"
    "timestamp_servers = (\n"
    "  { name = \"one\"; operator = \"O\"; url = \"http://o/\";\n"
    "    roots = \"$/roots\"; },\n"
    "  { name = \"two\"; operator = \"T\"; url = \"http://t/\";\n"
    "    roots = \"$/roots\"; },\n"
    "  { name = \"none\"; operator = \"N\"; url = \"http://n/\";\n"
    "    roots = \"$/no-such-file\"; } );\n"
    "profiles = (\n"
    "  { name = \"must\"; certificates = [ \"good\" ]; deadline = 50;\n"
    "    timestamp = \"required\"; },\n"
    "  { name = \"try\"; certificates = [ \"good\" ];\n"
    "    timestamp = \"attempt\"; timestamp_servers = [ \"two\" ]; },\n"
    "  { name = \"lost\"; certificates = [ \"good\" ];\n"
    "    timestamp = \"required\"; timestamp_servers = [ \"none\" ]; },\n"
    "  { name = \"plain\"; certificates = [ \"good\" ]; deadline = 3; } );\n";

/* htsign-fetch comes, and is asked about the certificate. */
static void
fetch_come(void)
{
	union protocol_body body;

	core_fetch_connect(&core_fetch);
	(void)core_fetch_hear(PROTOCOL_LOOK, &body);
}

static struct protocol_stamped
good(void)
{
	struct protocol_stamped s = { .server = "one",
		.time = SSH_CA_NOW,
		.serial = "0a1b",
		.tries = 2 };

	s.token = cursor_over(TOKEN, sizeof(TOKEN) - 1);
	return s;
}

static int
set_up(void **state)
{
	static const char *const granted[] = { "must", "try", "lost" };
	struct ht_error e;
	size_t i;

	if (core_token_set_up(state) != 0)
		return 1;
	scratch_write("roots", ROOTS, sizeof(ROOTS) - 1);
	core_configure("", configuration);
	for (i = 0; i < sizeof(granted) / sizeof(granted[0]); i++)
		assert_int_equal(
		    client_grant(core.store, &core_actor, "ci", granted[i], &e),
		    0);
	fetch_look(core.fetch);
	fetch_come();
	return 0;
}

static int
tear_down(void **state)
{
	protocol_close(&core_fetch);
	return core_client_tear_down(state);
}

/* --- the shell ----------------------------------------------------------- */

/* Up to the token's signature. */
static void
sign(struct keyd_client *a, const char *profile)
{
	struct protocol_begin begin = core_client_request(profile);
	struct protocol_content content;
	struct buf der = BUF_INIT;

	signing_content("sha256", &der);
	content = core_client_content(&der);
	core_client_begin(a, &begin);
	core_client_say_content(a, &content, &der);
	core_token_take();
	core_token_answer(false);
	buf_free(&der);
}

/* SIGNED, its PART, and how many timestamps are in that. */
static unsigned int
hear_signature(struct keyd_client *a, struct protocol_signed *said)
{
	union protocol_body body;
	struct pkcs7 *p7;
	struct ht_error e;
	unsigned int n;
	struct msg m;

	core_client_hear(a, PROTOCOL_SIGNED, &m, &body);
	*said = body.signed_;
	if (said->roots.left > 0) {
		assert_int_equal(said->roots.left, sizeof(ROOTS) - 1);
		assert_memory_equal(said->roots.p, ROOTS, sizeof(ROOTS) - 1);
	}
	core_client_hear(a, PROTOCOL_PART, &m, &body);
	assert_int_equal(body.part.bytes.left, said->length);
	assert_int_equal(
	    pkcs7_parse(body.part.bytes.p, body.part.bytes.left, &p7, &e), 0);
	assert_int_equal(pkcs7_verify(p7, &e), 0);
	n = (unsigned int)pkcs7_count(p7, PKCS7_TIMESTAMP);
	pkcs7_free(p7);
	core_client_hear_nothing(a);
	return n;
}

/* --- tests --------------------------------------------------------------- */

static void
what_is_signed_is_stamped_and_then_handed_out(void **state)
{
	const struct protocol_output output = { 1000,
		cursor_over(core_client_sha256, JOURNAL_SHA256), 0 };
	const struct protocol_delivered delivered = { 1000 };
	struct protocol_stamped answer = good();
	struct protocol_signed said;
	union protocol_body body;
	struct keyd_client a;
	struct cursor name;
	struct msg m;
	uint32_t tag;

	(void)state;
	sign(&a, "must");
	assert_int_equal(core_events("signed", ""), 1);
	core_client_hear_nothing(&a);
	tag = core_fetch_hear(PROTOCOL_STAMP, &body);
	assert_string_equal(body.stamp.digest, "sha256");
	assert_int_equal(body.stamp.imprint.left, 32);
	assert_int_equal(body.stamp.not_before, SSH_CA_NOW - 1000);
	assert_int_equal(body.stamp.not_after, SSH_CA_NOW + 1000);
	assert_int_equal(body.stamp.milliseconds, 60000);
	assert_int_equal(cursor_string(&body.stamp.servers, &name), 0);
	assert_true(cursor_is(name, "one"));
	assert_int_equal(cursor_string(&body.stamp.servers, &name), 0);
	assert_true(cursor_is(name, "two"));
	core_fetch_say(PROTOCOL_STAMPED, tag + 1, &answer);
	core_client_hear_nothing(&a);
	core_fetch_say(PROTOCOL_STAMPED, tag, &answer);
	assert_int_equal(core_events("stamped", "\"server\":\"one\""), 1);
	assert_int_equal(
	    core_events("stamped", "\"serial\":\"0a1b\",\"tries\":2"), 1);
	assert_int_equal(hear_signature(&a, &said), 1);
	assert_true(said.roots.left > 0);
	assert_string_equal(said.note, "certificate good expires within a day");
	core_client_say(&a, PROTOCOL_OUTPUT, &output);
	core_client_hear(&a, PROTOCOL_RELEASE, &m, &body);
	core_client_say(&a, PROTOCOL_DELIVERED, &delivered);
	assert_int_equal(core_events("delivered", ""), 1);
	core_client_close(&a);
	assert_null(core.requests);
}

static void
without_a_server_what_is_required_fails(void **state)
{
	const struct protocol_stamp_failed failed = { 7, "all are away" };
	union protocol_body body;
	struct keyd_client a;

	(void)state;
	sign(&a, "must");
	core_fetch_say(PROTOCOL_STAMP_FAILED,
	    core_fetch_hear(PROTOCOL_STAMP, &body), &failed);
	core_client_hear_no(&a, HT_ERR_UNAVAILABLE, "timestamp",
	    "no timestamp: all are away");
	assert_int_equal(core_events("failed", "all are away"), 1);
	assert_int_equal(core_events("unstamped", ""), 0);
}

static void
without_a_server_what_is_attempted_leaves(void **state)
{
	const struct protocol_stamp_failed failed = { 7, "all are away" };
	struct protocol_signed said;
	union protocol_body body;
	struct keyd_client a;
	struct cursor name;
	uint32_t tag;

	(void)state;
	sign(&a, "try");
	tag = core_fetch_hear(PROTOCOL_STAMP, &body);
	assert_int_equal(cursor_string(&body.stamp.servers, &name), 0);
	assert_true(cursor_is(name, "two"));
	assert_int_equal(body.stamp.servers.left, 0);
	core_fetch_say(PROTOCOL_STAMP_FAILED, tag, &failed);
	assert_int_equal(hear_signature(&a, &said), 0);
	assert_int_equal(said.roots.left, 0);
	assert_string_equal(said.note,
	    "certificate good expires within a day; "
	    "no timestamp: all are away");
	assert_int_equal(
	    core_events("unstamped", "{\"tries\":7,\"text\":\"all are away\"}"),
	    1);
	core_client_close(&a);
}

/* keyd does not parse a token, but sees that it is one value of ASN.1. */
static void
what_is_no_answer_ends_the_connection(void **state)
{
	static const struct {
		const char *token;
		size_t n;
		const char *server, *serial;
		int64_t time;
	} bad[] = {
		{ TOKEN "x", sizeof(TOKEN), "one", "0a", SSH_CA_NOW },
		{ TOKEN, sizeof(TOKEN) - 2, "one", "0a", SSH_CA_NOW },
		{ "\x31\x00", 2, "one", "0a", SSH_CA_NOW },
		{ "", 0, "one", "0a", SSH_CA_NOW },
		{ TOKEN, sizeof(TOKEN) - 1, "three", "0a", SSH_CA_NOW },
		{ TOKEN, sizeof(TOKEN) - 1, "one", "", SSH_CA_NOW },
		{ TOKEN, sizeof(TOKEN) - 1, "one", "0g", SSH_CA_NOW },
		{ TOKEN, sizeof(TOKEN) - 1, "one", "0a", SSH_CA_NOW - 1001 },
		{ TOKEN, sizeof(TOKEN) - 1, "one", "0a", SSH_CA_NOW + 1001 },
	};
	struct protocol_stamped answer = good();
	union protocol_body body;
	struct keyd_client a;
	uint32_t tag;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		sign(&a, "must");
		tag = core_fetch_hear(PROTOCOL_STAMP, &body);
		answer.token = cursor_over(bad[i].token, bad[i].n);
		(void)snprintf(answer.server, sizeof(answer.server), "%s",
		    bad[i].server);
		(void)snprintf(answer.serial, sizeof(answer.serial), "%s",
		    bad[i].serial);
		answer.time = (uint64_t)bad[i].time;
		core_fetch_say(PROTOCOL_STAMPED, tag, &answer);
		core_fetch_leave();
		core_client_hear_nothing(&a);
		fetch_come();
		(void)core_fetch_hear(PROTOCOL_STAMP, &body);
		core_client_close(&a);
		(void)core_fetch_hear(PROTOCOL_STAMP_CANCEL, &body);
	}
	assert_int_equal(core_events("stamped", ""), 0);
	assert_int_equal(core_events("aborted", ""), i);
}

/* What it had is asked of the next one, but not for ever. */
static void
htsign_fetch_may_go_and_come(void **state)
{
	struct protocol_stamped answer = good();
	struct protocol_signed said;
	union protocol_body body;
	struct keyd_client a;

	(void)state;
	sign(&a, "must");
	(void)core_fetch_hear(PROTOCOL_STAMP, &body);
	core_fetch_leave();
	core_wait(1);
	core_client_hear_nothing(&a);
	fetch_come();
	core_fetch_say(PROTOCOL_STAMPED, core_fetch_hear(PROTOCOL_STAMP, &body),
	    &answer);
	assert_int_equal(hear_signature(&a, &said), 1);
	core_client_close(&a);

	sign(&a, "must");
	core_fetch_leave();
	fetch_come();
	core_fetch_leave();
	core_client_hear_no(&a, HT_ERR_UNAVAILABLE, "timestamp",
	    "no timestamp: htsign-fetch has gone twice meanwhile");
	core_wait(10);

	/* Nobody is asked to upload what cannot be stamped. */
	core_client_open(&a);
	{
		struct protocol_begin begin = core_client_request("must");

		core_client_say(&a, PROTOCOL_BEGIN, &begin);
	}
	core_client_hear_no(&a, HT_ERR_UNAVAILABLE, "timestamp",
	    "no timestamp: htsign-fetch is away");
	sign(&a, "try");
	assert_int_equal(hear_signature(&a, &said), 0);
	assert_non_null(
	    strstr(said.note, "no timestamp: htsign-fetch is away"));
	core_client_close(&a);
}

static void
who_waits_for_htsign_fetch_ends_with_its_time(void **state)
{
	union protocol_body body;
	struct keyd_client a;
	struct msg m;

	(void)state;
	sign(&a, "must");
	core_fetch_leave();
	core_wait(9);
	core_client_hear(&a, PROTOCOL_WAIT, &m, &body);
	assert_string_equal(body.wait.reason, "timestamp");
	core_wait(1);
	core_client_hear_no(&a, HT_ERR_UNAVAILABLE, "timestamp",
	    "no timestamp: htsign-fetch is away");
}

/* It lives, and says nothing. */
static void
htsign_fetch_does_not_answer(void **state)
{
	struct protocol_stamped answer = good();
	struct protocol_signed said;
	union protocol_body body;
	struct keyd_client a, b;
	struct msg m;
	uint32_t tag;

	(void)state;
	sign(&a, "try");
	tag = core_fetch_hear(PROTOCOL_STAMP, &body);
	core_wait(FETCH_PATIENCE / 1000 - 1);
	core_client_hear(&a, PROTOCOL_WAIT, &m, &body);
	sign(&b, "must");
	(void)core_fetch_hear(PROTOCOL_STAMP, &body);
	core_wait(1);
	assert_int_equal(hear_signature(&a, &said), 0);
	assert_non_null(
	    strstr(said.note, "no timestamp: htsign-fetch does not answer"));
	core_fetch_say(PROTOCOL_STAMPED, tag, &answer);
	assert_int_equal(core_events("stamped", ""), 0);
	core_client_close(&a);
	core_client_close(&b);
}

static void
a_second_htsign_fetch_is_refused(void **state)
{
	struct protocol_link second;
	union protocol_body body;
	struct ht_error e;
	struct msg m;

	(void)state;
	core_fetch_connect(&second);
	assert_int_equal(protocol_wait(&second, &m, &body, 0, &e), 1);
	assert_int_equal(m.type, PROTOCOL_REFUSE);
	assert_string_equal(body.refuse.text,
	    "another htsign-fetch is connected");
	protocol_close(&second);
	core_wait(0);
	assert_true(fetch_is_there(core.fetch));
}

static void
nobody_else_is_htsign_fetch(void **state)
{
	struct ht_error e;
	int pair[2];

	(void)state;
	core.setup->conf->users[CONF_USER_FETCH].uid = geteuid() + 1;
	assert_int_equal(proc_socketpair(pair, &e), 0);
	assert_int_equal(fetch_link_accept(&core, pair[0], &e), HT_ERR_DENIED);
	(void)close(pair[1]);
}

/* A client may have twelve under way; the other four are for others. */
static void
one_client_does_not_take_all(void **state)
{
	struct protocol_stamped answer = good();
	struct keyd_client a[14], other;
	struct protocol_signed said;
	union protocol_body body;
	struct ht_error e;
	uint32_t first = 0;
	size_t i;

	(void)state;
	for (i = 0; i < 14; i++) {
		sign(&a[i], "must");
		if (i == 0)
			first = core_fetch_hear(PROTOCOL_STAMP, &body);
		else if (i < FETCH_CLIENT)
			(void)core_fetch_hear(PROTOCOL_STAMP, &body);
		if (i < FETCH_CLIENT)
			assert_int_equal(body.stamp.place, i);
	}
	core_fetch_hear_nothing();
	assert_int_equal(
	    client_add(core.store, &core_actor, "cd", NULL, 3600, &e), 0);
	assert_int_equal(
	    client_grant(core.store, &core_actor, "cd", "must", &e), 0);
	(void)snprintf(core_client_who.name, sizeof(core_client_who.name),
	    "cd");
	sign(&other, "must");
	(void)core_fetch_hear(PROTOCOL_STAMP, &body);
	assert_int_equal(body.stamp.place, 0);
	core_fetch_hear_nothing();
	core_fetch_say(PROTOCOL_STAMPED, first, &answer);
	assert_int_equal(hear_signature(&a[0], &said), 1);
	(void)core_fetch_hear(PROTOCOL_STAMP, &body);
	core_fetch_hear_nothing();
	for (i = 0; i < 14; i++)
		core_client_close(&a[i]);
	core_client_close(&other);
	assert_null(core.requests);
}

static void
who_may_not_any_more_gets_no_stamped_signature(void **state)
{
	struct protocol_stamped answer = good();
	union protocol_body body;
	struct ht_error e;
	struct keyd_client a;
	uint32_t tag;

	(void)state;
	sign(&a, "must");
	tag = core_fetch_hear(PROTOCOL_STAMP, &body);
	assert_int_equal(
	    client_revoke_grant(core.store, &core_actor, "ci", "must", &e), 0);
	core_fetch_say(PROTOCOL_STAMPED, tag, &answer);
	core_client_hear_no(&a, HT_ERR_DENIED, "profile",
	    "profile must is not granted to ci");
	assert_int_equal(core_events("stamped", ""), 1);
	assert_int_equal(core_events("refused", ""), 1);
}

static void
who_fails_is_not_stamped(void **state)
{
	const struct protocol_fail fail = { 70, "internal", HT_NO_OFFSET,
		"no more" };
	struct protocol_stamped answer = good();
	union protocol_body body;
	struct keyd_client a;
	struct msg m;
	uint32_t tag;

	(void)state;
	sign(&a, "must");
	tag = core_fetch_hear(PROTOCOL_STAMP, &body);
	core_client_say(&a, PROTOCOL_FAIL, &fail);
	core_client_hear(&a, PROTOCOL_NOTED, &m, &body);
	assert_int_equal(core_fetch_hear(PROTOCOL_STAMP_CANCEL, &body), tag);
	core_fetch_say(PROTOCOL_STAMPED, tag, &answer);
	assert_int_equal(core_events("stamped", ""), 0);
	core_client_close(&a);
}

static void
a_server_that_is_configured_away_gives_nothing(void **state)
{
	struct protocol_stamped answer = good();
	union protocol_body body;
	struct keyd_client a;
	uint32_t tag;

	(void)state;
	sign(&a, "must");
	tag = core_fetch_hear(PROTOCOL_STAMP, &body);
	free(core.setup->servers[0].fault);
	core.setup->servers[0].fault = strdup("away");
	core_fetch_say(PROTOCOL_STAMPED, tag, &answer);
	core_client_hear_no(&a, HT_ERR_UNAVAILABLE, "timestamp",
	    "no timestamp: its server is not in use any more");
}

static void
a_profile_whose_roots_are_missing_refuses(void **state)
{
	struct protocol_begin begin = core_client_request("lost");
	struct keyd_client a;

	(void)state;
	core_client_open(&a);
	core_client_say(&a, PROTOCOL_BEGIN, &begin);
	core_client_hear_no(&a, HT_ERR_UNAVAILABLE, "timestamp",
	    "no timestamp: no server can be used: an administrator can see "
	    "why");
}

/* --- deadlines ----------------------------------------------------------- */

static void
a_timestamp_is_waited_for_until_the_deadline(void **state)
{
	union protocol_body body;
	struct keyd_client a;
	struct msg m;

	(void)state;
	sign(&a, "must");
	(void)core_fetch_hear(PROTOCOL_STAMP, &body);
	core_wait(49);
	core_client_hear(&a, PROTOCOL_WAIT, &m, &body);
	core_client_hear_nothing(&a);
	core_wait(1);
	core_client_hear_no(&a, HT_ERR_UNAVAILABLE, "deadline",
	    "it has taken longer than profile must allows: try again");
	(void)core_fetch_hear(PROTOCOL_STAMP_CANCEL, &body);
	assert_int_equal(core_events("failed", "deadline"), 1);
}

/* Up to the token. */
static void
queue(struct keyd_client *a)
{
	struct protocol_begin begin = core_client_request("plain");
	struct protocol_content content;
	struct buf der = BUF_INIT;

	signing_content("sha256", &der);
	content = core_client_content(&der);
	core_client_begin(a, &begin);
	core_client_say_content(a, &content, &der);
	buf_free(&der);
}

#define PLAIN_LATE "it has taken longer than profile plain allows: try again"

static void
the_deadline_ends_what_waits(void **state)
{
	union protocol_body body;
	struct keyd_client a;
	struct msg m;

	(void)state;
	queue(&a);
	core_token.cancels = true;
	core_wait(2);
	core_client_hear(&a, PROTOCOL_WAIT, &m, &body);
	core_wait(1);
	core_client_hear_no(&a, HT_ERR_UNAVAILABLE, "deadline", PLAIN_LATE);
	assert_int_equal(core_events("failed", "deadline"), 1);
	assert_null(core.requests);
}

static void
the_deadline_waits_for_the_token_that_has_it(void **state)
{
	union protocol_body body;
	struct keyd_client a;
	struct msg m;

	(void)state;
	queue(&a);
	core_token_take();
	core_wait(3);
	core_client_hear(&a, PROTOCOL_WAIT, &m, &body);
	core_client_hear_nothing(&a);
	core_token_answer(false);
	core_client_hear_no(&a, HT_ERR_UNAVAILABLE, "deadline", PLAIN_LATE);
	assert_int_equal(core_events("signed", ""), 1);
	assert_int_equal(core_events("failed", "deadline"), 1);
}

static void
the_deadline_ends_who_is_slow_with_the_output(void **state)
{
	struct protocol_signed said;
	struct keyd_client a;

	(void)state;
	queue(&a);
	core_token_take();
	core_token_answer(false);
	assert_int_equal(hear_signature(&a, &said), 0);
	core_wait(3);
	core_client_hear_no(&a, HT_ERR_UNAVAILABLE, "deadline", PLAIN_LATE);
}

static void
nothing_is_late_that_is_released(void **state)
{
	const struct protocol_output output = { 1000,
		cursor_over(core_client_sha256, JOURNAL_SHA256), 0 };
	const struct protocol_delivered delivered = { 1000 };
	struct protocol_signed said;
	union protocol_body body;
	struct keyd_client a;
	struct msg m;

	(void)state;
	queue(&a);
	core_token_take();
	core_token_answer(false);
	assert_int_equal(hear_signature(&a, &said), 0);
	core_client_say(&a, PROTOCOL_OUTPUT, &output);
	core_client_hear(&a, PROTOCOL_RELEASE, &m, &body);
	core_wait(10);
	core_client_say(&a, PROTOCOL_DELIVERED, &delivered);
	assert_int_equal(core_events("delivered", ""), 1);
	assert_int_equal(core_events("failed", ""), 0);
	core_client_close(&a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_signed_is_stamped_and_then_handed_out),
		TEST(without_a_server_what_is_required_fails),
		TEST(without_a_server_what_is_attempted_leaves),
		TEST(what_is_no_answer_ends_the_connection),
		TEST(htsign_fetch_may_go_and_come),
		TEST(who_waits_for_htsign_fetch_ends_with_its_time),
		TEST(htsign_fetch_does_not_answer),
		TEST(a_second_htsign_fetch_is_refused),
		TEST(nobody_else_is_htsign_fetch),
		TEST(one_client_does_not_take_all),
		TEST(who_may_not_any_more_gets_no_stamped_signature),
		TEST(who_fails_is_not_stamped),
		TEST(a_server_that_is_configured_away_gives_nothing),
		TEST(a_profile_whose_roots_are_missing_refuses),
		TEST(a_timestamp_is_waited_for_until_the_deadline),
		TEST(the_deadline_ends_what_waits),
		TEST(the_deadline_waits_for_the_token_that_has_it),
		TEST(the_deadline_ends_who_is_slow_with_the_output),
		TEST(nothing_is_late_that_is_released),
	};

	return cmocka_run_group_tests(tests, core_client_enter,
	    core_client_leave);
}
