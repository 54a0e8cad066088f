#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "keys/token/uri.h"

static bool
is(const struct uri_value *v, const char *text)
{
	return v->given && uri_fits(v, text, strlen(text));
}

static void
reads_what_names_a_key(void **state)
{
	struct ht_error e;
	struct uri uri;

	(void)state;
	assert_int_equal(
	    uri_parse("pkcs11:token=My%20token;object=code-signing;"
	              "id=%01%fF%00;type=private;serial=1234;"
	              "manufacturer=a+b;model=m%3bn",
	        &uri, &e),
	    0);
	assert_true(is(&uri.token, "My token"));
	assert_true(is(&uri.object, "code-signing"));
	assert_true(uri_fits(&uri.id, "\x01\xff\0", 3));
	assert_false(uri_fits(&uri.id, "\x01\xff", 2));
	assert_true(is(&uri.serial, "1234"));
	assert_true(is(&uri.manufacturer, "a+b"));
	assert_true(is(&uri.model, "m;n"));
}

static void
what_is_not_said_fits_all(void **state)
{
	struct ht_error e;
	struct uri uri;

	(void)state;
	assert_int_equal(uri_parse("pkcs11:", &uri, &e), 0);
	assert_false(uri.object.given);
	assert_true(uri_fits(&uri.object, "x", 1));
	assert_true(uri_fits(&uri.id, NULL, 0));
	/* Said to be empty is something else. */
	assert_int_equal(uri_parse("pkcs11:id=", &uri, &e), 0);
	assert_true(uri_fits(&uri.id, NULL, 0));
	assert_false(uri_fits(&uri.id, "x", 1));
}

static void
refuses_all_else(void **state)
{
	static const char *const bad[] = {
		"",
		"pkcs11",
		"PKCS11:object=a",
		"file:/etc/passwd",
		"pkcs11:object",
		"pkcs11:=a",
		"pkcs11:;",
		"pkcs11:object=a;object=a",
		"pkcs11:object=a b",
		"pkcs11:object=a/b",
		"pkcs11:object=%",
		"pkcs11:object=%4",
		"pkcs11:object=%4x",
		"pkcs11:object=%zz",
		"pkcs11:object=a\x01",
		"pkcs11:object=\xc3\xa4",
		"pkcs11:type=public",
		"pkcs11:slot-id=0",
		"pkcs11:x-vendor=1",
		"pkcs11:object=a?pin-value=1234",
		"pkcs11:?module-path=/tmp/x.so",
	};
	struct ht_error e;
	struct uri uri;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (uri_parse(bad[i], &uri, &e) != HT_ERR_USAGE)
			fail_msg("\"%s\" is taken", bad[i]);
		assert_true(e.text[0] != '\0');
		assert_false(uri.object.given);
	}
}

static void
values_have_a_limit(void **state)
{
	char text[64 + 3 * URI_VALUE];
	struct ht_error e;
	struct uri uri;
	size_t i;
	int n;

	(void)state;
	n = snprintf(text, sizeof(text), "pkcs11:id=");
	for (i = 0; i < URI_VALUE - 1; i++)
		memcpy(text + n + 3 * i, "%61", 4);
	assert_int_equal(uri_parse(text, &uri, &e), 0);
	assert_int_equal(uri.id.n, URI_VALUE - 1);
	memcpy(text + n + 3 * i, "%61", 4);
	assert_int_equal(uri_parse(text, &uri, &e), HT_ERR_USAGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_names_a_key),
		cmocka_unit_test(what_is_not_said_fits_all),
		cmocka_unit_test(refuses_all_else),
		cmocka_unit_test(values_have_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
