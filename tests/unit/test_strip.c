/*
 * A file that was signed and is stripped: the original, byte for byte, for
 * every format; and for what a signature leaves behind, exactly that.
 * MSI files are in test_strip_msi.c.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/cab_image.h"
#include "tests/support/catalog.h"
#include "tests/support/package.h"
#include "tests/support/pe_image.h"
#include "tests/support/signing.h"
#include "tests/support/strip.h"

/* --- PE ------------------------------------------------------------------- */

static size_t
checksum_at(const struct buf *pe)
{
	return (size_t)(pe->data[60] | pe->data[61] << 8) + 88;
}

/* CheckSum, computed some other way. */
static void
set_checksum(struct buf *pe)
{
	uint8_t *field = pe->data + checksum_at(pe);
	uint32_t sum = 0;
	size_t i;

	memset(field, 0, 4);
	for (i = 0; i < pe->len; i++) {
		sum += (uint32_t)pe->data[i] << (i % 2 == 0 ? 0 : 8);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	sum += (uint32_t)pe->len;
	for (i = 0; i < 4; i++)
		field[i] = (uint8_t)(sum >> 8 * i);
}

static void
build_pe(const struct pe_image *image, struct buf *out)
{
	uint8_t payload[64];

	pe_image_build(image, out);
	assert_true(image->payload <= sizeof(payload));
	pe_image_payload(0, payload, (size_t)image->payload);
	buf_bytes(out, payload, (size_t)image->payload);
}

static void
test_pe(void **state)
{
	static const struct pe_image images[] = {
		{ .machine = PE_IMAGE_X64 },
		{ .machine = PE_IMAGE_X86, .payload = 8 },
		{ .machine = PE_IMAGE_ARM64, .efi = true, .payload = 64 },
		{ .machine = PE_IMAGE_X64, .lfanew = 128, .gap = 512 },
	};
	struct buf pe = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(images) / sizeof(images[0]); i++) {
		buf_reset(&pe);
		build_pe(&images[i], &pe);
		set_checksum(&pe);
		strip_assert_restored(&pe, NULL);
	}
	buf_free(&pe);
}

/* A CheckSum that was wrong, or 0 for none, is right afterwards. */
static void
test_pe_wrong_checksum(void **state)
{
	static const struct pe_image image = { .machine = PE_IMAGE_X64 };
	struct buf pe = BUF_INIT;
	struct buf stripped = BUF_INIT;

	(void)state;
	build_pe(&image, &pe);
	strip_round_trip(&pe, NULL, "sha256", 1500, &stripped);
	assert_int_equal(stripped.len, pe.len);
	assert_memory_not_equal(stripped.data + checksum_at(&pe),
	    pe.data + checksum_at(&pe), 4);
	set_checksum(&pe);
	strip_assert_same(&pe, &stripped);
	buf_free(&pe);
	buf_free(&stripped);
}

/* What filled it up for the certificate table is now content. */
static void
test_pe_odd_size(void **state)
{
	struct pe_image image = { .machine = PE_IMAGE_X86 };
	struct buf pe = BUF_INIT;
	struct buf stripped = BUF_INIT;

	(void)state;
	for (image.payload = 1; image.payload < 8; image.payload++) {
		buf_reset(&pe);
		buf_reset(&stripped);
		build_pe(&image, &pe);
		set_checksum(&pe);
		strip_round_trip(&pe, NULL, "sha256", 1500, &stripped);
		buf_zeros(&pe, 8 - pe.len % 8);
		set_checksum(&pe);
		strip_assert_same(&pe, &stripped);
	}
	buf_free(&pe);
	buf_free(&stripped);
}

/* --- CAB ------------------------------------------------------------------ */

static void
test_cab(void **state)
{
	static const struct cab_image images[] = {
		{ .size = 1000 },
		{ .size = 300, .folders = 3 },
		{ .size = 77, .next = true },
		{ .size = 77, .previous = true, .next = true, .number = 1 },
		{ .size = 40, .cabinet_area = 21 },
		{ .size = 40, .cabinet_area = 6144 },
		{ .size = 40, .cabinet_area = 60, .first = 26, .next = true },
		{ .size = 40,
		    .folder_area = 128,
		    .data_area = 3,
		    .folders = 2 },
		{ .size = 40,
		    .folder_area = 255,
		    .folders = 200,
		    .previous = true },
		{ .size = 1 << 20, .folders = 2, .cabinet_area = 59980 },
		{ .folders = 7 },
	};
	struct buf cab = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(images) / sizeof(images[0]); i++) {
		buf_reset(&cab);
		cab_image_build(&images[i], &cab);
		strip_assert_restored(&cab, NULL);
	}
	buf_free(&cab);
}

/*
 * Areas that signing made 20 bytes of zeros, or had to make larger, are not
 * told from such as it made from nothing.
 */
static void
test_cab_areas(void **state)
{
	static const struct {
		struct cab_image original;
		struct cab_image stripped;
	} pairs[] = {
		{ { .size = 40, .reserve = true }, { .size = 40 } },
		{ { .size = 40, .cabinet_area = 2 }, { .size = 40 } },
		{ { .size = 40, .cabinet_area = 20 }, { .size = 40 } },
		{ { .size = 40, .cabinet_area = 20, .folder_area = 1 },
		    { .size = 40, .folder_area = 1 } },
		{ { .size = 40, .cabinet_area = 30, .first = 26 },
		    { .size = 40, .cabinet_area = 46, .first = 26 } },
	};
	struct buf cab = BUF_INIT;
	struct buf expected = BUF_INIT;
	struct buf stripped = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		buf_reset(&cab);
		buf_reset(&expected);
		buf_reset(&stripped);
		cab_image_build(&pairs[i].original, &cab);
		cab_image_build(&pairs[i].stripped, &expected);
		strip_round_trip(&cab, NULL, "sha256", 1500, &stripped);
		strip_assert_same(&expected, &stripped);
	}
	buf_free(&cab);
	buf_free(&expected);
	buf_free(&stripped);
}

/* --- catalogs ------------------------------------------------------------- */

static void
test_cat(void **state)
{
	struct cms_options options = { .signing_time = CMS_NO_TIME };
	static const unsigned int members[] = { 0, 1, 1000 };
	struct signing signing;
	struct ht_error e;
	size_t i;

	(void)state;
	assert_int_equal(signing_make("P-256", &signing, &e), 0);
	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		struct buf cat = BUF_INIT;
		struct buf p7 = BUF_INIT;
		struct buf stripped = BUF_INIT;
		struct format_file *file;
		struct input *in;

		catalog_make(members[i], CATALOG_GOOD, &cat);
		in = input_memory(cat.data, cat.len, &e);
		file = strip_open(in, NULL, "sha256");
		assert_int_equal(signing_sign(&signing, "cat", &file->content,
		                     &options, &p7, &e),
		    0);
		strip_off(&p7, NULL, "sha256", &stripped);
		strip_assert_same(&cat, &stripped);
		format_file_free(file);
		input_free(in);
		buf_free(&cat);
		buf_free(&p7);
		buf_free(&stripped);
	}
	signing_clear(&signing);
}

/* --- APPX ----------------------------------------------------------------- */

static void
test_appx(void **state)
{
	static const struct package packages[] = {
		{ .files = 3, .size = 5000 },
		{ .bundle = true, .files = 1, .size = 10 },
		{ .types_first = true, .files = 40, .size = 1 },
		{ .code_integrity = true, .method = "sha512" },
	};
	struct buf appx = BUF_INIT;
	struct buf stripped = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(packages) / sizeof(packages[0]); i++) {
		struct package package = packages[i];

		if (package.method == NULL)
			package.method = "sha256";
		package.publisher = "CN=Us";
		buf_reset(&appx);
		buf_reset(&stripped);
		package_make(&package, &appx);
		strip_round_trip(&appx, NULL, package.method, 1500, &stripped);
		strip_assert_same(&appx, &stripped);
	}
	buf_free(&appx);
	buf_free(&stripped);
}

/*
 * Content types that had the signature's among them already are without it.
 */
static void
test_appx_overridden(void **state)
{
	struct package package = { .method = "sha256",
		.publisher = "CN=Us",
		.files = 2,
		.size = 300 };
	struct buf expected = BUF_INIT;
	struct buf appx = BUF_INIT;
	struct buf stripped = BUF_INIT;

	(void)state;
	package_make(&package, &expected);
	package.overridden = true;
	package_make(&package, &appx);
	strip_round_trip(&appx, NULL, "sha256", 1500, &stripped);
	strip_assert_same(&expected, &stripped);
	buf_free(&expected);
	buf_free(&appx);
	buf_free(&stripped);
}

/*
 * Content types that were deflated, had a descriptor, or needed ZIP64, are
 * stored without any of that.  From then on signing and stripping lose nothing.
 */
static void
test_appx_stored(void **state)
{
	static const struct package packages[] = {
		{ .deflated = true, .files = 2, .size = 300 },
		{ .descriptor = 16, .files = 2, .size = 300 },
		{ .zip64 = true, .files = 2, .size = 300 },
	};
	struct buf appx = BUF_INIT;
	struct buf stripped = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(packages) / sizeof(packages[0]); i++) {
		struct package package = packages[i];

		package.method = "sha256";
		package.publisher = "CN=Us";
		buf_reset(&appx);
		buf_reset(&stripped);
		package_make(&package, &appx);
		strip_round_trip(&appx, NULL, "sha256", 1500, &stripped);
		assert_false(stripped.len == appx.len &&
		    memcmp(stripped.data, appx.data, appx.len) == 0);
		strip_assert_restored(&stripped, NULL);
	}
	buf_free(&appx);
	buf_free(&stripped);
}

/* --- scripts -------------------------------------------------------------- */

#define BYTES(literal) literal, sizeof(literal) - 1

static void
test_scripts(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		size_t length;
	} scripts[] = {
		{ "a.ps1", BYTES("a\r\n") },
		{ "a.psd1", BYTES("a") },
		{ "a.psm1", BYTES("\xef\xbb\xbf\xe2\x82\xac\n") },
		{ "w.ps1",
		    BYTES("\xff\xfe"
		          "a\0\r\0\n\0") },
		{ "n.ps1", BYTES("\xfc\x80\x81") },
		{ "a.ps1xml", BYTES("<a>\xc3\xbc</a>\r\n\r\n") },
		{ "a.mof", BYTES("class A {};\n") },
		{ "a.js", BYTES("x = 1;") },
		{ "a.vbs",
		    BYTES("\xff\xfe"
		          "x\0") },
		{ "a.wsf", BYTES("<job>\n</job>\r\n<job>a</job>\r\n") },
	};
	struct buf text = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		buf_reset(&text);
		buf_bytes(&text, scripts[i].text, scripts[i].length);
		strip_assert_restored(&text, scripts[i].name);
	}
	buf_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pe),
		cmocka_unit_test(test_pe_wrong_checksum),
		cmocka_unit_test(test_pe_odd_size),
		cmocka_unit_test(test_cab),
		cmocka_unit_test(test_cab_areas),
		cmocka_unit_test(test_cat),
		cmocka_unit_test(test_appx),
		cmocka_unit_test(test_appx_overridden),
		cmocka_unit_test(test_appx_stored),
		cmocka_unit_test(test_scripts),
	};

	return cmocka_run_group_tests(tests, strip_start, NULL);
}
