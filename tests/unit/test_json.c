#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/json.h"

static void
assert_json(struct buf *out, const char *expected)
{
	buf_u8(out, '\0');
	assert_int_equal(buf_failed(out), 0);
	assert_string_equal((const char *)out->data, expected);
	buf_reset(out);
}

static void
test_structure(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	json_open(&out, NULL, '{');
	json_text(&out, "a", "[{");
	json_open(&out, "b", '[');
	json_number(&out, NULL, UINT64_MAX);
	json_open(&out, NULL, '{');
	json_close(&out, '}');
	json_open(&out, NULL, '[');
	json_close(&out, ']');
	json_text(&out, NULL, "");
	json_close(&out, ']');
	json_bool(&out, "c", true);
	json_bool(&out, "d", false);
	json_close(&out, '}');
	assert_json(&out,
	    "{\"a\":\"[{\",\"b\":[18446744073709551615,{},[],\"\"],"
	    "\"c\":true,\"d\":false}");
	buf_free(&out);
}

static void
test_text(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	json_text(&out, NULL, "a\"b\\c/\n\x1b\x7f");
	assert_json(&out, "\"a\\\"b\\\\c/\\u000a\\u001b\\u007f\"");
	json_text(&out, NULL, "\xc3\xbc\xe2\x80\xae\xf0\x9f\x98\x80");
	assert_json(&out, "\"\\u00fc\\u202e\\ud83d\\ude00\"");
	/* Not UTF-8: cut, too long, a surrogate. */
	json_text(&out, NULL, "\xc3x\xc0\x80\xed\xa0\x80");
	assert_json(&out, "\"\\ufffdx\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\"");
	buf_free(&out);
}

static void
test_ascii(void **state)
{
	static const char json[] = "{\"a\":\"\xc3\xbc\\n\"}";
	struct buf out = BUF_INIT;

	(void)state;
	json_ascii(&out, json, strlen(json));
	assert_json(&out, "{\"a\":\"\\u00fc\\n\"}");
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_ascii),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
