/*
 * A request in keyd, from GO until the token has the job: which content keyd
 * takes, and how much of it.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "store/authority/clients.h"
#include "store/journal/journal.h"
#include "tests/support/core_client.h"
#include "tests/support/core_token.h"
#include "tests/support/no_memory.h"

/* --- the shell ----------------------------------------------------------- */

/* BEGIN and CONTENT, which is refused at once. */
static void
refuse(const struct protocol_begin *begin,
    const struct protocol_content *content, int code, const char *word,
    const char *text)
{
	struct keyd_client a;

	core_client_begin(&a, begin);
	core_client_say(&a, PROTOCOL_CONTENT, content);
	core_client_hear_no(&a, code, word, text);
	assert_null(core.requests);
}

static void
wait_for(struct keyd_client *a, const struct protocol_begin *begin,
    const struct protocol_content *content)
{
	core_client_begin(a, begin);
	core_client_say(a, PROTOCOL_CONTENT, content);
	core_client_hear_nothing(a);
}

/* --- content ------------------------------------------------------------- */

static void
content_is_of_a_format_that_the_profile_signs(void **state)
{
	struct protocol_begin begin = core_client_request("plain");
	struct protocol_content content = core_client_content(NULL);
	struct keyd_client a;

	(void)state;
	memcpy(content.format, "cat", 4);
	refuse(&begin, &content, HT_ERR_REFUSED, "content",
	    "profile plain does not sign cat files");
	assert_int_equal(core_events("failed", "\"content\""), 1);
	content = core_client_content(NULL);
	core_client_begin(&a, &begin);
	core_configure("", "");
	core_client_say(&a, PROTOCOL_CONTENT, &content);
	core_client_hear_no(&a, HT_ERR_REFUSED, "content",
	    "profile plain does not sign pe files");
}

static void
content_has_its_kind_and_its_size(void **state)
{
	static const char no[] =
	    "content of a kind or a size that is never signed";
	static const struct {
		const char *profile, *format;
		uint8_t kind;
		uint32_t most; /* 0: there is none */
	} cases[] = {
		{ "other", "pe", PROTOCOL_KIND_SPC, PROTOCOL_PAGES_MAX },
		{ "other", "msi", PROTOCOL_KIND_SPC, PROTOCOL_CONTENT_MAX },
		{ "other", "pe", PROTOCOL_KIND_CTL, 0 },
		{ "lists", "cat", PROTOCOL_KIND_CTL, 1000 },
		{ "lists", "cat", PROTOCOL_KIND_SPC, 0 },
	};
	struct protocol_begin begin;
	struct protocol_content content = core_client_content(NULL);
	struct keyd_client a;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin = core_client_request(cases[i].profile);
		(void)snprintf(content.format, sizeof(content.format), "%s",
		    cases[i].format);
		content.kind = cases[i].kind;
		content.length = cases[i].most + 1;
		refuse(&begin, &content, HT_ERR_INTERNAL, "content", no);
		content.length = UINT32_MAX;
		refuse(&begin, &content, HT_ERR_INTERNAL, "content", no);
		content.length = 0;
		refuse(&begin, &content, HT_ERR_INTERNAL, "content", no);
		if (cases[i].most == 0)
			continue;
		content.length = cases[i].most;
		wait_for(&a, &begin, &content);
		core_client_close(&a);
	}
	content = core_client_content(NULL);
	content.sha256.left--;
	begin = core_client_request("other");
	refuse(&begin, &content, HT_ERR_INTERNAL, "content", no);
	assert_int_equal(core_events("refused", ""), 0);
}

static void
what_was_announced_stands(void **state)
{
	static const char no[] = "the file is not the one that was announced";
	static const uint8_t other[JOURNAL_SHA256] = { 2, 3 };
	struct protocol_begin begin = core_client_request("plain");
	struct protocol_content content = core_client_content(NULL);
	struct keyd_client a;

	(void)state;
	begin.size = 999;
	refuse(&begin, &content, HT_ERR_DATA, "cut", no);
	begin.size = 1000;
	begin.sha256 = cursor_over(other, JOURNAL_SHA256);
	refuse(&begin, &content, HT_ERR_DATA, "cut", no);
	begin.sha256 = content.sha256;
	wait_for(&a, &begin, &content);
	core_client_close(&a);
}

static void
content_comes_in_parts_and_not_beyond(void **state)
{
	static const char more[] = "more content than was announced";
	struct protocol_begin begin = core_client_request("plain");
	struct protocol_content content;
	struct buf der = BUF_INIT;
	struct keyd_client a;

	(void)state;
	signing_content("sha256", &der);
	content = core_client_content(&der);
	wait_for(&a, &begin, &content);
	core_client_say_part(&a, der.data, 1);
	assert_null(core_token.ops);
	core_client_say_part(&a, der.data + 1, der.len - 1);
	assert_non_null(core_token.ops);
	/* All of it is there: once more is out of turn. */
	core_token.cancels = true;
	core_client_say_part(&a, der.data, der.len);
	core_client_hear_end(&a);
	assert_null(core_token.ops);
	wait_for(&a, &begin, &content);
	core_client_say_part(&a, der.data, 1);
	core_client_say_part(&a, der.data, der.len);
	core_client_hear_no(&a, HT_ERR_INTERNAL, "content", more);
	wait_for(&a, &begin, &content);
	core_client_say_part(&a, "", 0);
	core_client_hear_no(&a, HT_ERR_INTERNAL, "content", more);
	assert_null(core_token.ops);
	buf_free(&der);
}

static void
content_comes_within_half_a_minute(void **state)
{
	struct protocol_begin begin = core_client_request("plain");
	struct protocol_content content = core_client_content(NULL);
	union protocol_body body;
	struct keyd_client a;
	struct msg m;

	(void)state;
	wait_for(&a, &begin, &content);
	core_client_say_part(&a, "", 1);
	core_wait(29);
	core_client_hear_nothing(&a);
	core_wait(1);
	core_client_hear(&a, PROTOCOL_REFUSE, &m, &body);
	assert_int_equal(body.refuse.status, -HT_ERR_UNAVAILABLE);
	assert_string_equal(body.refuse.code, "stalled");
	assert_string_equal(body.refuse.text,
	    "htsign-shell did not send all of the content in time");
	assert_int_equal(body.refuse.number, 1);
	core_client_hear_end(&a);
	assert_int_equal(core_events("failed", "\"stalled\""), 1);
}

static void
without_memory_for_content_it_is_not_signed(void **state)
{
	struct protocol_begin begin = core_client_request("plain");
	struct protocol_content content = core_client_content(NULL);
	struct keyd_client a;
	struct ht_error e;

	(void)state;
	core_client_begin(&a, &begin);
	assert_int_equal(
	    protocol_send(&a.link, PROTOCOL_CONTENT, 9, &content, NULL, 0, &e),
	    0);
	no_memory_at(1);
	core_turn();
	assert_true(no_memory_met());
	core_client_say_part(&a, "", 1);
	core_client_hear_no(&a, HT_ERR_INTERNAL, "content", "out of memory");
	assert_int_equal(core_events("failed", "\"content\""), 1);
}

static void
what_is_no_content_is_not_signed(void **state)
{
	struct protocol_begin begin = core_client_request("plain");
	struct protocol_content content;
	struct buf der = BUF_INIT;
	struct keyd_client a;

	(void)state;
	signing_content("sha256", &der);
	content = core_client_content(&der);
	der.data[0] ^= 1;
	core_client_begin(&a, &begin);
	core_client_say(&a, PROTOCOL_CONTENT, &content);
	core_client_say_part(&a, der.data, der.len);
	assert_null(core_token.ops);
	assert_int_equal(core_events("failed", "\"content\""), 1);
	assert_int_equal(core_events("failed", "\"exit\":65"), 1);
	core_client_close(&a);
	buf_free(&der);
}

/* --- room ---------------------------------------------------------------- */

#define MOST PROTOCOL_PAGES_MAX

/* A request that holds room for so much content. */
static void
hold(struct keyd_client *a, uint32_t length)
{
	struct protocol_begin begin = core_client_request("other");
	struct protocol_content content = core_client_content(NULL);

	content.length = length;
	wait_for(a, &begin, &content);
}

static void
expect_no_room(uint32_t length, const char *text)
{
	struct protocol_begin begin = core_client_request("other");
	struct protocol_content content = core_client_content(NULL);
	union protocol_body body;
	struct keyd_client a;
	struct msg m;

	content.length = length;
	core_client_begin(&a, &begin);
	core_client_say(&a, PROTOCOL_CONTENT, &content);
	core_client_hear(&a, PROTOCOL_REFUSE, &m, &body);
	assert_int_equal(body.refuse.status, -HT_ERR_TEMPORARY);
	assert_string_equal(body.refuse.code, "room");
	assert_string_equal(body.refuse.text, text);
	assert_int_equal(body.refuse.retry, 10);
	core_client_hear_end(&a);
}

static void
be_client(const char *name)
{
	struct ht_error e;

	assert_int_equal(
	    client_add(core.store, &core_actor, name, NULL, 3600, &e), 0);
	assert_int_equal(
	    client_grant(core.store, &core_actor, name, "other", &e), 0);
	(void)snprintf(core_client_who.name, sizeof(core_client_who.name), "%s",
	    name);
}

static void
a_client_has_half_of_what_the_others_leave(void **state)
{
	static const char no[] = "ci has no room for more large content now";
	const struct protocol_fail fail = { 65, "cut", HT_NO_OFFSET, "" };
	const uint32_t rest = KEYD_CONTENT / 2 - 3 * MOST;
	union protocol_body body;
	struct keyd_client a[8];
	struct msg m;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++)
		hold(&a[i], MOST);
	expect_no_room(rest + 1, no);
	hold(&a[3], rest);
	expect_no_room(PROTOCOL_CONTENT_MAX + 1, no);
	/* What is little needs no room. */
	hold(&a[4], PROTOCOL_CONTENT_MAX);
	be_client("cd");
	hold(&a[5], MOST);
	hold(&a[6], KEYD_CONTENT / 4 - MOST);
	be_client("ce");
	expect_no_room(MOST,
	    "the endpoint has no room for more large content now");
	hold(&a[7], KEYD_CONTENT / 8);
	for (i = 4; i < 8; i++)
		core_client_close(&a[i]);
	/* Who goes gives it back. */
	core_client_close(&a[0]);
	(void)snprintf(core_client_who.name, sizeof(core_client_who.name),
	    "ci");
	hold(&a[0], MOST);
	/* So does who ends it and stays; if he asks for nothing more, he goes. */
	core_client_say(&a[1], PROTOCOL_FAIL, &fail);
	core_client_hear(&a[1], PROTOCOL_NOTED, &m, &body);
	hold(&a[4], MOST);
	core_wait(30);
	core_client_hear_end(&a[1]);
	for (i = 0; i < 5; i++)
		if (i != 1)
			core_client_close(&a[i]);
	assert_int_equal(core_events("refused", "\"room\""), 3);
}

/* --- content that is whole ---------------------------------------------- */

/* Content that is whole, and refused before the token hears of it. */
static void
expect_not_queued(const struct protocol_begin *begin,
    const struct protocol_content *content, const struct buf *der, int code,
    const char *word, const char *text)
{
	struct keyd_client a;

	core_client_begin(&a, begin);
	core_client_say_content(&a, content, der);
	core_client_hear_no(&a, code, word, text);
	assert_null(core_token.ops);
	assert_null(core.requests);
}

static void
what_the_profile_does_not_sign_is_not_queued(void **state)
{
	struct protocol_begin begin = core_client_request("plain");
	struct buf der = BUF_INIT, longer = BUF_INIT;
	struct protocol_content content;

	(void)state;
	signing_content("sha256", &der);
	signing_content("sha384", &longer);
	content = core_client_content(&der);
	content.size = 1001;
	expect_not_queued(&begin, &content, &der, HT_ERR_REFUSED, "content",
	    "the file is larger than profile plain allows");
	content = core_client_content(&longer);
	expect_not_queued(&begin, &content, &longer, HT_ERR_REFUSED, "content",
	    "profile plain signs sha256, not sha384");
	content = core_client_content(&der);
	core_token.refuses = HT_ERR_UNAVAILABLE;
	expect_not_queued(&begin, &content, &der, HT_ERR_UNAVAILABLE, "token",
	    "token near is away");
	assert_int_equal(core_events("failed", ""), 3);
	buf_free(&der);
	buf_free(&longer);
}

static void
the_verdict_is_asked_for_again_when_the_content_has_come(void **state)
{
	struct protocol_begin begin = core_client_request("plain");
	struct protocol_content content;
	struct buf der = BUF_INIT;
	struct keyd_client a;

	(void)state;
	signing_content("sha256", &der);
	content = core_client_content(&der);
	core_client_begin(&a, &begin);
	core_client_say(&a, PROTOCOL_CONTENT, &content);
	core_client_disable();
	core_client_say_part(&a, der.data, der.len);
	core_client_hear_no(&a, HT_ERR_DENIED, "disabled",
	    "client ci is disabled");
	assert_int_equal(core_events("refused", "\"disabled\""), 1);
	assert_null(core_token.ops);
	/* Or the profile does not sign that format any more. */
	core_client_tear_down(state);
	core_token_set_up(state);
	core_client_begin(&a, &begin);
	core_client_say(&a, PROTOCOL_CONTENT, &content);
	core_configure("",
	    "tokens = ( { name = \"near\"; file = \"$/user_key\"; } );\n"
	    "certificates = ( { name = \"good\"; token = \"near\";\n"
	    "  chain = \"$/good.pem\"; } );\n"
	    "profiles = ( { name = \"plain\"; certificates = [ \"good\" ];\n"
	    "  formats = [ \"cab\" ]; } );\n");
	core_client_say_part(&a, der.data, der.len);
	core_client_hear_no(&a, HT_ERR_REFUSED, "content",
	    "profile plain does not sign pe files");
	buf_free(&der);
}

static void
a_package_is_signed_by_its_publisher(void **state)
{
	struct protocol_begin begin = core_client_request("other");
	struct protocol_content content;
	struct buf der = BUF_INIT;
	struct keyd_client a;

	(void)state;
	signing_content("sha256", &der);
	content = core_client_content(&der);
	(void)snprintf(content.publisher, sizeof(content.publisher),
	    "CN=Somebody");
	core_client_begin(&a, &begin);
	core_client_say_content(&a, &content, &der);
	assert_null(core_token.ops);
	assert_int_equal(core_events("failed", "\"exit\":66"), 1);
	core_client_close(&a);
	(void)snprintf(content.publisher, sizeof(content.publisher),
	    "CN=Test Signer");
	core_client_begin(&a, &begin);
	core_client_say_content(&a, &content, &der);
	assert_non_null(core_token.ops);
	core_token.cancels = true;
	core_client_close(&a);
	content.publisher[0] = '\0';
	memcpy(content.format, "appx", sizeof("appx"));
	expect_not_queued(&begin, &content, &der, HT_ERR_DATA, "content",
	    "the package does not name its publisher");
	memcpy(content.format, "appxbundle", sizeof("appxbundle"));
	expect_not_queued(&begin, &content, &der, HT_ERR_DATA, "content",
	    "the package does not name its publisher");
	buf_free(&der);
}

int
main(void)
{
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, core_token_set_up,               \
	    core_client_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(content_is_of_a_format_that_the_profile_signs),
		TEST(content_has_its_kind_and_its_size),
		TEST(what_was_announced_stands),
		TEST(content_comes_in_parts_and_not_beyond),
		TEST(content_comes_within_half_a_minute),
		TEST(without_memory_for_content_it_is_not_signed),
		TEST(what_is_no_content_is_not_signed),
		TEST(a_client_has_half_of_what_the_others_leave),
		TEST(what_the_profile_does_not_sign_is_not_queued),
		TEST(the_verdict_is_asked_for_again_when_the_content_has_come),
		TEST(a_package_is_signed_by_its_publisher),
	};

	return cmocka_run_group_tests(tests, core_client_enter,
	    core_client_leave);
}
