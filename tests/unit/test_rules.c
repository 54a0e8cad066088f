/*
 * What a profile asks of a request and its file: each rule met and broken, and
 * lines that stay whole.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "keys/keyd/request/rules.h"
#include "lib/utf8.h"

static struct conf_profile profile;
static struct protocol_begin begin;
static struct protocol_content content;
static struct protocol_refuse no;
static const uint8_t sha256[32];

static int
set_up(void **state)
{
	(void)state;
	memset(&profile, 0, sizeof(profile));
	memset(&begin, 0, sizeof(begin));
	memset(&content, 0, sizeof(content));
	profile.name = "p";
	begin.size = PROTOCOL_SIZE_UNKNOWN;
	return 0;
}

static void
expect(int code, int status, const char *word, const char *text)
{
	assert_int_equal(code, status);
	assert_int_equal(no.status, -status);
	assert_string_equal(no.code, word);
	assert_string_equal(no.text, text);
	assert_true(utf8_plain(no.text));
}

static int
begin_named(const char *name)
{
	(void)snprintf(begin.name, sizeof(begin.name), "%s", name);
	return rules_begin(&profile, &begin, &no);
}

static void
without_rules_all_is_taken(void **state)
{
	(void)state;
	assert_int_equal(begin_named(""), 0);
	assert_false(rules_want_version(&profile));
	assert_int_equal(rules_content(&profile, &content, &no), 0);
}

static void
what_is_required(void **state)
{
	(void)state;
	profile.require = CONF_REQUIRE_DESCRIPTION | CONF_REQUIRE_URL |
	    CONF_REQUIRE_SIZE | CONF_REQUIRE_SHA256;
	expect(begin_named(""), HT_ERR_USAGE, "require",
	    "profile p wants a description, behind the profile");
	(void)snprintf(begin.description, sizeof(begin.description), "x");
	expect(begin_named(""), HT_ERR_USAGE, "require",
	    "profile p wants --url=URL");
	/* What the profile says itself counts. */
	profile.url = "https://example.org/";
	expect(begin_named(""), HT_ERR_USAGE, "require",
	    "profile p wants --size=BYTES");
	begin.size = 0;
	expect(begin_named(""), HT_ERR_USAGE, "require",
	    "profile p wants --sha256=HEX");
	begin.sha256 = cursor_over(sha256, sizeof(sha256));
	assert_int_equal(begin_named(""), 0);
}

static void
names_that_match(void **state)
{
	static const char *const names[] = { "setup-?.exe", "*.msi", "[ab]*",
		"x\\y" };

	(void)state;
	profile.names = names;
	profile.nnames = 4;
	assert_int_equal(begin_named("setup-1.exe"), 0);
	assert_int_equal(begin_named("SETUP-x.EXE"), 0);
	assert_int_equal(begin_named(".msi"), 0);
	assert_int_equal(begin_named("B"), 0);
	assert_int_equal(begin_named("x\\y"), 0);
	expect(begin_named("setup-12.exe"), HT_ERR_DENIED, "name",
	    "profile p does not sign files of this name: it signs "
	    "setup-?.exe, *.msi, [ab]*, x\\y");
	assert_int_equal(begin_named("x.msi.exe"), HT_ERR_DENIED);
	assert_int_equal(begin_named(" b"), HT_ERR_DENIED);
	expect(begin_named(""), HT_ERR_USAGE, "require",
	    "profile p wants --name=FILE: it signs setup-?.exe, *.msi, "
	    "[ab]*, x\\y");
}

/* More patterns than a line has room for, and one that is longer than it. */
static void
many_names(void **state)
{
	static const char name[] = "a-name-of-some-length-*.exe";
	static const char *const names[] = { name, name, name, name, name,
		name };
	static char pattern[1024], longest[65];
	static const char *const one[] = { pattern, "*.dll" };
	size_t i;

	(void)state;
	profile.names = names;
	for (i = 1; i <= 6; i++) {
		profile.nnames = i;
		assert_int_equal(begin_named("x"), HT_ERR_DENIED);
		assert_int_equal(strstr(no.text, ", ...") != NULL, i > 4);
	}
	memset(longest, 'p', 64);
	profile.name = longest;
	profile.names = one;
	profile.nnames = 2;
	/* Characters of two bytes, at even and odd places. */
	for (i = 0; i < 2; i++) {
		memset(pattern, 'x', i);
		for (size_t j = i; j + 2 < sizeof(pattern); j += 2)
			memcpy(pattern + j, "\xc3\xa9", 2);
		assert_int_equal(begin_named("x"), HT_ERR_DENIED);
		assert_true(utf8_plain(no.text));
		assert_non_null(strstr(no.text, "\xc3\xa9, *.dll"));
	}
}

static int
file_says(const char *product, const char *company, const char *version)
{
	(void)snprintf(content.product, sizeof(content.product), "%s", product);
	(void)snprintf(content.company, sizeof(content.company), "%s", company);
	(void)snprintf(content.version, sizeof(content.version), "%s", version);
	return rules_content(&profile, &content, &no);
}

static void
what_files_say(void **state)
{
	(void)state;
	profile.version_info.product = "My App";
	assert_true(rules_want_version(&profile));
	assert_int_equal(file_says("My App", "", ""), 0);
	/* A text is no pattern, and its case counts. */
	assert_int_equal(file_says("my app", "", ""), HT_ERR_DENIED);
	expect(file_says("", "Us", "1"), HT_ERR_DENIED, "version-info",
	    "profile p signs files whose ProductName is \"My App\"; this one "
	    "has none");
	profile.version_info.product = "*";
	assert_int_equal(file_says("My App", "", ""), HT_ERR_DENIED);
	profile.version_info.product = NULL;
	profile.version_info.company = "Us";
	expect(file_says("My App", "Them", "1"), HT_ERR_DENIED, "version-info",
	    "profile p signs files whose CompanyName is \"Us\"; this one has "
	    "\"Them\"");
	profile.version_info.version = "1.[0-4].*";
	assert_int_equal(file_says("", "Us", "1.4.0.0"), 0);
	expect(file_says("", "Us", "1.5.0.0"), HT_ERR_DENIED, "version-info",
	    "profile p signs files whose version is \"1.[0-4].*\"; this one "
	    "has \"1.5.0.0\"");
	assert_int_equal(file_says("", "Us", ""), HT_ERR_DENIED);
	/* Any version is one that is there. */
	profile.version_info.version = "*";
	assert_int_equal(file_says("", "Us", "0"), 0);
	assert_int_equal(file_says("", "Us", ""), HT_ERR_DENIED);
}

/* The longest texts, whose characters do not end where the line cuts them. */
static void
long_texts(void **state)
{
	static char longest[65], wanted[512], found[256];
	size_t i, j;

	(void)state;
	memset(longest, 'p', 64);
	profile.name = longest;
	profile.version_info.product = wanted;
	for (i = 0; i < 4; i++) {
		memset(wanted, 'x', i);
		memset(found, 'y', i);
		for (j = i; j + 4 < sizeof(wanted); j += 4)
			memcpy(wanted + j, "\xf0\x9f\x98\x80", 5);
		for (j = i; j + 4 < sizeof(found); j += 4)
			memcpy(found + j, "\xf0\x9f\x98\x80", 5);
		assert_int_equal(file_says(found, "", ""), HT_ERR_DENIED);
		assert_true(utf8_plain(no.text));
		assert_int_equal(no.text[strlen(no.text) - 1], '"');
	}
	assert_int_equal(utf8_clip("", 0), 0);
	assert_int_equal(utf8_clip("ab", 2), 2);
	assert_int_equal(utf8_clip("\xc3\xa9", 1), 0);
	assert_int_equal(utf8_clip("\xc3\xa9", 2), 2);
}

#define TEST(function) cmocka_unit_test_setup(function, set_up)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_rules_all_is_taken),
		TEST(what_is_required),
		TEST(names_that_match),
		TEST(many_names),
		TEST(what_files_say),
		TEST(long_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
