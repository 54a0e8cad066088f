/*
 * What keyd prints, made fit for a terminal.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <locale.h>
#include <stdlib.h>

#include "htsign-admin/screen.h"

static char *
fit(const struct screen *s, const char *text, size_t n)
{
	static char out[65536];
	struct buf b = BUF_INIT;

	screen_fit(s, cursor_over(text, n), &b);
	assert_int_equal(buf_failed(&b), 0);
	assert_true(b.len < sizeof(out));
	memcpy(out, b.data, b.len);
	out[b.len] = '\0';
	buf_free(&b);
	return out;
}

#define FIT(s, text) fit(s, text, sizeof(text) - 1)

static void
folds_at_blanks(void **state)
{
	const struct screen s = { 20, 5, true, false };
	const struct screen wide = { 200, 5, true, false };

	(void)state;
	assert_string_equal(FIT(&s, "one two\nthree"), "one two\nthree\n");
	assert_string_equal(FIT(&s, "12345678901234567890\n"),
	    "12345678901234567890\n");
	assert_string_equal(FIT(&s, "1234567890 123456789\n"),
	    "1234567890 123456789\n");
	assert_string_equal(FIT(&s, "1234567890 1234567890\n"),
	    "1234567890\n    1234567890\n");
	assert_string_equal(FIT(&s, "    indented stays so, and goes on\n"),
	    "    indented stays\n    so, and goes on\n");
	assert_string_equal(FIT(&s, "a-word-that-is-longer-than-that x\n"),
	    "a-word-that-is-longer-than-that x\n");
	assert_string_equal(FIT(&s, "blanks at the end         \n"),
	    "blanks at the end\n");
	assert_string_equal(FIT(&s, "\n\n"), "\n\n");
	assert_string_equal(FIT(&wide, "1234567890 1234567890\n"),
	    "1234567890 1234567890\n");
}

/* Two columns for a wide character, none for a combining one. */
static void
counts_columns(void **state)
{
	const struct screen s = { 10, 5, true, false };

	(void)state;
	assert_string_equal(FIT(&s, "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4 12345\n"),
	    "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4 12345\n");
	assert_string_equal(FIT(&s, "aaaaa \xe7\xad\xbe\xe5\x90\x8d\n"),
	    "aaaaa \xe7\xad\xbe\xe5\x90\x8d\n");
	assert_string_equal(FIT(&s, "aaaaaa \xe7\xad\xbe\xe5\x90\x8d\n"),
	    "aaaaaa\n    \xe7\xad\xbe\xe5\x90\x8d\n");
}

/* Nothing that comes can do anything to the terminal. */
static void
shows_bytes(void **state)
{
	const struct screen s = { 80, 5, false, false };
	char *out, byte;
	int i;

	(void)state;
	assert_string_equal(FIT(&s,
	                        "a\033[2Jb\x9b"
	                        "c\xc2\x9bz\0\r\x7f\t|\n"),
	    "a\\x1b[2Jb\\x9bc\\xc2\\x9bz\\x00\\x0d\\x7f\\x09|\n");
	/* keyd's own escapes stay what they are. */
	assert_string_equal(FIT(&s, "\\x1b \\\\\n"), "\\x1b \\\\\n");
	/* It would turn the rest of the line round. */
	assert_string_equal(FIT(&s,
	                        "\xe2\x80\xae"
	                        "exe\n"),
	    "\\xe2\\x80\\xaeexe\n");
	for (i = 0; i < 256; i++) {
		byte = (char)i;
		for (out = fit(&s, &byte, 1); *out != '\0'; out++)
			assert_true(
			    *out == '\n' || (*out >= ' ' && *out <= '~'));
	}
}

static void
colours(void **state)
{
	const struct screen s = { 20, 5, false, true };
	const struct screen none = { 20, 5, false, false };

	(void)state;
	assert_string_equal(FIT(&s, "1 delivered x\n"),
	    "1 \033[32mdelivered\033[0m x\n");
	assert_string_equal(FIT(&s, "1 refused\n2 refusedly\n"),
	    "1 \033[31mrefused\033[0m\n2 refusedly\n");
	assert_string_equal(FIT(&none, "1 delivered x\n"), "1 delivered x\n");
}

static void
reads_the_environment(void **state)
{
	struct screen s;

	(void)state;
	(void)unsetenv("NO_COLOR");
	(void)setenv("TERM", "xterm", 1);
	screen_read(&s);
	assert_true(s.colour && !s.plain);
	assert_true(s.columns > 0 && s.rows > 0);
	(void)setenv("NO_COLOR", "", 1);
	screen_read(&s);
	assert_true(s.colour);
	(void)setenv("NO_COLOR", "1", 1);
	screen_read(&s);
	assert_false(s.colour || s.plain);
	(void)unsetenv("NO_COLOR");
	(void)setenv("TERM", "dumb", 1);
	screen_read(&s);
	assert_true(s.plain && !s.colour);
	(void)unsetenv("TERM");
	screen_read(&s);
	assert_true(s.plain && !s.colour);
}

static void
cuts_rows(void **state)
{
	static const char text[] = "1\n2\n3\n4\n";
	const struct cursor all = cursor_over(text, 8);

	(void)state;
	assert_true(cursor_is(screen_cut(all, 2, false), "1\n2\n"));
	assert_true(cursor_is(screen_cut(all, 2, true), "3\n4\n"));
	assert_true(cursor_is(screen_cut(all, 4, true), text));
	assert_true(cursor_is(screen_cut(all, 9, false), text));
	assert_true(cursor_is(screen_cut(all, 0, true), ""));
	assert_true(cursor_is(screen_cut(cursor_over(text, 0), 3, true), ""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(folds_at_blanks),
		cmocka_unit_test(counts_columns),
		cmocka_unit_test(shows_bytes),
		cmocka_unit_test(colours),
		cmocka_unit_test(reads_the_environment),
		cmocka_unit_test(cuts_rows),
	};

	(void)setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
