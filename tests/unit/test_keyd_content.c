/*
 * htsign-keyd and large content, the page hashes of a PE: how much of it may
 * be in work at once, who is told to come again, and that the room is given
 * back however a request ends.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "signature/init.h"
#include "signature/pkcs7-nest.h"
#include "signature/spc-pages.h"
#include "tests/support/endpoint.h"
#include "tests/support/scratch.h"

/* How many of the largest a client may have in work that is alone. */
#define SHARE 3

/* Bytes of all the room. */
#define ALL ((size_t)64 << 20)

/* Seconds that keyd gives a shell to send content or to take a signature. */
#define TRANSFER 30

static const char *const clients[] = { "ci", "two", "three" };
#define CLIENTS (sizeof(clients) / sizeof(*clients))
static struct buf certificates[CLIENTS];
static struct buf large;

static void
make_large(void)
{
	static const struct spc_digest digest = { "sha256", { 1, 2, 3 }, 32 };
	size_t n = (size_t)SPC_PAGES * SPC_PAGES_ENTRY, i;
	struct ht_error e;
	uint8_t *list;

	assert_int_equal(spc_pages_start(n, &large, &list, &e), 0);
	for (i = 0; i < n; i++)
		list[i] = (uint8_t)(i * 7 + i / 256);
	memset(list, 0, 4);
	memset(list + n - 32, 0, 32);
	assert_int_equal(spc_pages_finish(&digest, &large, &e), 0);
	assert_int_equal(large.len, PROTOCOL_PAGES_MAX);
}

static int
enter(void **state)
{
	struct ht_error e;
	char command[64];
	size_t i;

	if (scratch_enter(state) != 0 || authenticode_init(&e) < 0)
		return 1;
	endpoint_make();
	endpoint_start();
	make_large();
	for (i = 0; i < CLIENTS; i++) {
		(void)snprintf(command, sizeof(command), "client add %s",
		    clients[i]);
		assert_int_equal(endpoint_admin(command, NULL, NULL), 0);
		(void)snprintf(command, sizeof(command), "grant %s other",
		    clients[i]);
		assert_int_equal(endpoint_admin(command, NULL, NULL), 0);
		endpoint_certificate(clients[i], "", &certificates[i]);
	}
	assert_int_equal(endpoint_admin("grant ci cabinets", NULL, NULL), 0);
	return 0;
}

static int
leave(void **state)
{
	int status = endpoint_stop(SIGTERM);
	size_t i;

	for (i = 0; i < CLIENTS; i++)
		buf_free(&certificates[i]);
	buf_free(&large);
	return scratch_leave(state) != 0 || status != 0;
}

/* --- steps --------------------------------------------------------------- */

static void
begin_under(struct keyd_client *a, size_t client, const char *profile)
{
	char ticket[PROTOCOL_TICKET];
	struct ht_error e;

	assert_int_equal(endpoint_ticket(&certificates[client], ticket), 0);
	assert_int_equal(endpoint_greet(a, &certificates[client], ticket, &e),
	    0);
	assert_int_equal(endpoint_begin(a, profile, &e), 0);
}

static void
begin(struct keyd_client *a, size_t client)
{
	begin_under(a, client, "other");
}

static struct protocol_content
content_of(size_t length)
{
	static const uint8_t sha256[32];
	struct protocol_content content;

	memset(&content, 0, sizeof(content));
	content.kind = PROTOCOL_KIND_SPC;
	(void)snprintf(content.format, sizeof(content.format), "pe");
	content.size = 1024;
	content.sha256 = cursor_over(sha256, sizeof(sha256));
	content.length = (uint32_t)length;
	return content;
}

/* Begin, and announce so many bytes of content; none of them follows. */
static void
announce_bytes(struct keyd_client *a, size_t client, size_t n)
{
	struct protocol_content content = content_of(n);

	begin(a, client);
	endpoint_say(a, PROTOCOL_CONTENT, &content);
	/* keyd has read that when it answers the next. */
	assert_int_equal(endpoint_admin("tokens", NULL, NULL), 0);
}

/* The same with the largest content. */
static void
announce(struct keyd_client *a, size_t client)
{
	announce_bytes(a, client, large.len);
}

/* The whole of it, as a shell does it. */
static int
sign(size_t client, const struct buf *der, struct protocol_refuse *refusal)
{
	struct buf pkcs7 = BUF_INIT;
	struct ht_error e;
	struct keyd_client a;
	int rc;

	begin(&a, client);
	rc = endpoint_sign(&a, buf_cursor(der), &pkcs7, &e);
	if (rc == 0) {
		assert_true(pkcs7.len > der->len);
		assert_non_null(
		    memmem(pkcs7.data, pkcs7.len, der->data, der->len));
	} else {
		assert_true(a.refused);
	}
	if (refusal != NULL)
		*refusal = a.refusal;
	buf_free(&pkcs7);
	keyd_client_close(&a);
	return rc;
}

/* What keyd says next is this. */
static void
hears(struct keyd_client *a, unsigned int type)
{
	union protocol_body body;
	struct ht_error e;
	struct msg m;

	assert_int_equal(protocol_wait(&a->link, &m, &body, 10000, &e), 1);
	assert_int_equal(m.type, type);
}

static void
close_all(struct keyd_client *a, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		keyd_client_close(&a[i]);
	assert_int_equal(endpoint_admin("tokens", NULL, NULL), 0);
}

/* --- the room ------------------------------------------------------------- */

/* The largest token, and a chain of 64 KiB more than there is, fit as well. */
static void
has_room_for_a_timestamp(const struct buf *pkcs7)
{
	static uint8_t token[PROTOCOL_STAMP_MAX] = { 0x30, 0x82,
		(PROTOCOL_STAMP_MAX - 4) >> 8, (PROTOCOL_STAMP_MAX - 4) & 255 };
	struct buf stamped = BUF_INIT;
	struct ht_error e;

	if (pkcs7_stamp(pkcs7->data, pkcs7->len, token, sizeof(token), &stamped,
	        &e) < 0)
		fail_msg("%s", e.text);
	assert_true(stamped.len > pkcs7->len + sizeof(token));
	assert_true(stamped.len + ((size_t)64 << 10) <= PROTOCOL_PKCS7_MAX);
	buf_free(&stamped);
}

static void
the_largest_content_is_signed(void **state)
{
	static const uint8_t sha256[32];
	struct protocol_output output = { 2048, { sha256, sizeof(sha256) }, 0 };
	struct buf pkcs7 = BUF_INIT;
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	begin(&a, 0);
	assert_int_equal(endpoint_sign(&a, buf_cursor(&large), &pkcs7, &e), 0);
	assert_true(pkcs7.len > large.len);
	has_room_for_a_timestamp(&pkcs7);
	assert_int_equal(
	    keyd_client_output(&a, &output, cursor_over(NULL, 0), &e), 0);
	assert_int_equal(keyd_client_delivered(&a, 2048, &e), 0);
	assert_int_equal(endpoint_begin(&a, "other", &e), 0);
	keyd_client_close(&a);
	assert_true(endpoint_prints("log --json --status=delivered",
	    "\"pkcs7_size\":94"));
	buf_free(&pkcs7);
}

static void
one_byte_more_is_not_content(void **state)
{
	static const struct {
		const char *profile, *format;
		uint8_t kind;
		uint32_t most; /* 0: none of that kind */
	} cases[] = {
		{ "other", "pe", PROTOCOL_KIND_SPC, PROTOCOL_PAGES_MAX },
		{ "other", "pe", PROTOCOL_KIND_CTL, 0 },
		{ "other", "msi", PROTOCOL_KIND_SPC, PROTOCOL_CONTENT_MAX },
		{ "cabinets", "cat", PROTOCOL_KIND_CTL, 64 << 10 },
		{ "cabinets", "cat", PROTOCOL_KIND_SPC, 0 },
	};
	struct protocol_content content;
	union protocol_body body;
	struct ht_error e;
	struct keyd_client a;
	struct msg m;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		content = content_of(cases[i].most + 1);
		content.kind = cases[i].kind;
		(void)snprintf(content.format, sizeof(content.format), "%s",
		    cases[i].format);
		begin_under(&a, 0, cases[i].profile);
		endpoint_say(&a, PROTOCOL_CONTENT, &content);
		assert_int_equal(protocol_wait(&a.link, &m, &body, 10000, &e),
		    1);
		assert_int_equal(m.type, PROTOCOL_REFUSE);
		assert_int_equal(body.refuse.status, 70);
		keyd_client_close(&a);
		if (cases[i].most == 0)
			continue;
		content.length--;
		begin_under(&a, 0, cases[i].profile);
		endpoint_say(&a, PROTOCOL_CONTENT, &content);
		assert_int_equal(endpoint_admin("tokens", NULL, NULL), 0);
		assert_int_equal(protocol_next(&a.link, &m, &body, &e), 0);
		close_all(&a, 1);
	}
}

/* keyd refuses the format, by that name, with what the shell said last. */
static void
hears_of_the_format(struct keyd_client *a, const char *format)
{
	union protocol_body body;
	struct ht_error e;
	struct msg m;
	char text[PROTOCOL_TEXT];

	assert_int_equal(protocol_wait(&a->link, &m, &body, 10000, &e), 1);
	assert_int_equal(m.type, PROTOCOL_REFUSE);
	assert_int_equal(body.refuse.status, 66);
	assert_string_equal(body.refuse.code, "content");
	(void)snprintf(text, sizeof(text),
	    "profile cabinets does not sign %s files", format);
	assert_string_equal(body.refuse.text, text);
	assert_true(endpoint_last_row_holds("\"status\":\"failed\""));
	assert_true(endpoint_last_row_holds("\"exit\":66"));
}

/* At once: no byte of it came, and were there no room, nobody asked. */
static void
what_the_profile_does_not_sign_gets_no_room(void **state)
{
	struct protocol_content content = content_of(large.len);
	struct keyd_client a[SHARE], refused[SHARE];
	size_t i;

	(void)state;
	for (i = 0; i < SHARE; i++) {
		begin_under(&refused[i], 0, "cabinets");
		endpoint_say(&refused[i], PROTOCOL_CONTENT, &content);
		hears_of_the_format(&refused[i], "pe");
	}
	for (i = 0; i < SHARE; i++)
		announce(&a[i], 0);
	assert_int_equal(sign(0, &large, NULL), HT_ERR_TEMPORARY);
	close_all(refused, SHARE);
	begin_under(&refused[0], 0, "cabinets");
	endpoint_say(&refused[0], PROTOCOL_CONTENT, &content);
	hears_of_the_format(&refused[0], "pe");
	close_all(refused, 1);
	close_all(a, SHARE);
}

static void
a_format_that_a_reload_takes_away_is_not_signed(void **state)
{
	struct protocol_part part = { { large.data, 1 } };
	struct protocol_content content = content_of(1);
	struct buf text = BUF_INIT;
	struct keyd_client a;
	char *cab;

	(void)state;
	scratch_read("htsign.conf", &text);
	(void)snprintf(content.format, sizeof(content.format), "cab");
	begin_under(&a, 0, "cabinets");
	endpoint_say(&a, PROTOCOL_CONTENT, &content);
	assert_int_equal(endpoint_admin("tokens", NULL, NULL), 0);
	cab = memmem(text.data, text.len, "\"cab\"", 5);
	assert_non_null(cab);
	memcpy(cab, "\"msi\"", 5);
	endpoint_reload(&text);
	endpoint_say(&a, PROTOCOL_PART, &part);
	hears_of_the_format(&a, "cab");
	close_all(&a, 1);
	memcpy(cab, "\"cab\"", 5);
	endpoint_reload(&text);
	buf_free(&text);
}

/* The shell's half does not even begin to send it: keyd still has time. */
static void
the_asking_half_knows_the_limits(void **state)
{
	static const struct {
		const char *format;
		uint8_t kind;
		size_t most;
	} cases[] = {
		{ "msi", PROTOCOL_KIND_SPC, PROTOCOL_CONTENT_MAX },
		{ "cat", PROTOCOL_KIND_CTL, PROTOCOL_CTL_MAX },
		{ "pe", PROTOCOL_KIND_CTL, PROTOCOL_CTL_MAX },
	};
	struct cursor der = buf_cursor(&large);
	struct protocol_content content;
	struct protocol_signed said;
	struct buf pkcs7 = BUF_INIT;
	struct ht_error e;
	struct keyd_client a;
	size_t i;

	(void)state;
	begin(&a, 0);
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		content = content_of(0);
		content.kind = cases[i].kind;
		(void)snprintf(content.format, sizeof(content.format), "%s",
		    cases[i].format);
		der.left = cases[i].most + 1;
		assert_int_equal(
		    keyd_client_content(&a, &content, der, &pkcs7, &said, &e),
		    HT_ERR_REFUSED);
		assert_non_null(strstr(e.text, "more than can be signed"));
	}
	assert_int_equal(endpoint_sign(&a, buf_cursor(&large), &pkcs7, &e), 0);
	keyd_client_close(&a);
	buf_free(&pkcs7);
}

static void
a_client_has_a_share_of_the_room(void **state)
{
	struct protocol_refuse refusal;
	struct buf little = BUF_INIT;
	struct keyd_client a[SHARE];
	size_t i;

	(void)state;
	endpoint_content(&little);
	for (i = 0; i < SHARE; i++)
		announce(&a[i], 0);
	assert_int_equal(sign(0, &large, &refusal), HT_ERR_TEMPORARY);
	assert_int_equal(refusal.status, 75);
	assert_string_equal(refusal.code, "room");
	assert_string_equal(refusal.text,
	    "ci has no room for more large content now");
	assert_int_equal(refusal.retry, 10);
	assert_true(refusal.number > 0);
	assert_true(endpoint_last_row_holds("\"status\":\"refused\""));
	assert_true(endpoint_last_row_holds("\"exit\":75,\"code\":\"room\""));
	assert_int_equal(sign(0, &little, NULL), 0);
	assert_int_equal(sign(1, &large, NULL), 0);
	close_all(a, SHARE);
	assert_int_equal(sign(0, &large, NULL), 0);
	buf_free(&little);
}

/* So many bytes are refused, as who has all that there is room for. */
static void
finds_no_room(size_t client, size_t n, const char *who)
{
	union protocol_body body;
	struct ht_error e;
	struct keyd_client a;
	struct msg m;

	announce_bytes(&a, client, n);
	assert_int_equal(protocol_wait(&a.link, &m, &body, 10000, &e), 1);
	assert_int_equal(m.type, PROTOCOL_REFUSE);
	assert_int_equal(body.refuse.status, 75);
	assert_string_equal(body.refuse.code, "room");
	assert_ptr_equal(strstr(body.refuse.text, who), body.refuse.text);
	assert_string_equal(body.refuse.text + strlen(who),
	    " has no room for more large content now");
	keyd_client_close(&a);
}

/* Announce the largest, and one that makes n bytes of them, for client. */
static size_t
fill(struct keyd_client *a, size_t client, size_t n)
{
	size_t used = 0;

	for (; n > large.len; n -= large.len)
		announce(&a[used++], client);
	announce_bytes(&a[used++], client, n);
	return used;
}

/* Who holds all that it may leaves as much to the others, and so do they. */
static void
each_client_leaves_half_to_the_others(void **state)
{
	struct buf little = BUF_INIT;
	struct keyd_client a[4 + 2 + 1];
	size_t i, used = 0;

	(void)state;
	endpoint_content(&little);
	for (i = 0; i < CLIENTS; i++) {
		if (i > 0)
			finds_no_room(i - 1, PROTOCOL_CONTENT_MAX + 1,
			    clients[i - 1]);
		if (ALL >> (i + 1) < large.len)
			finds_no_room(i, (ALL >> (i + 1)) + 1, "the endpoint");
		else
			assert_int_equal(sign(i, &large, NULL), 0);
		used += fill(&a[used], i, ALL >> (i + 1));
	}
	assert_int_equal(used, sizeof(a) / sizeof(*a));
	for (i = 0; i < CLIENTS; i++) {
		finds_no_room(i, PROTOCOL_CONTENT_MAX + 1, clients[i]);
		assert_int_equal(sign(i, &little, NULL), 0);
	}
	close_all(a, used);
	assert_int_equal(sign(2, &large, NULL), 0);
	buf_free(&little);
}

/* What a client has does not entitle it to more than it would have got. */
static void
others_count_whoever_came_first(void **state)
{
	struct keyd_client a[2 + 2 + 1];

	(void)state;
	announce(&a[0], 0);
	announce(&a[1], 0);
	announce(&a[2], 1);
	announce(&a[3], 1);
	finds_no_room(0, large.len, "ci");
	finds_no_room(1, large.len, "two");
	announce(&a[4], 2);
	finds_no_room(2, large.len, "three");
	close_all(&a[2], 3);
	assert_int_equal(sign(0, &large, NULL), 0);
	close_all(a, 2);
}

/* --- and how it is given back --------------------------------------------- */

static void
ends_with_a_fail(void)
{
	struct protocol_fail fail;
	struct keyd_client a;

	memset(&fail, 0, sizeof(fail));
	fail.status = 65;
	memcpy(fail.code, "cut", sizeof("cut"));
	announce(&a, 0);
	endpoint_say(&a, PROTOCOL_FAIL, &fail);
	hears(&a, PROTOCOL_NOTED);
	/* Connection and request stay, and hold nothing. */
	assert_int_equal(sign(0, &large, NULL), 0);
	keyd_client_close(&a);
}

static void
ends_with_bad_content(void)
{
	struct protocol_refuse refusal;

	large.data[20] ^= 1;
	assert_int_equal(sign(0, &large, &refusal), HT_ERR_DATA);
	large.data[20] ^= 1;
	assert_string_equal(refusal.code, "content");
}

static void
ends_with_too_much(void)
{
	struct protocol_part part = { { large.data, PROTOCOL_PART_MAX } };
	struct protocol_content content = content_of(PROTOCOL_PART_MAX + 1);
	struct keyd_client a;

	begin(&a, 0);
	endpoint_say(&a, PROTOCOL_CONTENT, &content);
	endpoint_say(&a, PROTOCOL_PART, &part);
	endpoint_say(&a, PROTOCOL_PART, &part);
	hears(&a, PROTOCOL_REFUSE);
	keyd_client_close(&a);
}

static void
ends_within_the_content(void)
{
	struct protocol_part part = { { large.data, PROTOCOL_PART_MAX } };
	struct keyd_client a;

	announce(&a, 0);
	endpoint_say(&a, PROTOCOL_PART, &part);
	close_all(&a, 1);
}

static void
send_all(struct keyd_client *a)
{
	struct cursor rest = buf_cursor(&large);
	struct ht_error e;

	while (rest.left > 0) {
		assert_int_equal(protocol_part(&a->link, 1, &rest, &e), 0);
		assert_int_equal(msg_drain(a->link.channel, -1, &e), 0);
	}
}

static void
ends_within_the_signature(void)
{
	struct keyd_client a;

	announce(&a, 0);
	send_all(&a);
	hears(&a, PROTOCOL_SIGNED);
	hears(&a, PROTOCOL_PART);
	close_all(&a, 1);
	assert_true(endpoint_last_row_holds("\"aborted\""));
}

/* The token has it: it is held until that answers, whoever has gone. */
static void
ends_within_the_token(void)
{
	struct keyd_client a;

	assert_true(endpoint_signal_worker(SIGSTOP));
	announce(&a, 0);
	send_all(&a);
	endpoint_pause(1000);
	close_all(&a, 1);
	assert_true(endpoint_last_row_holds("\"decided\""));
	assert_int_equal(sign(0, &large, NULL), HT_ERR_TEMPORARY);
	assert_true(endpoint_signal_worker(SIGCONT));
	endpoint_pause(1000);
}

static void
room_is_given_back_however_a_request_ends(void **state)
{
	static void (*const endings[])(void) = { ends_with_a_fail,
		ends_with_bad_content, ends_with_too_much,
		ends_within_the_content, ends_within_the_signature,
		ends_within_the_token };
	struct keyd_client a[SHARE - 1];
	size_t i;

	(void)state;
	for (i = 0; i < SHARE - 1; i++)
		announce(&a[i], 0);
	for (i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
		endings[i]();
		assert_int_equal(sign(0, &large, NULL), 0);
	}
	close_all(a, SHARE - 1);
}

/* --- who does not go on --------------------------------------------------- */

static void
who_does_not_go_on_loses_the_room(void **state)
{
	struct protocol_part part = { { large.data, PROTOCOL_PART_MAX } };
	struct keyd_client stalled, deaf, third;
	time_t start = time(NULL);

	(void)state;
	announce(&stalled, 0);
	endpoint_say(&stalled, PROTOCOL_PART, &part);
	announce(&deaf, 0);
	send_all(&deaf);
	announce(&third, 0);
	while (time(NULL) < start + TRANSFER - 3)
		endpoint_pause(100);
	assert_int_equal(sign(0, &large, NULL), HT_ERR_TEMPORARY);
	endpoint_say(&stalled, PROTOCOL_PART, &part);
	while (time(NULL) < start + TRANSFER + 3)
		endpoint_pause(100);
	hears(&stalled, PROTOCOL_REFUSE);
	assert_int_equal(sign(0, &large, NULL), 0);
	assert_true(endpoint_prints("log --json --status=failed",
	    "htsign-shell did not send all of the content in time"));
	assert_true(endpoint_prints("log --json --status=failed",
	    "htsign-shell did not take the signature in time"));
	endpoint_await_end(&stalled);
	endpoint_await_end(&deaf);
	endpoint_await_end(&third);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_largest_content_is_signed),
		cmocka_unit_test(one_byte_more_is_not_content),
		cmocka_unit_test(what_the_profile_does_not_sign_gets_no_room),
		cmocka_unit_test(
		    a_format_that_a_reload_takes_away_is_not_signed),
		cmocka_unit_test(the_asking_half_knows_the_limits),
		cmocka_unit_test(a_client_has_a_share_of_the_room),
		cmocka_unit_test(each_client_leaves_half_to_the_others),
		cmocka_unit_test(others_count_whoever_came_first),
		cmocka_unit_test(room_is_given_back_however_a_request_ends),
		cmocka_unit_test(who_does_not_go_on_loses_the_room),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
