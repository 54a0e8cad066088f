/*
 * A file that was signed and is stripped: the original, byte for byte, for
 * every format; and for what a signature leaves behind, exactly that.
 *
 * The signatures are any bytes with a DER length in front: no plan looks into
 * them.  Only a catalog's is the file itself.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "authenticode/init.h"
#include "tests/cab_image.h"
#include "tests/catalog.h"
#include "tests/cfb_image.h"
#include "tests/mutate.h"
#include "tests/package.h"
#include "tests/pe_image.h"
#include "tests/signable.h"
#include "tests/signing.h"

/* Around what decides where a compound file puts a stream. */
static const size_t sizes[] = { 4, 63, 64, 65, 1500, 4095, 4096, 4097, 70000 };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static struct format_file *
digest_of(struct input *in, const char *name, const char *algorithm)
{
	const struct format_options options = { .algorithm = algorithm };

	return signable_open(in, name, &options);
}

/* n bytes of DER, or so, that begin as a SEQUENCE. */
static void
make_signature(size_t n, struct buf *out)
{
	size_t inside = n < 0x80 ? n - 2 : n < 0x103 ? n - 3 : n - 4;
	size_t i;

	buf_u8(out, 0x30);
	if (n > 0xffff) {
		inside = n - 5;
		buf_u8(out, 0x83);
		buf_u8(out, (uint8_t)(inside >> 16));
		buf_u16be(out, (uint16_t)inside);
	} else if (n >= 0x103) {
		buf_u8(out, 0x82);
		buf_u16be(out, (uint16_t)inside);
	} else if (n >= 0x80) {
		buf_u8(out, 0x81);
		buf_u8(out, (uint8_t)inside);
	} else {
		buf_u8(out, (uint8_t)inside);
	}
	for (i = 0; i < inside; i++)
		buf_u8(out, (uint8_t)(i * 7 + 1));
	assert_int_equal(out->len, n);
}

static void
sign_as(const struct format_options *how, const struct buf *original,
    const char *name, const struct buf *p7, struct buf *out)
{
	struct ht_error e;
	struct input *in = input_memory(original->data, original->len, &e);
	struct format_file *file = signable_open(in, name, how);
	struct output *plan;

	assert_int_equal(format_plan(file, p7->data, p7->len, &plan, &e), 0);
	signable_read(plan, out);
	output_free(plan);
	format_file_free(file);
	input_free(in);
}

static void
sign_with(const struct buf *original, const char *name, const char *algorithm,
    const struct buf *p7, struct buf *out)
{
	const struct format_options how = { .algorithm = algorithm };

	sign_as(&how, original, name, p7, out);
}

/*
 * Strip it: what is left is no longer signed, has the same digest, and cannot
 * be stripped again.
 */
static void
strip(const struct buf *with, const char *name, const char *algorithm,
    struct buf *out)
{
	struct ht_error e;
	struct input *in = input_memory(with->data, with->len, &e);
	struct format_file *file = digest_of(in, name, algorithm);
	struct spc_digest digest = file->digest;
	struct output *plan;

	assert_true(file->was_signed);
	if (format_plan(file, NULL, 0, &plan, &e) < 0)
		fail_msg("%s", e.text);
	signable_read(plan, out);
	output_free(plan);
	format_file_free(file);
	input_free(in);

	in = input_memory(out->data, out->len, &e);
	file = digest_of(in, name, algorithm);
	assert_false(file->was_signed);
	assert_int_equal(file->digest.length, digest.length);
	assert_memory_equal(file->digest.value, digest.value, digest.length);
	assert_int_equal(format_plan(file, NULL, 0, &plan, &e), HT_ERR_DATA);
	assert_string_equal(e.text, "the file is not signed");
	assert_null(plan);
	format_file_free(file);
	input_free(in);
}

static void
sign_and_strip(const struct buf *original, const char *name,
    const char *algorithm, size_t size, struct buf *out)
{
	struct buf p7 = BUF_INIT;
	struct buf with = BUF_INIT;

	make_signature(size, &p7);
	sign_with(original, name, algorithm, &p7, &with);
	strip(&with, name, algorithm, out);
	buf_free(&p7);
	buf_free(&with);
}

static void
assert_same(const struct buf *a, const struct buf *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->data, b->data, a->len);
}

/* Signatures of all sizes come off without a trace. */
static void
assert_restored(const struct buf *original, const char *name)
{
	struct buf stripped = BUF_INIT;
	size_t i;

	for (i = 0; i < SIZES; i++) {
		buf_reset(&stripped);
		sign_and_strip(original, name, "sha256", sizes[i], &stripped);
		assert_same(original, &stripped);
	}
	buf_free(&stripped);
}

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
		assert_restored(&pe, NULL);
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
	sign_and_strip(&pe, NULL, "sha256", 1500, &stripped);
	assert_int_equal(stripped.len, pe.len);
	assert_memory_not_equal(stripped.data + checksum_at(&pe),
	    pe.data + checksum_at(&pe), 4);
	set_checksum(&pe);
	assert_same(&pe, &stripped);
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
		sign_and_strip(&pe, NULL, "sha256", 1500, &stripped);
		buf_zeros(&pe, 8 - pe.len % 8);
		set_checksum(&pe);
		assert_same(&pe, &stripped);
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
		assert_restored(&cab, NULL);
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
		sign_and_strip(&cab, NULL, "sha256", 1500, &stripped);
		assert_same(&expected, &stripped);
	}
	buf_free(&cab);
	buf_free(&expected);
	buf_free(&stripped);
}

/* --- MSI ------------------------------------------------------------------ */

#define MEMBERS_MAX 20

/*
 * n streams of so many bytes, and one more of another size.  Names of 17
 * letters are as long as the signature's, so that it is among them in the tree.
 */
static void
build_msi(unsigned int version, size_t n, size_t size, size_t last,
    struct buf *out)
{
	static char names[MEMBERS_MAX][32];
	struct cfb_image_entry entries[MEMBERS_MAX];
	size_t i;

	assert_true(n < MEMBERS_MAX);
	for (i = 0; i <= n; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "stream%s%c",
		    i % 2 == 0 ? "" : "-and-more-", (char)('a' + i));
		entries[i] = (struct cfb_image_entry){ names[i], CFB_IMAGE_ROOT,
			i < n ? size : last };
	}
	cfb_image_build(version, entries, n + 1, out);
}

/*
 * The numbers of entries fill the directory's sectors or not, the sizes the
 * mini stream's and the FAT's, so that a signature makes each of them grow.
 */
static void
test_msi(void **state)
{
	static const size_t each[] = { 0, 60, 64, 4000, 4096, 5000 };
	static const size_t last[] = { 0, 1, 3000, 4096, 55000, 60000, 65536 };
	struct buf msi = BUF_INIT;
	size_t i;
	size_t j;
	size_t n;

	(void)state;
	for (n = 1; n < 9; n++) {
		for (i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
			for (j = 0; j < sizeof(last) / sizeof(last[0]); j++) {
				buf_reset(&msi);
				build_msi(n % 2 == 0 ? 3 : 4, n, each[i],
				    last[j], &msi);
				assert_restored(&msi, NULL);
			}
		}
	}
	buf_free(&msi);
}

/*
 * Sign it in so many ways, one after the other, each with a signature of
 * another size.  Each result is as if there had been no other before, and comes
 * off without a trace.
 */
static void
sign_in_turn(const struct format_options *how, size_t n, size_t first,
    const struct buf *original)
{
	struct buf stripped = BUF_INIT;
	struct buf before = BUF_INIT;
	struct buf after = BUF_INIT;
	struct buf direct = BUF_INIT;
	struct buf p7 = BUF_INIT;
	size_t i;

	buf_bytes(&before, original->data, original->len);
	for (i = 0; i < n; i++) {
		buf_reset(&p7);
		buf_reset(&after);
		buf_reset(&direct);
		buf_reset(&stripped);
		make_signature(sizes[(first + i * i) % SIZES], &p7);
		sign_as(&how[i], &before, NULL, &p7, &after);
		sign_as(&how[i], original, NULL, &p7, &direct);
		assert_same(&direct, &after);
		strip(&after, NULL, "sha256", &stripped);
		assert_same(original, &stripped);
		buf_reset(&before);
		buf_bytes(&before, after.data, after.len);
	}
	buf_free(&stripped);
	buf_free(&before);
	buf_free(&after);
	buf_free(&direct);
	buf_free(&p7);
}

/*
 * MsiDigitalSignatureEx comes and goes with the signatures that replace each
 * other.
 */
static void
test_msi_ex(void **state)
{
	static const struct format_options how[] = {
		{ .algorithm = "sha256", .msi_ex = true },
		{ .algorithm = "sha256" },
		{ .algorithm = "sha512", .msi_ex = true },
		{ .algorithm = "sha384", .msi_ex = true },
		{ .algorithm = "sha256" },
	};
	static const size_t each[] = { 0, 60, 4000, 4096 };
	struct buf msi = BUF_INIT;
	size_t i;
	size_t j;
	size_t n;

	(void)state;
	for (n = 110; n < 130; n += mutate_step()) {
		buf_reset(&msi);
		build_msi(3, 1, 4096, n * 512, &msi);
		sign_in_turn(how, sizeof(how) / sizeof(how[0]), n, &msi);
	}
	for (n = 109 * 128 - 130; n < 109 * 128; n += 24 * mutate_step()) {
		buf_reset(&msi);
		build_msi(3, 1, 4096, n * 512, &msi);
		sign_in_turn(how, sizeof(how) / sizeof(how[0]), n, &msi);
	}
	for (n = 1; n < 9; n++) {
		for (i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
			for (j = 0; j < SIZES; j += mutate_step()) {
				buf_reset(&msi);
				build_msi(n % 2 == 0 ? 3 : 4, n, each[i], 55000,
				    &msi);
				sign_in_turn(how, sizeof(how) / sizeof(how[0]),
				    j, &msi);
			}
		}
	}
	buf_free(&msi);
}

/* A FAT of every length near the one that it outgrows. */
static void
test_msi_fat(void **state)
{
	struct buf msi = BUF_INIT;
	size_t size;

	(void)state;
	for (size = 110; size < 130; size++) {
		buf_reset(&msi);
		build_msi(3, 1, 4096, size * 512, &msi);
		assert_restored(&msi, NULL);
	}
	buf_free(&msi);
}

/* The same where the FAT outgrows the header's list of its sectors. */
static void
test_msi_difat(void **state)
{
	struct buf msi = BUF_INIT;
	struct buf stripped = BUF_INIT;
	size_t size;

	(void)state;
	for (size = 109 * 128 - 130; size < 109 * 128;
	     size += 4 * mutate_step()) {
		buf_reset(&msi);
		buf_reset(&stripped);
		build_msi(3, 1, 4096, size * 512, &msi);
		sign_and_strip(&msi, NULL, "sha256", 70000, &stripped);
		assert_same(&msi, &stripped);
	}
	buf_free(&msi);
	buf_free(&stripped);
}

/*
 * Signatures that others put where they like: the tree's root, a node with one
 * side or two, a leaf; and with metadata.
 */
static void
test_msi_theirs(void **state)
{
	static const char *const places[] = { "\5DigitalSignature",
		"\5MsiDigitalSignatureEx" };
	struct cfb_image_entry entries[MEMBERS_MAX];
	char names[MEMBERS_MAX][32];
	struct buf msi = BUF_INIT;
	struct buf stripped = BUF_INIT;
	size_t i;
	size_t n;
	size_t with_ex;

	(void)state;
	for (n = 1; n < MEMBERS_MAX - 2; n += mutate_step()) {
		for (i = 0; i < n; i++) {
			(void)snprintf(names[i], sizeof(names[i]),
			    "%cigitalSignature%c", i % 2 == 0 ? '\1' : 'Z',
			    (char)('a' + i));
			entries[i] = (struct cfb_image_entry){ names[i],
				CFB_IMAGE_ROOT, 100 * i };
		}
		for (with_ex = 0; with_ex < 2; with_ex++) {
			for (i = 0; i <= with_ex; i++)
				entries[n + i] =
				    (struct cfb_image_entry){ places[i],
					    CFB_IMAGE_ROOT, 2000 };
			buf_reset(&msi);
			buf_reset(&stripped);
			cfb_image_build(3, entries, n + 1 + with_ex, &msi);
			strip(&msi, NULL, "sha256", &stripped);
			assert_restored(&stripped, NULL);
		}
	}
	buf_free(&msi);
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
		file = digest_of(in, NULL, "sha256");
		assert_int_equal(signing_sign(&signing, "cat", &file->content,
		                     &options, &p7, &e),
		    0);
		strip(&p7, NULL, "sha256", &stripped);
		assert_same(&cat, &stripped);
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
		sign_and_strip(&appx, NULL, package.method, 1500, &stripped);
		assert_same(&appx, &stripped);
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
	sign_and_strip(&appx, NULL, "sha256", 1500, &stripped);
	assert_same(&expected, &stripped);
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
		sign_and_strip(&appx, NULL, "sha256", 1500, &stripped);
		assert_false(stripped.len == appx.len &&
		    memcmp(stripped.data, appx.data, appx.len) == 0);
		assert_restored(&stripped, NULL);
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
		assert_restored(&text, scripts[i].name);
	}
	buf_free(&text);
}

static int
start(void **state)
{
	struct ht_error e;

	(void)state;
	return authenticode_init(&e);
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
		cmocka_unit_test(test_msi),
		cmocka_unit_test(test_msi_ex),
		cmocka_unit_test(test_msi_fat),
		cmocka_unit_test(test_msi_difat),
		cmocka_unit_test(test_msi_theirs),
		cmocka_unit_test(test_cat),
		cmocka_unit_test(test_appx),
		cmocka_unit_test(test_appx_overridden),
		cmocka_unit_test(test_appx_stored),
		cmocka_unit_test(test_scripts),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
