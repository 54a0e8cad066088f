/*
 * DER value by value.  What der_count finds is in test_pkcs7_limits.c.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <string.h>

#include "signature/der.h"

#define BAD_LENGTH                                                             \
	"not DER: a length that is indefinite or too large (X.690 10.1)"

static void
next_takes_one_value(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		size_t header;
		size_t value;
	} cases[] = {
		{ "\5\0", 2, 2, 0 },
		{ "\4\1x", 3, 2, 1 },
		{ "\4\1x\5\0", 5, 2, 1 },
		{ "\x1e\1x", 3, 2, 1 }, /* tag number 30 */
		{ "\x04\x81\1x", 4, 3, 1 },
		{ "\x04\x82\0\1x", 5, 4, 1 },
		{ "\x04\x83\0\0\1x", 6, 5, 1 },
		{ "\x04\x84\0\0\0\1x", 7, 6, 1 },
	};
	struct cursor c;
	struct ht_error e;
	struct der v;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		c = cursor_over(cases[i].bytes, cases[i].n);
		assert_int_equal(der_next(&c, &v, &e), 0);
		assert_int_equal(v.tag, (uint8_t)cases[i].bytes[0]);
		assert_ptr_equal(v.whole.p, cases[i].bytes);
		assert_int_equal(v.whole.left,
		    cases[i].header + cases[i].value);
		assert_ptr_equal(v.value.p, cases[i].bytes + cases[i].header);
		assert_int_equal(v.value.left, cases[i].value);
		assert_ptr_equal(c.p, cases[i].bytes + v.whole.left);
		assert_int_equal(c.left, cases[i].n - v.whole.left);
	}
}

static void
next_refuses_what_is_not_whole(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
	} cases[] = {
		{ "", 0 },
		{ "\4", 1 },
		{ "\4\1", 2 },
		{ "\4\2x", 3 },
		{ "\x04\x80\0\0", 4 },
		{ "\x04\x81", 2 },
		{ "\x04\x81\2x", 4 },
		{ "\x04\x82\1", 3 },
		{ "\x04\x82\1\0x", 5 },
		{ "\x04\x85\0\0\0\0\1x", 8 },
		{ "\x04\xff\0\0\0\0\1x", 8 },
		{ "\x1f\1x", 3 }, /* tag number above 30 */
		{ "\x3f\1x", 3 },
	};
	struct cursor c;
	struct ht_error e;
	struct der v;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		c = cursor_over(cases[i].bytes, cases[i].n);
		assert_int_equal(der_next(&c, &v, &e), HT_ERR_DATA);
		assert_int_equal(e.code, HT_ERR_DATA);
		assert_string_equal(e.text, BAD_LENGTH);
		assert_ptr_equal(c.p, cases[i].bytes);
		assert_int_equal(c.left, cases[i].n);
	}
}

/* Also where the octet alone would be a length. */
static void
next_refuses_lengths_of_no_octets_and_of_five(void **state)
{
	static const uint8_t octets[] = { 0x80, 0x85, 0xff };
	uint8_t bytes[2 + 0xff] = { DER_OCTETS };
	struct cursor c;
	struct ht_error e;
	struct der v;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(octets); i++) {
		bytes[1] = octets[i];
		c = cursor_over(bytes, sizeof(bytes));
		assert_int_equal(der_next(&c, &v, &e), HT_ERR_DATA);
	}
}

static void
expect_wants_its_tag(void **state)
{
	struct cursor c = cursor_over("\4\1x", 3), none = cursor_over("\4", 0);
	struct ht_error e;
	struct der v;

	(void)state;
	assert_false(der_is_next(&c, DER_BITS));
	assert_true(der_is_next(&c, DER_OCTETS));
	assert_false(der_is_next(&none, DER_OCTETS));
	assert_int_equal(der_expect(&c, DER_BITS, &v, &e), HT_ERR_DATA);
	assert_string_equal(e.text,
	    "DER: no value with the tag 0x03 where it should be");
	assert_int_equal(c.left, 3);
	assert_int_equal(der_expect(&none, DER_OCTETS, &v, &e), HT_ERR_DATA);
	assert_int_equal(der_expect(&c, DER_OCTETS, &v, &e), 0);
	assert_int_equal(v.value.left, 1);
	assert_int_equal(c.left, 0);
}

static void
headers_are_the_shortest(void **state)
{
	static const struct {
		size_t n;
		const char *header;
		size_t length;
	} cases[] = {
		{ 0, "\4\0", 2 },
		{ 127, "\x04\x7f", 2 },
		{ 128, "\x04\x81\x80", 3 },
		{ 255, "\x04\x81\xff", 3 },
		{ 256, "\x04\x82\1\0", 4 },
		{ 65535, "\x04\x82\xff\xff", 4 },
		{ 65536, "\x04\x83\1\0\0", 5 },
		{ 0x01020304, "\x04\x84\1\2\3\4", 6 },
	};
	struct buf header = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(&header);
		der_put_header(&header, DER_OCTETS, cases[i].n);
		assert_int_equal(header.len, cases[i].length);
		assert_memory_equal(header.data, cases[i].header, header.len);
		assert_int_equal(der_size(cases[i].n),
		    cases[i].n + cases[i].length);
	}
	buf_reset(&header);
	der_put_header(&header, DER_OCTETS, SIZE_MAX);
	assert_int_equal(header.len, 2 + sizeof(size_t));
	assert_int_equal(header.data[1], 0x80 | sizeof(size_t));
	assert_int_equal(header.data[2], 0xff);
	assert_int_equal(der_size(SIZE_MAX), 1 + sizeof(size_t));
	buf_free(&header);
}

static bool
in_order(const char *a, const char *b)
{
	return der_in_order(cursor_over(a, strlen(a)),
	    cursor_over(b, strlen(b)));
}

static void
the_order_is_that_of_bytes_and_then_of_lengths(void **state)
{
	(void)state;
	assert_true(in_order("", ""));
	assert_true(in_order("", "a"));
	assert_false(in_order("a", ""));
	assert_true(in_order("a", "a"));
	assert_true(in_order("a", "b"));
	assert_false(in_order("b", "a"));
	assert_true(in_order("a", "ab"));
	assert_false(in_order("ab", "a"));
	assert_true(in_order("ab", "b"));
	assert_false(in_order("b", "ab"));
	assert_true(in_order("a", "\xff"));
	/* What stands behind the shorter one is not compared. */
	assert_false(der_in_order(cursor_over("ab", 2), cursor_over("ac", 1)));
	assert_true(der_in_order(cursor_over("ac", 1), cursor_over("ab", 2)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(next_takes_one_value),
		cmocka_unit_test(next_refuses_what_is_not_whole),
		cmocka_unit_test(next_refuses_lengths_of_no_octets_and_of_five),
		cmocka_unit_test(expect_wants_its_tag),
		cmocka_unit_test(headers_are_the_shortest),
		cmocka_unit_test(
		    the_order_is_that_of_bytes_and_then_of_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
