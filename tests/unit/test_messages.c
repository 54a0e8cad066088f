#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/messages.h"

#define TAG 5

/* Both ends of a link. */
struct pair {
	struct protocol_link asker;
	struct protocol_link answerer;
};

static void
open_pair(struct pair *p, enum protocol_kind kind)
{
	struct ht_error e;
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_int_equal(protocol_open(&p->asker, fd[0], kind, true, &e), 0);
	assert_int_equal(protocol_open(&p->answerer, fd[1], kind, false, &e),
	    0);
}

static void
close_pair(struct pair *p)
{
	protocol_close(&p->asker);
	protocol_close(&p->answerer);
	assert_int_equal(p->asker.state, PROTOCOL_OVER);
	protocol_close(&p->asker);
}

/* Send a message all of whose fields are zero; fds as many as it needs. */
static int
send_zeros(struct protocol_link *link, enum protocol_type type, size_t nfds)
{
	union protocol_body body;
	struct ht_error e;
	int fd = 0;

	memset(&body, 0, sizeof(body));
	return protocol_send(link, type, TAG, &body, &fd, nfds, &e);
}

/* Send it and have it arrive. */
static void
pass(struct protocol_link *from, struct protocol_link *to,
    enum protocol_type type, size_t nfds)
{
	union protocol_body body;
	struct ht_error e;
	struct msg m;

	if (send_zeros(from, type, nfds) != 0)
		fail_msg("%s was not sent", protocol_name(type));
	if (protocol_next(to, &m, &body, &e) != 1)
		fail_msg("%s: %s", protocol_name(type), e.text);
	assert_int_equal(m.type, type);
	assert_int_equal(m.tag, TAG);
	assert_int_equal(m.nfds, nfds);
	assert_int_equal(from->state, to->state);
	msg_close_fds(&m);
}

#define ASK(p, type, n) pass(&(p)->asker, &(p)->answerer, PROTOCOL_##type, n)
#define ANSWER(p, type, n) pass(&(p)->answerer, &(p)->asker, PROTOCOL_##type, n)

/* --- what may be said when ----------------------------------------------- */

static void
life_of_a_request(void **state)
{
	struct pair p;
	int i;

	(void)state;
	open_pair(&p, PROTOCOL_LINK_SIGN);
	ASK(&p, HELLO, 0);
	ANSWER(&p, WELCOME, 0);
	/* One after another, and one that fails between them. */
	for (i = 0; i < 2; i++) {
		ASK(&p, BEGIN, 0);
		ANSWER(&p, GO, 1);
		ASK(&p, CONTENT, 0);
		ASK(&p, PART, 0);
		ANSWER(&p, WAIT, 0);
		ANSWER(&p, WAIT, 0);
		ANSWER(&p, SIGNED, 0);
		ANSWER(&p, PART, 0);
		ANSWER(&p, PART, 0);
		ASK(&p, OUTPUT, 0);
		ANSWER(&p, RELEASE, 0);
		ASK(&p, DELIVERED, 0);
		ASK(&p, FAIL, 0);
		ANSWER(&p, NOTED, 0);
	}
	ANSWER(&p, REFUSE, 0);
	assert_int_equal(p.asker.state, PROTOCOL_OVER);
	close_pair(&p);
}

static void
other_links(void **state)
{
	struct pair p;

	(void)state;
	open_pair(&p, PROTOCOL_LINK_ADMIN);
	ASK(&p, HELLO, 0);
	ANSWER(&p, WELCOME, 0);
	ASK(&p, COMMAND, 0);
	ANSWER(&p, FILE, 1);
	ANSWER(&p, PRINT, 0);
	ANSWER(&p, PRINT, 0);
	ANSWER(&p, DONE, 0);
	ASK(&p, COMMAND, 0);
	ANSWER(&p, REFUSE, 0);
	close_pair(&p);

	open_pair(&p, PROTOCOL_LINK_PRINCIPALS);
	ASK(&p, ASK, 0);
	ANSWER(&p, TICKET_FOR, 0);
	assert_int_equal(p.asker.state, PROTOCOL_OVER);
	close_pair(&p);

	open_pair(&p, PROTOCOL_LINK_SSHD);
	ASK(&p, LOGIN, 0);
	ANSWER(&p, ADMIT, 0);
	ASK(&p, SESSION, 0);
	ASK(&p, SESSION, 0);
	ANSWER(&p, START, 1);
	ANSWER(&p, REFUSE, 0);
	close_pair(&p);

	open_pair(&p, PROTOCOL_LINK_FETCH);
	ASK(&p, FETCH_HELLO, 0);
	ANSWER(&p, STAMP, 0);
	ANSWER(&p, LOOK, 0);
	ANSWER(&p, STAMP, 0);
	ASK(&p, STAMPED, 0);
	ANSWER(&p, STAMP_CANCEL, 0);
	ASK(&p, STAMP_FAILED, 0);
	ASK(&p, LOOKED, 0);
	ANSWER(&p, REFUSE, 0);
	assert_int_equal(p.asker.state, PROTOCOL_OVER);
	close_pair(&p);
}

/* keyd asks nothing of a peer that has not said HELLO, and is asked nothing. */
static void
fetch_says_hello_first(void **state)
{
	struct pair p;

	(void)state;
	open_pair(&p, PROTOCOL_LINK_FETCH);
	assert_int_equal(send_zeros(&p.answerer, PROTOCOL_STAMP, 0),
	    HT_ERR_INTERNAL);
	assert_int_equal(send_zeros(&p.asker, PROTOCOL_STAMPED, 0),
	    HT_ERR_INTERNAL);
	ASK(&p, FETCH_HELLO, 0);
	assert_int_equal(send_zeros(&p.asker, PROTOCOL_FETCH_HELLO, 0),
	    HT_ERR_INTERNAL);
	assert_int_equal(send_zeros(&p.asker, PROTOCOL_STAMP, 0),
	    HT_ERR_INTERNAL);
	close_pair(&p);
}

/* The largest token is one frame, whatever stands beside it. */
static void
the_largest_token_fits_a_frame(void **state)
{
	struct protocol_stamped stamped;
	struct buf token = BUF_INIT;
	union protocol_body body;
	struct ht_error e;
	struct msg m;
	struct pair p;

	(void)state;
	open_pair(&p, PROTOCOL_LINK_FETCH);
	ASK(&p, FETCH_HELLO, 0);
	memset(&stamped, 0, sizeof(stamped));
	memset(stamped.server, 's', sizeof(stamped.server) - 1);
	memset(stamped.serial, 'f', sizeof(stamped.serial) - 1);
	buf_zeros(&token, PROTOCOL_STAMP_MAX);
	stamped.token = buf_cursor(&token);
	assert_int_equal(protocol_queue(&p.asker, PROTOCOL_STAMPED, TAG,
	                     &stamped, NULL, 0, &e),
	    0);
	assert_int_equal(msg_flush(p.asker.channel, &e), 0);
	assert_int_equal(protocol_wait(&p.answerer, &m, &body, 1000, &e), 1);
	assert_int_equal(body.stamped.token.left, PROTOCOL_STAMP_MAX);
	buf_free(&token);
	close_pair(&p);
}

/* How far a signing link can be led, step by step. */
static const struct {
	enum protocol_type type;
	bool asker;
	size_t nfds;
} steps[] = {
	{ PROTOCOL_HELLO, true, 0 },
	{ PROTOCOL_WELCOME, false, 0 },
	{ PROTOCOL_BEGIN, true, 0 },
	{ PROTOCOL_GO, false, 1 },
	{ PROTOCOL_CONTENT, true, 0 },
	{ PROTOCOL_SIGNED, false, 0 },
	{ PROTOCOL_OUTPUT, true, 0 },
	{ PROTOCOL_RELEASE, false, 0 },
};
#define STEPS (sizeof(steps) / sizeof(steps[0]))

static void
lead(struct pair *p, size_t n)
{
	size_t i;

	open_pair(p, PROTOCOL_LINK_SIGN);
	for (i = 0; i < n; i++) {
		if (steps[i].asker)
			pass(&p->asker, &p->answerer, steps[i].type,
			    steps[i].nfds);
		else
			pass(&p->answerer, &p->asker, steps[i].type,
			    steps[i].nfds);
	}
}

/* KEPT stands for all between GO and RELEASE. */
static void
kept_leads_to_release(void **state)
{
	struct pair p;

	(void)state;
	lead(&p, 4);
	ASK(&p, KEPT, 0);
	assert_int_equal(p.answerer.state, PROTOCOL_MADE);
	ANSWER(&p, RELEASE, 0);
	ASK(&p, DELIVERED, 0);
	assert_int_equal(p.answerer.state, PROTOCOL_IDLE);
	close_pair(&p);
}

/* What each end may say after n steps, as PROTOCOL.md has it. */
#define BIT(type) ((uint64_t)1 << PROTOCOL_##type)

static const struct {
	uint64_t asker;
	uint64_t answerer;
} may_say[STEPS + 1] = {
	{ BIT(HELLO), 0 },
	{ 0, BIT(WELCOME) | BIT(REFUSE) },
	{ BIT(BEGIN) | BIT(FAIL), BIT(REFUSE) },
	{ BIT(FAIL), BIT(GO) | BIT(WAIT) | BIT(REFUSE) },
	{ BIT(CONTENT) | BIT(KEPT) | BIT(FAIL), BIT(REFUSE) },
	{ BIT(PART) | BIT(FAIL), BIT(WAIT) | BIT(SIGNED) | BIT(REFUSE) },
	{ BIT(OUTPUT) | BIT(FAIL), BIT(PART) | BIT(REFUSE) },
	{ BIT(PART) | BIT(FAIL), BIT(RELEASE) | BIT(WAIT) | BIT(REFUSE) },
	{ BIT(DELIVERED), 0 },
};

/* Put a message on the wire that the link's own end would not send. */
static void
smuggle(struct protocol_link *link, unsigned int type, size_t nfds)
{
	union protocol_body body;
	struct buf fields = BUF_INIT;
	struct ht_error e;
	int fd = 0;

	memset(&body, 0, sizeof(body));
	if (type < PROTOCOL_TYPES && type != 0)
		assert_int_equal(
		    protocol_encode((enum protocol_type)type, &body, &fields),
		    0);
	assert_int_equal(msg_queue(link->channel, (uint16_t)type, TAG, &fields,
	                     &fd, nfds, &e),
	    0);
	assert_int_equal(msg_drain(link->channel, -1, &e), 0);
	buf_free(&fields);
}

static void
check_said(size_t n, bool asker, unsigned int type)
{
	uint64_t may = asker ? may_say[n].asker : may_say[n].answerer;
	bool legal = type < PROTOCOL_TYPES && (may >> type & 1) != 0;
	size_t nfds = type == PROTOCOL_GO ? 1 : 0;
	union protocol_body body;
	struct ht_error e;
	struct msg m;
	struct pair p;
	int rc;

	lead(&p, n);
	if (type < PROTOCOL_TYPES) {
		rc = send_zeros(asker ? &p.asker : &p.answerer,
		    (enum protocol_type)type, nfds);
		assert_int_equal(rc, legal ? 0 : HT_ERR_INTERNAL);
		close_pair(&p);
		lead(&p, n);
	}
	smuggle(asker ? &p.asker : &p.answerer, type, nfds);
	rc = protocol_next(asker ? &p.answerer : &p.asker, &m, &body, &e);
	if (rc != (legal ? 1 : HT_ERR_DATA))
		fail_msg("step %zu, type %u: %d", n, type, rc);
	if (rc == 1)
		msg_close_fds(&m);
	else
		assert_int_equal(m.nfds, 0);
	close_pair(&p);
}

/* Every type, at every step, from either end. */
static void
nothing_out_of_turn(void **state)
{
	unsigned int type;
	size_t n;

	(void)state;
	for (n = 0; n <= STEPS; n++) {
		for (type = 0; type <= PROTOCOL_TYPES; type++) {
			check_said(n, true, type);
			check_said(n, false, type);
		}
		check_said(n, true, 0xffff);
	}
}

static void
descriptors_are_counted(void **state)
{
	union protocol_body body;
	struct ht_error e;
	struct msg m;
	struct pair p;

	(void)state;
	/* GO without its spool. */
	lead(&p, 3);
	assert_int_equal(send_zeros(&p.answerer, PROTOCOL_GO, 0),
	    HT_ERR_INTERNAL);
	smuggle(&p.answerer, PROTOCOL_GO, 0);
	assert_int_equal(protocol_next(&p.asker, &m, &body, &e), HT_ERR_DATA);
	close_pair(&p);
	/* A descriptor that nobody asked for is closed. */
	lead(&p, 2);
	smuggle(&p.asker, PROTOCOL_BEGIN, 1);
	assert_int_equal(protocol_next(&p.answerer, &m, &body, &e),
	    HT_ERR_DATA);
	assert_int_equal(m.nfds, 0);
	close_pair(&p);
}

/* --- fields -------------------------------------------------------------- */

static void
fields_are_bytes_on_the_wire(void **state)
{
	static const uint8_t wire[] = { 0, 0, 0, 65, 0, 0, 0, 3, 'c', 'u', 't',
		0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 4, 'b', 'y', 't', 'e' };
	struct protocol_fail f = { 65, "cut", 258, "byte" };
	union protocol_body body;
	struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(protocol_encode(PROTOCOL_FAIL, &f, &out), 0);
	assert_int_equal(out.len, sizeof(wire));
	assert_memory_equal(out.data, wire, sizeof(wire));
	assert_int_equal(
	    protocol_decode(PROTOCOL_FAIL, buf_cursor(&out), &body), 0);
	assert_int_equal(body.fail.status, 65);
	assert_string_equal(body.fail.code, "cut");
	assert_true(body.fail.offset == 258);
	assert_string_equal(body.fail.text, "byte");
	buf_free(&out);
}

static void
begin_there_and_back(void **state)
{
	static const uint8_t hash[32] = { 1, 2, 3 };
	struct protocol_begin begin;
	union protocol_body body;
	struct buf out = BUF_INIT;

	(void)state;
	memset(&begin, 0, sizeof(begin));
	memset(begin.description, 'd', sizeof(begin.description) - 1);
	(void)snprintf(begin.profile, sizeof(begin.profile), "production");
	(void)snprintf(begin.url, sizeof(begin.url), "http://x/");
	(void)snprintf(begin.name, sizeof(begin.name), "a.exe");
	(void)snprintf(begin.options, sizeof(begin.options), "msi-ex");
	begin.reply = PROTOCOL_REPLY_PKCS7;
	begin.size = PROTOCOL_SIZE_UNKNOWN;
	begin.sha256 = cursor_over(hash, sizeof(hash));
	assert_int_equal(protocol_encode(PROTOCOL_BEGIN, &begin, &out), 0);
	assert_int_equal(
	    protocol_decode(PROTOCOL_BEGIN, buf_cursor(&out), &body), 0);
	assert_string_equal(body.begin.profile, "production");
	assert_int_equal(strlen(body.begin.description), 1024);
	assert_string_equal(body.begin.url, "http://x/");
	assert_string_equal(body.begin.name, "a.exe");
	assert_string_equal(body.begin.options, "msi-ex");
	assert_int_equal(body.begin.reply, PROTOCOL_REPLY_PKCS7);
	assert_true(body.begin.size == UINT64_MAX);
	assert_int_equal(body.begin.sha256.left, 32);
	assert_memory_equal(body.begin.sha256.p, hash, 32);
	buf_free(&out);
}

/* Every type: whole it decodes; with a byte less or more it does not. */
static void
truncated_and_left_over(void **state)
{
	union protocol_body body;
	struct buf out = BUF_INIT;
	unsigned int type;
	size_t n;

	(void)state;
	for (type = 1; type < PROTOCOL_TYPES; type++) {
		memset(&body, 0, sizeof(body));
		assert_int_equal(
		    protocol_encode((enum protocol_type)type, &body, &out), 0);
		assert_int_equal(protocol_decode((enum protocol_type)type,
		                     buf_cursor(&out), &body),
		    0);
		for (n = 0; n < out.len; n++)
			assert_int_equal(
			    protocol_decode((enum protocol_type)type,
			        cursor_over(out.data, n), &body),
			    HT_ERR_DATA);
		buf_u8(&out, 0);
		assert_int_equal(protocol_decode((enum protocol_type)type,
		                     buf_cursor(&out), &body),
		    HT_ERR_DATA);
		buf_reset(&out);
	}
	assert_int_equal(
	    protocol_decode((enum protocol_type)0, buf_cursor(&out), &body),
	    HT_ERR_DATA);
	assert_int_equal(
	    protocol_decode(PROTOCOL_TYPES, buf_cursor(&out), &body),
	    HT_ERR_DATA);
	assert_int_equal(protocol_encode(PROTOCOL_TYPES, &body, &out),
	    HT_ERR_INTERNAL);
	buf_free(&out);
}

static void
texts_that_do_not_fit(void **state)
{
	char text[PROTOCOL_TEXT + 1];
	union protocol_body body;
	struct buf out = BUF_INIT;
	struct protocol_done done;

	(void)state;
	memset(text, 'x', sizeof(text));
	/* The longest, and one more. */
	buf_u32be(&out, 0);
	buf_string(&out, text, PROTOCOL_TEXT - 1);
	assert_int_equal(
	    protocol_decode(PROTOCOL_DONE, buf_cursor(&out), &body), 0);
	assert_int_equal(strlen(body.done.text), PROTOCOL_TEXT - 1);
	buf_reset(&out);
	buf_u32be(&out, 0);
	buf_string(&out, text, PROTOCOL_TEXT);
	assert_int_equal(
	    protocol_decode(PROTOCOL_DONE, buf_cursor(&out), &body),
	    HT_ERR_DATA);
	/* A NUL within. */
	buf_reset(&out);
	buf_u32be(&out, 0);
	buf_string(&out, "a\0b", 3);
	assert_int_equal(
	    protocol_decode(PROTOCOL_DONE, buf_cursor(&out), &body),
	    HT_ERR_DATA);
	/* A length that reaches past the end. */
	buf_reset(&out);
	buf_u32be(&out, 0);
	buf_u32be(&out, 0xffffffff);
	assert_int_equal(
	    protocol_decode(PROTOCOL_DONE, buf_cursor(&out), &body),
	    HT_ERR_DATA);
	/* Our own text without its NUL. */
	buf_reset(&out);
	memset(&done, 'x', sizeof(done));
	assert_int_equal(protocol_encode(PROTOCOL_DONE, &done, &out),
	    HT_ERR_INTERNAL);
	buf_free(&out);
}

static void
malformed_fields_on_a_link(void **state)
{
	union protocol_body body;
	struct buf fields = BUF_INIT;
	struct ht_error e;
	struct msg m;
	struct pair p;
	int fd = 0;

	(void)state;
	lead(&p, 3);
	buf_u8(&fields, 1);
	assert_int_equal(msg_queue(p.answerer.channel, PROTOCOL_GO, TAG,
	                     &fields, &fd, 1, &e),
	    0);
	assert_int_equal(msg_drain(p.answerer.channel, -1, &e), 0);
	assert_int_equal(protocol_next(&p.asker, &m, &body, &e), HT_ERR_DATA);
	assert_int_equal(m.nfds, 0);
	assert_int_equal(p.asker.state, PROTOCOL_ASKED);
	buf_free(&fields);
	close_pair(&p);
}

/* --- parts, names, waiting, blobs ---------------------------------------- */

static void
parts_make_up_the_whole(void **state)
{
	static const size_t sizes[] = { 1, PROTOCOL_PART_MAX,
		PROTOCOL_PART_MAX + 1, 3 * PROTOCOL_PART_MAX };
	union protocol_body body;
	struct buf all = BUF_INIT;
	struct buf got = BUF_INIT;
	struct cursor rest;
	struct ht_error e;
	struct msg m;
	struct pair p;
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		lead(&p, 6);
		for (k = 0; k < sizes[i]; k++)
			buf_u8(&all, (uint8_t)(k * 7 + k / 256));
		rest = buf_cursor(&all);
		while (rest.left > 0)
			assert_int_equal(
			    protocol_part(&p.answerer, TAG, &rest, &e), 0);
		while (got.len < all.len) {
			assert_int_equal(msg_flush(p.answerer.channel, &e), 0);
			assert_int_equal(
			    protocol_wait(&p.asker, &m, &body, 1000, &e), 1);
			buf_bytes(&got, body.part.bytes.p,
			    body.part.bytes.left);
		}
		assert_int_equal(got.len, all.len);
		assert_memory_equal(got.data, all.data, all.len);
		buf_reset(&all);
		buf_reset(&got);
		close_pair(&p);
	}
	buf_free(&all);
	buf_free(&got);
}

static void
content_has_limits(void **state)
{
	static const struct {
		unsigned int kind;
		const char *format;
		uint32_t most;
	} cases[] = {
		{ PROTOCOL_KIND_SPC, "pe", 9441075 },
		{ PROTOCOL_KIND_SPC, "msi", 16384 },
		{ PROTOCOL_KIND_SPC, "", 16384 },
		{ PROTOCOL_KIND_SPC, "pe2", 16384 },
		{ PROTOCOL_KIND_CTL, "cat", 983040 },
		{ PROTOCOL_KIND_CTL, "pe", 983040 },
		{ 2, "pe", 0 },
		{ 255, "cat", 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(
		    protocol_content_max(cases[i].kind, cases[i].format),
		    cases[i].most);
}

static void
nobody_there(void **state)
{
	union protocol_body body;
	struct ht_error e;
	struct msg m;
	struct pair p;

	(void)state;
	lead(&p, 1);
	assert_int_equal(protocol_next(&p.asker, &m, &body, &e), 0);
	assert_int_equal(protocol_wait(&p.asker, &m, &body, 10, &e),
	    HT_ERR_UNAVAILABLE);
	protocol_close(&p.answerer);
	assert_int_equal(protocol_wait(&p.asker, &m, &body, 1000, &e),
	    HT_ERR_UNAVAILABLE);
	close_pair(&p);
}

static void
names_for_people(void **state)
{
	unsigned int type;

	(void)state;
	for (type = 1; type < PROTOCOL_TYPES; type++)
		assert_string_not_equal(protocol_name((enum protocol_type)type),
		    "?");
	assert_string_equal(protocol_name(PROTOCOL_SIGNED), "SIGNED");
	assert_string_equal(protocol_name((enum protocol_type)0), "?");
	assert_string_equal(protocol_name(PROTOCOL_TYPES), "?");
}

static void
session_blobs(void **state)
{
	struct protocol_session_blob blob, back;
	struct buf out = BUF_INIT;
	size_t n;

	(void)state;
	memset(&blob, 0, sizeof(blob));
	(void)snprintf(blob.user, sizeof(blob.user), "sign");
	blob.key = cursor_over("key", 3);
	blob.environment = cursor_over("\0\0\0\3A=b", 7);
	protocol_session_put(&out, &blob);
	assert_int_equal(protocol_session_get(buf_cursor(&out), &back), 0);
	assert_string_equal(back.user, "sign");
	assert_true(cursor_is(back.key, "key"));
	assert_int_equal(back.environment.left, 7);
	for (n = 0; n < out.len; n++)
		assert_int_equal(
		    protocol_session_get(cursor_over(out.data, n), &back),
		    HT_ERR_DATA);
	buf_u8(&out, 0);
	assert_int_equal(protocol_session_get(buf_cursor(&out), &back),
	    HT_ERR_DATA);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(life_of_a_request),
		cmocka_unit_test(other_links),
		cmocka_unit_test(fetch_says_hello_first),
		cmocka_unit_test(the_largest_token_fits_a_frame),
		cmocka_unit_test(kept_leads_to_release),
		cmocka_unit_test(nothing_out_of_turn),
		cmocka_unit_test(descriptors_are_counted),
		cmocka_unit_test(fields_are_bytes_on_the_wire),
		cmocka_unit_test(begin_there_and_back),
		cmocka_unit_test(truncated_and_left_over),
		cmocka_unit_test(texts_that_do_not_fit),
		cmocka_unit_test(malformed_fields_on_a_link),
		cmocka_unit_test(parts_make_up_the_whole),
		cmocka_unit_test(content_has_limits),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(names_for_people),
		cmocka_unit_test(session_blobs),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
