#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "formats/format.h"
#include "lib/base64.h"
#include "lib/utf8.h"
#include "tests/support/signable.h"

#define TYPE                                                                   \
	".  On Windows type: cmd /c \"ssh sign@HOST PROFILE < a.exe > "        \
	"b.exe\" "                                                             \
	"(htsign-windows(7))"
#define PROGRAM "not a file to sign, but a program (PE) "

typedef void damage_fn(const struct buf *in, struct buf *out);

/* The headers of a program as linkers make it, and bytes of all values. */
static void
make_program(struct buf *out)
{
	static const char stub[] = "\x0e\x1f\xba\x0e\0\xb4\x09\xcd\x21\xb8\x01"
	                           "\x4c\xcd\x21This program cannot be run in "
	                           "DOS mode.\r\r\n$";
	unsigned int i;

	buf_bytes(out, "MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0", 16);
	buf_zeros(out, 0x3c - 16);
	buf_u32le(out, 0x80);
	buf_bytes(out, stub, sizeof(stub) - 1);
	buf_zeros(out, 0x80 - out->len);
	buf_bytes(out, "PE\0\0\x64\x86", 6);
	for (i = 0; i < 70000; i++)
		buf_u8(out, (uint8_t)(i * i >> 3));
}

static void
make_of(const char *magic, size_t n, struct buf *out)
{
	unsigned int i;

	buf_bytes(out, magic, n);
	for (i = 0; i < 70000; i++)
		buf_u8(out, (uint8_t)(i * i >> 3));
}

/* --- what becomes of bytes ------------------------------------------------ */

static void
to_crlf(const struct buf *in, struct buf *out)
{
	size_t i;

	for (i = 0; i < in->len; i++) {
		if (in->data[i] == '\n')
			buf_u8(out, '\r');
		buf_u8(out, in->data[i]);
	}
}

static void
to_lf(const struct buf *in, struct buf *out)
{
	size_t i;

	for (i = 0; i < in->len; i++) {
		if (in->data[i] != '\r' || i + 1 == in->len ||
		    in->data[i + 1] != '\n')
			buf_u8(out, in->data[i]);
	}
}

static void
to_ascii(const struct buf *in, struct buf *out)
{
	size_t i;

	for (i = 0; i < in->len; i++)
		buf_u8(out, in->data[i] < 0x80 ? in->data[i] : '?');
}

/* Code page 437 has box drawings and Greek there. */
static uint16_t
character(uint8_t byte)
{
	return byte < 0x80 ? byte : (uint16_t)(0x2500 + byte);
}

static void
to_utf16(const struct buf *in, struct buf *out)
{
	size_t i;

	buf_bytes(out, "\xff\xfe", 2);
	for (i = 0; i < in->len; i++)
		buf_u16le(out, character(in->data[i]));
}

static void
to_utf16_unmarked(const struct buf *in, struct buf *out)
{
	size_t i;

	for (i = 0; i < in->len; i++)
		buf_u16le(out, in->data[i]);
}

static void
to_utf16be(const struct buf *in, struct buf *out)
{
	size_t i;

	buf_bytes(out, "\xfe\xff", 2);
	for (i = 0; i < in->len; i++)
		buf_u16be(out, character(in->data[i]));
}

static void
to_utf8(const struct buf *in, struct buf *out)
{
	size_t i;

	for (i = 0; i < in->len; i++)
		utf8_put(out, character(in->data[i]));
}

static void
to_marked_utf8(const struct buf *in, struct buf *out)
{
	buf_bytes(out, "\xef\xbb\xbf", 3);
	to_utf8(in, out);
}

/* As a decoder does that takes the bytes for UTF-8. */
static void
to_replaced(const struct buf *in, struct buf *out)
{
	size_t i;

	for (i = 0; i < in->len; i++)
		utf8_put(out, in->data[i] < 0x80 ? in->data[i] : 0xfffd);
}

static void
to_base64(const struct buf *in, struct buf *out)
{
	base64_encode(in->data, in->len, BASE64_STANDARD, out);
}

/* --- and what is said ---------------------------------------------------- */

static void
says(const struct buf *file, damage_fn *damage, const char *text)
{
	const struct format_options options = { .algorithm = "sha256" };
	struct buf damaged = BUF_INIT;
	struct format_file *digested = NULL;
	struct input *in;
	struct ht_error e;

	if (damage != NULL)
		damage(file, &damaged);
	else
		buf_bytes(&damaged, file->data, file->len);
	in = input_memory(damaged.data, damaged.len, &e);
	assert_non_null(in);
	assert_int_equal(signable_digest(in, NULL, &options, &digested, &e),
	    HT_ERR_DATA);
	if (strcmp(e.text, text) != 0)
		fail_msg("%s", e.text);
	input_free(in);
	buf_free(&damaged);
}

static void
test_programs(void **state)
{
	struct buf program = BUF_INIT;

	(void)state;
	make_program(&program);
	says(&program, to_crlf,
	    PROGRAM "with CR LF for each LF: something sent it as text" TYPE);
	says(&program, to_lf,
	    PROGRAM "with LF for each CR LF: something sent it as text" TYPE);
	says(&program, to_ascii,
	    PROGRAM "in which ? stands for bytes: PowerShell's | made it ASCII "
	            "text" TYPE);
	says(&program, to_utf16,
	    PROGRAM "in UTF-16: PowerShell's > made it text" TYPE);
	says(&program, to_utf16_unmarked,
	    PROGRAM "in UTF-16: PowerShell's > made it text" TYPE);
	says(&program, to_utf16be,
	    PROGRAM "in UTF-16: PowerShell's > made it text" TYPE);
	says(&program, to_marked_utf8,
	    PROGRAM "in UTF-8: PowerShell's | or > made it text" TYPE);
	says(&program, to_replaced,
	    PROGRAM "in which U+FFFD stands for bytes: PowerShell's | or > "
	            "made it UTF-8 text" TYPE);
	says(&program, to_base64,
	    PROGRAM "in base64: decode it first (base64 -d, certutil "
	            "-decode)");
	buf_free(&program);
}

static void
test_others(void **state)
{
	struct buf msi = BUF_INIT;
	struct buf cab = BUF_INIT;
	struct buf zip = BUF_INIT;

	(void)state;
	make_of("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 8, &msi);
	make_of("MSCF\0\0\0\0", 8, &cab);
	make_of("PK\3\4", 4, &zip);
	says(&msi, to_ascii,
	    "not a file to sign, but an MSI in UTF-8: PowerShell's | or > made "
	    "it text" TYPE);
	says(&msi, to_utf16,
	    "not a file to sign, but an MSI in UTF-16: PowerShell's > made it "
	    "text" TYPE);
	says(&msi, to_replaced,
	    "not a file to sign, but an MSI in UTF-8: PowerShell's | or > made "
	    "it text" TYPE);
	says(&msi, to_crlf,
	    "not a file to sign, but an MSI with CR LF for each LF: something "
	    "sent it as text" TYPE);
	says(&cab, to_replaced,
	    "not a file to sign, but a cabinet in which U+FFFD stands for "
	    "bytes: PowerShell's | or > made it UTF-8 text" TYPE);
	says(&cab, to_utf16be,
	    "not a file to sign, but a cabinet in UTF-16: PowerShell's > made "
	    "it text" TYPE);
	says(&cab, to_base64,
	    "not a file to sign, but a cabinet in base64: decode it first "
	    "(base64 -d, certutil -decode)");
	says(&zip, to_crlf,
	    "not a file to sign, but a package (APPX) with CR LF for each LF: "
	    "something sent it as text" TYPE);
	says(&zip, to_base64,
	    "not a file to sign, but a package (APPX) in base64: decode it "
	    "first (base64 -d, certutil -decode)");
	buf_free(&msi);
	buf_free(&cab);
	buf_free(&zip);
}

/* What is damaged in another way, or is no such file, is called what it is. */
static void
test_undamaged(void **state)
{
	struct buf file = BUF_INIT;

	(void)state;
	make_program(&file);
	file.data[0x80] = 'N';
	says(&file, NULL,
	    "no PE signature: a DOS or 16-bit program (PE, Signature)");
	buf_reset(&file);
	make_of("PK\3\4", 4, &file);
	says(&file, NULL,
	    "ZIP: the file does not end with an end record: it is cut, or "
	    "there is something behind it (APPNOTE 4.3.16)");
	buf_reset(&file);
	make_of("TV is what they watch there", 27, &file);
	says(&file, NULL,
	    "not a signable file: its first bytes are of no known format, and "
	    "a script needs its name: --name=a.ps1");
	buf_reset(&file);
	make_of("M", 1, &file);
	file.len = 1;
	says(&file, NULL,
	    "not a signable file: its first bytes are of no known format, and "
	    "a script needs its name: --name=a.ps1");
	buf_free(&file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_undamaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
