#include "config.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "store/journal/journal.h"
#include "tests/support/scratch.h"
#include "tests/support/store_scratch.h"

static const uint8_t digest[32] = { 0xd1 };
static const uint8_t signed_data[] = { 0x30, 0x03, 1, 2, 3 };

static const struct journal_request ask = {
	.client = "ci",
	.door = "sshd-sign",
	.peer = "10.1.2.3",
	.port = 40123,
	.banner = "OpenSSH_9.2",
	.serial = 5,
	.fingerprint = "SHA256:abc",
	.version = "0.9",
	.profile = "production",
	.reply = "full",
	.description = "My \"App\"",
	.url = "https://example.org/",
	.name = "a.exe",
	.options = "msi-ex",
};

static const uint8_t sha256[JOURNAL_SHA256] = { 0xaa };

static const struct journal_decision decision = {
	.input = { "pe", 100, sha256, true, "My App", "Example", "1.2.3.4",
	    1764547200123456 },
	.algorithm = "sha256",
	.digest = digest,
	.digest_len = sizeof(digest),
	.certificate = "ev-2026",
	.fingerprint = digest,
	.token = "yubikey",
	.attempt = 1,
};

static const struct journal_end why = { .status = 66,
	.code = "size",
	.offset = 77,
	.text = "too large" };

/* --- getting to a state ---------------------------------------------- */

enum stage {
	ASKED,
	DECIDED,
	MAYBE_SIGNED,
	SIGNED,
	FINISHED,
	DELIVERED,
	KEPT,
	KEPT_DELIVERED,
	STAMPED
};
#define LAST STAMPED
#define EVENTS 13

static const struct journal_kept kept = {
	{ "pe", 100, digest, true, NULL, NULL, NULL, 0 }, 40, digest
};

static const uint8_t token[] = { 0x30, 1, 7 };
static const struct journal_timestamp stamp = { "digicert", 1764547200, "0a1b",
	2, token, sizeof(token) };

static void
keep(uint64_t number, bool delivered)
{
	assert_int_equal(journal_kept(store, number, &kept, NULL), 0);
	if (delivered)
		assert_int_equal(journal_delivered(store, number, 40, NULL), 0);
}

static uint64_t
bring_to(enum stage stage)
{
	uint64_t number;

	assert_int_equal(journal_asked(store, &ask, &number, NULL), 0);
	if (stage == KEPT || stage == KEPT_DELIVERED) {
		keep(number, stage == KEPT_DELIVERED);
		return number;
	}
	if (stage >= DECIDED)
		assert_int_equal(
		    journal_decided(store, number, &decision, NULL), 0);
	if (stage == MAYBE_SIGNED)
		assert_int_equal(
		    journal_maybe_signed(store, number, "worker died", NULL),
		    0);
	if (stage >= SIGNED)
		assert_int_equal(journal_signed(store, number, signed_data,
		                     sizeof(signed_data), NULL),
		    0);
	if (stage == STAMPED) {
		assert_int_equal(journal_stamped(store, number, &stamp, NULL),
		    0);
		return number;
	}
	if (stage >= FINISHED)
		assert_int_equal(
		    journal_finished(store, number, 200, digest, NULL), 0);
	if (stage >= DELIVERED)
		assert_int_equal(journal_delivered(store, number, 200, NULL),
		    0);
	return number;
}

static int
keep_status(void *cookie, const struct journal_row *row)
{
	(void)snprintf(cookie, 32, "%s", row->status);
	return 0;
}

static void
expect_status(uint64_t number, const char *expected)
{
	char status[32];

	assert_int_equal(
	    journal_show(store, number, keep_status, NULL, status, NULL), 0);
	assert_string_equal(status, expected);
}

static int
append_row(void *cookie, const struct journal_row *row)
{
	buf_format(cookie, "%s\n", row->json);
	return 0;
}

static int
append_event(void *cookie, const struct journal_event *event)
{
	buf_format(cookie, "%s\n", event->json);
	return 0;
}

static int
append_kind(void *cookie, const struct journal_event *event)
{
	buf_format(cookie, "%s ", event->kind);
	return 0;
}

static void
expect_kinds(uint64_t number, const char *expected)
{
	struct buf b = BUF_INIT;

	assert_int_equal(
	    journal_show(store, number, NULL, append_kind, &b, NULL), 0);
	buf_u8(&b, 0);
	assert_int_equal(buf_failed(&b), 0);
	assert_string_equal((const char *)b.data, expected);
	buf_free(&b);
}

static bool
holds(const struct buf *b, const char *text)
{
	return memmem(b->data, b->len, text, strlen(text)) != NULL;
}

/* --- one request ----------------------------------------------------- */

static void
test_delivered(void **state)
{
	uint64_t number = bring_to(DELIVERED);
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(number, 1);
	expect_status(number, "delivered");
	expect_kinds(number, "asked decided signed finished delivered ");
	assert_int_equal(
	    journal_show(store, number, append_row, NULL, &b, NULL), 0);
	assert_true(holds(&b,
	    "{\"request\":1,\"status\":\"delivered\","
	    "\"client\":\"ci\",\"profile\":\"production\","));
	assert_true(holds(&b, "\"description\":\"My \\\"App\\\"\""));
	assert_true(holds(&b, "\"reply\":\"full\",\"options\":\"msi-ex\","));
	assert_true(holds(&b, "\"old_signature\":true"));
	assert_true(
	    holds(&b, "\"peer\":\"10.1.2.3\",\"port\":40123,\"banner\":"));
	assert_true(holds(&b,
	    "\"serial\":5,\"user_fingerprint\":\"SHA256:abc\","
	    "\"version\":\"0.9\","));
	assert_true(holds(&b, "\"size\":100,\"sha256\":\"aa00"));
	assert_true(holds(&b,
	    "\"product\":\"My App\",\"company\":\"Example\","
	    "\"file_version\":\"1.2.3.4\","));
	assert_true(holds(&b, "\"digest\":\"d100"));
	assert_true(
	    holds(&b, "\"certificate\":\"ev-2026\",\"fingerprint\":\"d100"));
	assert_true(holds(&b, "\"received\":\"2025-12-01T00:00:00.123456Z\","));
	assert_true(holds(&b, "\"attempts\":1,\"pkcs7_size\":5,"));
	assert_true(holds(&b, "\"output_size\":200,\"output_sha256\":\"d100"));
	assert_true(holds(&b, "\"delivered_bytes\":200,\"exit\":0,"));
	assert_false(holds(&b, "null"));
	buf_free(&b);
}

static int
check_row(void *cookie, const struct journal_row *row)
{
	*(bool *)cookie = true;
	assert_int_equal(row->request, 1);
	assert_int_equal(strlen(row->asked), strlen("2026-11-23T06:24:26Z"));
	assert_string_equal(row->client, "ci");
	assert_string_equal(row->profile, "production");
	assert_string_equal(row->status, "refused");
	assert_string_equal(row->name, "a.exe");
	assert_string_equal(row->description, "My \"App\"");
	assert_string_equal(row->certificate, "");
	assert_string_equal(row->error, "too large");
	assert_non_null(strstr(row->json,
	    "\"exit\":66,\"code\":\"size\",\"offset\":77,"
	    "\"error\":\"too large\",\"result\":\"too-big\","));
	return 0;
}

static void
test_refused(void **state)
{
	uint64_t number = bring_to(ASKED);
	bool seen = false;

	(void)state;
	assert_int_equal(journal_refused(store, number, &why, NULL), 0);
	assert_int_equal(
	    journal_show(store, number, check_row, NULL, &seen, NULL), 0);
	assert_true(seen);
}

/* What was read before the refusal is in the row. */
static void
test_refused_input(void **state)
{
	const struct journal_input some = { .format = "msi" };
	struct journal_end late = why;
	uint64_t number = bring_to(ASKED);
	struct buf b = BUF_INIT;

	(void)state;
	late.input = &decision.input;
	assert_int_equal(journal_refused(store, number, &late, NULL), 0);
	assert_int_equal(
	    journal_show(store, number, append_row, NULL, &b, NULL), 0);
	assert_true(
	    holds(&b, "\"format\":\"pe\",\"size\":100,\"sha256\":\"aa00"));
	assert_true(holds(&b, "\"file_version\":\"1.2.3.4\","));
	assert_true(holds(&b, "\"old_signature\":true,"));
	assert_true(holds(&b, "\"received\":\"2025-12-01T00:00:00.123456Z\","));
	number = bring_to(ASKED);
	late.input = &some;
	assert_int_equal(journal_failed(store, number, &late, NULL), 0);
	buf_reset(&b);
	assert_int_equal(
	    journal_show(store, number, append_row, NULL, &b, NULL), 0);
	assert_true(holds(&b, "\"format\":\"msi\",\"old_signature\":false,"));
	assert_false(holds(&b, "\"size\":"));
	buf_free(&b);
}

static void
expect_used(int expected)
{
	uint64_t events;

	assert_int_equal(journal_has_used(store, "ci", "production", NULL),
	    expected);
	assert_int_equal(journal_has_used(store, "c", "production", NULL), 0);
	assert_int_equal(journal_has_used(store, "ci", "other", NULL), 0);
	assert_int_equal(journal_rebuild(store, NULL, &events, NULL), 0);
	assert_int_equal(journal_has_used(store, "ci", "production", NULL),
	    expected);
}

/* A profile is used when a file goes to a token, or back as it came. */
static void
test_first_use(void **state)
{
	uint64_t number = bring_to(ASKED);
	struct buf b = BUF_INIT;

	expect_used(0);
	assert_int_equal(
	    journal_first_use(store, number, "ci", "production", NULL), 0);
	expect_used(0);
	assert_int_equal(journal_decided(store, number, &decision, NULL), 0);
	expect_used(1);
	assert_int_equal(
	    journal_show(store, number, append_row, append_event, &b, NULL), 0);
	assert_true(holds(&b, "\"first_use\":true,"));
	assert_true(holds(&b,
	    "\"kind\":\"first-use\",\"detail\":{\"client\":\"ci\","
	    "\"profile\":\"production\"}}"));
	buf_free(&b);
	store_close(store);
	assert_int_equal(store_remove(state), 0);
	assert_int_equal(store_set_up(state), 0);
	(void)bring_to(KEPT);
	expect_used(1);
}

static void
test_empty_request(void **state)
{
	const struct journal_request nothing = { .client = NULL };
	struct buf b = BUF_INIT;
	uint64_t number;

	(void)state;
	assert_int_equal(journal_asked(store, &nothing, &number, NULL), 0);
	assert_int_equal(
	    journal_show(store, number, append_row, append_event, &b, NULL), 0);
	assert_true(holds(&b, "\"kind\":\"asked\",\"detail\":{}}"));
	buf_free(&b);
}

/* Text from outside can forge no JSON, no second line and no bad UTF-8. */
static void
test_hostile_text(void **state)
{
	struct journal_request hostile = ask;
	struct buf b = BUF_INIT;
	uint64_t number;

	(void)state;
	hostile.description = "a\"}\n{\"request\":9\x1b[2J\x7f\\";
	hostile.name = "x\xff\xc0\x80\xed\xa0\x80y";
	hostile.serial = UINT64_MAX;
	assert_int_equal(journal_asked(store, &hostile, &number, NULL), 0);
	assert_int_equal(
	    journal_show(store, number, append_row, NULL, &b, NULL), 0);
	assert_ptr_equal(memchr(b.data, '\n', b.len), b.data + b.len - 1);
	assert_true(holds(&b, "\"a\\\"}\\n{\\\"request\\\":9\\u001b[2J"));
	assert_true(holds(&b,
	    "\"x\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
	    "\xef\xbf\xbdy\""));
	assert_true(holds(&b, "\"serial\":\"18446744073709551615\""));
	buf_free(&b);
}

/* --- what may follow what -------------------------------------------- */

static int
try_event(uint64_t number, size_t event, struct ht_error *e)
{
	switch (event) {
	case 0:
		return journal_decided(store, number, &decision, e);
	case 1:
		return journal_maybe_signed(store, number, "t", e);
	case 2:
		return journal_signed(store, number, signed_data, 5, e);
	case 3:
		return journal_finished(store, number, 1, digest, e);
	case 4:
		return journal_delivered(store, number, 1, e);
	case 5:
		return journal_undelivered(store, number, JOURNAL_CUT, "t", e);
	case 6:
		return journal_refused(store, number, &why, e);
	case 7:
		return journal_failed(store, number, &why, e);
	case 8:
		return journal_aborted(store, number, JOURNAL_CUT, "t", e);
	case 9:
		return journal_kept(store, number, &kept, e);
	case 10:
		return journal_stamped(store, number, &stamp, e);
	case 11:
		return journal_unstamped(store, number, 1, "t", e);
	default:
		return journal_first_use(store, number, "ci", "production", e);
	}
}

static void
test_order(void **state)
{
	/* Rows are stages; columns are the events of try_event. */
	static const char *const allowed[] = {
		[ASKED] = "1.....1111..1",
		[DECIDED] = "111...111...1",
		[MAYBE_SIGNED] = "1.....111...1",
		[SIGNED] = "...1..111.11.",
		[FINISHED] = "....11.1.....",
		[DELIVERED] = ".............",
		[KEPT] = "....11.1.....",
		[KEPT_DELIVERED] = ".............",
		[STAMPED] = "...1..111....",
	};
	struct ht_error e;
	uint64_t number;
	size_t stage, event;
	int expected;

	(void)state;
	for (stage = ASKED; stage <= LAST; stage++) {
		for (event = 0; event < EVENTS; event++) {
			number = bring_to((enum stage)stage);
			expected =
			    allowed[stage][event] == '1' ? 0 : HT_ERR_INTERNAL;
			assert_int_equal(try_event(number, event, &e),
			    expected);
			/* A refusal of ours spoils nothing. */
			assert_int_equal(store_commit(store, &e), 0);
		}
	}
	assert_int_equal(journal_decided(store, 4711, &decision, &e),
	    HT_ERR_INTERNAL);
	assert_string_equal(e.text, "request 4711 cannot be decided now");
}

static void
test_bad_arguments(void **state)
{
	struct journal_decision wrong = decision;
	struct ht_error e;
	uint64_t number = bring_to(ASKED);

	assert_int_equal(store_commit(store, &e), 0);
	wrong.digest_len = JOURNAL_DIGEST_MAX + 1;
	assert_int_equal(journal_decided(store, number, &wrong, &e),
	    HT_ERR_INTERNAL);
	/* That one was on its way to the engine. */
	assert_int_equal(store_commit(store, &e), HT_ERR_INTERNAL);
	store_close(store);
	assert_int_equal(store_set_up(state), 0);
	assert_int_equal(journal_decided(store, number, &decision, &e), 0);
	assert_int_equal(journal_signed(store, number, signed_data, 0, &e),
	    HT_ERR_INTERNAL);
}

static void
test_pkcs7(void **state)
{
	struct buf der = BUF_INIT, stamped = BUF_INIT;
	struct ht_error e;
	uint64_t number;
	size_t stage;

	(void)state;
	/* What never left is not given out. */
	for (stage = ASKED; stage <= LAST; stage++) {
		if (stage == DELIVERED)
			continue;
		number = bring_to((enum stage)stage);
		assert_int_equal(
		    journal_pkcs7(store, number, &der, &stamped, &e),
		    HT_ERR_USAGE);
	}
	number = bring_to(FINISHED);
	assert_int_equal(journal_failed(store, number, &why, NULL), 0);
	assert_int_equal(journal_pkcs7(store, number, &der, &stamped, &e),
	    HT_ERR_USAGE);
	assert_int_equal(journal_pkcs7(store, number + 1, &der, &stamped, &e),
	    HT_ERR_USAGE);
	assert_int_equal(der.len, 0);
	number = bring_to(FINISHED);
	assert_int_equal(
	    journal_undelivered(store, number, JOURNAL_CUT, "gone", NULL), 0);
	assert_int_equal(journal_pkcs7(store, number, &der, &stamped, &e), 0);
	assert_int_equal(der.len, sizeof(signed_data));
	number = bring_to(DELIVERED);
	buf_reset(&der);
	assert_int_equal(journal_pkcs7(store, number, &der, &stamped, &e), 0);
	assert_int_equal(der.len, sizeof(signed_data));
	assert_memory_equal(der.data, signed_data, der.len);
	assert_int_equal(stamped.len, 0);
	buf_free(&der);
	buf_free(&stamped);
}

/* The token is kept beside the signature, and is given out with it. */
static void
test_timestamp(void **state)
{
	struct buf der = BUF_INIT, stamped = BUF_INIT, b = BUF_INIT;
	uint64_t number = bring_to(STAMPED);

	(void)state;
	expect_status(number, "stamped");
	assert_int_equal(journal_finished(store, number, 1, digest, NULL), 0);
	assert_int_equal(journal_delivered(store, number, 1, NULL), 0);
	expect_kinds(number,
	    "asked decided signed stamped finished delivered ");
	assert_int_equal(journal_pkcs7(store, number, &der, &stamped, NULL), 0);
	assert_int_equal(der.len, sizeof(signed_data));
	assert_int_equal(stamped.len, sizeof(token));
	assert_memory_equal(stamped.data, token, sizeof(token));
	assert_int_equal(
	    journal_show(store, number, append_row, append_event, &b, NULL), 0);
	assert_true(holds(&b,
	    "\"stamp_server\":\"digicert\","
	    "\"stamp_time\":\"2025-12-01T00:00:00Z\","
	    "\"stamp_serial\":\"0a1b\",\"stamp_tries\":2,"));
	assert_true(holds(&b, "\"stamped\":\"20"));
	assert_true(holds(&b,
	    "\"detail\":{\"server\":\"digicert\","
	    "\"time\":\"2025-12-01T00:00:00Z\",\"serial\":\"0a1b\","
	    "\"tries\":2}"));
	buf_free(&der);
	buf_free(&stamped);
	buf_free(&b);
}

static int
keep_error(void *cookie, const struct journal_row *row)
{
	(void)snprintf(cookie, 64, "%s", row->error);
	return 0;
}

static void
test_no_timestamp(void **state)
{
	uint64_t number = bring_to(SIGNED);
	struct buf b = BUF_INIT;
	char error[64];

	(void)state;
	assert_int_equal(
	    journal_unstamped(store, number, 3, "all are away", NULL), 0);
	expect_status(number, "signed");
	assert_int_equal(journal_finished(store, number, 1, digest, NULL), 0);
	assert_int_equal(journal_delivered(store, number, 1, NULL), 0);
	expect_status(number, "delivered");
	assert_int_equal(
	    journal_show(store, number, keep_error, NULL, error, NULL), 0);
	assert_string_equal(error, "no timestamp: all are away");
	assert_int_equal(
	    journal_show(store, number, append_row, NULL, &b, NULL), 0);
	assert_true(
	    holds(&b, "\"stamp_tries\":3,\"stamp_error\":\"all are away\","));
	assert_false(holds(&b, "\"error\""));
	buf_free(&b);
}

/* Sign with n bytes; what the journal then has of that. */
static void
sign_at_length(size_t n, struct buf *shown)
{
	uint64_t number = bring_to(DECIDED);
	uint8_t *long_data = calloc(1, n);
	struct buf der = BUF_INIT, stamped = BUF_INIT;
	struct ht_error e;
	int rc;

	assert_non_null(long_data);
	assert_int_equal(journal_signed(store, number, long_data, n, &e), 0);
	assert_int_equal(journal_finished(store, number, 1, digest, &e), 0);
	assert_int_equal(journal_delivered(store, number, 1, &e), 0);
	rc = journal_pkcs7(store, number, &der, &stamped, &e);
	assert_int_equal(rc, n > JOURNAL_PKCS7_MAX ? HT_ERR_USAGE : 0);
	assert_int_equal(der.len, n > JOURNAL_PKCS7_MAX ? 0 : n);
	buf_reset(shown);
	assert_int_equal(
	    journal_show(store, number, append_row, append_event, shown, &e),
	    0);
	buf_free(&der);
	buf_free(&stamped);
	free(long_data);
}

static void
test_long_pkcs7(void **state)
{
	struct buf b = BUF_INIT;
	struct ht_error e;
	uint64_t number, events;

	(void)state;
	sign_at_length(JOURNAL_PKCS7_MAX, &b);
	assert_true(holds(&b, "\"pkcs7_size\":1048576,"));
	assert_false(holds(&b, "stored"));
	sign_at_length(JOURNAL_PKCS7_MAX + 1, &b);
	assert_true(
	    holds(&b, "\"pkcs7_size\":1048577,\"pkcs7_sha256\":\"2cb7"));
	assert_true(holds(&b, "\"pkcs7_stored\":false"));
	assert_true(holds(&b, "\"detail\":{\"size\":1048577,"));
	assert_true(holds(&b, "\"stored\":false}"));
	assert_int_equal(journal_rebuild(store, NULL, &events, &e), 0);
	/* What has no signature yet lacks none. */
	number = bring_to(DECIDED);
	buf_reset(&b);
	assert_int_equal(
	    journal_show(store, number, append_row, append_event, &b, &e), 0);
	assert_false(holds(&b, "stored"));
	buf_free(&b);
}

static void
test_second_hand_over(void **state)
{
	struct journal_decision second = decision;
	uint64_t number = bring_to(MAYBE_SIGNED);
	struct buf b = BUF_INIT;

	(void)state;
	second.attempt = 2;
	expect_status(number, "maybe-signed");
	assert_int_equal(journal_decided(store, number, &second, NULL), 0);
	assert_int_equal(journal_signed(store, number, signed_data, 5, NULL),
	    0);
	assert_int_equal(journal_finished(store, number, 1, digest, NULL), 0);
	assert_int_equal(journal_delivered(store, number, 1, NULL), 0);
	expect_status(number, "delivered");
	expect_kinds(number,
	    "asked decided maybe-signed decided signed finished delivered ");
	assert_int_equal(
	    journal_show(store, number, append_row, NULL, &b, NULL), 0);
	assert_true(holds(&b, "\"attempts\":2,\"unknown\":1,"));
	buf_free(&b);
}

static void
test_maybe_signed_for_ever(void **state)
{
	uint64_t number = bring_to(MAYBE_SIGNED);
	struct ht_error e;

	(void)state;
	assert_int_equal(journal_failed(store, number, &why, NULL), 0);
	expect_status(number, "maybe-signed");
	assert_int_equal(journal_decided(store, number, &decision, &e),
	    HT_ERR_INTERNAL);
}

/* --- after a crash, and from the events ------------------------------ */

static void
test_recover(void **state)
{
	uint64_t asked = bring_to(ASKED), decided = bring_to(DECIDED);
	uint64_t maybe = bring_to(MAYBE_SIGNED), done = bring_to(SIGNED);
	uint64_t finished = bring_to(FINISHED), delivered = bring_to(DELIVERED);
	uint64_t stamp_too = bring_to(STAMPED);
	uint64_t held = bring_to(KEPT), back = bring_to(KEPT_DELIVERED);
	struct buf der = BUF_INIT, stamped = BUF_INIT;
	uint64_t closed;

	assert_int_equal(store_commit(store, NULL), 0);
	store_close(store);
	assert_int_equal(store_set_up(state), 0);
	assert_int_equal(journal_recover(store, &closed, NULL), 0);
	assert_int_equal(closed, 7);
	assert_false(store_dirty(store));
	expect_status(asked, "aborted");
	expect_status(decided, "maybe-signed");
	expect_kinds(decided, "asked decided maybe-signed aborted ");
	expect_status(maybe, "maybe-signed");
	expect_status(done, "aborted");
	assert_int_equal(journal_pkcs7(store, done, &der, &stamped, NULL),
	    HT_ERR_USAGE);
	expect_status(stamp_too, "aborted");
	expect_kinds(stamp_too, "asked decided signed stamped aborted ");
	expect_status(finished, "undelivered");
	assert_int_equal(journal_pkcs7(store, finished, &der, &stamped, NULL),
	    0);
	buf_free(&der);
	buf_free(&stamped);
	expect_status(delivered, "delivered");
	expect_status(held, "undelivered");
	expect_kinds(held, "asked kept undelivered ");
	expect_status(back, "kept");
	expect_kinds(back, "asked kept delivered ");
	assert_int_equal(journal_recover(store, &closed, NULL), 0);
	assert_int_equal(closed, 0);
}

static void
test_rebuild(void **state)
{
	const struct store_actor actor = { "ann", "admin", NULL };
	struct buf before = BUF_INIT, after = BUF_INIT;
	const struct journal_filter all = { .limit = 0 };
	size_t stage, event;
	uint64_t number, events;

	(void)state;
	for (stage = ASKED; stage <= LAST; stage++) {
		for (event = 0; event < EVENTS; event++) {
			number = bring_to((enum stage)stage);
			(void)try_event(number, event, NULL);
		}
	}
	assert_int_equal(journal_started(store, "0.1", true, NULL), 0);
	assert_int_equal(journal_log(store, &all, append_row, &before, NULL),
	    0);
	assert_int_equal(journal_rebuild(store, &actor, &events, NULL), 0);
	assert_true(events > 54 * 2);
	assert_int_equal(store_commit(store, NULL), 0);
	assert_int_equal(journal_log(store, &all, append_row, &after, NULL), 0);
	assert_true(before.len > 54 * 100);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.data, after.data, before.len);
	buf_reset(&after);
	assert_int_equal(journal_events(store, 1, append_event, &after, NULL),
	    0);
	assert_true(holds(&after, "\"kind\":\"rebuilt\",\"actor\":\"ann\""));
	buf_free(&before);
	buf_free(&after);
}

/* --- other events ---------------------------------------------------- */

static void
test_other_events(void **state)
{
	const struct store_actor ann = { "ann", "admin", "127.0.0.1" };
	struct journal_request who = ask;
	struct buf b = BUF_INIT;

	(void)state;
	who.client = "old-ci";
	assert_int_equal(journal_started(store, "0.1", true, NULL), 0);
	assert_int_equal(journal_configured(store, &ann, "f", NULL), 0);
	assert_int_equal(journal_auth_failed(store, "sshd-sign", "expired",
	                     "192.0.2.0/24", 12, NULL),
	    0);
	assert_int_equal(journal_refused_login(store, &who, &why, 3, NULL), 0);
	assert_int_equal(journal_clock(store, 3600, NULL), 0);
	assert_int_equal(journal_token(store, &ann, JOURNAL_TOKEN_UNLOCKED,
	                     "yubikey", NULL, NULL),
	    0);
	assert_int_equal(journal_token(store, NULL, JOURNAL_TOKEN_RESTARTED,
	                     "yubikey", "hung", NULL),
	    0);
	assert_int_equal(journal_stopped(store, "SIGTERM", NULL), 0);
	assert_int_equal(journal_events(store, 0, append_event, &b, NULL), 0);
	assert_true(holds(&b,
	    "\"kind\":\"started\",\"detail\":{"
	    "\"version\":\"0.1\",\"test\":true}}\n"));
	assert_true(holds(&b,
	    "\"kind\":\"configured\",\"actor\":\"ann\","
	    "\"detail\":{\"role\":\"admin\",\"from\":"
	    "\"127.0.0.1\",\"text\":\"f\"}}\n"));
	assert_true(holds(&b,
	    "\"detail\":{\"door\":\"sshd-sign\",\"peer\":"
	    "\"192.0.2.0/24\",\"reason\":\"expired\","
	    "\"count\":12}}\n"));
	assert_true(holds(&b,
	    "\"kind\":\"refused-login\",\"detail\":{"
	    "\"client\":\"old-ci\",\"door\":\"sshd-sign\","
	    "\"peer\":\"10.1.2.3\",\"code\":\"size\",\"text\""
	    ":\"too large\",\"serial\":5,\"count\":3,"
	    "\"exit\":66}}\n"));
	assert_true(holds(&b,
	    "\"kind\":\"clock\",\"detail\":{\"seconds\":"
	    "3600}}\n"));
	assert_true(holds(&b, "\"kind\":\"token-unlocked\",\"actor\":\"ann\""));
	assert_true(holds(&b,
	    "\"kind\":\"token-restarted\",\"detail\":{"
	    "\"token\":\"yubikey\",\"text\":\"hung\"}}\n"));
	assert_true(holds(&b, "\"kind\":\"stopped\""));
	buf_free(&b);
	assert_int_equal(journal_events(store, 1, append_kind, &b, NULL), 0);
	assert_int_equal(b.len, strlen("stopped "));
	buf_free(&b);
}

static void
expect_known(const uint8_t *fingerprint, const char *verdict, unsigned int days)
{
	struct journal_signer_known known;

	assert_int_equal(journal_signer_known(store, fingerprint, &known, NULL),
	    0);
	assert_string_equal(known.verdict, verdict);
	assert_int_equal(known.days, days);
}

static void
test_signers(void **state)
{
	const struct journal_signer one = { "one", { 0xab, 1 } };
	const struct journal_signer two = { "two", { 0xab, 2 } };
	struct buf b = BUF_INIT;

	(void)state;
	expect_known(one.fingerprint, "", 0);
	assert_int_equal(
	    journal_signer_looked(store, &one, "good", "u", 0, NULL), 0);
	assert_int_equal(
	    journal_signer_expires(store, &one, 30, 1800000000, NULL), 0);
	assert_int_equal(
	    journal_signer_expires(store, &one, 7, 1800000000, NULL), 0);
	assert_int_equal(
	    journal_signer_expires(store, &two, 90, 1800000000, NULL), 0);
	expect_known(one.fingerprint, "good", 7);
	expect_known(two.fingerprint, "", 90);
	assert_int_equal(journal_signer_looked(store, &one, "revoked", "u",
	                     1800000000, NULL),
	    0);
	assert_int_equal(
	    journal_signer_looked(store, &two, "unknown", "why", 0, NULL), 0);
	expect_known(one.fingerprint, "revoked", 7);
	expect_known(two.fingerprint, "unknown", 90);
	assert_int_equal(journal_events(store, 0, append_event, &b, NULL), 0);
	assert_true(holds(&b,
	    "\"kind\":\"signer-revoked\",\"detail\":{\"text\":\"u\","
	    "\"fingerprint\":\"ab01000000000000000000000000000000000000000000"
	    "000000000000000000\",\"certificate\":\"one\",\"revoked_at\":"
	    "\"2027-01-15T08:00:00Z\"}}\n"));
	assert_true(holds(&b,
	    "\"kind\":\"signer-expires\",\"detail\":{\"fingerprint\":"
	    "\"ab02000000000000000000000000000000000000000000000000000000000000"
	    "\",\"valid_before\":\"2027-01-15T08:00:00Z\",\"certificate\":"
	    "\"two\",\"days\":90}}\n"));
	buf_free(&b);
}

static void
test_clock(void **state)
{
	int64_t before = journal_now(), last;

	assert_true(before > (int64_t)1700000000 * 1000000);
	(void)bring_to(ASKED);
	last = journal_last_time(store);
	assert_true(last >= before);
	assert_true(last <= journal_now());
	assert_int_equal(store_commit(store, NULL), 0);
	store_close(store);
	assert_int_equal(store_set_up(state), 0);
	assert_int_equal(journal_last_time(store), last);
}

/* --- queries --------------------------------------------------------- */

static int
append_number(void *cookie, const struct journal_row *row)
{
	buf_format(cookie, "%" PRIu64 " ", row->request);
	return 0;
}

static int
refuse(void *cookie, const struct journal_row *row)
{
	(void)row;
	++*(int *)cookie;
	return HT_ERR_UNAVAILABLE;
}

static void
expect_log(const struct journal_filter *filter, const char *expected)
{
	struct buf b = BUF_INIT;

	assert_int_equal(journal_log(store, filter, append_number, &b, NULL),
	    0);
	buf_u8(&b, 0);
	assert_string_equal((const char *)b.data, expected);
	buf_free(&b);
}

static void
test_filters(void **state)
{
	struct journal_request other = ask;
	uint64_t number;
	int calls = 0;

	(void)state;
	(void)bring_to(DELIVERED);
	(void)bring_to(ASKED);
	other.client = "nightly";
	other.profile = "test";
	assert_int_equal(journal_asked(store, &other, &number, NULL), 0);
	(void)bring_to(SIGNED);
	expect_log(&(struct journal_filter){ .limit = 0 }, "1 2 3 4 ");
	expect_log(&(struct journal_filter){ .limit = 2 }, "3 4 ");
	expect_log(&(struct journal_filter){ .client = "ci" }, "1 2 4 ");
	expect_log(&(struct journal_filter){ .client = "ci", .limit = 2 },
	    "2 4 ");
	expect_log(&(struct journal_filter){ .profile = "test" }, "3 ");
	expect_log(&(struct journal_filter){ .status = "asked" }, "2 3 ");
	expect_log(&(struct journal_filter){ .result = "success" }, "1 ");
	expect_log(&(struct journal_filter){ .result = "virus" }, "");
	assert_int_equal(journal_aborted(store, 2, JOURNAL_CUT, "t", NULL), 0);
	assert_int_equal(journal_aborted(store, 4, JOURNAL_ENDPOINT, "t", NULL),
	    0);
	expect_log(&(struct journal_filter){ .result = "cancelled" }, "2 ");
	expect_log(&(struct journal_filter){ .result = "internal-error" },
	    "4 ");
	expect_log(&(struct journal_filter){ .status = "aborted",
	               .result = "cancelled" },
	    "2 ");
	expect_log(&(struct journal_filter){ .status = "asked",
	               .client = "nightly",
	               .profile = "production" },
	    "");
	assert_int_equal(journal_log(store,
	                     &(struct journal_filter){ .limit = 0 }, refuse,
	                     &calls, NULL),
	    HT_ERR_UNAVAILABLE);
	assert_int_equal(calls, 1);
}

int
main(void)
{
#define CASE(name)                                                             \
	cmocka_unit_test_setup_teardown(name, store_set_up, store_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_delivered),
		CASE(test_refused),
		CASE(test_refused_input),
		CASE(test_first_use),
		CASE(test_empty_request),
		CASE(test_hostile_text),
		CASE(test_order),
		CASE(test_bad_arguments),
		CASE(test_pkcs7),
		CASE(test_timestamp),
		CASE(test_no_timestamp),
		CASE(test_long_pkcs7),
		CASE(test_second_hand_over),
		CASE(test_maybe_signed_for_ever),
		CASE(test_recover),
		CASE(test_rebuild),
		CASE(test_other_events),
		CASE(test_signers),
		CASE(test_clock),
		CASE(test_filters),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
