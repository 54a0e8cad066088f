#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "htsign-shell/request-line.h"
#include "htsign-shell/words.h"

#define HASH "00112233445566778899aabbccddeeffFFEEDDCCBBAA99887766554433221100"

static const struct request_line_defaults nothing = { NULL, NULL, NULL };

/* --- words --------------------------------------------------------------- */

static const struct {
	const char *line;
	const char *words; /* each with a | behind it */
} lines[] = {
	{ "", "" },
	{ " \t\n ", "" },
	{ "a", "a|" },
	{ "  two   words ", "two|words|" },
	{ "tab\tnewline\nend", "tab|newline|end|" },
	{ "'two  spaces'", "two  spaces|" },
	{ "\"two  spaces\" x", "two  spaces|x|" },
	{ "a'b'\"c\"d", "abcd|" },
	{ "'' \"\"", "||" },
	{ "''a", "a|" },
	{ "\\ a\\b\\\\", " ab\\|" },
	{ "'\\a'", "\\a|" },
	{ "'\"' \"'\"", "\"|'|" },
	{ "\"\\\" \\\\ \\$ \\` \\a\"", "\" \\ $ ` \\a|" },
	{ "\\'", "'|" },
	{ "con\\\ntinued", "continued|" },
	{ "a \\\n b", "a|b|" },
	{ "\"con\\\ntinued\"", "continued|" },
	{ "'not\\\nhere'", "not\\\nhere|" },
	/* Nothing is expanded, and nothing is an operator. */
	{ "$HOME `id` $(id) *", "$HOME|`id`|$(id)|*|" },
	{ "a;b|c&d>e<f #g ~ !h {i,j}", "a;b|c&d>e<f|#g|~|!h|{i,j}|" },
	{ "\xc3\xa4 \xff", "\xc3\xa4|\xff|" },
};

static void
words_are_a_shells(void **state)
{
	struct buf joined = BUF_INIT;
	struct words w;
	struct ht_error e;
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(words_split(lines[i].line, &w, &e), 0);
		for (j = 0; j < w.n; j++)
			buf_format(&joined, "%s|", w.word[j]);
		assert_null(w.word[w.n]);
		if (!cursor_is(buf_cursor(&joined), lines[i].words))
			fail_msg("%s: %.*s", lines[i].line, (int)joined.len,
			    (const char *)joined.data);
		buf_reset(&joined);
		words_free(&w);
	}
	buf_free(&joined);
}

static void
words_that_are_none(void **state)
{
	static const char *const bad[] = { "'", "\"", "a 'b", "\"a\\\"", "\\",
		"a \\", "'a'\"", "\"\\" };
	struct words w;
	struct ht_error e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (words_split(bad[i], &w, &e) != HT_ERR_USAGE)
			fail_msg("%s was taken", bad[i]);
		assert_null(w.word);
		assert_null(w.text);
	}
}

static void
longest_line(void **state)
{
	char line[WORDS_LINE_MAX + 2];
	struct words w;
	struct ht_error e;
	size_t i;

	(void)state;
	/* As many words as fit. */
	for (i = 0; i < WORDS_LINE_MAX; i++)
		line[i] = i % 2 == 0 ? 'a' : ' ';
	line[WORDS_LINE_MAX] = '\0';
	assert_int_equal(words_split(line, &w, &e), 0);
	assert_int_equal(w.n, WORDS_LINE_MAX / 2);
	words_free(&w);

	line[WORDS_LINE_MAX] = 'a';
	line[WORDS_LINE_MAX + 1] = '\0';
	assert_int_equal(words_split(line, &w, &e), HT_ERR_USAGE);
}

/* --- requests ------------------------------------------------------------ */

static void
parse(const char *line, struct request_line *r)
{
	struct ht_error e;

	if (request_line_parse(line, &nothing, r, &e) != 0)
		fail_msg("%s: %s", line, e.text);
}

static void
no_command(void **state)
{
	static const char *const none[] = { NULL, "", "  " };
	struct request_line r;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		parse(none[i], &r);
		assert_true(r.bare);
		assert_int_equal(r.verb, REQUEST_LINE_SIGN);
		assert_string_equal(r.begin.profile, "");
		assert_int_equal(r.begin.reply, PROTOCOL_REPLY_FULL);
		assert_true(r.begin.size == PROTOCOL_SIZE_UNKNOWN);
		assert_int_equal(r.begin.sha256.left, 0);
	}
}

static void
profile_and_description(void **state)
{
	static const struct {
		const char *line;
		const char *profile;
		const char *description;
	} cases[] = {
		{ "production", "production", "" },
		{ "default", "", "" },
		{ "default My App", "", "My App" },
		{ "production Noita Crash   Dumper", "production",
		    "Noita Crash Dumper" },
		{ "production 'two  spaces'", "production", "two  spaces" },
		{ "p.1-x_y a 'b  c' d", "p.1-x_y", "a b  c d" },
		{ "production help", "production", "help" },
		{ "production -- --pkcs7 --", "production", "--pkcs7 --" },
		{ "-- production My App", "production", "My App" },
		{ "production My App -beta -", "production", "My App -beta -" },
		{ "production '' x", "production", " x" },
		{ "production \xc3\x9c"
		  "ber",
		    "production",
		    "\xc3\x9c"
		    "ber" },
	};
	struct request_line r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		parse(cases[i].line, &r);
		assert_false(r.bare);
		assert_int_equal(r.verb, REQUEST_LINE_SIGN);
		assert_string_equal(r.begin.profile, cases[i].profile);
		assert_string_equal(r.begin.description, cases[i].description);
	}
}

static void
options_in_any_order(void **state)
{
	static const char *const same[] = {
		"p My App --url=http://x/ --name=a.exe --pkcs7 --size=17 "
		"--sha256=" HASH,
		"p 'My App' --pkcs7 --size=17 --name='a.exe' --url=http://x/ "
		"--sha256=" HASH,
		"p My App --sha256=" HASH " --url=\"http://x/\" --pkcs7 "
		"--name=a.exe --size=00017 --",
	};
	static const uint8_t first[4] = { 0x00, 0x11, 0x22, 0x33 };
	struct request_line r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		parse(same[i], &r);
		assert_string_equal(r.begin.profile, "p");
		assert_string_equal(r.begin.description, "My App");
		assert_string_equal(r.begin.url, "http://x/");
		assert_string_equal(r.begin.name, "a.exe");
		assert_int_equal(r.begin.reply, PROTOCOL_REPLY_PKCS7);
		assert_true(r.begin.size == 17);
		assert_int_equal(r.begin.sha256.left, REQUEST_LINE_SHA256);
		assert_ptr_equal(r.begin.sha256.p, r.sha256);
		assert_memory_equal(r.sha256, first, 4);
		assert_int_equal(r.sha256[16], 0xff);
	}
}

static void
options_alone(void **state)
{
	struct request_line r;

	(void)state;
	parse("--pkcs7", &r);
	assert_false(r.bare);
	assert_int_equal(r.begin.reply, PROTOCOL_REPLY_PKCS7);
	assert_string_equal(r.begin.profile, "");
	assert_string_equal(r.begin.options, "");
	assert_false(r.signature.msi_ex);
	assert_false(r.signature.page_hashes);
	parse("p --page-hashes", &r);
	assert_string_equal(r.begin.options, "page-hashes");
	assert_true(r.signature.page_hashes);
	assert_false(r.signature.msi_ex);
	parse("p --msi-ex --page-hashes", &r);
	assert_string_equal(r.begin.options, "page-hashes msi-ex");
	assert_true(r.signature.page_hashes && r.signature.msi_ex);
	parse("p --msi-ex", &r);
	assert_string_equal(r.begin.options, "msi-ex");
	assert_true(r.signature.msi_ex);
	assert_null(r.signature.algorithm);
	parse("p --size=18446744073709551614", &r);
	assert_true(r.begin.size == UINT64_MAX - 1);
	parse("p --size=0 --url= --name=", &r);
	assert_true(r.begin.size == 0);
}

static void
verbs(void **state)
{
	struct request_line r;

	(void)state;
	parse("help", &r);
	assert_int_equal(r.verb, REQUEST_LINE_HELP);
	parse(" profiles ", &r);
	assert_int_equal(r.verb, REQUEST_LINE_PROFILES);
}

static void
refused_lines(void **state)
{
	static const struct {
		const char *line;
		const char *text; /* part of what is said */
	} cases[] = {
		{ "p 'open", "quote" },
		{ "Production", "not the name" },
		{ "../p", "not the name" },
		{ "'' x", "not the name" },
		{ "-p", "not the name" },
		{ "p -pkcs7", "\"-pkcs7\" is no option: they begin with two" },
		{ "p \xe2\x80\x93pkcs7", "two hyphens" },
		{ "p \xe2\x80\x94name=a.exe", "two hyphens" },
		{ "p --name=my setup.exe",
		    "\"setup.exe\" stands behind --name=my.  Quote twice what "
		    "has spaces: \"--name='my setup.exe'\"" },
		{ "p My --url=http://x/a b App", "\"--url='http://x/a b'\"" },
		{ "p --pkcs7 My App",
		    "\"My\" stands behind --pkcs7: options come last, as in "
		    "ssh sign@HOST PROFILE DESCRIPTION --pkcs7" },
		{ "--pkcs7 p", "options come last" },
		{ "p --pkcs7 -- App", "options come last" },
		{ "ls", "there is no ls here: the file goes through stdin" },
		{ "ls -l /", "there is no ls here" },
		{ "scp -t .", "there is no scp here" },
		{ "scp -v -f /tmp/a.exe", "there is no scp here" },
		{ "rsync --server -e.LsfxCIvu . .", "there is no rsync here" },
		{ "sftp", "there is no SFTP here" },
		{ "internal-sftp", "there is no SFTP here" },
		{ "/usr/lib/openssh/sftp-server",
		    "there is no SFTP here: the file goes through stdin, and "
		    "what is signed comes from stdout.  Type: ssh sign@HOST "
		    "[PROFILE [DESCRIPTION ...]] [OPTION ...] < FILE > "
		    "SIGNED" },
		{ "wait 17", "not built yet" },
		{ "result 17", "not built yet" },
		{ "verify", "not built yet" },
		{ "help me", "alone" },
		{ "profiles --pkcs7", "alone" },
		{ "--pkcs7 help", "options come last" },
		{ "p --nosuch", "no option \"--nosuch\"" },
		{ "p --urls=x", "no option" },
		{ "p --ur=x", "no option" },
		{ "p --=x", "no option" },
		{ "p --url", "--url=URL" },
		{ "p --size 5", "--size=N" },
		{ "p --pkcs7=yes", "no value" },
		{ "p --pkcs7 --pkcs7", "twice" },
		{ "p --page-hashes=no", "no value" },
		{ "p --msi-ex=yes", "no value" },
		{ "p --msi-ex --msi-ex", "twice" },
		{ "p --size=1 --size=1", "twice" },
		{ "p --size=", "number of bytes" },
		{ "p --size=-1", "number of bytes" },
		{ "p --size=1k", "number of bytes" },
		{ "p --size=' 1'", "number of bytes" },
		{ "p --size=18446744073709551615", "number of bytes" },
		{ "p --size=18446744073709551616", "number of bytes" },
		{ "p --size=99999999999999999999999", "number of bytes" },
		{ "p --sha256=", "64 hex" },
		{ "p --sha256=0" HASH, "64 hex" },
		{ "p --sha256=00", "64 hex" },
		{ "p --sha256=g0112233445566778899aabbccddeeff"
		  "00112233445566778899aabbccddeeff",
		    "64 hex" },
		{ "p --name=a/b", "without its folder" },
		{ "p '--name=a\\b'", "without its folder" },
		{ "p --name=..", "without its folder" },
		{ "p --name=.", "without its folder" },
		{ "p '--name=a\nb'", "control character" },
		{ "p --name=\xff", "not UTF-8" },
		{ "p '--url=http://x y'", "visible ASCII" },
		{ "p --url=http://\xc3\xa4/", "visible ASCII" },
		{ "p 'a\tb'", "control character" },
		{ "p a\x1b[1m", "control character" },
		{ "p a\x7f", "control character" },
		{ "p a\xc2\x85", "control character" },
		{ "p \xc3", "not UTF-8" },
		{ "p \xed\xa0\x80", "not UTF-8" },
		{ "p \xc0\xaf", "not UTF-8" },
	};
	struct request_line r;
	struct ht_error e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (request_line_parse(cases[i].line, &nothing, &r, &e) !=
		    HT_ERR_USAGE)
			fail_msg("%s was taken", cases[i].line);
		if (strstr(e.text, cases[i].text) == NULL)
			fail_msg("%s: %s", cases[i].line, e.text);
	}
}

/* A line of prefix and n times 'a'. */
static int
parse_long(const char *prefix, size_t n, struct request_line *r)
{
	char line[WORDS_LINE_MAX * 2];
	struct ht_error e;
	int k = snprintf(line, sizeof(line), "%s", prefix);

	memset(line + k, 'a', n);
	line[(size_t)k + n] = '\0';
	return request_line_parse(line, &nothing, r, &e);
}

static void
limits(void **state)
{
	static const struct {
		const char *prefix;
		size_t longest;
	} cases[] = {
		{ "", 63 },
		{ "p ", 1024 },
		{ "p --url=", 1024 },
		{ "p --name=", 255 },
	};
	struct request_line r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
		    parse_long(cases[i].prefix, cases[i].longest, &r), 0);
		assert_int_equal(
		    parse_long(cases[i].prefix, cases[i].longest + 1, &r),
		    HT_ERR_USAGE);
	}
	assert_int_equal(parse_long("p ", WORDS_LINE_MAX - 1, &r),
	    HT_ERR_USAGE);
}

static void
environment_is_a_default(void **state)
{
	const struct request_line_defaults d = { "From there", "http://there/",
		"there.exe" };
	struct request_line r;
	struct ht_error e;

	(void)state;
	assert_int_equal(request_line_parse("p", &d, &r, &e), 0);
	assert_string_equal(r.begin.description, "From there");
	assert_string_equal(r.begin.url, "http://there/");
	assert_string_equal(r.begin.name, "there.exe");

	assert_int_equal(request_line_parse(NULL, &d, &r, &e), 0);
	assert_true(r.bare);
	assert_string_equal(r.begin.description, "From there");

	assert_int_equal(
	    request_line_parse("p Mine --url= --name=b.exe", &d, &r, &e), 0);
	assert_string_equal(r.begin.description, "Mine");
	assert_string_equal(r.begin.url, "");
	assert_string_equal(r.begin.name, "b.exe");

	assert_int_equal(request_line_parse("p ''", &d, &r, &e), 0);
	assert_string_equal(r.begin.description, "");
}

static void
environment_is_checked(void **state)
{
	const struct request_line_defaults bad[] = {
		{ "a\nb", NULL, NULL },
		{ NULL, "http://x y", NULL },
		{ NULL, NULL, "a/b" },
	};
	static const char *const names[] = { "HTSIGN_DESCRIPTION: ",
		"HTSIGN_URL: ", "HTSIGN_NAME: " };
	struct request_line r;
	struct ht_error e;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		assert_int_equal(request_line_parse("p", &bad[i], &r, &e),
		    HT_ERR_USAGE);
		assert_int_equal(strncmp(e.text, names[i], strlen(names[i])),
		    0);
		/* What is overridden, or not used, does not matter. */
		assert_int_equal(
		    request_line_parse("p x --url=y --name=z", &bad[i], &r, &e),
		    0);
		assert_int_equal(request_line_parse("help", &bad[i], &r, &e),
		    0);
	}
}

static void
help_has_every_word(void **state)
{
	static const char *const words[] = { "default", "help", "profiles",
		"--url=URL", "--name=FILE", "--pkcs7", "--page-hashes",
		"--msi-ex", "--size=N", "--sha256=HEX" };
	struct buf out = BUF_INIT;
	size_t i;

	(void)state;
	request_line_help(&out);
	buf_u8(&out, '\0');
	assert_int_equal(buf_failed(&out), 0);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_non_null(strstr((char *)out.data, words[i]));
	assert_null(strstr((char *)out.data, "wait"));
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_a_shells),
		cmocka_unit_test(words_that_are_none),
		cmocka_unit_test(longest_line),
		cmocka_unit_test(no_command),
		cmocka_unit_test(profile_and_description),
		cmocka_unit_test(options_in_any_order),
		cmocka_unit_test(options_alone),
		cmocka_unit_test(verbs),
		cmocka_unit_test(refused_lines),
		cmocka_unit_test(limits),
		cmocka_unit_test(environment_is_a_default),
		cmocka_unit_test(environment_is_checked),
		cmocka_unit_test(help_has_every_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
