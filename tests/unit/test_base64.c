#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "lib/base64.h"
#include "lib/error.h"

static const struct {
	const char *bytes;
	const char *standard;
	const char *url;
} vectors[] = {
	/* RFC 4648 §10, and two digits that differ. */
	{ "", "", "" },
	{ "f", "Zg==", "Zg" },
	{ "fo", "Zm8=", "Zm8" },
	{ "foo", "Zm9v", "Zm9v" },
	{ "foob", "Zm9vYg==", "Zm9vYg" },
	{ "fooba", "Zm9vYmE=", "Zm9vYmE" },
	{ "foobar", "Zm9vYmFy", "Zm9vYmFy" },
	{ "\xfb\xff\xbf", "+/+/", "-_-_" },
};

static void
expect(const char *bytes, const char *text, enum base64_alphabet alphabet)
{
	struct buf out = BUF_INIT;

	base64_encode(bytes, strlen(bytes), alphabet, &out);
	assert_int_equal(buf_failed(&out), 0);
	assert_true(cursor_is(buf_cursor(&out), text));
	buf_reset(&out);
	assert_int_equal(
	    base64_decode(cursor_over(text, strlen(text)), alphabet, &out), 0);
	assert_true(cursor_is(buf_cursor(&out), bytes));
	buf_free(&out);
}

static void
both_ways(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		expect(vectors[i].bytes, vectors[i].standard, BASE64_STANDARD);
		expect(vectors[i].bytes, vectors[i].url, BASE64_URL);
	}
}

static void
refuse(const char *text, enum base64_alphabet alphabet)
{
	struct buf out = BUF_INIT;

	if (base64_decode(cursor_over(text, strlen(text)), alphabet, &out) !=
	    HT_ERR_DATA)
		fail_msg("took \"%s\"", text);
	assert_int_equal(out.len, 0);
	buf_free(&out);
}

static void
one_text_only(void **state)
{
	(void)state;
	refuse("Zg", BASE64_STANDARD);
	refuse("Zg=", BASE64_STANDARD);
	refuse("Zg===", BASE64_STANDARD);
	refuse("Z===", BASE64_STANDARD);
	refuse("====", BASE64_STANDARD);
	refuse("=Zg=", BASE64_STANDARD);
	refuse("Zg==Zg==", BASE64_STANDARD);
	refuse("Zh==", BASE64_STANDARD); /* spare bits are set */
	refuse("Zm9=", BASE64_STANDARD);
	refuse("Zm 9v", BASE64_STANDARD);
	refuse("Zm9v\n", BASE64_STANDARD);
	refuse("Zm9\xc3", BASE64_STANDARD);
	refuse("-_-_", BASE64_STANDARD);
	refuse("Z", BASE64_URL);
	refuse("Zm9vZ", BASE64_URL);
	refuse("Zg==", BASE64_URL);
	refuse("Zh", BASE64_URL);
	refuse("+/+/", BASE64_URL);
}

static void
full_buffer(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	out.limit = 5;
	buf_bytes(&out, "foo", 3);
	assert_int_equal(
	    base64_decode(cursor_over("Zm9v", 4), BASE64_URL, &out),
	    HT_ERR_INTERNAL);
	assert_true(cursor_is(buf_cursor(&out), "foo"));
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(one_text_only),
		cmocka_unit_test(full_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
