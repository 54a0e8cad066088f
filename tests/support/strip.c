#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "signature/init.h"
#include "tests/support/signable.h"
#include "tests/support/strip.h"

const size_t strip_sizes[STRIP_SIZES] = { 4, 63, 64, 65, 1500, 4095, 4096, 4097,
	70000 };

struct format_file *
strip_open(struct input *in, const char *name, const char *algorithm)
{
	const struct format_options options = { .algorithm = algorithm };

	return signable_open(in, name, &options);
}

void
strip_signature(size_t n, struct buf *out)
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

void
strip_sign_as(const struct format_options *how, const struct buf *original,
    const char *name, const struct buf *p7, struct buf *out)
{
	struct ht_error e;
	struct input *in = input_memory(original->data, original->len, &e);
	struct format_file *file = signable_open(in, name, how);

	signable_attach(file, p7->data, p7->len, out);
	format_file_free(file);
	input_free(in);
}

void
strip_sign(const struct buf *original, const char *name, const char *algorithm,
    const struct buf *p7, struct buf *out)
{
	const struct format_options how = { .algorithm = algorithm };

	strip_sign_as(&how, original, name, p7, out);
}

void
strip_off(const struct buf *with, const char *name, const char *algorithm,
    struct buf *out)
{
	struct ht_error e;
	struct input *in = input_memory(with->data, with->len, &e);
	struct format_file *file = strip_open(in, name, algorithm);
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
	file = strip_open(in, name, algorithm);
	assert_false(file->was_signed);
	assert_int_equal(file->digest.length, digest.length);
	assert_memory_equal(file->digest.value, digest.value, digest.length);
	assert_int_equal(format_plan(file, NULL, 0, &plan, &e), HT_ERR_DATA);
	assert_string_equal(e.text, "the file is not signed");
	assert_null(plan);
	format_file_free(file);
	input_free(in);
}

void
strip_round_trip(const struct buf *original, const char *name,
    const char *algorithm, size_t size, struct buf *out)
{
	struct buf p7 = BUF_INIT;
	struct buf with = BUF_INIT;

	strip_signature(size, &p7);
	strip_sign(original, name, algorithm, &p7, &with);
	strip_off(&with, name, algorithm, out);
	buf_free(&p7);
	buf_free(&with);
}

void
strip_assert_same(const struct buf *a, const struct buf *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->data, b->data, a->len);
}

void
strip_assert_restored(const struct buf *original, const char *name)
{
	struct buf stripped = BUF_INIT;
	size_t i;

	for (i = 0; i < STRIP_SIZES; i++) {
		buf_reset(&stripped);
		strip_round_trip(original, name, "sha256", strip_sizes[i],
		    &stripped);
		strip_assert_same(original, &stripped);
	}
	buf_free(&stripped);
}

int
strip_start(void **state)
{
	struct ht_error e;

	(void)state;
	return authenticode_init(&e);
}
