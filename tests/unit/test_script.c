#include "config.h"

#include <openssl/evp.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "formats/script/script-text.h"
#include "tests/support/no_memory.h"
#include "tests/support/signable.h"
#include "tests/support/signing.h"

/* A literal and its length: there are NULs in UTF-16. */
#define BYTES(literal) literal, sizeof(literal) - 1

/*
 * A script, its format, and what is digested of it, byte for byte.
 */
static const struct {
	const char *name;
	const char *format;
	const char *text;
	size_t length;
	const char *covered;
	size_t ncovered;
} scripts[] = {
	/* PowerShell: as UTF-8 without a mark, which is not added. */
	{ "a.ps1", "ps1", BYTES("a\r\n"), BYTES("a\0\r\0\n\0") },
	{ "a.PSD1", "ps1", BYTES("a\n"), BYTES("a\0\n\0") },
	{ "a.b.psm1", "ps1", BYTES("a"), BYTES("a\0") },
	{ "u.ps1", "ps1", BYTES("\xc3\xbc\xf0\x9f\x98\x80"),
	    BYTES("\xfc\0\x3d\xd8\x00\xde") },
	/* The mark counts. */
	{ "m.ps1", "ps1", BYTES("\xef\xbb\xbf\xe2\x82\xac"),
	    BYTES("\xff\xfe\xac\x20") },
	{ "w.ps1", "ps1",
	    BYTES("\xff\xfe"
	          "a\0\r\0\n\0"),
	    BYTES("\xff\xfe"
	          "a\0\r\0\n\0") },
	{ "o.ps1", "ps1", BYTES("\xef\xbb\xbf"), BYTES("\xff\xfe") },
	/* What is not UTF-8 is ANSI.  It has no mark either: Microsoft's. */
	{ "n.ps1", "ps1", BYTES("\xfc\x80\x81"),
	    BYTES("\xfc\0\xac\x20\x81\0") },
	{ "n.psd1", "ps1", BYTES("# \xa9 Us\r\n"),
	    BYTES("#\0 \0\xa9\0 \0U\0s\0\r\0\n\0") },
	{ "a.mof", "mof", BYTES("\xc3\xbc"), BYTES("\xfc\0") },
	/* XML without a mark always is. */
	{ "a.ps1xml", "ps1xml", BYTES("\xc3\xbc"), BYTES("\xc3\0\xbc\0") },
	{ "a.psc1", "ps1xml", BYTES("\xef\xbb\xbf\xc3\xbc"),
	    BYTES("\xff\xfe\xfc\0") },
	{ "a.cdxml", "ps1xml",
	    BYTES("\xff\xfe"
	          "\xfc\0"),
	    BYTES("\xff\xfe\xfc\0") },
	/* The Script Host: no mark, and the place of the block. */
	{ "a.js", "js", BYTES("a\r\n"), BYTES("a\0\r\0\n\0\3\0\0\0") },
	{ "m.js", "js", BYTES("\xef\xbb\xbf\xf0\x9f\x98\x80"),
	    BYTES("\x3d\xd8\x00\xde\2\0\0\0") },
	{ "a.vbs", "vbs", BYTES("\xc3\xbc"), BYTES("\xc3\0\xbc\0\2\0\0\0") },
	{ "w.vbs", "vbs",
	    BYTES("\xff\xfe"
	          "a\0"),
	    BYTES("a\0\1\0\0\0") },
	{ "a.wsf", "wsf", BYTES("\xc3\xbc</job>\n"),
	    BYTES("\xfc\0<\0/\0j\0o\0b\0>\0\n\0\1\0\0\0") },
	{ "two.wsf", "wsf", BYTES("</job>\n</job>"),
	    BYTES("<\0/\0j\0o\0b\0>\0\n\0<\0/\0j\0o\0b\0>\0\7\0\0\0") },
	{ "w.wsf", "wsf",
	    BYTES("\xff\xfe"
	          "a\0<\0/\0j\0o\0b\0>\0"),
	    BYTES("a\0<\0/\0j\0o\0b\0>\0\1\0\0\0") },
};
#define SCRIPTS (sizeof(scripts) / sizeof(scripts[0]))

static void
sign(const char *name, const void *p, size_t n, struct buf *out)
{
	struct cms_options options = { .signing_time = CMS_NO_TIME };
	struct ht_error e;
	struct input *in = input_memory(p, n, &e);
	struct format_file *file = signable_open(in, name, NULL);
	struct buf p7 = BUF_INIT;

	assert_int_equal(signing_sign(&signing_p256, file->format->name,
	                     &file->content, &options, &p7, &e),
	    0);
	signable_attach(file, p7.data, p7.len, out);
	buf_free(&p7);
	format_file_free(file);
	input_free(in);
}

static bool
verifies(const char *name, const struct buf *script, struct ht_error *e)
{
	struct format_verified verified = { 0 };
	struct input *in = input_memory(script->data, script->len, e);
	const struct format *format;
	int rc;

	rc = format_detect(in, name, &format, e);
	if (rc == 0)
		rc = format_verify(format, in, NULL, &verified, e);
	assert_true(rc == 0 || rc == HT_ERR_DATA);
	format_verified_clear(&verified);
	input_free(in);
	return rc == 0;
}

static void
test_what_is_digested(void **state)
{
	uint8_t expected[32];
	size_t i;

	(void)state;
	for (i = 0; i < SCRIPTS; i++) {
		struct ht_error e;
		struct input *in =
		    input_memory(scripts[i].text, scripts[i].length, &e);
		struct format_file *file =
		    signable_open(in, scripts[i].name, NULL);

		assert_string_equal(file->format->name, scripts[i].format);
		assert_int_equal(file->size, scripts[i].length);
		assert_false(file->was_signed);
		assert_int_equal(EVP_Digest(scripts[i].covered,
		                     scripts[i].ncovered, expected, NULL,
		                     EVP_sha256(), NULL),
		    1);
		if (memcmp(file->digest.value, expected, 32) != 0)
			fail_msg("%s: another digest", scripts[i].name);
		format_file_free(file);
		input_free(in);
	}
}

/* Computed by another program. */
static void
test_known_digests(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		const char *digest;
	} known[] = {
		{ "a.js", "WScript.Echo(\"Hi\");\r\n",
		    "588a02be80b639b0635ab98dcfe321428e83e824f19ba4987b2126d165"
		    "4bef69" },
		{ "a.vbs", "MsgBox \"\xe9\x80\"\r\n",
		    "780da9d27a47d2ffbce912a2dabc005269e603fe1e54939d4721d4f341"
		    "2a5ec6" },
		{ "a.wsf", "<job>\r\n<script/>\r\n</job>\r\n",
		    "7105433af3ad293113362de7d89a4be69e89d0e1302ba1a630c61218a4"
		    "f44443" },
	};
	char text[65];
	size_t i;
	size_t j;

	(void)state;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		struct ht_error e;
		struct input *in =
		    input_memory(known[i].text, strlen(known[i].text), &e);
		struct format_file *file =
		    signable_open(in, known[i].name, NULL);

		for (j = 0; j < 32; j++)
			(void)snprintf(text + 2 * j, 3, "%02x",
			    file->digest.value[j]);
		assert_string_equal(text, known[i].digest);
		format_file_free(file);
		input_free(in);
	}
}

static void
test_sign_and_sign_again(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < SCRIPTS; i++) {
		const char *name = scripts[i].name;
		struct buf once = BUF_INIT;
		struct buf twice = BUF_INIT;
		struct format_file *file;
		struct ht_error e;
		struct input *in;

		sign(name, scripts[i].text, scripts[i].length, &once);
		if (!verifies(name, &once, &e))
			fail_msg("%s: %s", name, e.text);
		in = input_memory(once.data, once.len, &e);
		file = signable_open(in, name, NULL);
		assert_true(file->was_signed);
		format_file_free(file);
		input_free(in);
		sign(name, once.data, once.len, &twice);
		if (!verifies(name, &twice, &e))
			fail_msg("%s: %s", name, e.text);
		buf_free(&once);
		buf_free(&twice);
	}
}

/*
 * Signed files to the byte, with something short for a signature: 50 bytes
 * make a line of 64 digits and one of 4.
 */
static const uint8_t short_p7[50];
#define A64 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define HASH_BLOCK(text)                                                       \
	text "\r\n# SIG # Begin signature block\r\n# " A64 "\r\n# AAA=\r\n"    \
	     "# SIG # End signature block\r\n"

static const struct {
	const char *name;
	const char *text;
	const char *signed_text;
} blocks[] = {
	{ "a.ps1", "a\n", HASH_BLOCK("a\n") },
	{ "a.ps1xml", "<a/>",
	    "<a/>\r\n<!-- SIG # Begin signature block -->\r\n<!-- " A64
	    " -->\r\n<!-- AAA= -->\r\n<!-- SIG # End signature block -->\r\n" },
	{ "a.mof", "a",
	    "a\r\n/* SIG # Begin signature block */\r\n/* " A64
	    " */\r\n/* AAA= */\r\n/* SIG # End signature block */\r\n" },
	{ "a.js", "a\r\n",
	    "a\r\n\r\n// SIG // Begin signature block\r\n// SIG // " A64
	    "\r\n// SIG // AAA=\r\n// SIG // End signature block\r\n" },
	{ "a.vbs", "a",
	    "a\r\n'' SIG '' Begin signature block\r\n'' SIG '' " A64
	    "\r\n'' SIG '' AAA=\r\n'' SIG '' End signature block\r\n" },
	{ "a.wsf", "<job>\n</job>\n",
	    "<job>\n\r\n<signature>\r\n** SIG ** " A64
	    "\r\n** SIG ** AAA=\r\n</signature>\r\n</job>\n" },
};
#define BLOCKS (sizeof(blocks) / sizeof(blocks[0]))

static void
test_block(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < BLOCKS; i++) {
		const char *name = blocks[i].name;
		struct ht_error e;
		struct input *in =
		    input_memory(blocks[i].text, strlen(blocks[i].text), &e);
		struct format_file *file = signable_open(in, name, NULL);
		const struct format *format = file->format;
		struct buf out = BUF_INIT;
		struct buf p7 = BUF_INIT;

		signable_attach(file, short_p7, sizeof(short_p7), &out);
		assert_int_equal(out.len, strlen(blocks[i].signed_text));
		assert_memory_equal(out.data, blocks[i].signed_text, out.len);
		format_file_free(file);
		input_free(in);
		in = input_memory(out.data, out.len, &e);
		assert_int_equal(format->signature(in, &p7, NULL, &e), 0);
		assert_int_equal(p7.len, sizeof(short_p7));
		input_free(in);
		buf_free(&out);
		buf_free(&p7);
	}
}

/* Want of memory is not damage of the block. */
static void
test_no_memory(void **state)
{
	const char *text = blocks[0].signed_text;
	struct ht_error e;
	struct input *in = input_memory("a", 1, &e);
	struct format_file *file = signable_open(in, "a.ps1", NULL);
	const struct format *format = file->format;
	struct buf p7 = BUF_INIT;
	unsigned int n;
	int rc;

	(void)state;
	format_file_free(file);
	for (n = 1;; n++) {
		input_free(in);
		buf_free(&p7);
		in = input_memory(text, strlen(text), &e);
		no_memory_at(n);
		rc = format->signature(in, &p7, NULL, &e);
		if (!no_memory_met())
			break;
		assert_int_equal(rc, HT_ERR_INTERNAL);
	}
	no_memory_at(0);
	assert_int_equal(rc, 0);
	assert_int_equal(p7.len, sizeof(short_p7));
	input_free(in);
	buf_free(&p7);
}

static void
widen(const char *text, struct buf *out)
{
	buf_u16le(out, 0xfeff);
	for (; *text != '\0'; text++)
		buf_u16le(out, (uint8_t)*text);
}

/* In UTF-16 the block is, too. */
static void
test_wide_block(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < BLOCKS; i++) {
		struct buf plain = BUF_INIT;
		struct buf expected = BUF_INIT;
		struct buf out = BUF_INIT;
		struct format_file *file;
		struct ht_error e;
		struct input *in;

		widen(blocks[i].text, &plain);
		widen(blocks[i].signed_text, &expected);
		in = input_memory(plain.data, plain.len, &e);
		file = signable_open(in, blocks[i].name, NULL);
		signable_attach(file, short_p7, sizeof(short_p7), &out);
		assert_int_equal(out.len, expected.len);
		assert_memory_equal(out.data, expected.data, out.len);
		format_file_free(file);
		input_free(in);
		in = input_memory(out.data, out.len, &e);
		file = signable_open(in, blocks[i].name, NULL);
		assert_true(file->was_signed);
		format_file_free(file);
		input_free(in);
		buf_free(&plain);
		buf_free(&expected);
		buf_free(&out);
	}
}

static const struct {
	const char *name;
	const char *text;
	size_t length;
	uint64_t offset;
	const char *why;
} bad[] = {
	{ "a.ps1", BYTES("a\0b"), 1, "a NUL: this is not text" },
	{ "a.ps1", BYTES("a\0b\0"), 1, "a NUL: this is not text" },
	{ "a.js",
	    BYTES("\xff\xfe"
	          "a\0\0\0"),
	    4, "a NUL: this is not text" },
	{ "a.ps1",
	    BYTES("\xff\xfe"
	          "a"),
	    2, "UTF-16 text has an odd number of bytes" },
	{ "a.ps1", BYTES("\xfe\xff\0a"), 0, "big-endian" },
	{ "a.ps1",
	    BYTES("\xef\xbb\xbf"
	          "ab\xfc"),
	    5, "not UTF-8" },
	{ "a.wsf", BYTES("<job>"), 5, "no </job>" },
	{ "a.ps1", BYTES("# SIG # Begin signature block\r\n"), 0,
	    "no CRLF before it" },
	{ "a.ps1", BYTES("a\n# SIG # Begin signature block\r\n"), 2,
	    "no CRLF before it" },
	{ "a.ps1", BYTES("\r# SIG # Begin signature block\r\n"), 1,
	    "no CRLF before it" },
	{ "a.ps1", BYTES("a\r\n# sig # begin signature block\r\n"), 3,
	    "its first line is damaged" },
	{ "a.ps1", BYTES("a\r\n# SIG # Begin signature block \r\n"), 32,
	    "its first line is damaged" },
	{ "a.ps1", BYTES("a\r\n# SIG # Begin signature block"), 32,
	    "its first line is damaged" },
	{ "a.ps1", BYTES("\r\n# SIG # Begin signature block\r\n# AA=\n"), 38,
	    "a line is damaged" },
	{ "a.ps1", BYTES("\r\n# SIG # Begin signature block\r\n# \r\n"), 35,
	    "a line is damaged" },
	{ "a.ps1", BYTES("\r\n# SIG # Begin signature block\r\nAAAA\r\n"), 33,
	    "a line is damaged" },
	{ "a.ps1",
	    BYTES("\r\n# SIG # Begin signature block\r\n# " A64
	          "AAAAAAAAAAAAAAAA\r\n# SIG # End signature block\r\n"),
	    115, "a line is damaged" },
	{ "a.ps1",
	    BYTES("\r\n# SIG # Begin signature block\r\n"
	          "# SIG # End signature block\r\n"),
	    0, "not Base64 of a signature" },
	{ "a.ps1",
	    BYTES("\r\n# SIG # Begin signature block\r\n# AB==\r\n"
	          "# SIG # End signature block\r\n"),
	    0, "not Base64 of a signature" },
	{ "a.ps1",
	    BYTES("\r\n# SIG # Begin signature block\r\n# AA==\r\n"
	          "# SIG # End signature block"),
	    68, "no CRLF at its end" },
	{ "a.ps1",
	    BYTES("\r\n# SIG # Begin signature block\r\n# AA==\r\n"
	          "# SIG # End signature block\r\n\r\n"),
	    70, "text behind it" },
	{ "a.ps1", BYTES(HASH_BLOCK("") HASH_BLOCK("")), 140,
	    "there is a second one" },
	{ "a.vbs", BYTES("a\r'' SIG '' BEGIN SIGNATURE BLOCK"), 2,
	    "no CRLF before it" },
	{ "a.ps1xml", BYTES("<a/> <!-- SIG # Begin signature block -->\r\n"), 5,
	    "no CRLF before it" },
	{ "a.wsf", BYTES("<job> <signature></signature> </job>"), 6,
	    "no CRLF before it" },
	{ "a.wsf",
	    BYTES("<job>\r\n<Signature>\r\n** SIG ** AA==\r\n"
	          "</signature>\r\n</job>"),
	    7, "its first line is damaged" },
	{ "a.wsf",
	    BYTES("<job>\r\n<signature>\r\n** SIG ** AA==\r\n"
	          "</signature>\r\n</job>\r\n</job>"),
	    50, "not before the last end tag" },
	{ "a.wsf",
	    BYTES("<job>\r\n<signature>\r\n** SIG ** AA==\r\n"
	          "</signature>\r\n </job>"),
	    50, "not before the last end tag" },
};
#define BAD (sizeof(bad) / sizeof(bad[0]))

static void
test_bad_scripts(void **state)
{
	struct ht_error e;
	size_t i;

	(void)state;
	for (i = 0; i < BAD; i++) {
		ht_error_clear(&e);
		assert_int_equal(signable_try(bad[i].text, bad[i].length,
		                     bad[i].name, NULL, &e),
		    HT_ERR_DATA);
		if (strstr(e.text, bad[i].why) == NULL ||
		    e.offset != bad[i].offset)
			fail_msg("%zu: \"%s\" at %llu, not \"%s\" at %llu", i,
			    e.text, (unsigned long long)e.offset, bad[i].why,
			    (unsigned long long)bad[i].offset);
	}
}

/* Remains that go leave no block behind, which the signed file would have. */
static void
test_remains_before_a_second_block(void **state)
{
	static const struct format_options options = { .algorithm = "sha256",
		.remains = true };
#define WSF_BLOCK "<signature>\r\n** SIG ** AA==\r\n</signature>\r\n"
	static const char text[] = "<job>\n" WSF_BLOCK "</job>\r\n" WSF_BLOCK;
	const size_t second = sizeof(WSF_BLOCK) - 1;
	struct ht_error e;

	(void)state;
	assert_int_equal(signable_try(text, sizeof(text) - 1 - second, "a.wsf",
	                     &options, &e),
	    0);
	assert_int_equal(
	    signable_try(text, sizeof(text) - 1, "a.wsf", &options, &e),
	    HT_ERR_DATA);
	assert_string_equal(e.text, "signature block: there is a second one");
	assert_int_equal(e.offset, sizeof(text) - 1 - second);
}

/* Words in the middle of a line are a script's own business. */
static void
test_not_a_block(void **state)
{
	static const char text[] = "$x = '# SIG # Begin signature block'\r\n"
	                           "# SIG # End signature block\r\n";
	struct ht_error e;

	(void)state;
	assert_int_equal(
	    signable_try(text, sizeof(text) - 1, "a.ps1", NULL, &e), 0);
	assert_int_equal(signable_try(text, sizeof(text) - 1, "a.js", NULL, &e),
	    0);
}

/* Its name alone makes a script, and never of what its bytes tell. */
static void
test_names(void **state)
{
	static const char *const others[] = { "a.txt", "ps1", "a.ps1/b", "a.",
		"a.ps", "a.ps1 ", ".js.txt", NULL };
	struct ht_error e;
	size_t i;

	(void)state;
	for (i = 0; others[i] != NULL; i++)
		assert_int_equal(signable_try("a", 1, others[i], NULL, &e),
		    HT_ERR_DATA);
	assert_int_equal(signable_try("a", 1, NULL, NULL, &e), HT_ERR_DATA);
	assert_non_null(strstr(e.text, "not a signable file"));
	assert_int_equal(signable_try("MZ", 2, "a.ps1", NULL, &e), HT_ERR_DATA);
	assert_non_null(strstr(e.text, "DOS header"));
	assert_int_equal(signable_try("", 0, "a.ps1", NULL, &e), HT_ERR_DATA);
	assert_int_equal(signable_try("a", 1, "a.ps1", NULL, &e), 0);
}

/* A signature of one kind of script is none of another. */
static void
test_kinds_are_apart(void **state)
{
	struct format_verified verified;
	struct buf out = BUF_INIT;
	struct ht_error e;
	struct input *in;

	(void)state;
	sign("a.js", "a", 1, &out);
	in = input_memory(out.data, out.len, &e);
	assert_int_equal(format_verify(&format_vbs, in, NULL, &verified, &e),
	    HT_ERR_DATA);
	assert_string_equal(e.text, "the file is not signed");
	input_free(in);
	buf_free(&out);
}

/*
 * A large one is held in memory, a larger one refused; with any signature it
 * can still be read.
 */
static void
test_size(void **state)
{
	struct buf big = BUF_INIT;
	struct buf p7 = BUF_INIT;
	struct buf out = BUF_INIT;
	struct format_file *file;
	struct ht_error e;
	struct input *in;
	uint8_t *p;
	size_t i;

	(void)state;
	p = buf_room(&big, SCRIPT_SIGNED_MAX + 1);
	buf_zeros(&p7, SCRIPT_PKCS7_MAX);
	assert_int_equal(buf_failed(&big) | buf_failed(&p7), 0);
	p[0] = 0xff;
	p[1] = 0xfe;
	for (i = 2; i <= SCRIPT_SIGNED_MAX; i++)
		p[i] = (uint8_t)(i % 64 == 63 ? '\n' : '<');
	assert_int_equal(signable_try(p, SCRIPT_MAX + 2, "a.ps1", NULL, &e),
	    HT_ERR_REFUSED);
	assert_non_null(strstr(e.text, "more than 12 MiB"));
	assert_int_equal(
	    signable_try(p, SCRIPT_SIGNED_MAX + 1, "a.ps1", NULL, &e),
	    HT_ERR_REFUSED);
	in = input_memory(p, SCRIPT_MAX, &e);
	file = signable_open(in, "a.js", NULL);
	signable_attach(file, p7.data, p7.len, &out);
	format_file_free(file);
	input_free(in);
	in = input_memory(out.data, out.len, &e);
	file = signable_open(in, "a.js", NULL);
	assert_true(file->was_signed);
	format_file_free(file);
	input_free(in);
	buf_free(&big);
	buf_free(&p7);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_digested),
		cmocka_unit_test(test_known_digests),
		cmocka_unit_test(test_sign_and_sign_again),
		cmocka_unit_test(test_block),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_wide_block),
		cmocka_unit_test(test_bad_scripts),
		cmocka_unit_test(test_remains_before_a_second_block),
		cmocka_unit_test(test_not_a_block),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_kinds_are_apart),
		cmocka_unit_test(test_size),
	};

	return cmocka_run_group_tests(tests, signing_start, signing_stop);
}
