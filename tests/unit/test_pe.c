#include "config.h"

#include <openssl/evp.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/mutate.h"
#include "tests/support/pe_image.h"
#include "tests/support/signable.h"
#include "tests/support/signing.h"
#include "tests/support/upload.h"

static const struct pe_image images[] = {
	{ PE_IMAGE_X64, false, 0, 0, 0, 0 },
	{ PE_IMAGE_X86, false, 0, 0, 0, 0 },
	{ PE_IMAGE_ARM64, true, 0, 0, 0, 0 },
	{ PE_IMAGE_X64, false, 128, 512, 5000, 0 },
	{ PE_IMAGE_X86, false, 77, 0, 0, 13 },     /* all fields odd */
	{ PE_IMAGE_X64, false, 0, 0, 0, 1 },       /* odd size */
	{ PE_IMAGE_X64, false, 0, 7, 0, 100003 },  /* odd gap */
	{ PE_IMAGE_X64, false, 0, 0, 1 << 20, 0 }, /* several chunks */
	{ PE_IMAGE_X64, false, 70000, 0, 0, 3 },   /* beyond INPUT_HEAD */
	{ PE_IMAGE_X64, false, 700000, 0, 0, 3 },  /* beyond the window */
};
#define IMAGES (sizeof(images) / sizeof(images[0]))

static void
build(const struct pe_image *image, struct buf *out)
{
	uint8_t *payload;

	pe_image_build(image, out);
	payload = buf_room(out, (size_t)image->payload);
	pe_image_payload(0, payload, (size_t)image->payload);
	assert_int_equal(buf_failed(out), 0);
}

static uint32_t
u32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

static void
put_u32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
}

/* Where the PE header is, and from it the directory entry. */
static size_t
header_of(const uint8_t *p)
{
	return u32(p + 0x3c);
}

static size_t
security_of(const uint8_t *p)
{
	size_t at = header_of(p);

	return at + (p[at + 25] == 1 ? 152 : 168);
}

/* CheckSum, the slow way: word by word, folding each time. */
static uint32_t
slow_checksum(const uint8_t *p, size_t n)
{
	size_t field = header_of(p) + 88;
	uint32_t sum = 0;
	uint32_t word;
	size_t i;
	size_t j;

	for (i = 0; i < n; i += 2) {
		word = 0;
		for (j = i; j < i + 2 && j < n; j++) {
			if (j < field || j >= field + 4)
				word |= (uint32_t)p[j] << 8 * (j - i);
		}
		sum += word;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum + (uint32_t)n;
}

/* The digest, from a copy with everything taken out that does not count. */
static void
slow_digest(const struct buf *pe, size_t end, uint8_t out[32])
{
	struct buf covered = BUF_INIT;
	size_t checksum = header_of(pe->data) + 88;
	size_t security = security_of(pe->data);

	buf_bytes(&covered, pe->data, checksum);
	buf_bytes(&covered, pe->data + checksum + 4, security - checksum - 4);
	buf_bytes(&covered, pe->data + security + 8, end - security - 8);
	buf_zeros(&covered, -end & 7);
	assert_int_equal(EVP_Digest(covered.data, covered.len, out, NULL,
	                     EVP_sha256(), NULL),
	    1);
	buf_free(&covered);
}

static struct format_file *
digest_of(struct input *in)
{
	struct format_file *file = signable_open(in, NULL, NULL);

	assert_string_equal(file->format->name, "pe");
	return file;
}

static void
sign(const struct format_file *file, struct buf *out)
{
	struct cms_options options = { .signing_time = CMS_NO_TIME };
	struct format_wanted wanted = { .content = buf_cursor(&file->content) };
	struct format_verified verified;
	struct output *plan;
	struct input *again;
	struct buf p7 = BUF_INIT;
	struct ht_error e;

	options.description = "My App";
	assert_int_equal(signing_sign(&signing_p256, "pe", &file->content,
	                     &options, &p7, &e),
	    0);
	assert_int_equal(format_plan(file, p7.data, p7.len, &plan, &e), 0);
	again = output_as_input(plan, &e);
	assert_int_equal(
	    format_verify(file->format, again, &wanted, &verified, &e), 0);
	assert_int_equal(verified.size, output_size(plan));
	assert_memory_equal(verified.all[0].digest.value, file->digest.value,
	    32);
	assert_string_equal(pkcs7_description(verified.all[0].p7), "My App");
	format_verified_clear(&verified);
	wanted.content.left--;
	assert_int_equal(
	    format_verify(file->format, again, &wanted, &verified, &e),
	    HT_ERR_DATA);
	assert_null(verified.all[0].p7);
	signable_read(plan, out);
	input_free(again);
	output_free(plan);
	buf_free(&p7);
}

static void
check_signed(const struct buf *plain, const struct buf *out)
{
	size_t end = plain->len + (-plain->len & 7);
	size_t security = security_of(out->data);
	const uint8_t *table = out->data + end;

	assert_int_equal(u32(out->data + security), end);
	assert_int_equal(u32(out->data + security + 4), out->len - end);
	assert_int_equal(u32(table), out->len - end);
	assert_int_equal(u32(table + 4), 0x00020200);
	assert_int_equal(out->len % 8, 0);
	assert_int_equal(u32(out->data + header_of(out->data) + 88),
	    slow_checksum(out->data, out->len));
}

static void
test_sign_and_sign_again(void **state)
{
	uint8_t expected[32];
	size_t i;

	(void)state;
	for (i = 0; i < IMAGES; i++) {
		struct buf pe = BUF_INIT;
		struct buf once = BUF_INIT;
		struct buf twice = BUF_INIT;
		struct format_file *file;
		struct input *in;
		struct ht_error e;

		build(&images[i], &pe);
		slow_digest(&pe, pe.len, expected);
		in = input_memory(pe.data, pe.len, &e);
		file = digest_of(in);
		assert_false(file->was_signed);
		assert_int_equal(file->size, pe.len);
		assert_memory_equal(file->digest.value, expected, 32);
		sign(file, &once);
		check_signed(&pe, &once);
		format_file_free(file);
		input_free(in);

		in = input_memory(once.data, once.len, &e);
		file = digest_of(in);
		assert_true(file->was_signed);
		assert_int_equal(file->size, once.len);
		assert_memory_equal(file->digest.value, expected, 32);
		sign(file, &twice);
		check_signed(&pe, &twice);
		format_file_free(file);
		input_free(in);
		buf_free(&pe);
		buf_free(&once);
		buf_free(&twice);
	}
}

static void
test_stream_without_spool(void **state)
{
	uint8_t expected[32];
	size_t i;

	(void)state;
	for (i = 0; i < IMAGES; i++) {
		struct buf pe = BUF_INIT;
		struct format_file *file;
		struct upload upload;

		build(&images[i], &pe);
		slow_digest(&pe, pe.len, expected);
		upload_start(&upload, &pe, UPLOAD_PIECE);
		file = digest_of(upload.in);
		assert_memory_equal(file->digest.value, expected, 32);
		assert_int_equal(file->size, pe.len);
		format_file_free(file);
		upload_finish(&upload);
		buf_free(&pe);
	}
}

static void
test_not_signable(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		uint64_t offset;
		const char *why;
	} files[] = {
		{ "", 0, 0, "empty" },
		{ "M", 1, 0, "not a signable file" },
		{ "hello, world\n", 13, 0, "not a signable file" },
		{ "\x7f"
		  "ELF",
		    4, 0, "not a signable file" },
		{ "MZ", 2, 2, "inside the DOS header" },
		{ "MZ not much more than this", 26, 26,
		    "inside the DOS header" },
	};
	struct ht_error e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		assert_int_equal(signable_try((const uint8_t *)files[i].bytes,
		                     files[i].n, NULL, NULL, &e),
		    HT_ERR_DATA);
		assert_non_null(strstr(e.text, files[i].why));
		assert_int_equal(e.offset, files[i].offset);
	}
}

static void
test_bad_headers(void **state)
{
	struct buf pe = BUF_INIT;
	struct ht_error e;
	uint8_t *header;
	size_t at;

	(void)state;
	build(&images[0], &pe);
	at = header_of(pe.data);
	header = pe.data + at;

	put_u32(pe.data + 0x3c, 0x10000001);
	signable_refused(&pe, 0x3c, "256 MiB");
	put_u32(pe.data + 0x3c, 0x0fffffff);
	signable_refused(&pe, 0x0fffffff, "before the PE signature");
	put_u32(pe.data + 0x3c, 500);
	signable_refused(&pe, 500, "no PE signature");
	put_u32(pe.data + 0x3c, (uint32_t)at);

	header[24] = 0x07; /* a ROM image */
	signable_refused(&pe, at + 24, "neither PE32 nor PE32+");
	header[24] = 0x0b;
	header[132] = 4; /* NumberOfRvaAndSizes */
	signable_refused(&pe, at + 132, "no place for a certificate table");
	header[132] = 16;
	header[20] = 151; /* SizeOfOptionalHeader */
	signable_refused(&pe, at + 132, "no place for a certificate table");
	header[20] = 240;
	header[7] = 0x20; /* 8193 sections */
	signable_refused(&pe, pe.len, "inside the section table");
	header[7] = 0;
	put_u32(header + 24 + 240 + 16, 513); /* SizeOfRawData */
	signable_refused(&pe, pe.len, "before its last section");
	put_u32(header + 24 + 240 + 16, 0);
	put_u32(header + 24 + 240 + 20, UINT32_MAX); /* PointerToRawData */
	assert_int_equal(signable_try(pe.data, pe.len, NULL, NULL, &e), 0);
	buf_free(&pe);
}

static void
test_bad_certificate_table(void **state)
{
	struct buf pe = BUF_INIT;
	struct buf out = BUF_INIT;
	struct format_file *file;
	struct input *in;
	struct ht_error e;
	size_t security;
	uint8_t *entry;
	uint32_t size;

	(void)state;
	build(&images[0], &pe);
	in = input_memory(pe.data, pe.len, &e);
	file = digest_of(in);
	sign(file, &out);
	security = security_of(out.data);
	entry = out.data + security;
	size = u32(entry + 4);

	put_u32(entry + 4, size - 8);
	signable_refused(&out, out.len - 8, "8 bytes behind the signature");
	put_u32(entry + 4, size + 8);
	signable_refused(&out, security, "that is cut off");
	put_u32(entry + 4, UINT32_MAX);
	signable_refused(&out, security, "that is cut off");
	put_u32(entry + 4, 7);
	signable_refused(&out, pe.len + 7, "bytes behind the signature");
	put_u32(entry + 4, 0);
	signable_refused(&out, security, "an offset and no size");
	put_u32(entry + 4, size);
	put_u32(entry, 0);
	signable_refused(&out, security, "a size and no offset");
	put_u32(entry + 4, size);
	put_u32(entry, (uint32_t)pe.len - 8);
	signable_refused(&out, security, "within the sections");
	put_u32(entry, (uint32_t)pe.len + 4);
	signable_refused(&out, security, "not aligned to 8");
	put_u32(entry, (uint32_t)pe.len);
	assert_int_equal(signable_try(out.data, out.len, NULL, NULL, &e), 0);
	format_file_free(file);
	input_free(in);

	/* Not one PKCS#7: type X.509, two entries, bytes behind the DER. */
	out.data[pe.len + 6] = 1;
	assert_false(
	    signable_verifies(&format_pe, &out, &signing_p256.root, NULL));
	out.data[pe.len + 6] = 2;
	put_u32(out.data + pe.len, size - 8);
	assert_false(
	    signable_verifies(&format_pe, &out, &signing_p256.root, NULL));
	put_u32(out.data + pe.len, size);
	assert_true(
	    signable_verifies(&format_pe, &out, &signing_p256.root, NULL));
	/* No signature at all. */
	assert_false(
	    signable_verifies(&format_pe, &pe, &signing_p256.root, NULL));
	buf_free(&pe);
	buf_free(&out);
}

/* Zeros may follow the DER in its WIN_CERTIFICATE, and nothing else. */
static void
test_bytes_behind_the_der(void **state)
{
	static const uint8_t der[] = { 0x30, 0x03, 0x02, 0x01, 0x2a };
	struct buf pe = BUF_INIT;
	struct buf out = BUF_INIT;
	struct buf p7 = BUF_INIT;
	struct format_file *file;
	struct output *plan;
	struct ht_error e;
	struct input *in;
	const uint8_t *p;
	size_t got;
	uint8_t last;

	(void)state;
	build(&images[0], &pe);
	in = input_memory(pe.data, pe.len, &e);
	file = digest_of(in);
	assert_int_equal(format_plan(file, der, sizeof(der), &plan, &e), 0);
	assert_int_equal(output_read(plan, 0, INPUT_CHUNK, &p, &got, &e), 0);
	assert_int_equal(got, pe.len + 16);
	buf_bytes(&out, p, got);
	output_free(plan);
	format_file_free(file);
	input_free(in);
	for (last = 0; last < 2; last++) {
		buf_reset(&p7);
		out.data[out.len - 1] = last;
		in = input_memory(out.data, out.len, &e);
		assert_int_equal(format_pe.signature(in, &p7, NULL, &e),
		    last == 0 ? 0 : HT_ERR_DATA);
		input_free(in);
	}
	assert_int_equal(p7.len, 0);
	assert_non_null(strstr(e.text, "more in it than a PKCS#7"));
	/* The padding may also stand outside of the WIN_CERTIFICATE. */
	put_u32(out.data + pe.len, 8 + sizeof(der));
	for (last = 0; last < 2; last++) {
		buf_reset(&p7);
		out.data[out.len - 1] = last;
		in = input_memory(out.data, out.len, &e);
		assert_int_equal(format_pe.signature(in, &p7, NULL, &e),
		    last == 0 ? 0 : HT_ERR_DATA);
		input_free(in);
		if (last == 0)
			assert_int_equal(p7.len, sizeof(der));
	}
	out.data[out.len - 1] = 0;
	in = input_memory(out.data, out.len, &e);
	assert_int_equal(format_pe.signature(in, &p7, NULL, &e), 0);
	input_free(in);
	assert_int_equal(p7.len, sizeof(der));
	assert_memory_equal(p7.data, der, sizeof(der));
	buf_free(&p7);
	buf_free(&pe);
	buf_free(&out);
}

static void
test_names(void **state)
{
	struct buf pe = BUF_INIT;
	struct format_file *file;
	struct ht_error e;
	struct input *in;

	(void)state;
	build(&images[0], &pe);
	in = input_memory(pe.data, pe.len, &e);
	assert_int_equal(format_digest(&format_pe, in,
	                     &(struct format_options){ .algorithm = "sha1" },
	                     &file, &e),
	    HT_ERR_USAGE);
	assert_null(file);
	input_free(in);
	buf_free(&pe);
}

/*
 * The offsets of a PE file reach 4 GiB.  Where there is no signature, no memory
 * is kept for one, and the room for a new one is seen to before that is made.
 */
static void
test_nearly_4_gib(void **state)
{
	const uint64_t most = UINT32_MAX - FORMAT_SIGNATURE_ROOM;
	struct buf pe = BUF_INIT;
	struct buf p7 = BUF_INIT;
	struct format_file *file;
	struct output *plan;
	struct ht_error e;
	struct input *in;
	FILE *large;

	(void)state;
	/* So much takes valgrind minutes. */
	if (mutate_few())
		skip();
	build(&images[0], &pe);
	in = signable_hole(&pe, most, &large);
	file = digest_of(in);
	assert_true(file->size == most);
	assert_true(file->signature.size < FORMAT_SIGNATURE_ROOM);
	buf_bytes(&p7, "\x30\x83\x0f\xff\xfb", 5);
	buf_zeros(&p7, FORMAT_SIGNATURE_ROOM - 5);
	assert_int_equal(format_plan(file, p7.data, p7.len, &plan, &e),
	    HT_ERR_REFUSED);
	assert_string_equal(e.text,
	    "with its signature the file would be larger than 4 GiB");
	format_file_free(file);
	input_free(in);
	(void)fclose(large);

	in = signable_hole(&pe, (uint64_t)UINT32_MAX + 1, &large);
	assert_int_equal(signable_digest(in, NULL, NULL, &file, &e),
	    HT_ERR_DATA);
	assert_string_equal(e.text, "a PE file cannot be larger than 4 GiB");
	input_free(in);
	(void)fclose(large);
	buf_free(&pe);
	buf_free(&p7);
}

/* Without the sum for CheckSum the digest is the same, and there is no plan. */
static void
test_no_plan(void **state)
{
	const struct format_options options = { .algorithm = "sha256",
		.no_plan = true };
	static const uint8_t der[] = { 0x30, 0x00 };
	struct buf pe = BUF_INIT;
	struct format_file *with;
	struct format_file *without;
	struct output *plan;
	struct ht_error e;
	struct input *in;

	(void)state;
	build(&images[0], &pe);
	in = input_memory(pe.data, pe.len, &e);
	with = digest_of(in);
	assert_int_equal(format_digest(&format_pe, in, &options, &without, &e),
	    0);
	assert_memory_equal(with->digest.value, without->digest.value, 32);
	assert_int_equal(format_plan(without, der, sizeof(der), &plan, &e),
	    HT_ERR_INTERNAL);
	assert_null(plan);
	format_file_free(with);
	format_file_free(without);
	input_free(in);
	buf_free(&pe);
}

/* --- bundles ------------------------------------------------------------- */

/* What is in .wixburn of a bundle with two containers behind its stub. */
enum { MAGIC, LAYOUT, STUB = 6, SIGNATURE = 8, COUNT = 11, UX, CONTAINER };
#define UX_SIZE 100
#define CONTAINER_SIZE 36

/*
 * Make the section of the image one of a bundle, and its payload the two
 * containers.  Returns the section's header.
 */
static uint8_t *
make_bundle(struct buf *pe)
{
	struct pe_image image = { .payload = UX_SIZE + CONTAINER_SIZE };
	uint8_t *section;
	uint8_t *fields;

	build(&image, pe);
	section = pe->data + header_of(pe->data) + 24 + 240;
	memcpy(section, ".wixburn", 8);
	fields = pe->data + u32(section + 20);
	put_u32(fields + 4 * (size_t)MAGIC, 0x00f14300);
	put_u32(fields + 4 * (size_t)LAYOUT, 2);
	put_u32(fields + 4 * (size_t)STUB, (uint32_t)(pe->len - image.payload));
	put_u32(fields + 4 * (size_t)COUNT, 2);
	put_u32(fields + 4 * (size_t)UX, UX_SIZE);
	put_u32(fields + 4 * (size_t)CONTAINER, CONTAINER_SIZE);
	return section;
}

/* Whether there is a warning; nothing in a bundle is an error. */
static bool
warns(const uint8_t *p, size_t n)
{
	struct buf pe = { .data = (uint8_t *)(uintptr_t)p, .len = n };
	struct format_file *file;
	struct upload upload;
	bool is;

	upload_start(&upload, &pe, UPLOAD_PIECE);
	file = digest_of(upload.in);
	is = file->warning != NULL;
	assert_true(!is || strstr(file->warning, "WiX bundle") != NULL);
	format_file_free(file);
	upload_finish(&upload);
	return is;
}

static void
test_bundle_with_unsigned_engine(void **state)
{
	static const struct {
		size_t field;
		uint32_t value;
		bool warned;
	} cases[] = {
		{ LAYOUT, 3, true },
		{ LAYOUT, 1, false }, /* of other fields */
		{ MAGIC, 0x00f14301, false },
		{ SIGNATURE, 1024, false }, /* the engine was signed */
		{ COUNT, 1, false },        /* the packages are elsewhere */
		{ COUNT, UINT32_MAX, true },
		{ STUB, UINT32_MAX, false },
		{ CONTAINER, UINT32_MAX, false },
		{ CONTAINER, CONTAINER_SIZE + 1, false },
	};
	struct buf pe = BUF_INIT;
	struct buf out = BUF_INIT;
	struct format_file *file;
	struct input *in;
	struct ht_error e;
	uint8_t *field;
	uint32_t value;
	uint32_t at;
	size_t i;

	(void)state;
	at = u32(make_bundle(&pe) + 20);
	field = pe.data + at;
	assert_true(warns(pe.data, pe.len));
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		value = u32(field + 4 * cases[i].field);
		put_u32(field + 4 * cases[i].field, cases[i].value);
		assert_int_equal(warns(pe.data, pe.len), cases[i].warned);
		put_u32(field + 4 * cases[i].field, value);
	}
	/* The engine alone, and how another signature padded it. */
	assert_false(warns(pe.data, pe.len - CONTAINER_SIZE));
	assert_false(warns(pe.data, pe.len - CONTAINER_SIZE + 7));

	in = input_memory(pe.data, pe.len, &e);
	file = digest_of(in);
	sign(file, &out);
	format_file_free(file);
	input_free(in);
	assert_true(warns(out.data, out.len));
	buf_free(&pe);
	buf_free(&out);
}

/* A section that is cut or lies in the headers is no bundle's. */
static void
test_bundle_with_a_bad_section(void **state)
{
	struct buf pe = BUF_INIT;
	uint8_t *section;
	uint32_t at;

	(void)state;
	section = make_bundle(&pe);
	at = u32(section + 20);
	put_u32(section + 16, 1); /* SizeOfRawData */
	put_u32(section + 20, 0);
	assert_false(warns(pe.data, pe.len));
	put_u32(section + 20, 64);
	assert_false(warns(pe.data, pe.len));
	put_u32(section + 20, (uint32_t)pe.len - 1);
	assert_false(warns(pe.data, pe.len));
	put_u32(section + 20, at);
	assert_true(warns(pe.data, pe.len));
	assert_false(warns(pe.data, at + 55));
	buf_free(&pe);
}

static void
count(void *cookie, const uint8_t *p, size_t n)
{
	(void)p;
	*(uint64_t *)cookie += n;
}

/* A tap on the output has seen every byte when the post-flight returns. */
static void
test_verify_feeds_taps(void **state)
{
	struct buf pe = BUF_INIT;
	struct buf out = BUF_INIT;
	struct format_verified verified;
	struct format_file *file;
	struct ht_error e;
	struct input *in;
	uint64_t seen = 0;

	(void)state;
	build(&images[7], &pe);
	in = input_memory(pe.data, pe.len, &e);
	file = digest_of(in);
	sign(file, &out);
	format_file_free(file);
	input_free(in);
	in = input_memory(out.data, out.len, &e);
	assert_int_equal(input_tap(in, count, &seen, &e), 0);
	assert_int_equal(format_verify(&format_pe, in, NULL, &verified, &e), 0);
	assert_int_equal(seen, out.len);
	format_verified_clear(&verified);
	input_free(in);
	buf_free(&pe);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sign_and_sign_again),
		cmocka_unit_test(test_stream_without_spool),
		cmocka_unit_test(test_not_signable),
		cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_bad_certificate_table),
		cmocka_unit_test(test_bytes_behind_the_der),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_nearly_4_gib),
		cmocka_unit_test(test_no_plan),
		cmocka_unit_test(test_bundle_with_unsigned_engine),
		cmocka_unit_test(test_bundle_with_a_bad_section),
		cmocka_unit_test(test_verify_feeds_taps),
	};

	return cmocka_run_group_tests(tests, signing_start, signing_stop);
}
