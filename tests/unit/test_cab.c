#include "config.h"

#include <openssl/evp.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/cab_image.h"
#include "tests/support/mutate.h"
#include "tests/support/signable.h"
#include "tests/support/signing.h"
#include "tests/support/upload.h"

static const struct cab_image images[] = {
	{ .size = 1000 },
	{ .size = 300, .folders = 3 },
	{ .size = 77, .next = true },
	{ .size = 77, .previous = true, .number = 2 },
	{ .size = 77, .previous = true, .next = true, .number = 1 },
	{ .size = 40, .reserve = true },
	{ .size = 40, .cabinet_area = 2 },
	{ .size = 40, .cabinet_area = 20 },
	{ .size = 40, .cabinet_area = 6144 },
	{ .size = 40, .cabinet_area = 30, .first = 26 },
	{ .size = 40, .cabinet_area = 60, .first = 26, .next = true },
	{ .size = 40, .folder_area = 128, .data_area = 3, .folders = 2 },
	{ .size = 40, .folder_area = 255, .folders = 200, .previous = true },
	{ .size = 1 << 20, .folders = 2, .cabinet_area = 59980 },
	{ .folders = 7 },
};
#define IMAGES (sizeof(images) / sizeof(images[0]))

static uint32_t
u16(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t
u32(const uint8_t *p)
{
	return u16(p) | u16(p + 2) << 16;
}

static void
put_u32(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
}

static struct format_file *
digest_of(struct input *in)
{
	struct format_file *file = signable_open(in, NULL, NULL);

	assert_ptr_equal(file->format, &format_cab);
	return file;
}

/* Sign the cabinet; *digest (which may be NULL) is its digest. */
static void
sign(const struct buf *cab, struct buf *out, struct spc_digest *digest)
{
	struct cms_options options = { .signing_time = CMS_NO_TIME };
	struct ht_error e;
	struct input *in = input_memory(cab->data, cab->len, &e);
	struct format_file *file = digest_of(in);
	struct buf p7 = BUF_INIT;

	assert_int_equal(file->size, cab->len);
	assert_int_equal(signing_sign(&signing_p256, "cab", &file->content,
	                     &options, &p7, &e),
	    0);
	signable_attach(file, p7.data, p7.len, out);
	if (digest != NULL)
		*digest = file->digest;
	format_file_free(file);
	input_free(in);
	buf_free(&p7);
}

/* Where the reserved area of a signed cabinet ends. */
static size_t
area_end(const struct buf *cab)
{
	return 40 + u16(cab->data + 36);
}

/* The digest, from a signed cabinet that is cut into what counts. */
static void
slow_digest(const struct buf *cab, uint8_t out[32])
{
	struct buf covered = BUF_INIT;
	size_t end = u32(cab->data + 8);
	size_t first = u16(cab->data + 40);

	buf_bytes(&covered, cab->data, 4);
	buf_bytes(&covered, cab->data + 8, 36 - 8);
	buf_bytes(&covered, cab->data + 40, 2);
	buf_bytes(&covered, cab->data + 44, first);
	buf_bytes(&covered, cab->data + area_end(cab), end - area_end(cab));
	assert_int_equal(EVP_Digest(covered.data, covered.len, out, NULL,
	                     EVP_sha256(), NULL),
	    1);
	buf_free(&covered);
}

/*
 * What signing did, undone from the specification alone: the original.
 */
static void
check_original(const struct buf *cab, const struct cab_image *image)
{
	struct buf back = BUF_INIT;
	struct buf plain = BUF_INIT;
	bool area =
	    image->reserve || image->cabinet_area > 0 || image->folder_area > 0;
	size_t each = 8 + (size_t)image->folder_area;
	size_t end = u32(cab->data + 8);
	size_t old = area ? 40U + image->cabinet_area : 36;
	size_t growth = area_end(cab) - old;
	size_t names;
	unsigned int i;

	cab_image_build(image, &plain);
	buf_bytes(&back, cab->data, 36);
	if (area) {
		buf_u16le(&back, image->cabinet_area);
		buf_bytes(&back, cab->data + 38, 2);
	} else {
		back.data[30] &= 3;
	}
	if (image->first > 0) {
		buf_bytes(&back, cab->data + 40, 2);
		buf_zeros(&back, 2);
		buf_bytes(&back, cab->data + 44, image->first);
	}
	buf_zeros(&back, old - back.len);
	put_u32(back.data + 8, end - growth);
	put_u32(back.data + 16, u32(cab->data + 16) - growth);
	buf_bytes(&back, cab->data + area_end(cab), end - area_end(cab));
	names = u32(back.data + 16) - u16(back.data + 26) * each;
	for (i = 0; i < u16(back.data + 26); i++)
		put_u32(back.data + names + i * each,
		    u32(back.data + names + i * each) - growth);
	assert_int_equal(back.len, plain.len);
	assert_memory_equal(back.data, plain.data, plain.len);
	buf_free(&back);
	buf_free(&plain);
}

static void
check_signed(const struct buf *cab, const struct cab_image *image,
    const struct spc_digest *digest)
{
	const uint8_t *p = cab->data;
	const uint8_t *entry;
	uint8_t expected[32];
	struct ht_error e;

	assert_int_equal(p[30] & 4, 4);
	assert_true(u16(p + 36) >= image->cabinet_area);
	assert_int_equal(p[38], image->folder_area);
	assert_int_equal(p[39], image->data_area);
	assert_int_equal(u16(p + 40), image->first);
	assert_int_equal(u16(p + 42), 16);
	entry = p + 44 + image->first;
	assert_int_equal(u32(entry), u32(p + 8));
	assert_int_equal(u32(entry + 4), cab->len - u32(p + 8));
	assert_int_equal(u32(entry + 4) % 8, 0);
	slow_digest(cab, expected);
	assert_memory_equal(digest->value, expected, 32);
	if (signable_verify(&format_cab, cab, &e) < 0)
		fail_msg("%s", e.text);
}

static void
test_sign_and_sign_again(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < IMAGES; i++) {
		struct buf cab = BUF_INIT;
		struct buf once = BUF_INIT;
		struct buf twice = BUF_INIT;
		struct spc_digest digest;

		cab_image_build(&images[i], &cab);
		sign(&cab, &once, &digest);
		check_signed(&once, &images[i], &digest);
		check_original(&once, &images[i]);
		sign(&once, &twice, &digest);
		check_signed(&twice, &images[i], &digest);
		check_original(&twice, &images[i]);
		buf_free(&cab);
		buf_free(&once);
		buf_free(&twice);
	}
}

/* The reserved area as Windows writes it, to the byte. */
static void
test_reserved_area(void **state)
{
	static const uint8_t expected[] = { 20, 0, 0, 0, 0, 0, 16, 0 };
	struct buf cab = BUF_INIT;
	struct buf out = BUF_INIT;

	(void)state;
	cab_image_build(&images[0], &cab);
	sign(&cab, &out, NULL);
	assert_memory_equal(out.data + 36, expected, sizeof(expected));
	assert_int_equal(u32(out.data + 44), cab.len + 24);
	assert_int_equal(u32(out.data + 52), 0);
	assert_int_equal(u32(out.data + 56), 0);
	assert_int_equal(u32(out.data + 8), u32(cab.data + 8) + 24);
	assert_int_equal(u32(out.data + 16), u32(cab.data + 16) + 24);
	assert_int_equal(u32(out.data + 60), u32(cab.data + 36) + 24);
	assert_memory_equal(out.data + 64, cab.data + 40, cab.len - 40);
	buf_free(&cab);
	buf_free(&out);
}

static void
test_stream_without_spool(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < 2 * IMAGES; i++) {
		struct buf cab = BUF_INIT;
		struct buf out = BUF_INIT;
		struct spc_digest digest;
		struct format_file *file;
		struct upload upload;

		cab_image_build(&images[i / 2], &cab);
		sign(&cab, &out, &digest);
		upload_start(&upload, i % 2 == 0 ? &cab : &out, UPLOAD_PIECE);
		file = digest_of(upload.in);
		assert_memory_equal(file->digest.value, digest.value, 32);
		assert_int_equal(file->was_signed, i % 2 == 1);
		format_file_free(file);
		upload_finish(&upload);
		buf_free(&cab);
		buf_free(&out);
	}
}

/* One number in a cabinet, of so many bytes. */
static void
bad_number(const struct cab_image *image, size_t at, size_t width,
    uint32_t value, uint64_t offset, const char *why)
{
	struct buf cab = BUF_INIT;
	size_t i;

	cab_image_build(image, &cab);
	for (i = 0; i < width; i++)
		cab.data[at + i] = (uint8_t)(value >> 8 * i);
	signable_refused(&cab, offset, why);
	buf_free(&cab);
}

static void
test_bad_headers(void **state)
{
	const struct cab_image *plain = &images[0];
	struct cab_image next = { .size = 77, .next = true, .long_name = 256 };
	struct cab_image folders = { .folders = 9000 };
	struct cab_image full = { .cabinet_area = 60000, .first = 255 };
	struct buf cab = BUF_INIT;
	struct ht_error e;

	(void)state;
	bad_number(plain, 4, 4, 1, 4, "reserved1 is not zero");
	bad_number(plain, 24, 2, 0x0203, 24, "version 2.3, not 1.3");
	bad_number(plain, 30, 2, 0x100, 30, "unknown flags: 0x100");
	bad_number(plain, 26, 2, 2, 16, "the CFFOLDERs end at 52");
	bad_number(plain, 26, 2, 0, 16, "the CFFOLDERs end at 36");
	bad_number(plain, 26, 2, UINT16_MAX, 1075,
	    "the file ends inside the list of CFFOLDERs");
	bad_number(plain, 16, 4, 45, 16, "coffFiles is 45");
	bad_number(plain, 28, 2, 1000, 28, "1000 CFFILEs end behind cbCabinet");
	bad_number(plain, 36, 4, 60, 36, "in front of the files' data");
	bad_number(plain, 36, 4, UINT32_MAX, 36, "end behind cbCabinet");
	bad_number(plain, 36, 4, 1068, 36, "end behind cbCabinet");
	bad_number(plain, 40, 2, 1000, 36, "end behind cbCabinet");
	bad_number(plain, 8, 4, 2000, 1075,
	    "cbCabinet is 2000: the file ends before");
	bad_number(plain, 8, 4, 1076, 1075, "cbCabinet is 1076: the file ends");
	bad_number(plain, 8, 4, 1074, 1074, "data behind the end of the");
	bad_number(&images[6], 36, 2, 60001, 36, "over 60000");
	bad_number(&images[8], 42, 1, 1, 40, "leaves no place for a signature");
	bad_number(&images[8], 50, 1, 1, 44, "no signature would cover");
	bad_number(&images[10], 42, 2, 17, 40,
	    "leaves no place for a signature");
	bad_number(&images[10], 99, 1, 1, 70, "no signature would cover");
	cab_image_build(&next, &cab);
	signable_refused(&cab, 36, "longer than 255 bytes");
	cab_image_build(plain, &cab);
	assert_true(cab.len > 1075);
	assert_int_equal(signable_try(cab.data, 1075, NULL, NULL, &e),
	    HT_ERR_DATA);
	buf_reset(&cab);
	cab_image_build(&folders, &cab);
	signable_refused(&cab, INPUT_HEAD,
	    "ends more than 64 KiB from the start");
	/* An area that is full grows, as far as it may. */
	buf_reset(&cab);
	cab_image_build(&full, &cab);
	assert_int_equal(signable_try(cab.data, cab.len, NULL, NULL, &e), 0);
	cab.data[40] = (uint8_t)(59990 & 0xff);
	cab.data[41] = 59990 >> 8;
	signable_refused(&cab, 36, "no room left");
	buf_free(&cab);
}

static void
test_bad_ends(void **state)
{
	struct buf cab = BUF_INIT;
	struct buf out = BUF_INIT;
	struct ht_error e;
	size_t end;
	size_t size;

	(void)state;
	/* Another file in front makes it something else. */
	buf_u8(&cab, 0);
	cab_image_build(&images[0], &cab);
	signable_refused(&cab, 0, "not a signable file");
	buf_reset(&cab);
	cab_image_build(&images[0], &cab);
	sign(&cab, &out, NULL);
	end = u32(out.data + 8);
	size = u32(out.data + 48);
	buf_u8(&cab, 0);
	signable_refused(&cab, cab.len - 1,
	    "data behind the end of the cabinet");

	put_u32(out.data + 48, size - 8);
	signable_refused(&out, out.len - 8, "8 bytes behind the signature");
	put_u32(out.data + 48, size + 8);
	signable_refused(&out, end, "that is cut off");
	put_u32(out.data + 48, 0);
	signable_refused(&out, 44, "the signature has 0 bytes");
	put_u32(out.data + 48, size);
	put_u32(out.data + 44, end - 8);
	signable_refused(&out, 44, "does not begin where the cabinet ends");
	put_u32(out.data + 44, end + 8);
	signable_refused(&out, 44, "does not begin where the cabinet ends");
	put_u32(out.data + 44, end);
	out.data[59] = 1;
	signable_refused(&out, 44, "no signature would cover");
	out.data[59] = 0;
	assert_int_equal(signable_try(out.data, out.len, NULL, NULL, &e), 0);

	/* The DER, less than 8 zeros, and nothing else. */
	buf_zeros(&out, 8);
	put_u32(out.data + 48, size + 8);
	assert_int_equal(signable_verify(&format_cab, &out, &e), HT_ERR_DATA);
	assert_string_equal(e.text,
	    "the signature is not one PKCS#7 and its padding");
	out.len -= 8;
	put_u32(out.data + 48, size);
	assert_int_equal(signable_verify(&format_cab, &out, &e), 0);
	out.data[end] = 0x31;
	assert_int_equal(signable_verify(&format_cab, &out, &e), HT_ERR_DATA);
	buf_free(&cab);
	buf_free(&out);
}

static void
test_not_signed(void **state)
{
	struct buf cab = BUF_INIT;
	struct ht_error e;

	(void)state;
	cab_image_build(&images[0], &cab);
	assert_int_equal(signable_verify(&format_cab, &cab, &e), HT_ERR_DATA);
	assert_string_equal(e.text, "the file is not signed");
	buf_free(&cab);
}

/* 4 GiB: no field can hold more. */
static void
test_too_large(void **state)
{
	struct buf cab = BUF_INIT;
	struct buf p7 = BUF_INIT;
	struct format_file *file;
	struct output *plan;
	struct ht_error e;
	struct input *in;

	(void)state;
	cab_image_build(&images[0], &cab);
	put_u32(cab.data + 8, UINT32_MAX - 23);
	assert_int_equal(signable_try(cab.data, cab.len, NULL, NULL, &e),
	    HT_ERR_REFUSED);
	assert_string_equal(e.text,
	    "with its signature the cabinet would be larger than 4 GiB");
	assert_int_equal(e.offset, 8);
	put_u32(cab.data + 8, UINT32_MAX - 24);
	signable_refused(&cab, cab.len, "the file ends before it");
	buf_reset(&cab);
	cab_image_build(&images[0], &cab);
	in = input_memory(cab.data, cab.len, &e);
	file = digest_of(in);
	buf_zeros(&p7, PKCS7_MAX + 1);
	assert_int_equal(format_plan(file, p7.data, p7.len, &plan, &e),
	    HT_ERR_DATA);
	format_file_free(file);
	input_free(in);
	buf_free(&cab);
	buf_free(&p7);
}

/* The token does not sign what would be too large with that. */
static void
test_nearly_4_gib(void **state)
{
	const size_t most = UINT32_MAX - FORMAT_SIGNATURE_ROOM;
	struct buf cab = BUF_INIT;
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
	cab_image_build(&images[0], &cab);
	put_u32(cab.data + 8, most);
	in = signable_hole(&cab, most, &large);
	file = digest_of(in);
	buf_zeros(&p7, FORMAT_SIGNATURE_ROOM);
	assert_int_equal(format_plan(file, p7.data, p7.len, &plan, &e),
	    HT_ERR_REFUSED);
	assert_string_equal(e.text,
	    "with its signature the file would be larger than 4 GiB");
	format_file_free(file);
	input_free(in);
	(void)fclose(large);

	put_u32(cab.data + 8, most + 1);
	in = signable_hole(&cab, most + 1, &large);
	assert_int_equal(signable_digest(in, NULL, NULL, &file, &e),
	    HT_ERR_REFUSED);
	assert_string_equal(e.text,
	    "with a signature the file would be larger than 4 GiB");
	assert_int_equal(e.offset, most);
	input_free(in);
	(void)fclose(large);
	buf_free(&cab);
	buf_free(&p7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sign_and_sign_again),
		cmocka_unit_test(test_reserved_area),
		cmocka_unit_test(test_stream_without_spool),
		cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_bad_ends),
		cmocka_unit_test(test_not_signed),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_nearly_4_gib),
	};

	return cmocka_run_group_tests(tests, signing_start, signing_stop);
}
