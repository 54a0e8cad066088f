/*
 * A request in keyd, from the token's job to the end of the request, in any order
 * of events.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "keys/keyd/quota.h"
#include "keys/keyd/request/request-private.h"
#include "signature/pkcs7.h"
#include "signature/spc-pages.h"
#include "store/authority/clients.h"
#include "store/journal/journal.h"
#include "tests/support/catalog.h"
#include "tests/support/core_client.h"
#include "tests/support/core_token.h"
#include "tests/support/no_memory.h"
#include "tests/support/scratch.h"

#define SHA256 cursor_over(core_client_sha256, JOURNAL_SHA256)

/* --- the shell ----------------------------------------------------------- */

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
	assert_non_null(core_token.ops);
	buf_free(&der);
}

/* SIGNED and its PART. */
static void
hear_signature(struct keyd_client *a, struct buf *pkcs7)
{
	union protocol_body body;
	uint32_t length;
	struct msg m;

	core_client_hear(a, PROTOCOL_SIGNED, &m, &body);
	assert_string_equal(body.signed_.certificate, "good");
	length = body.signed_.length;
	core_client_hear(a, PROTOCOL_PART, &m, &body);
	assert_int_equal(body.part.bytes.left, length);
	buf_reset(pkcs7);
	buf_bytes(pkcs7, body.part.bytes.p, length);
	core_client_hear_nothing(a);
}

/* --- the way to the token ------------------------------------------------ */

static void
a_request_is_signed_and_delivered(void **state)
{
	const struct protocol_output output = { JOURNAL_SIZE_MAX, SHA256, 0 };
	const struct protocol_delivered delivered = { JOURNAL_SIZE_MAX };
	struct buf der = BUF_INIT, pkcs7 = BUF_INIT;
	union protocol_body body;
	struct ht_error e;
	struct keyd_client a;
	struct msg m;

	(void)state;
	signing_content("sha256", &der);
	queue(&a, "plain");
	assert_string_equal(core_token.client, "ci");
	assert_int_equal(core_events("decided", ""), 0);
	core_token_take();
	assert_int_equal(core_events("decided", "\"attempt\":1"), 1);
	assert_int_equal(core_events("decided", "\"size\":1000"), 1);
	assert_int_equal(core_events("decided", "\"010203"), 1);
	assert_int_equal(core_events("decided", "\"sha256\",\"digest\":\"5a5a"),
	    1);
	assert_int_equal(core_events("decided", "\"good\""), 1);
	assert_int_equal(core_events("decided", "\"near\""), 1);
	assert_int_equal(core_events("decided", "\"pe\""), 1);
	assert_int_equal(core_events("decided", "\"old_signature\":false"), 1);
	core_token_answer(false);
	assert_int_equal(core_events("signed", ""), 1);
	hear_signature(&a, &pkcs7);
	assert_int_equal(
	    pkcs7_postflight(pkcs7.data, pkcs7.len, der.data, der.len, &e), 0);
	core_client_say(&a, PROTOCOL_OUTPUT, &output);
	assert_int_equal(core_events("finished", "\"010203"), 1);
	core_client_hear(&a, PROTOCOL_RELEASE, &m, &body);
	assert_int_equal(body.number.number, 1);
	core_client_say(&a, PROTOCOL_DELIVERED, &delivered);
	assert_int_equal(core_events("delivered", ""), 1);
	core_wait(60); /* for no timer of it, and for that of who is idle */
	core_client_hear_end(&a);
	assert_null(core.requests);
	buf_free(&der);
	buf_free(&pkcs7);
}

/* Sign page hashes: no socket takes all PARTs of the signature at once. */
static void
sign_large(struct keyd_client *a)
{
	static const struct spc_digest digest = { "sha256", { 1, 2, 3 }, 32 };
	const size_t n = (size_t)16384 * SPC_PAGES_ENTRY;
	struct protocol_begin begin = core_client_request("other");
	struct protocol_content content;
	struct buf der = BUF_INIT;
	struct cursor rest, part;
	struct ht_error e;
	uint8_t *list;

	assert_int_equal(spc_pages_start(n, &der, &list, &e), 0);
	memset(list, 0, n);
	assert_int_equal(spc_pages_finish(&digest, &der, &e), 0);
	content = core_client_content(&der);
	core_client_begin(a, &begin);
	core_client_say(a, PROTOCOL_CONTENT, &content);
	rest = buf_cursor(&der);
	while (cursor_bytes(&rest, PROTOCOL_PART_MAX, &part) == 0)
		core_client_say_part(a, part.p, part.left);
	core_client_say_part(a, rest.p, rest.left);
	core_token_take();
	core_token_answer(false);
	buf_free(&der);
}

static void
a_signature_is_taken_within_half_a_minute(void **state)
{
	struct keyd_client a;

	(void)state;
	sign_large(&a);
	core_wait(29);
	assert_int_equal(core_events("failed", ""), 0);
	core_wait(1);
	assert_int_equal(core_events("failed", "take the signature in time"),
	    1);
	core_client_close(&a);
	assert_null(core.requests);
}

static void
without_memory_for_a_part_the_connection_ends(void **state)
{
	union protocol_body body;
	struct ht_error e;
	struct keyd_client a;
	struct msg m;

	(void)state;
	sign_large(&a);
	while (protocol_next(&a.link, &m, &body, &e) == 1)
		;
	no_memory_at(1);
	core_turn();
	assert_true(no_memory_met());
	assert_int_equal(core_events("aborted", "was cut"), 1);
	assert_null(core.connections);
	keyd_client_close(&a);
}

/* What keyd has charged to clients. */
static uint64_t charged_rows, charged_bytes;
void __real_quota_charge(struct quota *q, const char *who, uint64_t rows,
    uint64_t bytes);
void __wrap_quota_charge(struct quota *q, const char *who, uint64_t rows,
    uint64_t bytes);

void
__wrap_quota_charge(struct quota *q, const char *who, uint64_t rows,
    uint64_t bytes)
{
	assert_string_equal(who, "ci");
	charged_rows += rows;
	charged_bytes += bytes;
	__real_quota_charge(q, who, rows, bytes);
}

/* Most of what was written since then, when before bytes were. */
static void
expect_charged(uint64_t before)
{
	assert_true(charged_bytes > 0);
	assert_true(charged_bytes <= store_written(core.store) - before);
}

static void
what_the_token_does_is_charged(void **state)
{
	struct keyd_client a;
	uint64_t before;

	(void)state;
	charged_rows = 0;
	queue(&a, "plain");
	assert_int_equal(charged_rows, 1);
	charged_bytes = 0;
	before = store_written(core.store);
	core_token_take();
	expect_charged(before);
	charged_bytes = 0;
	before = store_written(core.store);
	core_token_answer(false);
	expect_charged(before);
	core_client_close(&a);
}

static bool
holds(const struct buf *b, const void *what, size_t n)
{
	return memmem(b->data, b->len, what, n) != NULL;
}
#define HOLDS(b, text) holds(b, text, sizeof(text) - 1)

/* Under this profile, with this description and URL. */
static void
sign_as(const char *profile, const char *algorithm, const char *description,
    const char *url, struct buf *pkcs7)
{
	struct protocol_begin begin = core_client_request(profile);
	struct protocol_content content;
	struct buf der = BUF_INIT;
	struct keyd_client a;

	(void)snprintf(begin.description, sizeof(begin.description), "%s",
	    description);
	(void)snprintf(begin.url, sizeof(begin.url), "%s", url);
	signing_content(algorithm, &der);
	content = core_client_content(&der);
	content.existing = 1;
	core_client_begin(&a, &begin);
	core_client_say_content(&a, &content, &der);
	assert_string_equal(core_token.hash.algorithm, algorithm);
	core_token_take();
	assert_int_equal(core_events("decided", "\"old_signature\":true"), 1);
	core_token_answer(false);
	hear_signature(&a, pkcs7);
	core_client_close(&a);
	buf_free(&der);
}

#define COMMERCIAL "\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x16"
#define INDIVIDUAL "\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x15"
#define SIGNING_TIME "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x05"

static void
the_signature_says_what_the_profile_and_the_request_say(void **state)
{
	struct buf pkcs7 = BUF_INIT;

	(void)state;
	sign_as("plain", "sha256", "", "", &pkcs7);
	assert_true(HOLDS(&pkcs7, "Ours"));
	assert_true(HOLDS(&pkcs7, INDIVIDUAL));
	assert_false(HOLDS(&pkcs7, COMMERCIAL));
	assert_false(HOLDS(&pkcs7, SIGNING_TIME));
	core_client_tear_down(state);
	core_token_set_up(state);
	sign_as("plain", "sha256", "Mine", "http://my/", &pkcs7);
	assert_true(HOLDS(&pkcs7, "Mine"));
	assert_false(HOLDS(&pkcs7, "Ours"));
	assert_true(HOLDS(&pkcs7, "http://my/"));
	core_client_tear_down(state);
	core_token_set_up(state);
	sign_as("rich", "sha384", "", "", &pkcs7);
	assert_true(HOLDS(&pkcs7, COMMERCIAL));
	assert_true(HOLDS(&pkcs7, SIGNING_TIME));
	assert_true(HOLDS(&pkcs7, "260528202640Z")); /* SSH_CA_NOW */
	assert_true(HOLDS(&pkcs7, "https://example.org/"));
	core_client_tear_down(state);
	core_token_set_up(state);
	sign_as("rich", "sha384", "", "http://my/", &pkcs7);
	assert_false(HOLDS(&pkcs7, "https://example.org/"));
	buf_free(&pkcs7);
}

/* A CTL names no algorithm. */
static void
a_catalog_is_signed_with_the_digest_of_the_profile(void **state)
{
	struct protocol_begin begin = core_client_request("lists");
	struct protocol_content content;
	struct buf der = BUF_INIT, pkcs7 = BUF_INIT;
	struct keyd_client a;

	(void)state;
	catalog_list(1, CATALOG_GOOD, &der);
	content = core_client_content(&der);
	content.kind = PROTOCOL_KIND_CTL;
	memcpy(content.format, "cat", sizeof("cat"));
	core_client_begin(&a, &begin);
	core_client_say_content(&a, &content, &der);
	core_client_hear_nothing(&a);
	assert_string_equal(core_token.hash.algorithm, "sha384");
	core_token_take();
	core_token_answer(false);
	hear_signature(&a, &pkcs7);
	core_client_close(&a);
	buf_free(&der);
	buf_free(&pkcs7);
}

static void
the_verdict_is_asked_for_again_at_the_token(void **state)
{
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	queue(&a, "plain");
	core_client_disable();
	assert_int_equal(core_token_authorise(1, &e), HT_ERR_DENIED);
	assert_string_equal(e.text, "client ci is disabled");
	assert_int_equal(core_events("decided", ""), 0);
	core_token_give_up(&e);
	core_client_hear_no(&a, HT_ERR_DENIED, "disabled",
	    "client ci is disabled");
	assert_int_equal(core_events("refused", "\"disabled\""), 1);
}

static void
the_verdict_is_asked_for_again_after_the_commit(void **state)
{
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	queue(&a, "plain");
	assert_int_equal(core_token_authorise(1, &e), 0);
	core_client_disable();
	assert_int_equal(core_token.ops->confirm(core_token.cookie, &e),
	    HT_ERR_DENIED);
	core_token_give_up(&e);
	core_client_hear_no(&a, HT_ERR_DENIED, "disabled",
	    "client ci is disabled");
	assert_int_equal(core_events("decided", ""), 1);
	assert_int_equal(core_events("refused", "\"disabled\""), 1);
}

/* A configuration in which the profile signs with what is in that file. */
static void
configure_certificate(const char *name, const char *file)
{
	char text[512];

	(void)snprintf(text, sizeof(text),
	    "tokens = ( { name = \"near\"; file = \"$/user_key\"; } );\n"
	    "certificates = ( { name = \"%s\"; token = \"near\";\n"
	    "  chain = \"$/%s\"; } );\n"
	    "profiles = ( { name = \"plain\"; certificates = [ \"%s\" ]; } );",
	    name, file, name);
	core_configure("", text);
}

static void
a_certificate_that_was_replaced_does_not_sign(void **state)
{
	static const char no[] = "certificate good is not in use any more";
	const struct signing_how how = { "P-256", SSH_CA_NOW - 1000,
		SSH_CA_NOW + 1000, "codeSigning", false, NULL };
	struct signing another;
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	assert_int_equal(signing_make_how(&how, &another, &e), 0);
	scratch_write("another.pem", another.pem.data, another.pem.len - 1);
	signing_clear(&another);
	queue(&a, "plain");
	configure_certificate("good", "good.pem");
	assert_int_equal(core_token_authorise(1, &e), 0);
	configure_certificate("better", "good.pem");
	assert_int_equal(core_token.ops->confirm(core_token.cookie, &e),
	    HT_ERR_UNAVAILABLE);
	assert_string_equal(e.text, no);
	configure_certificate("good", "another.pem");
	assert_int_equal(core_token.ops->confirm(core_token.cookie, &e),
	    HT_ERR_UNAVAILABLE);
	assert_string_equal(e.text, no);
	core_token_give_up(&e);
	core_client_hear_no(&a, HT_ERR_UNAVAILABLE, "certificate", no);
}

static void
what_a_token_lost_is_on_record_and_handed_over_again(void **state)
{
	struct buf pkcs7 = BUF_INIT;
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	queue(&a, "plain");
	core_token_take();
	core_token.ops->lost(core_token.cookie, "the worker died");
	assert_int_equal(core_events("maybe-signed", "the worker died"), 1);
	assert_int_equal(core_token_authorise(2, &e), 0);
	assert_int_equal(core_events("decided", "\"attempt\":2"), 1);
	core_token_answer(false);
	hear_signature(&a, &pkcs7);
	core_client_close(&a);
	assert_int_equal(core_events("aborted", ""), 1);
	buf_free(&pkcs7);
}

static void
a_token_that_fails_is_a_failure(void **state)
{
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	queue(&a, "plain");
	core_token_take();
	(void)ht_error_set(&e, HT_ERR_UNAVAILABLE, "unplugged");
	core_token_give_up(&e);
	core_client_hear_no(&a, HT_ERR_UNAVAILABLE, "token", "unplugged");
	assert_int_equal(core_events("failed", "\"token\""), 1);
	assert_int_equal(core_events("signed", ""), 0);
}

static void
a_bad_signature_is_a_failure(void **state)
{
	union protocol_body body;
	struct keyd_client a;
	struct msg m;

	(void)state;
	queue(&a, "plain");
	core_token_take();
	core_token_answer(true);
	core_client_hear(&a, PROTOCOL_REFUSE, &m, &body);
	assert_string_equal(body.refuse.code, "signature");
	core_client_hear_end(&a);
	assert_int_equal(core_events("failed", "\"signature\""), 1);
	assert_int_equal(core_events("signed", ""), 0);
}

/* --- meanwhile ----------------------------------------------------------- */

static void
who_waits_is_told(void **state)
{
	union protocol_body body;
	struct keyd_client a;
	struct msg m;

	(void)state;
	queue(&a, "plain");
	core_wait(1);
	core_client_hear_nothing(&a);
	core_wait(1);
	core_client_hear(&a, PROTOCOL_WAIT, &m, &body);
	assert_string_equal(body.wait.reason, "queue");
	assert_string_equal(body.wait.text, "waiting for token near");
	core_wait(19);
	core_client_hear_nothing(&a);
	core_wait(1);
	core_client_hear(&a, PROTOCOL_WAIT, &m, &body);
	core_token_take();
	core_token_answer(false);
	core_client_hear(&a, PROTOCOL_SIGNED, &m, &body);
	core_client_hear(&a, PROTOCOL_PART, &m, &body);
	core_wait(40);
	core_client_hear_nothing(&a);
	core_client_close(&a);
}

static void
a_cut_ends_what_the_token_does_not_have(void **state)
{
	struct keyd_client a;

	(void)state;
	core_token.cancels = true;
	queue(&a, "plain");
	core_client_close(&a);
	assert_int_equal(core_token.cancelled, 1);
	assert_int_equal(core_events("aborted", "was cut"), 1);
	assert_null(core.requests);
	core_wait(30); /* for no timer of it */
}

static void
a_cut_waits_for_the_token_that_has_it(void **state)
{
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	queue(&a, "plain");
	core_token_take();
	core_client_close(&a);
	assert_int_equal(core_events("aborted", ""), 0);
	core_wait(30); /* nobody is there to be told */
	core_token_answer(false);
	assert_int_equal(core_events("signed", ""), 1);
	assert_int_equal(core_events("aborted", "was cut"), 1);
	assert_null(core.requests);
	queue(&a, "plain");
	core_token_take();
	core_client_close(&a);
	(void)ht_error_set(&e, HT_ERR_UNAVAILABLE, "unplugged");
	core_token_give_up(&e);
	assert_int_equal(core_events("failed", "unplugged"), 1);
	assert_null(core.requests);
	assert_int_equal(core_token.cancelled, 0);
}

static void
fail_with(struct keyd_client *a, uint32_t status)
{
	const struct protocol_fail fail = { status, "cut", HT_NO_OFFSET,
		"cut off" };

	core_client_say(a, PROTOCOL_FAIL, &fail);
}

static void
a_failure_ends_what_the_token_does_not_have(void **state)
{
	union protocol_body body;
	struct keyd_client a;
	struct msg m;

	(void)state;
	core_token.cancels = true;
	queue(&a, "plain");
	fail_with(&a, 65);
	core_client_hear(&a, PROTOCOL_NOTED, &m, &body);
	assert_int_equal(core_events("failed", "\"exit\":65"), 1);
	core_wait(10); /* for no timer of it */
	core_client_hear_nothing(&a);
	core_wait(20);
	core_client_hear_end(&a);
	assert_int_equal(core_token.cancelled, 1);
	assert_int_equal(core_events("aborted", ""), 0);
}

/* An exit status and an offset that make no sense are not taken over. */
static void
a_failure_is_recorded_as_far_as_it_makes_sense(void **state)
{
	static const struct {
		uint32_t status;
		uint64_t offset;
		const char *record;
	} cases[] = {
		{ 63, HT_NO_OFFSET, "\"exit\":70}" },
		{ 64, 0, "\"exit\":64,\"offset\":0}" },
		{ 78, JOURNAL_SIZE_MAX,
		    "\"exit\":78,\"offset\":9223372036854775807}" },
		{ 79, JOURNAL_SIZE_MAX + 1, "\"exit\":70}" },
	};
	struct protocol_fail fail = { 0, "cut", 0, "cut off" };
	union protocol_body body;
	struct keyd_client a;
	struct msg m;
	size_t i;

	(void)state;
	core_token.cancels = true;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		queue(&a, "plain");
		fail.status = cases[i].status;
		fail.offset = cases[i].offset;
		core_client_say(&a, PROTOCOL_FAIL, &fail);
		core_client_hear(&a, PROTOCOL_NOTED, &m, &body);
		core_client_close(&a);
		if (core_events("failed", cases[i].record) != (i < 3 ? 1 : 2))
			fail_msg("not recorded: %s", cases[i].record);
	}
}

static void
a_failure_waits_for_the_token_that_has_it(void **state)
{
	union protocol_body body;
	struct keyd_client a;
	struct msg m;

	(void)state;
	queue(&a, "plain");
	core_token_take();
	fail_with(&a, 65);
	core_wait(30); /* who said that is told no more */
	core_client_hear_nothing(&a);
	assert_int_equal(core_events("failed", ""), 0);
	core_token_answer(false);
	core_client_hear(&a, PROTOCOL_NOTED, &m, &body);
	core_client_hear_nothing(&a);
	assert_int_equal(core_events("signed", ""), 1);
	assert_int_equal(core_events("failed", "\"exit\":65"), 1);
	core_client_close(&a);
	/* Also where the token has only just been told, and with no status. */
	queue(&a, "plain");
	fail_with(&a, 0);
	core_client_hear_nothing(&a);
	core_token_take();
	core_token_answer(false);
	core_client_hear(&a, PROTOCOL_NOTED, &m, &body);
	assert_int_equal(core_events("failed", "\"exit\":70"), 1);
	core_client_close(&a);
}

static void
enable(bool enabled)
{
	const struct protocol_revoked what = { .name = "ci" };
	struct ht_error e;

	assert_int_equal(
	    client_set_disabled(core.store, &core_actor, "ci", !enabled, &e),
	    0);
	keyd_revoked(&core, &what);
	core_settle();
}

/* Two requests of a certificate for one: what is decided first has it. */
static void
a_use_is_taken_when_it_is_decided(void **state)
{
	static const char no[] =
	    "certificate ci/7 was for 1 request and is used up";
	struct protocol_begin begin = core_client_request("plain");
	struct journal_request ask = { .client = "ci", .serial = 7 };
	struct journal_decision decision = { .input = { .format = "pe" },
		.algorithm = "sha256",
		.digest = (const uint8_t *)"d",
		.digest_len = 1,
		.certificate = "good",
		.token = "near",
		.attempt = 1 };
	struct keyd_client a;
	struct ht_error e;
	uint64_t number;

	(void)state;
	core_client_who.uses = 1;
	core_token.cancels = false;
	queue(&a, "plain");
	/* Its own use, a second time as well, for which nobody else is asked. */
	assert_int_equal(core_token_authorise(1, &e), 0);
	assert_int_equal(core_token_authorise(2, &e), 0);
	assert_int_equal(core_events("decided", ""), 2);
	(void)ht_error_set(&e, HT_ERR_INTERNAL, "it is broken");
	core_token_give_up(&e);
	core_client_hear_no(&a, HT_ERR_INTERNAL, "token", "it is broken");
	core_client_open(&a);
	core_client_say(&a, PROTOCOL_BEGIN, &begin);
	core_client_hear_no(&a, HT_ERR_DENIED, "uses", no);
	core_client_who.uses = 2;
	queue(&a, "plain");
	/* Meanwhile another one is decided. */
	assert_int_equal(journal_asked(core.store, &ask, &number, &e), 0);
	assert_int_equal(journal_decided(core.store, number, &decision, &e), 0);
	assert_int_equal(core_token_authorise(1, &e), HT_ERR_DENIED);
	core_token_give_up(&e);
	core_client_hear_no(&a, HT_ERR_DENIED, "uses",
	    "certificate ci/7 was for 2 requests and is used up");
	assert_int_equal(core_events("decided", ""), 3);
	assert_int_equal(core_events("refused", "\"uses\""), 2);
}

static void
who_is_revoked_waits_for_the_token_that_has_it(void **state)
{
	static const char no[] = "client ci is disabled";
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	core_token.cancels = true;
	queue(&a, "plain");
	enable(false);
	core_client_hear_no(&a, HT_ERR_DENIED, "disabled", no);
	assert_int_equal(core_events("refused", "\"disabled\""), 1);
	enable(true);
	core_token.cancels = false;
	queue(&a, "plain");
	enable(false);
	core_client_hear_nothing(&a);
	assert_int_equal(core_token_authorise(1, &e), HT_ERR_DENIED);
	core_token_give_up(&e);
	core_client_hear_no(&a, HT_ERR_DENIED, "disabled", no);
	enable(true);
	queue(&a, "plain");
	core_token_take();
	enable(false);
	core_client_hear_nothing(&a);
	assert_int_equal(core_token.cancelled, 2);
	enable(true);
	core_token_answer(false);
	enable(false);
	assert_int_equal(core_events("failed", "\"disabled\""), 1);
	core_client_close(&a);
}

static void
who_holds_too_much_waits_for_the_token_that_has_it(void **state)
{
	struct keyd_client a;

	(void)state;
	queue(&a, "plain");
	assert_false(request_over(core.requests));
	core_client_hear_nothing(&a);
	core_token.cancels = true;
	assert_true(request_over(core.requests));
	core_settle();
	core_client_hear_no(&a, HT_ERR_TEMPORARY, "room",
	    "ci holds more than its share of the room for uploads");
	queue(&a, "plain");
	core_token_take();
	assert_false(request_over(core.requests));
	core_client_hear_nothing(&a);
	core_token_answer(false);
	core_client_close(&a);
}

/* Its decision was never committed, so neither is anything that follows. */
static void
what_is_undone_waits_for_the_token_that_has_it(void **state)
{
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	queue(&a, "plain");
	core_token_take();
	(void)ht_error_set(&e, HT_ERR_UNAVAILABLE, "no room");
	request_undo(&core, &e);
	core_settle();
	core_client_hear_end(&a);
	assert_non_null(core.requests);
	core_token.ops->lost(core_token.cookie, "the worker died");
	assert_int_equal(core_token.ops->confirm(core_token.cookie, &e),
	    HT_ERR_UNAVAILABLE);
	assert_string_equal(e.text, "undone");
	core_token_answer(false);
	assert_null(core.requests);
	assert_int_equal(core_events("maybe-signed", ""), 0);
	assert_int_equal(core_events("signed", ""), 0);
	assert_int_equal(core_events("aborted", ""), 0);
}

/* --- the output ---------------------------------------------------------- */

static void
queue_and_sign(struct keyd_client *a)
{
	struct buf pkcs7 = BUF_INIT;

	queue(a, "plain");
	core_token_take();
	core_token_answer(false);
	hear_signature(a, &pkcs7);
	buf_free(&pkcs7);
}

static void
output_that_makes_no_sense_is_cut_off(void **state)
{
	struct protocol_output output = { 1, SHA256, 0 };
	struct keyd_client a;

	(void)state;
	output.sha256.left--;
	queue_and_sign(&a);
	core_client_say(&a, PROTOCOL_OUTPUT, &output);
	core_client_hear_end(&a);
	output.sha256 = SHA256;
	output.size = JOURNAL_SIZE_MAX + 1;
	queue_and_sign(&a);
	core_client_say(&a, PROTOCOL_OUTPUT, &output);
	core_client_hear_end(&a);
	assert_int_equal(core_events("finished", ""), 0);
	assert_int_equal(core_events("aborted", "was cut"), 2);
}

static void
a_cut_of_what_is_finished_is_on_record(void **state)
{
	const struct protocol_output output = { 1, SHA256, 0 };
	struct keyd_client a;

	(void)state;
	queue_and_sign(&a);
	core_client_say(&a, PROTOCOL_OUTPUT, &output);
	core_client_close(&a);
	assert_int_equal(core_events("undelivered", "was cut"), 1);
	assert_int_equal(core_events("aborted", ""), 0);
	assert_null(core.requests);
}

static void
what_is_finished_leaves_only_if_the_client_still_may(void **state)
{
	struct protocol_output output = { 1, SHA256, 0 };
	struct keyd_client a;

	(void)state;
	queue_and_sign(&a);
	core_client_disable();
	core_client_say(&a, PROTOCOL_OUTPUT, &output);
	core_client_hear_no(&a, HT_ERR_DENIED, "disabled",
	    "client ci is disabled");
	assert_int_equal(core_events("finished", ""), 1);
	assert_int_equal(core_events("failed", "\"disabled\""), 1);
}

int
main(void)
{
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, core_token_set_up,               \
	    core_client_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_signed_and_delivered),
		TEST(a_signature_is_taken_within_half_a_minute),
		TEST(without_memory_for_a_part_the_connection_ends),
		TEST(what_the_token_does_is_charged),
		TEST(the_signature_says_what_the_profile_and_the_request_say),
		TEST(a_catalog_is_signed_with_the_digest_of_the_profile),
		TEST(the_verdict_is_asked_for_again_at_the_token),
		TEST(the_verdict_is_asked_for_again_after_the_commit),
		TEST(a_certificate_that_was_replaced_does_not_sign),
		TEST(what_a_token_lost_is_on_record_and_handed_over_again),
		TEST(a_token_that_fails_is_a_failure),
		TEST(a_bad_signature_is_a_failure),
		TEST(who_waits_is_told),
		TEST(a_cut_ends_what_the_token_does_not_have),
		TEST(a_cut_waits_for_the_token_that_has_it),
		TEST(a_failure_ends_what_the_token_does_not_have),
		TEST(a_failure_is_recorded_as_far_as_it_makes_sense),
		TEST(a_failure_waits_for_the_token_that_has_it),
		TEST(a_use_is_taken_when_it_is_decided),
		TEST(who_is_revoked_waits_for_the_token_that_has_it),
		TEST(who_holds_too_much_waits_for_the_token_that_has_it),
		TEST(what_is_undone_waits_for_the_token_that_has_it),
		TEST(output_that_makes_no_sense_is_cut_off),
		TEST(a_cut_of_what_is_finished_is_on_record),
		TEST(what_is_finished_leaves_only_if_the_client_still_may),
	};

	return cmocka_run_group_tests(tests, core_client_enter,
	    core_client_leave);
}
