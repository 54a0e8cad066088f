#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/log.h"

/* What n bytes look like, with room enough. */
static void
check(const void *in, size_t n, const char *expected)
{
	char out[256];

	assert_int_equal(log_escape(out, sizeof(out), in, n), strlen(expected));
	assert_string_equal(out, expected);
}

#define CHECK(in, expected) check((in), sizeof(in) - 1, (expected))

static void
plain_text_stays(void **state)
{
	(void)state;
	CHECK("", "");
	CHECK("Noita Crash Dumper 1.0 ~!@#$%^&*()\"'",
	    "Noita Crash Dumper 1.0 "
	    "~!@#$%^&*()\"'");
	CHECK("\xc3\xa5\xc3\xa4\xc3\xb6", "\xc3\xa5\xc3\xa4\xc3\xb6");
	CHECK("\xe6\x97\xa5\xe6\x9c\xac", "\xe6\x97\xa5\xe6\x9c\xac");
	CHECK("\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80");
	check(NULL, 0, "");
}

static void
lines_and_terminals_cannot_be_forged(void **state)
{
	(void)state;
	CHECK("a\nhtsign: signed", "a\\x0ahtsign: signed");
	CHECK("a\r\tb", "a\\x0d\\x09b");
	CHECK("\033]0;title\007\033[2J", "\\x1b]0;title\\x07\\x1b[2J");
	CHECK("a\0b", "a\\x00b");
	CHECK("\x7f", "\\x7f");
	/* CSI as one character of the upper controls. */
	CHECK("\xc2\x9b"
	      "2J",
	    "\\xc2\\x9b2J");
	/* What looks like our own escape is not one. */
	CHECK("\\x0a", "\\\\x0a");
}

static void
text_cannot_be_reordered_or_hidden(void **state)
{
	static const char *const hidden[] = {
		"\xe2\x80\xaa", "\xe2\x80\xab", "\xe2\x80\xac", "\xe2\x80\xad",
		"\xe2\x80\xae", /* U+202A.. */
		"\xe2\x81\xa6", "\xe2\x81\xa7", "\xe2\x81\xa8",
		"\xe2\x81\xa9",                             /* U+2066.. */
		"\xe2\x80\x8e", "\xe2\x80\x8f", "\xd8\x9c", /* marks */
		"\xe2\x80\x8b", "\xef\xbb\xbf", "\xc2\xad", /* no width */
		"\xe2\x80\xa8", "\xe2\x80\xa9",             /* separators */
		"\xf3\xa0\x81\x81",                         /* a tag */
		"\xee\x80\x80", "\xef\xbf\xbf",             /* nothing */
	};
	char out[64], expected[64];
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		for (k = 0; hidden[i][k] != '\0'; k++)
			(void)snprintf(expected + 4 * k, 5, "\\x%02x",
			    (unsigned int)(uint8_t)hidden[i][k]);
		(void)log_escape(out, sizeof(out), hidden[i],
		    strlen(hidden[i]));
		assert_string_equal(out, expected);
	}
}

static void
broken_utf8_is_shown_as_bytes(void **state)
{
	(void)state;
	CHECK("\x80", "\\x80");
	CHECK("\xc3", "\\xc3");
	CHECK("\xc3(", "\\xc3(");
	CHECK("\xe6\x97", "\\xe6\\x97");
	CHECK("\xff\xfe", "\\xff\\xfe");
	CHECK("\xc0\xaf", "\\xc0\\xaf");                   /* not shortest */
	CHECK("\xe0\x80\x8a", "\\xe0\\x80\\x8a");          /* not shortest */
	CHECK("\xed\xa0\x80", "\\xed\\xa0\\x80");          /* a surrogate */
	CHECK("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* too high */
	CHECK("\xf0\x9f\x98", "\\xf0\\x9f\\x98");
}

/* The guard byte behind the room must stay. */
static void
short_room_ends_at_a_whole_escape(void **state)
{
	char out[16];
	size_t size, n;

	(void)state;
	for (size = 1; size < 12; size++) {
		memset(out, '!', sizeof(out));
		n = log_escape(out, size, "a\n\xc3\xa4\\z", 6);
		assert_true(n < size);
		assert_int_equal(strlen(out), n);
		assert_int_equal(out[size], '!');
		/* Whole pieces: a, \x0a, two bytes of UTF-8, \\, z. */
		assert_true(
		    n == 0 || n == 1 || n == 5 || n == 7 || n == 9 || n == 10);
	}
	memset(out, '!', sizeof(out));
	assert_int_equal(log_escape(out, 0, "a", 1), 0);
	assert_int_equal(out[0], '!');
}

/* From here to end_capture stderr is a pipe. */
static int captured[2], kept;

static void
begin_capture(bool verbose)
{
	kept = dup(STDERR_FILENO);
	assert_int_equal(pipe(captured), 0);
	assert_true(dup2(captured[1], STDERR_FILENO) >= 0);
	log_open("test", false, verbose);
}

static size_t
end_capture(char *text, size_t size)
{
	ssize_t n;

	assert_true(dup2(kept, STDERR_FILENO) >= 0);
	(void)close(kept);
	(void)close(captured[1]);
	n = read(captured[0], text, size - 1);
	(void)close(captured[0]);
	assert_true(n > 0);
	text[n] = '\0';
	return (size_t)n;
}

/* Run log_*, and give back what came. */
static size_t
capture(char *text, size_t size, bool verbose, const char *message)
{
	begin_capture(verbose);
	errno = ENOTTY;
	log_error("%s", message);
	log_debug("debugging %d", 1);
	log_notice("end");
	assert_int_equal(errno, ENOTTY);
	return end_capture(text, size);
}

static void
one_event_is_one_line(void **state)
{
	char text[16384];

	(void)state;
	(void)capture(text, sizeof(text), false, "one\ntwo \"quoted\"");
	assert_string_equal(text, "test: one\\x0atwo \"quoted\"\ntest: end\n");
	(void)capture(text, sizeof(text), true, "x");
	assert_string_equal(text, "test: x\ntest: debugging 1\ntest: end\n");
}

static void
a_long_line_is_cut(void **state)
{
	char text[16384], message[5000];
	size_t n;

	(void)state;
	memset(message, '\001', sizeof(message) - 1);
	message[sizeof(message) - 1] = '\0';
	n = capture(text, sizeof(text), false, message);
	assert_true(n < 5000);
	assert_memory_equal(text, "test: \\x01\\x01", 14);
	assert_string_equal(text + n - 15, "\\x01\ntest: end\n");
}

static void
what_happens_often_is_said_once_a_minute(void **state)
{
	struct log_often o = { 0 }, other = { 0 };
	char text[16384], message[5000];
	int i;

	(void)state;
	memset(message, 'x', sizeof(message) - 1);
	message[sizeof(message) - 1] = '\0';
	begin_capture(false);
	for (i = 0; i < 3; i++)
		log_often(&o, log_notice, "number %d", i);
	log_often(&other, log_error, "%s", message);
	/* As if it had been said just less, then just more, than that ago. */
	o.said -= LOG_OFTEN - 10000;
	log_often(&o, log_notice, "number %d", i++);
	o.said -= 10000;
	log_often(&o, log_notice, "number %d", i++);
	log_often(&o, log_notice, "number %d", i++);
	(void)end_capture(text, sizeof(text));
	assert_string_equal(strchr(text, '\n') + 7 + 960,
	    " (1 since the last such line)\n"
	    "test: number 4 (4 since the last such line)\n");
	*(strchr(text, '\n') + 1) = '\0';
	assert_string_equal(text,
	    "test: number 0 (1 since the last such line)\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_text_stays),
		cmocka_unit_test(lines_and_terminals_cannot_be_forged),
		cmocka_unit_test(text_cannot_be_reordered_or_hidden),
		cmocka_unit_test(broken_utf8_is_shown_as_bytes),
		cmocka_unit_test(short_room_ends_at_a_whole_escape),
		cmocka_unit_test(one_event_is_one_line),
		cmocka_unit_test(a_long_line_is_cut),
		cmocka_unit_test(what_happens_often_is_said_once_a_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
