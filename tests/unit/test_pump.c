/*
 * htsign-pump in a process of its own.  The test is keyd, the shell and clamd.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/proc.h"
#include "protocol/messages.h"
#include "pump/pump.h"
#include "tests/support/scratch.h"

#define CLAMD "clamd"
#define DATABASE "ClamAV 1.4.3/27000/Sun Nov 29 03:53:37 2026"

struct fixture {
	struct protocol_link keyd; /* keyd's end of the link */
	pid_t pump;
	int clamd; /* listens */
	struct protocol_link report;
	int pipe; /* the shell's end */
	int file; /* to keep it in; or 0 */
};

static int
listen_at(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	(void)unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static int
set_up(void **state)
{
	static struct fixture f;
	struct ht_error e;
	int pair[2];

	f.clamd = listen_at(CLAMD);
	assert_int_equal(proc_socketpair(pair, &e), 0);
	f.pump = fork();
	assert_true(f.pump >= 0);
	if (f.pump == 0) {
		(void)close(pair[0]);
		_exit(
		    proc_harden(&e) == 0 && pump_run(pair[1], &e) == 0 ? 0 : 1);
	}
	(void)close(pair[1]);
	assert_int_equal(
	    protocol_open(&f.keyd, pair[0], PROTOCOL_LINK_PUMP, false, &e), 0);
	*state = &f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;
	int status = 1;

	protocol_close(&f->keyd);
	if (f->pump > 0)
		assert_int_equal(waitpid(f->pump, &status, 0), f->pump);
	assert_int_equal(status, 0);
	protocol_close(&f->report);
	(void)close(f->clamd);
	return 0;
}

/* Have the pump asked, for this many bytes of a scan and at all. */
static void
ask(struct fixture *f, const char *clamd, uint64_t scan_max, uint64_t max_size)
{
	struct protocol_pump what = { .scan_max = scan_max,
		.max_size = max_size };
	struct ht_error e;
	int pair[2], ends[2], fds[3];
	size_t n = 1;

	(void)snprintf(what.clamd, sizeof(what.clamd), "%s", clamd);
	assert_int_equal(proc_socketpair(pair, &e), 0);
	assert_int_equal(pipe(ends), 0);
	fds[0] = ends[0];
	if (f->file > 0)
		fds[n++] = f->file;
	fds[n++] = pair[1];
	assert_int_equal(
	    protocol_send(&f->keyd, PROTOCOL_PUMP, 0, &what, fds, n, &e), 0);
	(void)close(pair[1]);
	(void)close(ends[0]);
	f->pipe = ends[1];
	assert_int_equal(
	    protocol_open(&f->report, pair[0], PROTOCOL_LINK_REPORT, false, &e),
	    0);
}

static int
hear(struct fixture *f, struct msg *m, union protocol_body *body)
{
	struct ht_error e;

	return protocol_wait(&f->report, m, body, 10000, &e);
}

static void
send_bytes(struct fixture *f, const char *bytes)
{
	assert_int_equal(write(f->pipe, bytes, strlen(bytes)), strlen(bytes));
}

static void
expect_pumped(struct fixture *f, const char *bytes)
{
	uint8_t sha256[32];
	union protocol_body body;
	struct msg m;

	(void)close(f->pipe);
	assert_int_equal(hear(f, &m, &body), 1);
	assert_int_equal(m.type, PROTOCOL_PUMPED);
	assert_int_equal(body.pumped.size, strlen(bytes));
	assert_int_equal(EVP_Q_digest(NULL, "SHA256", NULL, bytes,
	                     strlen(bytes), sha256, NULL),
	    1);
	assert_int_equal(body.pumped.sha256.left, sizeof(sha256));
	assert_memory_equal(body.pumped.sha256.p, sha256, sizeof(sha256));
}

static void
expect_verdict(struct fixture *f, const char *verdict, const char *text)
{
	union protocol_body body;
	struct msg m;

	assert_int_equal(hear(f, &m, &body), 1);
	assert_int_equal(m.type, PROTOCOL_VERDICT);
	assert_string_equal(body.verdict.verdict, verdict);
	assert_string_equal(body.verdict.text, text);
}

/* The next connection to clamd. */
static int
take(struct fixture *f)
{
	struct pollfd ready = { f->clamd, POLLIN, 0 };
	int fd;

	assert_int_equal(poll(&ready, 1, 10000), 1);
	fd = accept(f->clamd, NULL, NULL);
	assert_true(fd >= 0);
	return fd;
}

/* What comes at fd, exactly. */
static void
expect_bytes(int fd, const char *bytes, size_t n)
{
	char got[128];

	assert_true(n <= sizeof(got));
	assert_int_equal(recv(fd, got, n, MSG_WAITALL), n);
	assert_memory_equal(got, bytes, n);
}

static void
answer(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text) + 1), strlen(text) + 1);
}

/* --- tests --------------------------------------------------------------- */

static void
what_comes_is_kept(void **state)
{
	struct fixture *f = *state;
	char bytes[8] = "";

	f->file = open("kept", O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(f->file > 0);
	ask(f, "", 100, 100);
	send_bytes(f, "abc");
	send_bytes(f, "d");
	expect_pumped(f, "abcd");
	expect_verdict(f, "", "");
	assert_int_equal(pread(f->file, bytes, sizeof(bytes), 0), 4);
	assert_string_equal(bytes, "abcd");
	(void)close(f->file);
	f->file = 0;
}

/* A file that takes no byte, and one that cannot be made durable. */
static void
what_cannot_be_kept_is_said(void **state)
{
	struct fixture *f = *state;
	union protocol_body body;
	struct msg m;
	int i;

	for (i = 0; i < 2; i++) {
		f->file = open(i == 0 ? "/dev/full" : "/dev/null", O_WRONLY);
		assert_true(f->file > 0);
		ask(f, "", 100, 100);
		send_bytes(f, "abc");
		(void)close(f->pipe);
		assert_int_equal(hear(f, &m, &body), 1);
		assert_int_equal(m.type, PROTOCOL_UNKEPT);
		assert_string_equal(body.unkept.text,
		    i == 0 ? "the file cannot be kept: No space left on device"
		           : "the file cannot be kept: Invalid argument");
		(void)close(f->file);
		if (i == 0)
			protocol_close(&f->report);
	}
	f->file = 0;
}

static void
what_comes_is_hashed_and_scanned(void **state)
{
	struct fixture *f = *state;
	int version, stream;

	ask(f, CLAMD, 100, 100);
	version = take(f);
	stream = take(f);
	send_bytes(f, "abc");
	expect_bytes(stream, "zINSTREAM\0\0\0\0\3abc", 17);
	send_bytes(f, "d");
	expect_bytes(stream, "\0\0\0\1d", 5);
	expect_pumped(f, "abcd");
	expect_bytes(stream, "\0\0\0\0", 4);
	expect_bytes(version, "zVERSION", 9);
	answer(version, DATABASE);
	answer(stream, "stream: OK");
	expect_verdict(f, PROTOCOL_VERDICT_CLEAN, "");
	(void)close(stream);
	(void)close(version);
}

static void
an_empty_file_is_one_too(void **state)
{
	struct fixture *f = *state;
	int version, stream;

	ask(f, CLAMD, 100, 100);
	version = take(f);
	stream = take(f);
	expect_pumped(f, "");
	expect_bytes(stream, "zINSTREAM\0\0\0\0\0", 14);
	(void)close(version);
	answer(stream, "stream: X FOUND");
	expect_verdict(f, PROTOCOL_VERDICT_VIRUS, "X");
	(void)close(stream);
}

static void
too_much_for_a_scan_is_hashed(void **state)
{
	struct fixture *f = *state;
	int version, stream;

	ask(f, CLAMD, 3, 100);
	version = take(f);
	stream = take(f);
	(void)close(version);
	send_bytes(f, "abc");
	expect_bytes(stream, "zINSTREAM\0\0\0\0\3abc", 17);
	send_bytes(f, "d");
	expect_pumped(f, "abcd");
	expect_verdict(f, PROTOCOL_VERDICT_UNSCANNED,
	    "it is larger than clamav_max_size");
	(void)close(stream);
}

static void
too_much_at_all_ends_it(void **state)
{
	struct fixture *f = *state;
	union protocol_body body;
	struct msg m;

	ask(f, "", 0, 3);
	send_bytes(f, "abcd");
	assert_int_equal(hear(f, &m, &body), HT_ERR_UNAVAILABLE);
	(void)close(f->pipe);
}

static void
without_a_scanner_it_is_hashed(void **state)
{
	struct fixture *f = *state;

	ask(f, "", 0, 100);
	send_bytes(f, "abcd");
	expect_pumped(f, "abcd");
	expect_verdict(f, "", "");
}

static void
a_clamd_that_is_away_scans_nothing(void **state)
{
	struct fixture *f = *state;

	ask(f, "no-such-socket", 100, 100);
	send_bytes(f, "abcd");
	expect_pumped(f, "abcd");
	expect_verdict(f, PROTOCOL_VERDICT_UNSCANNED,
	    "clamd: No such file or directory");
}

/* It says why, closes, and what was not sent does not count as clean. */
static void
a_clamd_that_closes_has_not_scanned(void **state)
{
	static const char *const said[] = { "", "stream: OK",
		"INSTREAM size limit exceeded. ERROR" };
	static const char *const text[] = { "clamd: Broken pipe",
		"clamd: Broken pipe",
		"clamd: INSTREAM size limit exceeded. ERROR" };
	struct fixture *f = *state;
	int version, stream;
	size_t i;

	for (i = 0; i < 3; i++) {
		ask(f, CLAMD, 100, 100);
		version = take(f);
		stream = take(f);
		(void)close(version);
		send_bytes(f, "abc");
		expect_bytes(stream, "zINSTREAM\0\0\0\0\3abc", 17);
		if (i > 0)
			answer(stream, said[i]);
		(void)close(stream);
		send_bytes(f, "d");
		expect_pumped(f, "abcd");
		expect_verdict(f, PROTOCOL_VERDICT_UNSCANNED, text[i]);
		protocol_close(&f->report);
	}
}

/* keyd closes the report: the child ends, and the pipe with it. */
static void
nobody_goes_on_for_a_request_that_has_ended(void **state)
{
	struct fixture *f = *state;
	int version, stream;
	unsigned int tries = 0;
	char byte;

	ask(f, CLAMD, 100, 100);
	version = take(f);
	stream = take(f);
	send_bytes(f, "abc");
	expect_bytes(stream, "zINSTREAM\0\0\0\0\3abc", 17);
	protocol_close(&f->report);
	assert_int_equal(recv(stream, &byte, 1, 0), 0);
	while (tries < 1000 && write(f->pipe, "d", 1) == 1)
		(void)poll(NULL, 0, (int)++tries);
	assert_true(tries < 1000);
	(void)close(f->pipe);
	(void)close(version);
	(void)close(stream);
}

static void
its_children_end_with_it(void **state)
{
	struct fixture *f = *state;
	union protocol_body body;
	struct msg m;

	ask(f, "", 0, 100);
	send_bytes(f, "abc");
	protocol_close(&f->keyd);
	assert_int_equal(hear(f, &m, &body), HT_ERR_UNAVAILABLE);
	(void)close(f->pipe);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_comes_is_hashed_and_scanned),
		TEST(an_empty_file_is_one_too),
		TEST(too_much_for_a_scan_is_hashed),
		TEST(too_much_at_all_ends_it),
		TEST(without_a_scanner_it_is_hashed),
		TEST(what_comes_is_kept),
		TEST(what_cannot_be_kept_is_said),
		TEST(a_clamd_that_is_away_scans_nothing),
		TEST(a_clamd_that_closes_has_not_scanned),
		TEST(nobody_goes_on_for_a_request_that_has_ended),
		TEST(its_children_end_with_it),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
