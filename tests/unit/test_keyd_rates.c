/*
 * The rates of clients, profiles and tokens in keyd: how many requests are let
 * in, who is told to wait, for how long, and what a restart knows of it.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "keys/keyd/rates.h"
#include "keys/keyd/request/request-private.h"
#include "store/authority/clients.h"
#include "store/journal/journal.h"
#include "tests/support/core_client.h"
#include "tests/support/core_token.h"
#include "tests/support/scratch.h"

#define SHA256 cursor_over(core_client_sha256, JOURNAL_SHA256)

/* --- the endpoint -------------------------------------------------------- */

/* Read a configuration again: with these rates, of profile "plain" these, …. */
static void
configure(const char *rates, const char *profile, const char *token)
{
	char text[2048];

	(void)snprintf(text, sizeof(text),
	    "tokens = ( { name = \"near\"; file = \"$/user_key\"; %s },\n"
	    "  { name = \"far\"; file = \"$/user_key\"; %s } );\n"
	    "certificates = ( { name = \"good\"; token = \"near\";\n"
	    "  chain = \"$/good.pem\"; },\n"
	    "  { name = \"same\"; token = \"far\"; chain = \"$/good.pem\"; } "
	    ");\n"
	    "profiles = (\n"
	    "  { name = \"plain\"; certificates = [ \"good\" ]; %s },\n"
	    "  { name = \"keep\"; certificates = [ \"good\" ];\n"
	    "    existing = \"keep\"; formats = [ \"pe\" ]; },\n"
	    "  { name = \"other\"; certificates = [ \"good\", \"same\" ]; } "
	    ");\n"
	    "rates: { %s };\n",
	    token, token, profile, rates);
	core_configure("", text);
}

static int
set_up(void **state)
{
	struct ht_error e;

	if (core_token_set_up(state) != 0)
		return 1;
	assert_int_equal(
	    client_add(core.store, &core_actor, "other", NULL, 3600, &e), 0);
	assert_int_equal(
	    client_grant(core.store, &core_actor, "other", "plain", &e), 0);
	return 0;
}

/* keyd starts anew: what it counted is gone, but for the journal. */
static void
restart(void)
{
	struct ht_error e;

	core_settle();
	rates_free(core.rates);
	core.rates = rates_new();
	assert_non_null(core.rates);
	assert_int_equal(rates_recall(core.rates, core.store, &e), 0);
}

static void
pass(unsigned int seconds)
{
	core_now += (int64_t)seconds * 1000000;
	core_wait(seconds);
}

/* --- the clients --------------------------------------------------------- */

static struct protocol_begin
of_size(const char *profile, uint64_t size)
{
	struct protocol_begin begin = core_client_request(profile);

	begin.size = size;
	return begin;
}

/* A request that is let in, and ends. */
static void
let_in(const char *profile)
{
	struct protocol_begin begin = core_client_request(profile);
	struct keyd_client a;

	core_client_begin(&a, &begin);
	core_client_close(&a);
	assert_null(core.requests);
}

/* A request that is refused.  Returns the seconds to wait. */
static uint32_t
refuse_begin(const struct protocol_begin *begin, int code, const char *word,
    const char *text)
{
	union protocol_body body;
	struct keyd_client a;
	struct msg m;

	core_client_open(&a);
	core_client_say(&a, PROTOCOL_BEGIN, begin);
	core_client_hear(&a, PROTOCOL_REFUSE, &m, &body);
	assert_int_equal(body.refuse.status, -code);
	assert_string_equal(body.refuse.code, word);
	assert_string_equal(body.refuse.text, text);
	assert_true(body.refuse.number > 0);
	core_client_close(&a);
	return body.refuse.retry;
}

static uint32_t
refuse(const char *profile, const char *text)
{
	const struct protocol_begin begin = core_client_request(profile);

	return refuse_begin(&begin, HT_ERR_TEMPORARY, "rate", text);
}

/* BEGIN and all of the content: the token has a job. */
static void
queue(struct keyd_client *a, const char *profile)
{
	struct protocol_begin begin = core_client_request(profile);
	struct protocol_content content;
	struct buf der = BUF_INIT;

	signing_content("sha256", &der);
	content = core_client_content(&der);
	core_client_begin(a, &begin);
	core_client_say_content(a, &content, &der);
	core_client_hear_nothing(a);
	buf_free(&der);
}

/* Sign a file of 1000 bytes, and deliver it. */
static void
sign(const char *profile)
{
	const struct protocol_output output = { 1, SHA256, 0 };
	const struct protocol_delivered delivered = { 1 };
	union protocol_body body;
	struct keyd_client a;
	struct msg m;

	queue(&a, profile);
	core_token_take();
	core_token_answer(false);
	core_client_hear(&a, PROTOCOL_SIGNED, &m, &body);
	core_client_hear(&a, PROTOCOL_PART, &m, &body);
	core_client_say(&a, PROTOCOL_OUTPUT, &output);
	core_client_hear(&a, PROTOCOL_RELEASE, &m, &body);
	core_client_say(&a, PROTOCOL_DELIVERED, &delivered);
	core_client_close(&a);
}

/* --- requests ------------------------------------------------------------ */

static void
so_many_requests_a_minute_and_then_a_wait(void **state)
{
	uint32_t wait;
	int i;

	(void)state;
	configure("each_client = { requests_minute = 3; }", "", "");
	for (i = 0; i < 3; i++) {
		let_in("plain");
		pass(10);
	}
	wait = refuse("plain", "client ci is limited to 3 requests a minute");
	assert_true(wait > 30 && wait <= 31);
	assert_int_equal(core_events("refused", "\"rate\""), 1);
	assert_int_equal(core_events("refused", "\"exit\":75"), 1);
	pass(wait - 1);
	assert_int_equal(
	    refuse("plain", "client ci is limited to 3 requests a minute"), 1);
	pass(1);
	let_in("plain");
	(void)refuse("plain", "client ci is limited to 3 requests a minute");
}

static void
so_many_requests_a_day(void **state)
{
	uint32_t wait;
	int i;

	(void)state;
	configure("each_client = { requests_day = 5; }", "", "");
	for (i = 0; i < 5; i++)
		let_in("plain");
	wait = refuse("plain", "client ci is limited to 5 requests a day");
	assert_true(wait > 86400 && wait <= 86400 + 1440);
	core_wait(wait - 1);
	(void)refuse("plain", "client ci is limited to 5 requests a day");
	core_wait(1);
	let_in("plain");
}

static void
nobody_else_waits(void **state)
{
	(void)state;
	configure("each_client = { requests_minute = 1; }", "", "");
	let_in("plain");
	(void)refuse("plain", "client ci is limited to 1 requests a minute");
	(void)snprintf(core_client_who.name, sizeof(core_client_who.name),
	    "other");
	let_in("plain");
	(void)refuse("plain", "client other is limited to 1 requests a minute");
}

static void
a_client_has_rates_of_its_own(void **state)
{
	int i;

	(void)state;
	configure("each_client = { requests_minute = 1; requests_day = 4; };\n"
	          "clients = ( { name = \"ci\"; requests_minute = 3; } )",
	    "", "");
	for (i = 0; i < 3; i++)
		let_in("plain");
	(void)refuse("plain", "client ci is limited to 3 requests a minute");
	core_wait(61);
	let_in("plain");
	(void)refuse("plain", "client ci is limited to 4 requests a day");
}

/* Another configuration finds what was counted before. */
static void
a_reload_changes_the_limits(void **state)
{
	(void)state;
	configure("", "", "");
	let_in("plain");
	let_in("plain");
	configure("each_client = { requests_minute = 2; }", "", "");
	(void)refuse("plain", "client ci is limited to 2 requests a minute");
	configure("each_client = { requests_minute = 3; }", "", "");
	let_in("plain");
	(void)refuse("plain", "client ci is limited to 3 requests a minute");
	configure("", "", "");
	let_in("plain");
}

/* --- at once ------------------------------------------------------------- */

static void
every_ending_gives_a_place_back(void **state)
{
	const char *text = "client ci is limited to 2 requests at once";
	const struct protocol_fail fail = { 65, "damaged", HT_NO_OFFSET, "x" };
	const struct ht_error away = { HT_ERR_UNAVAILABLE, HT_NO_OFFSET, "x" };
	struct protocol_begin begin = core_client_request("plain");
	struct keyd_client a, b;

	(void)state;
	configure("each_client = { requests_at_once = 2; }", "", "");
	core_client_begin(&a, &begin);
	core_client_begin(&b, &begin);
	assert_int_equal(refuse("plain", text), 5);
	core_client_close(&b); /* cut */
	core_client_begin(&b, &begin);
	(void)refuse("plain", text);
	core_client_say(&b, PROTOCOL_FAIL, &fail);
	core_client_close(&b);
	core_client_begin(&b, &begin);
	core_client_close(&b);
	sign("plain"); /* delivered */
	queue(&b, "plain");
	(void)refuse("plain", text);
	core_token_give_up(&away); /* failed */
	core_client_close(&b);
	queue(&b, "plain");
	core_token_take();
	core_client_close(&b); /* cut, while the token has it */
	(void)refuse("plain", text);
	core_token_answer(false);
	core_client_begin(&b, &begin);
	(void)refuse("plain", text);
	core_client_close(&b);
	core_client_close(&a);
	let_in("plain");
}

/* --- refused requests ---------------------------------------------------- */

static void
so_many_refused_requests_a_minute(void **state)
{
	const struct protocol_begin none = core_client_request("nothing");
	const struct protocol_fail fail = { 66, "format", HT_NO_OFFSET, "x" };
	const char *text =
	    "client ci is limited to 2 refused requests a minute";
	struct protocol_begin begin = core_client_request("plain");
	struct keyd_client a;
	uint32_t wait;

	(void)state;
	configure("each_client = { refused_minute = 2; }", "", "");
	let_in("plain");
	(void)refuse_begin(&none, HT_ERR_DENIED, "profile",
	    "profile nothing is not granted to ci");
	core_client_begin(&a, &begin);
	core_client_say(&a, PROTOCOL_FAIL, &fail);
	core_client_close(&a);
	wait = refuse("plain", text);
	assert_true(wait > 60 && wait <= 61);
	(void)refuse("nothing", text);
	restart();
	pass(wait - 1);
	(void)refuse("plain", text);
	pass(1);
	let_in("plain");
}

/* --- bytes --------------------------------------------------------------- */

static void
so_many_bytes_a_day(void **state)
{
	const char *text = "client ci is limited to 3000 bytes a day";
	struct protocol_begin small = of_size("plain", 1000);
	struct protocol_begin rest = of_size("plain", 2001);
	struct protocol_begin large = of_size("plain", 3001);
	struct protocol_content content;
	struct buf der = BUF_INIT;
	struct keyd_client a, b;
	union protocol_body body;
	struct msg m;

	(void)state;
	configure("each_client = { bytes_day = 3000; }", "", "");
	assert_int_equal(refuse_begin(&large, HT_ERR_REFUSED, "size", text), 0);
	sign("plain"); /* 1000 bytes */
	assert_true(
	    refuse_begin(&rest, HT_ERR_TEMPORARY, "rate", text) > 86400);
	core_client_begin(&a, &small); /* what is announced is taken */
	core_client_begin(&b, &small);
	(void)refuse_begin(&small, HT_ERR_TEMPORARY, "rate", text);
	core_client_close(&b); /* and given back */
	core_client_begin(&b, &small);
	core_client_close(&b);
	core_client_close(&a);
	sign("plain");
	sign("plain");
	(void)refuse("plain", text);
	core_wait(2 * 86400);
	/* Of unknown size: it is known in the end. */
	signing_content("sha256", &der);
	content = core_client_content(&der);
	content.size = 2001;
	sign("plain");
	small = core_client_request("plain");
	core_client_begin(&a, &small);
	core_client_say(&a, PROTOCOL_CONTENT, &content);
	core_client_hear(&a, PROTOCOL_REFUSE, &m, &body);
	assert_string_equal(body.refuse.code, "rate");
	assert_string_equal(body.refuse.text, text);
	assert_true(body.refuse.retry > 86400);
	core_client_close(&a);
	buf_free(&der);
}

static void
what_goes_back_as_it_came_counts(void **state)
{
	struct protocol_kept kept = { "pe", 1000, SHA256, 1000, SHA256 };
	struct protocol_begin begin = core_client_request("keep");
	union protocol_body body;
	struct keyd_client a;
	struct msg m;

	(void)state;
	configure("each_client = { bytes_day = 1500; }", "", "");
	core_client_begin(&a, &begin);
	core_client_say(&a, PROTOCOL_KEPT, &kept);
	core_client_hear(&a, PROTOCOL_RELEASE, &m, &body);
	core_client_close(&a);
	core_client_begin(&a, &begin);
	core_client_say(&a, PROTOCOL_KEPT, &kept);
	core_client_hear(&a, PROTOCOL_REFUSE, &m, &body);
	assert_string_equal(body.refuse.code, "rate");
	core_client_close(&a);
}

/* What GO says. */
static uint64_t
max_size(const char *profile)
{
	const struct protocol_begin begin = core_client_request(profile);
	union protocol_body body;
	struct keyd_client a;
	struct msg m;

	core_client_open(&a);
	core_client_say(&a, PROTOCOL_BEGIN, &begin);
	core_client_hear(&a, PROTOCOL_GO, &m, &body);
	(void)close(m.fd[0]);
	core_client_close(&a);
	return body.go.max_size;
}

static void
a_file_is_not_larger_than_client_and_token_allow(void **state)
{
	struct protocol_begin large = of_size("plain", 701);

	(void)state;
	configure("each_client = { max_size = 700; }", "max_size = 800;",
	    "max_size = 900;");
	assert_int_equal(max_size("plain"), 700);
	(void)refuse_begin(&large, HT_ERR_REFUSED, "size",
	    "client ci is limited to 700 bytes a file");
	configure("each_client = { max_size = 700; }", "max_size = 800;", "");
	assert_int_equal(max_size("plain"), 700);
	configure("", "max_size = 800;", "max_size = 600;");
	assert_int_equal(max_size("plain"), 600);
	assert_int_equal(max_size("other"), 600);
	(void)refuse_begin(&large, HT_ERR_REFUSED, "size",
	    "token near is limited to 600 bytes a file");
}

/* --- profiles and tokens ------------------------------------------------- */

static void
a_profile_has_rates_over_all_clients(void **state)
{
	(void)state;
	configure("", "requests_minute = 2; requests_at_once = 1;", "");
	let_in("plain");
	let_in("other");
	(void)snprintf(core_client_who.name, sizeof(core_client_who.name),
	    "other");
	let_in("plain");
	(void)refuse("plain",
	    "profile plain is limited to 2 requests a minute");
	restart();
	(void)refuse("plain",
	    "profile plain is limited to 2 requests a minute");
}

static void
a_profile_has_bytes_a_day(void **state)
{
	const struct protocol_begin begin = of_size("plain", 501);

	(void)state;
	configure("", "bytes_day = 1500;", "");
	sign("plain");
	(void)refuse_begin(&begin, HT_ERR_TEMPORARY, "rate",
	    "profile plain is limited to 1500 bytes a day");
	restart();
	(void)refuse_begin(&begin, HT_ERR_TEMPORARY, "rate",
	    "profile plain is limited to 1500 bytes a day");
}

/* Who has no grant takes nothing of a profile. */
static void
who_is_refused_takes_nothing_of_a_profile(void **state)
{
	const struct protocol_begin begin = core_client_request("plain");
	struct ht_error e;

	(void)state;
	configure("", "requests_minute = 1;", "");
	assert_int_equal(
	    client_revoke_grant(core.store, &core_actor, "ci", "plain", &e), 0);
	(void)refuse_begin(&begin, HT_ERR_DENIED, "profile",
	    "profile plain is not granted to ci");
	restart();
	(void)snprintf(core_client_who.name, sizeof(core_client_who.name),
	    "other");
	let_in("plain");
}

static void
a_token_counts_what_it_is_handed(void **state)
{
	const char *text = "token near is limited to 2 requests a minute";
	struct protocol_begin begin = core_client_request("plain");
	struct keyd_client a, b;

	(void)state;
	configure("", "", "requests_minute = 2;");
	let_in("plain"); /* not handed to it */
	core_client_begin(&a, &begin);
	core_client_begin(&b, &begin);
	(void)refuse("plain", text); /* both have a place */
	core_client_close(&b);
	core_client_close(&a);
	sign("plain");
	sign("plain");
	(void)refuse("plain", text);
	restart();
	assert_true(refuse("plain", text) > 59);
	pass(62);
	sign("plain");
}

static void
another_token_takes_what_one_may_not(void **state)
{
	const struct protocol_begin begin = core_client_request("other");
	struct keyd_client a, b;
	int i;

	(void)state;
	configure("", "", "requests_at_once = 1;");
	for (i = 0; i < 8; i++) {
		core_client_begin(&a, &begin);
		core_client_begin(&b, &begin);
		assert_int_equal(refuse("plain",
		                     "token near is limited to 1 requests at "
		                     "once"),
		    5);
		core_client_close(&a);
		core_client_close(&b);
	}
}

static void
a_token_has_bytes_a_day(void **state)
{
	const struct protocol_begin begin = of_size("plain", 501);

	(void)state;
	configure("", "", "bytes_day = 1500;");
	sign("plain");
	(void)refuse_begin(&begin, HT_ERR_TEMPORARY, "rate",
	    "token near is limited to 1500 bytes a day");
	restart();
	(void)refuse_begin(&begin, HT_ERR_TEMPORARY, "rate",
	    "token near is limited to 1500 bytes a day");
}

/* --- restarts and clocks ------------------------------------------------- */

static void
a_restart_forgets_nothing(void **state)
{
	const char *minute = "client ci is limited to 4 requests a minute";
	const char *bytes = "client ci is limited to 2000 bytes a day";
	uint32_t wait;

	(void)state;
	configure("each_client = { requests_minute = 4; bytes_day = 2000; }",
	    "", "");
	sign("plain");
	let_in("plain");
	(void)refuse_begin(
	    &(struct protocol_begin){ .size = 1001, .profile = "plain" },
	    HT_ERR_TEMPORARY, "rate", bytes);
	pass(20);
	let_in("plain");
	restart();
	let_in("plain");
	wait = refuse("plain", minute);
	assert_true(wait > 40 && wait <= 41);
	restart();
	assert_int_equal(refuse("plain", minute), wait);
	(void)refuse_begin(
	    &(struct protocol_begin){ .size = 1001, .profile = "plain" },
	    HT_ERR_TEMPORARY, "rate", bytes); /* for longer */
	pass(wait);
	(void)refuse_begin(
	    &(struct protocol_begin){ .size = 1001, .profile = "plain" },
	    HT_ERR_TEMPORARY, "rate", bytes);
	let_in("plain");
}

static void
the_clock_may_jump(void **state)
{
	const char *text = "client ci is limited to 2 requests a minute";
	uint32_t wait;

	(void)state;
	configure("each_client = { requests_minute = 2; }", "", "");
	let_in("plain");
	core_now += (int64_t)500 * 1000000; /* forward */
	let_in("plain");
	wait = refuse("plain", text);
	assert_true(wait > 60 && wait <= 61);
	core_now -= (int64_t)530 * 1000000; /* and back */
	core.clock_unset = false;
	restart(); /* both seem to be still to come: they were now */
	core_now += (int64_t)530 * 1000000;
	wait = refuse("plain", text);
	assert_true(wait > 60 && wait <= 61);
	core_wait(wait);
	let_in("plain");
}

/* Who has nothing to tell is forgotten.  Sanitizers do not say what is in use. */
static size_t
bytes_in_use(void)
{
	return mallinfo2().uordblks;
}

static void
who_is_gone_is_forgotten(void **state)
{
	struct rate_place place;
	struct protocol_refuse no;
	const struct conf_rates one = { .requests_day = 1 };
	size_t before = bytes_in_use(), most;
	char name[16];
	int i;

	(void)state;
	for (i = 0; i < 3000; i++) {
		(void)snprintf(name, sizeof(name), "c%d", i);
		rate_take(core.rates, RATE_CLIENT, name, 7, &place);
		rate_count_request(&place);
		rate_leave(&place);
	}
	assert_int_equal(
	    rates_check(core.rates, RATE_CLIENT, "c0", &one, 0, &no),
	    HT_ERR_TEMPORARY);
	most = bytes_in_use();
	core_wait(86400 + 1440);
	assert_int_equal(
	    rates_check(core.rates, RATE_CLIENT, "c0", &one, 0, &no), 0);
	rate_take(core.rates, RATE_CLIENT, "new", 0, &place);
	assert_non_null(place.rate);
	assert_true(bytes_in_use() <= before + (most - before) / 2);
	rate_leave(&place);
	assert_null(place.rate);
	rate_leave(&place); /* none is fine */
	rate_count_request(&place);
	rate_count_bytes(&place, 1);
}

int
main(void)
{
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, set_up, core_client_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(so_many_requests_a_minute_and_then_a_wait),
		TEST(so_many_requests_a_day),
		TEST(nobody_else_waits),
		TEST(a_client_has_rates_of_its_own),
		TEST(a_reload_changes_the_limits),
		TEST(every_ending_gives_a_place_back),
		TEST(so_many_refused_requests_a_minute),
		TEST(so_many_bytes_a_day),
		TEST(what_goes_back_as_it_came_counts),
		TEST(a_file_is_not_larger_than_client_and_token_allow),
		TEST(a_profile_has_rates_over_all_clients),
		TEST(a_profile_has_bytes_a_day),
		TEST(who_is_refused_takes_nothing_of_a_profile),
		TEST(a_token_counts_what_it_is_handed),
		TEST(another_token_takes_what_one_may_not),
		TEST(a_token_has_bytes_a_day),
		TEST(a_restart_forgets_nothing),
		TEST(the_clock_may_jump),
		TEST(who_is_gone_is_forgotten),
	};

	return cmocka_run_group_tests(tests, core_client_enter,
	    core_client_leave);
}
