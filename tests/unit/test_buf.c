#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "lib/error.h"

static const uint8_t eight[] = { 0x01, 0x02, 0x03, 0x04, 0xf5, 0xf6, 0xf7,
	0xf8 };

/* A getter failed: code, and a cursor that did not move. */
#define UNMOVED(c, was, call)                                                  \
	do {                                                                   \
		assert_int_equal((call), HT_ERR_DATA);                         \
		assert_ptr_equal((c).p, (was).p);                              \
		assert_int_equal((c).left, (was).left);                        \
	} while (0)

static void
numbers_in_both_orders(void **state)
{
	struct cursor c;
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	(void)state;
	c = cursor_over(eight, 8);
	assert_int_equal(cursor_u8(&c, &u8), 0);
	assert_int_equal(u8, 0x01);
	assert_int_equal(cursor_u16be(&c, &u16), 0);
	assert_int_equal(u16, 0x0203);
	assert_int_equal(cursor_u32be(&c, &u32), 0);
	assert_int_equal(u32, 0x04f5f6f7);
	assert_int_equal(c.left, 1);
	c = cursor_over(eight, 8);
	assert_int_equal(cursor_u64be(&c, &u64), 0);
	assert_true(u64 == UINT64_C(0x01020304f5f6f7f8));
	assert_int_equal(cursor_end(&c), 0);
	c = cursor_over(eight, 8);
	assert_int_equal(cursor_u64le(&c, &u64), 0);
	assert_true(u64 == UINT64_C(0xf8f7f6f504030201));
	c = cursor_over(eight + 2, 6);
	assert_int_equal(cursor_u16le(&c, &u16), 0);
	assert_int_equal(u16, 0x0403);
	assert_int_equal(cursor_u32le(&c, &u32), 0);
	assert_int_equal(u32, 0xf8f7f6f5);
}

/* Every getter with every number of bytes that is too small. */
static void
what_is_short_fails_and_stays(void **state)
{
	struct cursor c, was;
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;
	size_t n;

	(void)state;
	for (n = 0; n < 8; n++) {
		c = was = cursor_over(eight, n);
		UNMOVED(c, was, cursor_u64be(&c, &u64));
		UNMOVED(c, was, cursor_u64le(&c, &u64));
		if (n < 4) {
			UNMOVED(c, was, cursor_u32be(&c, &u32));
			UNMOVED(c, was, cursor_u32le(&c, &u32));
		}
		if (n < 2) {
			UNMOVED(c, was, cursor_u16be(&c, &u16));
			UNMOVED(c, was, cursor_u16le(&c, &u16));
		}
		if (n < 1)
			UNMOVED(c, was, cursor_u8(&c, &u8));
	}
}

static void
pieces(void **state)
{
	struct cursor c = cursor_over(eight, 8), was, piece;

	(void)state;
	assert_int_equal(cursor_bytes(&c, 3, &piece), 0);
	assert_ptr_equal(piece.p, eight);
	assert_int_equal(piece.left, 3);
	assert_ptr_equal(c.p, eight + 3);
	assert_int_equal(cursor_skip(&c, 2), 0);
	assert_int_equal(c.left, 3);
	was = c;
	UNMOVED(c, was, cursor_skip(&c, 4));
	UNMOVED(c, was, cursor_bytes(&c, SIZE_MAX, &piece));
	UNMOVED(c, was, cursor_skip(&c, SIZE_MAX - 1));
	assert_int_equal(cursor_end(&c), HT_ERR_DATA);
	assert_int_equal(cursor_skip(&c, 3), 0);
	assert_int_equal(cursor_end(&c), 0);
	assert_int_equal(cursor_bytes(&c, 0, &piece), 0);
	assert_int_equal(piece.left, 0);
}

static void
nothing_is_a_cursor_too(void **state)
{
	struct cursor c = cursor_over(NULL, 0), piece;
	uint8_t v;

	(void)state;
	assert_int_equal(cursor_end(&c), 0);
	assert_int_equal(cursor_bytes(&c, 0, &piece), 0);
	assert_int_equal(cursor_skip(&c, 0), 0);
	assert_int_equal(cursor_u8(&c, &v), HT_ERR_DATA);
	assert_true(cursor_is(c, ""));
	assert_false(cursor_is(c, "a"));
}

static void
strings(void **state)
{
	static const uint8_t two[] = "\0\0\0\003abc\0\0\0\0";
	static const uint8_t lie[] = "\0\0\0\004abc";
	static const uint8_t huge[] = "\377\377\377\377abc";
	struct cursor c = cursor_over(two, 11), was, s;
	size_t n;

	(void)state;
	assert_int_equal(cursor_string(&c, &s), 0);
	assert_true(cursor_is(s, "abc"));
	assert_int_equal(cursor_string(&c, &s), 0);
	assert_int_equal(s.left, 0);
	assert_int_equal(cursor_end(&c), 0);
	c = was = cursor_over(lie, 7);
	UNMOVED(c, was, cursor_string(&c, &s));
	c = was = cursor_over(huge, 7);
	UNMOVED(c, was, cursor_string(&c, &s));
	for (n = 0; n < 7; n++) {
		c = was = cursor_over(two, n);
		UNMOVED(c, was, cursor_string(&c, &s));
	}
}

static void
texts(void **state)
{
	static const uint8_t good[] = "\0\0\0\003abc";
	static const uint8_t nul[] = "\0\0\0\003a\0c";
	static const uint8_t end[] = "\0\0\0\003ab\0";
	struct cursor c, was;
	char out[4];

	(void)state;
	c = cursor_over(good, 7);
	assert_int_equal(cursor_text(&c, out, 4), 0);
	assert_string_equal(out, "abc");
	assert_int_equal(cursor_end(&c), 0);
	c = was = cursor_over(good, 7);
	UNMOVED(c, was, cursor_text(&c, out, 3));
	UNMOVED(c, was, cursor_text(&c, out, 0));
	c = was = cursor_over(nul, 7);
	UNMOVED(c, was, cursor_text(&c, out, 4));
	c = was = cursor_over(end, 7);
	UNMOVED(c, was, cursor_text(&c, out, 4));
	c = was = cursor_over(good, 6);
	UNMOVED(c, was, cursor_text(&c, out, 4));
	c = cursor_over("\0\0\0\0", 4);
	assert_int_equal(cursor_text(&c, out, 1), 0);
	assert_string_equal(out, "");
}

static void
whole_comparison(void **state)
{
	struct cursor c = cursor_over("sign\0", 5);

	(void)state;
	assert_false(cursor_is(c, "sign"));
	c.left = 4;
	assert_true(cursor_is(c, "sign"));
	assert_false(cursor_is(c, "sig"));
	assert_false(cursor_is(c, "signs"));
	assert_false(cursor_is(c, ""));
}

static void
what_is_put_comes_back(void **state)
{
	static const uint8_t expected[] = { 1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4, 5,
		6, 7, 8, 3, 2, 7, 6, 5, 4, 8, 7, 6, 5, 4, 3, 2, 1, 'r', 'a',
		'w', 0, 0, 0, 0, 0, 2, 's', 0, 0, 0, 0, 1, 't', '4', '2', 'x' };
	struct buf b = BUF_INIT;
	struct cursor c;

	(void)state;
	buf_u8(&b, 1);
	buf_u16be(&b, 0x0203);
	buf_u32be(&b, 0x04050607);
	buf_u64be(&b, UINT64_C(0x0102030405060708));
	buf_u16le(&b, 0x0203);
	buf_u32le(&b, 0x04050607);
	buf_u64le(&b, UINT64_C(0x0102030405060708));
	buf_bytes(&b, "raw", 3);
	buf_zeros(&b, 2);
	buf_string(&b, "s", 2);
	buf_text(&b, "t");
	buf_format(&b, "%d%s", 42, "x");
	assert_int_equal(buf_failed(&b), 0);
	c = buf_cursor(&b);
	assert_int_equal(c.left, sizeof(expected));
	assert_memory_equal(c.p, expected, sizeof(expected));
	buf_free(&b);
	assert_null(b.data);
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

static void
empty_bufs(void **state)
{
	struct buf b = BUF_INIT;
	struct cursor c = buf_cursor(&b);

	(void)state;
	assert_int_equal(c.left, 0);
	buf_bytes(&b, NULL, 0);
	buf_zeros(&b, 0);
	buf_string(&b, NULL, 0);
	buf_format(&b, "%s", "");
	assert_int_equal(buf_failed(&b), 0);
	assert_int_equal(b.len, 4);
	buf_reset(&b);
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

static void
growing_keeps_the_bytes(void **state)
{
	struct buf b = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < 100000; i++)
		buf_u8(&b, (uint8_t)(i * 7));
	assert_int_equal(buf_failed(&b), 0);
	assert_int_equal(b.len, 100000);
	for (i = 0; i < 100000; i++)
		assert_int_equal(b.data[i], (uint8_t)(i * 7));
	buf_free(&b);
}

static void
the_limit_holds_and_sticks(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	b.limit = 10;
	buf_bytes(&b, "0123456789", 10);
	assert_int_equal(buf_failed(&b), 0);
	buf_u8(&b, 'x');
	assert_int_equal(buf_failed(&b), HT_ERR_INTERNAL);
	assert_int_equal(b.len, 10);
	/* What would fit again does not count: the whole is broken. */
	b.len = 0;
	buf_u8(&b, 'y');
	assert_int_equal(b.len, 0);
	assert_int_equal(buf_failed(&b), HT_ERR_INTERNAL);
	buf_reset(&b);
	buf_u8(&b, 'z');
	assert_int_equal(buf_failed(&b), 0);
	assert_int_equal(b.data[0], 'z');
	buf_free(&b);
}

/* A limit that is no power of two, reached by text of exactly its length. */
static void
format_may_fill_to_the_limit(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	b.limit = 10;
	buf_format(&b, "%s", "0123456789");
	assert_int_equal(buf_failed(&b), 0);
	assert_int_equal(b.len, 10);
	buf_format(&b, "%s", "");
	assert_int_equal(buf_failed(&b), 0);
	buf_format(&b, "%s", "x");
	assert_int_equal(buf_failed(&b), HT_ERR_INTERNAL);
	buf_free(&b);
}

static void
sizes_do_not_overflow(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_u8(&b, 1);
	assert_null(buf_room(&b, SIZE_MAX));
	assert_int_equal(buf_failed(&b), HT_ERR_INTERNAL);
	buf_reset(&b);
	assert_null(buf_room(&b, BUF_LIMIT + 1));
	buf_reset(&b);
	b.limit = SIZE_MAX;
	buf_u8(&b, 1);
	assert_null(buf_room(&b, SIZE_MAX - 1));
	buf_reset(&b);
	assert_null(buf_room(&b, SIZE_MAX / 2 + 2));
	buf_reset(&b);
	buf_string(&b, "", (size_t)UINT32_MAX + 1);
	assert_int_equal(buf_failed(&b), HT_ERR_INTERNAL);
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

static void
room_is_the_callers_to_fill(void **state)
{
	struct buf b = BUF_INIT;
	uint8_t *at;

	(void)state;
	buf_text(&b, "a");
	at = buf_room(&b, 3);
	assert_non_null(at);
	assert_ptr_equal(at, b.data + 5);
	memcpy(at, "xyz", 3);
	assert_int_equal(b.len, 8);
	assert_memory_equal(b.data, "\0\0\0\001axyz", 8);
	buf_free(&b);
}

static void
reset_wipes(void **state)
{
	static const uint8_t zeros[6];
	struct buf b = BUF_INIT;

	(void)state;
	buf_bytes(&b, "secret", 6);
	buf_reset(&b);
	assert_non_null(b.data);
	assert_memory_equal(b.data, zeros, 6);
	buf_free(&b);
}

static void
wipe_covers_exactly_its_bytes(void **state)
{
	char secret[] = "[PIN 1234]";

	(void)state;
	ht_wipe(secret + 1, 8);
	assert_int_equal(secret[0], '[');
	assert_int_equal(secret[9], ']');
	assert_memory_equal(secret + 1, "\0\0\0\0\0\0\0\0", 8);
	ht_wipe(NULL, 0);
}

static void
reserve_moves_once(void **state)
{
	struct buf b = BUF_INIT;
	const uint8_t *at;

	(void)state;
	buf_u8(&b, 7);
	buf_reserve(&b, 100000);
	assert_int_equal(b.len, 1);
	assert_int_equal(b.data[0], 7);
	assert_int_equal(b.size, 100002);
	at = b.data;
	buf_zeros(&b, 100000);
	assert_ptr_equal(b.data, at);
	assert_int_equal(buf_failed(&b), 0);
	buf_free(&b);
	b.limit = 10;
	buf_reserve(&b, 11);
	assert_int_equal(buf_failed(&b), HT_ERR_INTERNAL);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_in_both_orders),
		cmocka_unit_test(what_is_short_fails_and_stays),
		cmocka_unit_test(pieces),
		cmocka_unit_test(nothing_is_a_cursor_too),
		cmocka_unit_test(strings),
		cmocka_unit_test(texts),
		cmocka_unit_test(whole_comparison),
		cmocka_unit_test(what_is_put_comes_back),
		cmocka_unit_test(empty_bufs),
		cmocka_unit_test(growing_keeps_the_bytes),
		cmocka_unit_test(the_limit_holds_and_sticks),
		cmocka_unit_test(format_may_fill_to_the_limit),
		cmocka_unit_test(sizes_do_not_overflow),
		cmocka_unit_test(room_is_the_callers_to_fill),
		cmocka_unit_test(reset_wipes),
		cmocka_unit_test(wipe_covers_exactly_its_bytes),
		cmocka_unit_test(reserve_moves_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
