/*
 * htsign-keyd against peers that know its protocol and use it badly: a shell
 * that was taken over, one that never reads, more of them than there is room
 * for.  It goes on serving the others, and what happened is on record.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "signature/init.h"
#include "tests/support/endpoint.h"
#include "tests/support/scratch.h"

/* More than all of clients' shells may have. */
#define CROWD 2100

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
	return 0;
}

static int
leave(void **state)
{
	int status = endpoint_stop(SIGTERM);

	return scratch_leave(state) != 0 || status != 0;
}

/* --- numbers ----------------------------------------------------------- */

static void
sign(struct keyd_client *a)
{
	struct buf der = BUF_INIT, pkcs7 = BUF_INIT;
	struct ht_error e;

	endpoint_content(&der);
	endpoint_connect(a);
	assert_int_equal(endpoint_begin(a, "test", &e), 0);
	assert_int_equal(endpoint_sign(a, buf_cursor(&der), &pkcs7, &e), 0);
	buf_free(&der);
	buf_free(&pkcs7);
}

static void
a_size_beyond_the_limit_is_refused_with_the_content(void **state)
{
	static const uint64_t sizes[] = { 1000001, UINT64_C(1) << 63,
		UINT64_MAX };
	static const uint8_t sha256[32];
	struct buf der = BUF_INIT, pkcs7 = BUF_INIT;
	struct protocol_content content;
	struct protocol_signed said;
	struct ht_error e;
	struct keyd_client a;
	size_t i;

	(void)state;
	endpoint_content(&der);
	for (i = 0; i < 3; i++) {
		memset(&content, 0, sizeof(content));
		(void)snprintf(content.format, sizeof(content.format), "pe");
		content.size = sizes[i];
		content.sha256 = cursor_over(sha256, sizeof(sha256));
		endpoint_connect(&a);
		assert_int_equal(endpoint_begin(&a, "test", &e), 0);
		assert_int_equal(keyd_client_content(&a, &content,
		                     buf_cursor(&der), &pkcs7, &said, &e),
		    HT_ERR_REFUSED);
		keyd_client_close(&a);
		assert_true(endpoint_last_row_holds("\"failed\""));
	}
	buf_free(&der);
}

static void
content_is_of_the_file_that_was_announced(void **state)
{
	static const uint8_t other[32] = { 1 };
	static const struct {
		uint64_t size;
		struct cursor sha256;
		int begun, signed_;
	} cases[] = {
		{ 1024, { NULL, 0 }, 0, 0 },
		{ 1025, { NULL, 0 }, 0, HT_ERR_DATA },
		{ 1024, { other, 32 }, 0, HT_ERR_DATA },
		{ 1024, { other, 31 }, HT_ERR_USAGE, 0 },
	};
	struct buf der = BUF_INIT, pkcs7 = BUF_INIT;
	struct protocol_begin begin;
	struct protocol_go go;
	struct ht_error e;
	struct keyd_client a;
	int spool;
	size_t i;

	(void)state;
	endpoint_content(&der);
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		memset(&begin, 0, sizeof(begin));
		(void)snprintf(begin.profile, sizeof(begin.profile), "test");
		begin.size = cases[i].size;
		begin.sha256 = cases[i].sha256;
		endpoint_connect(&a);
		assert_int_equal(keyd_client_begin(&a, &begin, &go, &spool, &e),
		    cases[i].begun);
		if (cases[i].begun == 0) {
			(void)close(spool);
			assert_int_equal(
			    endpoint_sign(&a, buf_cursor(&der), &pkcs7, &e),
			    cases[i].signed_);
		}
		keyd_client_close(&a);
	}
	buf_free(&der);
	buf_free(&pkcs7);
}

static void
an_output_beyond_all_sizes_ends_the_connection(void **state)
{
	static const uint8_t sha256[32];
	struct protocol_output output = { UINT64_C(1) << 63,
		{ sha256, sizeof(sha256) }, 0 };
	struct keyd_client a;

	(void)state;
	sign(&a);
	endpoint_say(&a, PROTOCOL_OUTPUT, &output);
	endpoint_await_end(&a);
	assert_true(endpoint_last_row_holds("\"aborted\""));
	assert_true(endpoint_last_row_holds("cut"));
}

static void
delivered_is_all_of_it(void **state)
{
	static const uint64_t bytes[] = { 0, 2047, 2049, UINT64_MAX };
	static const uint8_t sha256[32];
	struct protocol_output output = { 2048, { sha256, sizeof(sha256) }, 0 };
	struct protocol_delivered delivered;
	struct ht_error e;
	struct keyd_client a;
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		sign(&a);
		assert_int_equal(
		    keyd_client_output(&a, &output, cursor_over(NULL, 0), &e),
		    0);
		delivered.bytes = bytes[i];
		endpoint_say(&a, PROTOCOL_DELIVERED, &delivered);
		endpoint_await_end(&a);
		assert_true(endpoint_last_row_holds("\"undelivered\""));
	}
}

static void
an_offset_beyond_all_sizes_is_none(void **state)
{
	struct protocol_fail fail;
	union protocol_body body;
	struct ht_error e;
	struct keyd_client a;
	struct msg m;
	int again;

	(void)state;
	endpoint_connect(&a);
	memset(&fail, 0, sizeof(fail));
	fail.status = 7000;
	memcpy(fail.code, "cut", sizeof("cut"));
	fail.offset = UINT64_MAX - 1;
	for (again = 0; again < 2; again++) {
		if (again == 1)
			assert_int_equal(endpoint_begin(&a, "test", &e), 0);
		endpoint_say(&a, PROTOCOL_FAIL, &fail);
		assert_int_equal(protocol_wait(&a.link, &m, &body, 5000, &e),
		    1);
		assert_int_equal(m.type, PROTOCOL_NOTED);
		assert_true(endpoint_last_row_holds("\"failed\""));
		assert_true(endpoint_last_row_holds("\"exit\":70"));
	}
	keyd_client_close(&a);
}

/* --- KEPT -------------------------------------------------------------- */

static const uint8_t input_hash[32] = { 1 };
static const uint8_t other_hash[32] = { 2 };

static struct protocol_kept
kept_file(void)
{
	struct protocol_kept kept = { .format = "pe",
		.size = 1000,
		.sha256 = { input_hash, sizeof(input_hash) },
		.output_size = 1000,
		.output_sha256 = { input_hash, sizeof(input_hash) } };

	return kept;
}

static void
a_file_that_is_kept_is_on_record(void **state)
{
	struct protocol_kept kept = kept_file();
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	assert_int_equal(endpoint_admin("grant ci keeper", NULL, NULL), 0);
	endpoint_connect(&a);
	assert_int_equal(endpoint_begin(&a, "keeper", &e), 0);
	assert_int_equal(keyd_client_kept(&a, &kept, &e), 0);
	assert_true(endpoint_last_row_holds("\"status\":\"kept\""));
	assert_false(endpoint_last_row_holds("\"ended\""));
	assert_int_equal(keyd_client_delivered(&a, 1000, &e), 0);
	/* The next request is answered behind that. */
	assert_int_equal(endpoint_begin(&a, "keeper", &e), 0);
	keyd_client_close(&a);
	assert_true(endpoint_prints("log --json",
	    "\"status\":\"kept\",\"client\":\"ci\",\"profile\":\"keeper\""));
	assert_true(endpoint_prints("log --json --status=kept",
	    "\"size\":1000,\"sha256\":\"01000000"));
	assert_true(endpoint_prints("log --json --status=kept",
	    "\"output_size\":1000,\"output_sha256\":\"01000000"));
	assert_true(endpoint_prints("log --json --status=kept", "\"exit\":0"));
	assert_false(endpoint_prints("log --json --status=kept", "\"token\""));
	assert_true(endpoint_prints("log", " kept "));
}

/* Say KEPT under this profile, and lose the connection. */
static void
kept_is_not_taken(const char *profile, const struct protocol_kept *kept)
{
	struct ht_error e;
	struct keyd_client a;

	endpoint_connect(&a);
	assert_int_equal(endpoint_begin(&a, profile, &e), 0);
	endpoint_say(&a, PROTOCOL_KEPT, kept);
	endpoint_await_end(&a);
	assert_true(endpoint_last_row_holds("\"aborted\""));
	assert_false(endpoint_last_row_holds("\"kept\""));
}

/* A shell that was taken over gets no record of a file that nobody kept. */
static void
kept_without_keep_ends_the_connection(void **state)
{
	struct protocol_kept kept = kept_file();

	(void)state;
	kept_is_not_taken("test", &kept);
	kept.sha256.left = 31;
	kept_is_not_taken("keeper", &kept);
	kept = kept_file();
	kept.output_sha256.left = 0;
	kept_is_not_taken("keeper", &kept);
	kept = kept_file();
	kept.output_size = UINT64_C(1) << 63;
	kept_is_not_taken("keeper", &kept);
}

/* Nor a record of another file that goes back than the one that came. */
static void
what_is_kept_goes_back_as_it_came(void **state)
{
	struct protocol_kept kept = kept_file();
	struct protocol_begin begin = { .profile = "keeper",
		.reply = PROTOCOL_REPLY_PKCS7,
		.size = PROTOCOL_SIZE_UNKNOWN };
	struct protocol_go go;
	struct ht_error e;
	struct keyd_client a;
	int spool;

	(void)state;
	kept.output_size = 999;
	kept_is_not_taken("keeper", &kept);
	kept = kept_file();
	kept.output_sha256.p = other_hash;
	kept_is_not_taken("keeper", &kept);
	/* A signature is another thing than the file, and not longer. */
	endpoint_connect(&a);
	assert_int_equal(keyd_client_begin(&a, &begin, &go, &spool, &e), 0);
	(void)close(spool);
	kept.output_size = 200;
	assert_int_equal(keyd_client_kept(&a, &kept, &e), 0);
	keyd_client_close(&a);
	endpoint_connect(&a);
	assert_int_equal(keyd_client_begin(&a, &begin, &go, &spool, &e), 0);
	(void)close(spool);
	kept.output_size = 1001;
	endpoint_say(&a, PROTOCOL_KEPT, &kept);
	endpoint_await_end(&a);
	assert_true(endpoint_last_row_holds("\"aborted\""));
}

static void
a_kept_file_is_one_that_the_profile_takes(void **state)
{
	struct protocol_kept kept = kept_file();
	struct ht_error e;
	struct keyd_client a;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		kept = kept_file();
		if (i == 0)
			kept.size = kept.output_size = 1000001;
		else
			(void)snprintf(kept.format, sizeof(kept.format), "cat");
		endpoint_connect(&a);
		assert_int_equal(endpoint_begin(&a, "keeper", &e), 0);
		assert_int_equal(keyd_client_kept(&a, &kept, &e),
		    HT_ERR_REFUSED);
		keyd_client_close(&a);
		assert_true(endpoint_last_row_holds("\"failed\""));
	}
}

static void
what_is_kept_can_go_undelivered(void **state)
{
	struct protocol_kept kept = kept_file();
	struct protocol_delivered delivered = { 1001 };
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	endpoint_connect(&a);
	assert_int_equal(endpoint_begin(&a, "keeper", &e), 0);
	assert_int_equal(keyd_client_kept(&a, &kept, &e), 0);
	endpoint_say(&a, PROTOCOL_DELIVERED, &delivered);
	endpoint_await_end(&a);
	assert_true(endpoint_last_row_holds("\"undelivered\""));
}

/* Under keep a plain file is signed as ever, and KEPT does not follow that. */
static void
keep_signs_what_is_not_signed(void **state)
{
	struct protocol_kept kept = kept_file();
	struct buf der = BUF_INIT, pkcs7 = BUF_INIT, frame = BUF_INIT;
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	endpoint_content(&der);
	endpoint_connect(&a);
	assert_int_equal(endpoint_begin(&a, "keeper", &e), 0);
	assert_int_equal(endpoint_sign(&a, buf_cursor(&der), &pkcs7, &e), 0);
	assert_int_equal(protocol_encode(PROTOCOL_KEPT, &kept, &frame), 0);
	assert_int_equal(
	    msg_queue(a.link.channel, PROTOCOL_KEPT, 1, &frame, NULL, 0, &e),
	    0);
	assert_int_equal(msg_drain(a.link.channel, -1, &e), 0);
	endpoint_await_end(&a);
	assert_true(endpoint_last_row_holds("\"aborted\""));
	buf_free(&der);
	buf_free(&pkcs7);
	buf_free(&frame);
}

/* --- words ------------------------------------------------------------- */

/* Bytes that a terminal would obey; U+009B and U+202E among them. */
#define EVIL                                                                   \
	"\033[2J\r\x7f\xc2\x9b"                                                \
	"31m\xe2\x80\xae\xff"

static bool
is_plain(struct buf *out)
{
	size_t i;

	for (i = 0; i < out->len; i++)
		if ((out->data[i] < ' ' && out->data[i] != '\n') ||
		    out->data[i] == 0x7f)
			return false;
	buf_u8(out, 0);
	return strstr((const char *)out->data, "\xc2\x9b") == NULL &&
	    strstr((const char *)out->data, "\xe2\x80\xae") == NULL;
}

static void
what_a_client_wrote_is_escaped_in_lists(void **state)
{
	static const char *const lists[] = { "log", "log --json", "events",
		"events --json" };
	struct protocol_fail fail = { 65, "damaged", 0, EVIL };
	struct buf out = BUF_INIT;
	union protocol_body body;
	struct keyd_client a;
	struct ht_error e;
	struct msg m;
	size_t i;

	(void)state;
	endpoint_connect(&a);
	endpoint_say(&a, PROTOCOL_FAIL, &fail);
	assert_int_equal(protocol_wait(&a.link, &m, &body, 5000, &e), 1);
	assert_int_equal(m.type, PROTOCOL_NOTED);
	keyd_client_close(&a);
	for (i = 0; i < 4; i++) {
		buf_reset(&out);
		assert_int_equal(endpoint_admin(lists[i], NULL, &out), 0);
		assert_true(is_plain(&out));
	}
	assert_true(endpoint_prints("log --json --limit=1",
	    "\\u001b[2J\\r\\u007f\\u009b31m\\u202e\\ufffd"));
	buf_free(&out);
}

/* --- order ------------------------------------------------------------- */

static void
fail_while_the_token_is_slow_is_noted_when_it_answers(void **state)
{
	static const uint8_t sha256[32];
	struct protocol_content content;
	struct buf der = BUF_INIT;
	struct protocol_part part;
	struct protocol_fail fail;
	union protocol_body body;
	struct ht_error e;
	struct keyd_client a;
	struct msg m;

	(void)state;
	endpoint_content(&der);
	part.bytes = buf_cursor(&der);
	memset(&content, 0, sizeof(content));
	(void)snprintf(content.format, sizeof(content.format), "pe");
	content.sha256 = cursor_over(sha256, sizeof(sha256));
	content.length = (uint32_t)der.len;
	memset(&fail, 0, sizeof(fail));
	fail.status = 65;
	memcpy(fail.code, "cut", sizeof("cut"));
	endpoint_connect(&a);
	assert_int_equal(endpoint_begin(&a, "test", &e), 0);
	assert_true(endpoint_signal_worker(SIGSTOP));
	endpoint_say(&a, PROTOCOL_CONTENT, &content);
	endpoint_say(&a, PROTOCOL_PART, &part);
	endpoint_pause(500);
	endpoint_say(&a, PROTOCOL_FAIL, &fail);
	endpoint_pause(2500); /* past the first WAIT */
	assert_true(endpoint_last_row_holds("\"decided\""));
	assert_true(endpoint_signal_worker(SIGCONT));
	assert_int_equal(protocol_wait(&a.link, &m, &body, 5000, &e), 1);
	assert_int_equal(m.type, PROTOCOL_NOTED);
	assert_true(endpoint_last_row_holds("\"failed\""));
	assert_true(endpoint_last_row_holds("\"pkcs7_size\""));
	assert_int_equal(endpoint_begin(&a, "test", &e), 0);
	keyd_client_close(&a);
	buf_free(&der);
}

/* Begin and send the content, and do not wait for the signature. */
static void
start_signing(struct keyd_client *a, const struct buf *certificate)
{
	static const uint8_t sha256[32];
	struct protocol_content content;
	char ticket[PROTOCOL_TICKET];
	struct buf der = BUF_INIT;
	struct protocol_part part;
	struct ht_error e;

	endpoint_content(&der);
	memset(&content, 0, sizeof(content));
	(void)snprintf(content.format, sizeof(content.format), "pe");
	content.sha256 = cursor_over(sha256, sizeof(sha256));
	content.length = (uint32_t)der.len;
	part.bytes = buf_cursor(&der);
	assert_int_equal(endpoint_ticket(certificate, ticket), 0);
	assert_int_equal(endpoint_greet(a, certificate, ticket, &e), 0);
	assert_int_equal(endpoint_begin(a, "test", &e), 0);
	endpoint_say(a, PROTOCOL_CONTENT, &content);
	endpoint_say(a, PROTOCOL_PART, &part);
	buf_free(&der);
}

static void
new_certificate_for_the_same_key(void)
{
	assert_int_equal(RUN("openssl", "req", "-x509", "-new", "-key",
	                     "key.pem", "-out", "chain.pem", "-days", "3",
	                     "-subj", "/CN=Test signer", "-addext",
	                     "extendedKeyUsage=codeSigning", "-addext",
	                     "keyUsage=critical,digitalSignature"),
	    0);
	endpoint_signal(SIGHUP);
}

/* A token takes four jobs at once; the others wait here. */
static void
what_waits_is_not_signed_with_a_replaced_certificate(void **state)
{
	struct buf one = BUF_INIT, two = BUF_INIT;
	union protocol_body body;
	struct keyd_client a[6];
	struct ht_error e;
	struct msg m;
	size_t i;

	(void)state;
	assert_int_equal(endpoint_admin("client add two", NULL, NULL), 0);
	assert_int_equal(endpoint_admin("grant two test", NULL, NULL), 0);
	endpoint_certificate("ci", "", &one);
	endpoint_certificate("two", "", &two);
	assert_true(endpoint_signal_worker(SIGSTOP));
	for (i = 0; i < 6; i++) {
		start_signing(&a[i], i < 3 ? &one : &two);
		endpoint_pause(50);
	}
	new_certificate_for_the_same_key();
	assert_true(endpoint_signal_worker(SIGCONT));
	for (i = 0; i < 6; i++) {
		do {
			assert_int_equal(
			    protocol_wait(&a[i].link, &m, &body, 5000, &e), 1);
		} while (m.type == PROTOCOL_WAIT);
		assert_int_equal(m.type,
		    i < 4 ? PROTOCOL_SIGNED : PROTOCOL_REFUSE);
		if (i >= 4)
			assert_string_equal(body.refuse.code, "certificate");
		keyd_client_close(&a[i]);
	}
	buf_free(&one);
	buf_free(&two);
}

/* --- crowds, and who does not read ------------------------------------- */

static int
connect_silently(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX,
		.sun_path = "run/agent.sock" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

static void
a_crowd_of_shells_does_not_lock_out_administrators(void **state)
{
	struct rlimit files;
	static int fd[CROWD];
	size_t i;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = files.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	if (files.rlim_cur < CROWD + 100)
		skip();
	for (i = 0; i < CROWD; i++)
		fd[i] = connect_silently();
	assert_int_equal(endpoint_admin("tokens", NULL, NULL), 0);
	for (i = 0; i < CROWD; i++)
		(void)close(fd[i]);
	assert_int_equal(endpoint_admin("tokens", NULL, NULL), 0);
}

/* Send commands without an end and without reading; true once keyd is deaf. */
static bool
is_deaf(struct keyd_client *a)
{
	static uint8_t filling[50000];
	struct pollfd out = { keyd_client_fd(a), POLLOUT, 0 };
	struct protocol_command command;
	struct buf words = BUF_INIT, bytes = BUF_INIT;
	struct ht_error e;
	bool deaf = false;
	int i;

	buf_text(&words, "help");
	command.words = buf_cursor(&words);
	command.input = cursor_over(filling, sizeof(filling));
	assert_int_equal(protocol_encode(PROTOCOL_COMMAND, &command, &bytes),
	    0);
	for (i = 0; i < 2000 && !deaf; i++) {
		assert_int_equal(msg_queue(a->link.channel, PROTOCOL_COMMAND, 1,
		                     &bytes, NULL, 0, &e),
		    0);
		while (msg_pending(a->link.channel) && !deaf) {
			assert_int_equal(msg_flush(a->link.channel, &e), 0);
			deaf = msg_pending(a->link.channel) &&
			    poll(&out, 1, 1000) == 0;
		}
	}
	buf_free(&words);
	buf_free(&bytes);
	return deaf;
}

static void
who_does_not_read_is_not_heard(void **state)
{
	struct keyd_client a;

	(void)state;
	endpoint_connect_local(&a);
	assert_true(is_deaf(&a));
	assert_int_equal(endpoint_admin("tokens", NULL, NULL), 0);
	keyd_client_close(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_size_beyond_the_limit_is_refused_with_the_content),
		cmocka_unit_test(content_is_of_the_file_that_was_announced),
		cmocka_unit_test(
		    an_output_beyond_all_sizes_ends_the_connection),
		cmocka_unit_test(delivered_is_all_of_it),
		cmocka_unit_test(a_file_that_is_kept_is_on_record),
		cmocka_unit_test(kept_without_keep_ends_the_connection),
		cmocka_unit_test(what_is_kept_goes_back_as_it_came),
		cmocka_unit_test(a_kept_file_is_one_that_the_profile_takes),
		cmocka_unit_test(what_is_kept_can_go_undelivered),
		cmocka_unit_test(keep_signs_what_is_not_signed),
		cmocka_unit_test(an_offset_beyond_all_sizes_is_none),
		cmocka_unit_test(what_a_client_wrote_is_escaped_in_lists),
		cmocka_unit_test(
		    fail_while_the_token_is_slow_is_noted_when_it_answers),
		cmocka_unit_test(
		    what_waits_is_not_signed_with_a_replaced_certificate),
		cmocka_unit_test(
		    a_crowd_of_shells_does_not_lock_out_administrators),
		cmocka_unit_test(who_does_not_read_is_not_heard),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
