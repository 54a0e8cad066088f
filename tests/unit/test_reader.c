/*
 * htsign-reader in a process of its own.  The test is keyd, which writes the store,
 * and the shells that it answers.
 */

#include "config.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/proc.h"
#include "protocol/messages.h"
#include "reader/reader.h"
#include "store/journal/journal.h"
#include "tests/support/scratch.h"
#include "tests/support/store_scratch.h"

static struct {
	pid_t pid;
	struct protocol_link keyd;
} reader;

static void
ask_times(unsigned int n, const char *client)
{
	const struct journal_request ask = { .client = client,
		.door = "sshd-sign",
		.profile = "p" };
	struct ht_error e;
	uint64_t number;

	while (n-- > 0)
		assert_int_equal(journal_asked(store, &ask, &number, &e), 0);
	assert_int_equal(store_commit(store, &e), 0);
}

static int
set_up(void **state)
{
	const struct protocol_store where = { STORE_PATH };
	struct ht_error e;
	int pair[2];

	if (store_set_up(state) < 0 || proc_socketpair(pair, &e) < 0)
		return -1;
	(void)alarm(120);
	reader.pid = fork();
	if (reader.pid == 0) {
		(void)close(pair[0]);
		if (reader_run(pair[1], &e) < 0) {
			(void)fprintf(stderr, "%s\n", e.text);
			_exit(1);
		}
		_exit(0);
	}
	(void)close(pair[1]);
	assert_int_equal(protocol_open(&reader.keyd, pair[0],
	                     PROTOCOL_LINK_READER, false, &e),
	    0);
	return protocol_send(&reader.keyd, PROTOCOL_STORE, 0, &where, NULL, 0,
	    &e);
}

/* keyd goes away, and so does the reader, unless it was killed. */
static int
tear_down(void **state)
{
	int status = 0;

	protocol_close(&reader.keyd);
	if (reader.pid > 0)
		assert_int_equal(waitpid(reader.pid, &status, 0), reader.pid);
	assert_int_equal(status, 0);
	(void)alarm(0);
	return store_tear_down(state);
}

/* Have something read; the shell's end. */
static void
begin(const struct protocol_read *what, struct protocol_link *shell)
{
	struct ht_error e;
	int pair[2];

	assert_int_equal(proc_socketpair(pair, &e), 0);
	assert_int_equal(protocol_send(&reader.keyd, PROTOCOL_READ, 0, what,
	                     &pair[1], 1, &e),
	    0);
	(void)close(pair[1]);
	assert_int_equal(
	    protocol_open(shell, pair[0], PROTOCOL_LINK_ANSWER, false, &e), 0);
}

struct answer {
	char *text; /* of the first bytes */
	size_t n, lines;
	uint32_t status;
	char why[PROTOCOL_TEXT];
};

/* Take all of an answer.  HT_ERR_UNAVAILABLE if it ends before DONE. */
static int
finish(struct protocol_link *shell, struct answer *a)
{
	struct buf text = BUF_INIT;
	union protocol_body body;
	struct ht_error e;
	struct msg m;
	size_t i;
	int rc;

	memset(a, 0, sizeof(*a));
	while ((rc = protocol_wait(shell, &m, &body, -1, &e)) == 1 &&
	    m.type == PROTOCOL_PRINT) {
		a->n += body.print.bytes.left;
		for (i = 0; i < body.print.bytes.left; i++)
			a->lines += body.print.bytes.p[i] == '\n';
		if (text.len < 1 << 20)
			buf_bytes(&text, body.print.bytes.p,
			    body.print.bytes.left);
	}
	if (rc == 1) {
		a->status = body.done.status;
		(void)snprintf(a->why, sizeof(a->why), "%s", body.done.text);
	}
	protocol_close(shell);
	buf_u8(&text, '\0');
	a->text = (char *)text.data;
	return rc < 0 ? rc : 0;
}

static void
ask(const struct protocol_read *what, struct answer *a)
{
	struct protocol_link shell;

	begin(what, &shell);
	assert_int_equal(finish(&shell, a), 0);
}

static void
expect_log(const struct protocol_read *what, size_t lines, const char *first)
{
	struct answer a;

	ask(what, &a);
	assert_int_equal(a.status, 0);
	assert_int_equal(a.lines, lines);
	if (strncmp(a.text, first, strlen(first)) != 0)
		fail_msg("not %s: %.100s", first, a.text);
	free(a.text);
}

/* Both directions of what a walk may come across: steps, limits, filters. */
static void
test_log(void **state)
{
	struct protocol_read what = { .what = PROTOCOL_READ_LOG };

	(void)state;
	expect_log(&what, 0, "");
	ask_times(3, "ci");
	expect_log(&what, 3, "1      ");
	what.limit = 2;
	expect_log(&what, 2, "2      ");
	what.limit = 100;
	expect_log(&what, 3, "1      ");
	what.json = 1;
	expect_log(&what, 3, "{\"request\":1,");
	what.json = 0;
	/* Over several steps. */
	ask_times(9000, "other");
	ask_times(1, "ci");
	expect_log(&what, 100, "8905 ");
	what.limit = 9000;
	expect_log(&what, 9000, "5 ");
	what.limit = 0;
	expect_log(&what, 9004, "1 ");
	(void)snprintf(what.client, sizeof(what.client), "ci");
	expect_log(&what, 4, "1 ");
	what.limit = 2;
	expect_log(&what, 2, "3 ");
	what.limit = 4;
	expect_log(&what, 4, "1 ");
	what.limit = 5;
	expect_log(&what, 4, "1 ");
	(void)snprintf(what.client, sizeof(what.client), "nobody");
	expect_log(&what, 0, "");
	what.client[0] = '\0';
	(void)snprintf(what.status, sizeof(what.status), "asked");
	expect_log(&what, 5, "9000 ");
	(void)snprintf(what.profile, sizeof(what.profile), "q");
	expect_log(&what, 0, "");
	/* What comes later is seen by who asks later. */
	ask_times(1, "ci");
	what.profile[0] = '\0';
	what.limit = 1;
	expect_log(&what, 1, "9005 ");
}

static void
test_show_and_events(void **state)
{
	struct protocol_read show = { .what = PROTOCOL_READ_SHOW,
		.request = 2 };
	struct protocol_read events = { .what = PROTOCOL_READ_EVENTS };
	const struct journal_end why = { 77, "code", 1, "text", NULL };
	struct ht_error e;
	struct answer a;

	(void)state;
	ask_times(200, "ci");
	assert_int_equal(journal_refused(store, 2, &why, &e), 0);
	assert_int_equal(store_commit(store, &e), 0);
	ask(&show, &a);
	assert_non_null(strstr(a.text, "profile         p\n"));
	assert_non_null(strstr(a.text, "  refused\n    {"));
	free(a.text);
	show.json = 1;
	ask(&show, &a);
	assert_int_equal(a.lines, 3);
	assert_non_null(strstr(a.text, "\n{\"event\":201,\"request\":2,"));
	free(a.text);
	show.request = 201;
	ask(&show, &a);
	assert_int_equal(a.n, 0);
	assert_int_equal(a.status, 64);
	assert_string_equal(a.why, "there is no request 201");
	free(a.text);
	expect_log(&events, 201, "1 ");
	events.limit = 1;
	expect_log(&events, 1, "201 ");
	events.limit = 500;
	expect_log(&events, 201, "1 ");
}

/* How much memory the reader has had, in KiB. */
static long
most_memory(void)
{
	char path[64], line[256];
	long kib = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)reader.pid);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "VmHWM:", 6) == 0)
			kib = strtol(line + 6, NULL, 10);
	(void)fclose(f);
	return kib;
}

/* An answer of any length, and shells that take none of theirs. */
static void
test_shells_that_do_not_read(void **state)
{
	const struct protocol_read all = { .what = PROTOCOL_READ_LOG,
		.json = 1 };
	struct protocol_link stalled[64];
	struct answer a;
	long before;
	size_t i;

	(void)state;
	ask_times(6000, "ci");
	ask(&all, &a);
	free(a.text);
	before = most_memory();
	for (i = 0; i < 63; i++)
		begin(&all, &stalled[i]);
	/* Others have theirs meanwhile. */
	ask(&all, &a);
	assert_int_equal(a.lines, 6000);
	print_message(
	    "%zu bytes of JSON: %ld KiB; with 63 that stand still %ld "
	    "KiB\n",
	    a.n, before, most_memory());
	free(a.text);
#ifndef HT_NO_SANDBOX /* a sanitizer takes much more */
	assert_true(most_memory() < 32 << 10);
	assert_true(before < 16 << 10);
#endif
	/* One too many is at the cost of who has taken nothing for longest. */
	begin(&all, &stalled[63]);
	ask(&all, &a);
	assert_int_equal(a.lines, 6000);
	free(a.text);
	assert_int_equal(finish(&stalled[0], &a), HT_ERR_UNAVAILABLE);
	free(a.text);
	for (i = 1; i < 64; i++) {
		if (i % 2 == 0) {
			protocol_close(&stalled[i]);
			continue;
		}
		assert_int_equal(finish(&stalled[i], &a), 0);
		assert_int_equal(a.lines, 6000);
		free(a.text);
	}
}

/* The shell sees that the reader has ended. */
static void
test_killed(void **state)
{
	const struct protocol_read all = { .what = PROTOCOL_READ_LOG };
	struct protocol_link shell;
	struct answer a;

	(void)state;
	ask_times(20000, "ci");
	begin(&all, &shell);
	assert_int_equal(kill(reader.pid, SIGKILL), 0);
	assert_int_equal(waitpid(reader.pid, NULL, 0), reader.pid);
	reader.pid = -1;
	assert_int_equal(finish(&shell, &a), HT_ERR_UNAVAILABLE);
	free(a.text);
}

/* While it reads without an end, the WAL of who writes does not grow so. */
static void
test_writes_meanwhile(void **state)
{
	const struct protocol_read all = { .what = PROTOCOL_READ_LOG };
	struct protocol_link shell[4];
	struct answer a;
	struct buf wal = BUF_INIT;
	struct ht_error e;
	size_t i, n;

	(void)state;
	ask_times(20000, "ci");
	for (i = 0; i < 4; i++)
		begin(&all, &shell[i]);
	for (n = 0; n < 4; n++) {
		for (i = 0; i < 500; i++) {
			assert_int_equal(store_reserve(store, 1 << 16, &e), 0);
			ask_times(1, "ci");
			assert_false(store_hindered(store));
		}
		assert_int_equal(finish(&shell[n], &a), 0);
		assert_true(a.lines >= 20000);
		free(a.text);
	}
	scratch_read(STORE_PATH "-wal", &wal);
	print_message("the WAL has %zu bytes\n", wal.len);
	buf_free(&wal);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_log),
		CASE(test_show_and_events),
		CASE(test_shells_that_do_not_read),
		CASE(test_killed),
		CASE(test_writes_meanwhile),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
