/*
 * What VirusTotal answers: nothing but a documented answer about the very file
 * counts as one.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fetch/virustotal.h"

#define SUM "abababababababababababababababababababababababababababababababab"
#define ENGINES                                                                \
	"{\"Alpha\":{\"category\":\"malicious\",\"result\":\"Win.X\"},"        \
	"\"Beta\":{\"category\":\"undetected\",\"result\":null},"              \
	"\"Gamma\":{\"category\":\"suspicious\",\"result\":\"a\\nb\"},"        \
	"\"Delta\":{\"category\":\"timeout\",\"result\":null},"                \
	"\"Eta\":{\"category\":\"harmless\"}}"
#define A_FILE(sum, date, results)                                             \
	"{\"data\":{\"type\":\"file\",\"attributes\":{\"sha256\":\"" sum       \
	"\",\"last_analysis_date\":" date                                      \
	",\"last_analysis_results\":" results "}}}"
#define ANALYSIS(sum, status, date, results)                                   \
	"{\"meta\":{\"file_info\":{\"sha256\":\"" sum "\"}},\"data\":{"        \
	"\"type\":\"analysis\",\"attributes\":{\"status\":\"" status           \
	"\",\"date\":" date ",\"results\":" results "}}}"
#define REPORT(sum, more)                                                      \
	"{\"data\":{\"type\":\"private_file\",\"attributes\":{\"sha256\":"     \
	"\"" sum "\"" more "}}}"

static uint8_t sha256[VIRUSTOTAL_SHA256];
static struct virustotal_report report;
static struct ht_error e;

static int
read_file(const char *json, size_t n)
{
	buf_free(&report.engines);
	return virustotal_file(cursor_over(json, n), sha256, &report, &e);
}

static int
file(const char *json)
{
	return read_file(json, strlen(json));
}

static int
analysis(const char *json, bool private)
{
	buf_free(&report.engines);
	return virustotal_analysis(cursor_over(json, strlen(json)), sha256,
	    private, &report, &e);
}

static int
private_file(const char *json)
{
	buf_free(&report.engines);
	return virustotal_private(cursor_over(json, strlen(json)), sha256,
	    &report, &e);
}

static void
no(int rc, const char *text)
{
	assert_int_equal(rc, HT_ERR_DATA);
	assert_string_equal(e.text, text);
}

static void
counts(unsigned int bad, unsigned int total, unsigned int listed)
{
	assert_int_equal(report.bad, bad);
	assert_int_equal(report.total, total);
	assert_int_equal(report.listed, listed);
}

/* The next engine of the list. */
static void
engine(struct cursor *c, const char *name, const char *category,
    const char *result)
{
	const char *const expected[] = { name, category, result };
	char word[VIRUSTOTAL_WORD];
	size_t i;

	for (i = 0; i < 3; i++) {
		assert_int_equal(cursor_text(c, word, sizeof(word)), 0);
		assert_string_equal(word, expected[i]);
	}
}

static int
begin(void **state)
{
	(void)state;
	memset(sha256, 0xab, sizeof(sha256));
	memset(&report, 0, sizeof(report));
	return 0;
}

static int
end(void **state)
{
	(void)state;
	buf_free(&report.engines);
	return 0;
}

static void
engines_are_counted_by_their_own_verdicts(void **state)
{
	struct cursor c;

	(void)state;
	assert_int_equal(file(A_FILE(SUM, "1700000000", ENGINES)), 0);
	counts(2, 4, 5);
	assert_int_equal(report.date, 1700000000);
	c = buf_cursor(&report.engines);
	engine(&c, "Alpha", "malicious", "Win.X");
	engine(&c, "Beta", "undetected", "");
	engine(&c, "Gamma", "suspicious", "a?b");
	engine(&c, "Delta", "timeout", "");
	engine(&c, "Eta", "harmless", "");
	assert_int_equal(c.left, 0);
}

static void
it_is_about_this_file(void **state)
{
	(void)state;
	sha256[31] = 0xac;
	no(file(A_FILE(SUM, "1", ENGINES)), "its answer is about another file");
	no(analysis(ANALYSIS(SUM, "completed", "1", ENGINES), false),
	    "its answer is about another file");
	no(analysis(ANALYSIS(SUM, "completed", "1", ENGINES), true),
	    "its answer is about another file");
	no(private_file(REPORT(SUM, ",\"threat_verdict\":\"VERDICT_BENIGN\"")),
	    "its answer is about another file");
	counts(0, 0, 0);
}

static void
somebody_has_looked_at_it(void **state)
{
	static const char none[] = "no engine has looked at the file";

	(void)state;
	no(file(A_FILE(SUM, "1", "{}")), none);
	no(file(A_FILE(SUM, "1",
	       "{\"a\":{\"category\":\"type-unsupported\"},"
	       "\"b\":{\"category\":\"failure\"},"
	       "\"c\":{\"category\":\"confirmed-timeout\"},"
	       "\"d\":{\"category\":\"Harmless\"}}")),
	    none);
	no(file(A_FILE(SUM, "1", "{\"a\":{\"result\":null}}")),
	    "its answer has an engine without a category");
	no(file(A_FILE(SUM, "1", "{\"a\":7}")),
	    "its answer has an engine without a category");
	no(file(A_FILE(SUM, "1", "[]")),
	    "its answer does not list the engines");
	no(file(A_FILE(SUM, "1", "null")),
	    "its answer does not list the engines");
}

static void
it_has_a_date(void **state)
{
	static const char none[] = "its answer has no date of an analysis";

	(void)state;
	no(file(A_FILE(SUM, "\"1\"", ENGINES)), none);
	no(file(A_FILE(SUM, "null", ENGINES)), none);
	no(file(A_FILE(SUM, "-1", ENGINES)), none);
	no(file(A_FILE(SUM, "1.5", ENGINES)), none);
	no(analysis(ANALYSIS(SUM, "completed", "-1", ENGINES), false), none);
	no(analysis(ANALYSIS(SUM, "completed", "null", ENGINES), true), none);
}

static void
it_is_json(void **state)
{
	static const char *const bad[] = { "", "{", "[]", "null", "7",
		"{\"data\":[]}", "{\"data\":{\"attributes\":7}}",
		"\xef\xbb\xbf{}", "{}{}" };
	static const char twice[] =
	    "{\"data\":{\"attributes\":{\"sha256\":\"x\",\"sha256\":\"" SUM
	    "\",\"last_analysis_date\":1,\"last_analysis_results\":" ENGINES
	    "}}}";
	char *deep = malloc(100001);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(file(bad[i]), HT_ERR_DATA);
		assert_int_equal(analysis(bad[i], false), HT_ERR_DATA);
		assert_int_equal(private_file(bad[i]), HT_ERR_DATA);
	}
	no(file(twice), "its answer is no JSON");
	assert_non_null(deep);
	memset(deep, '[', 100000);
	deep[100000] = '\0';
	no(file(deep), "its answer is no JSON");
	free(deep);
}

static void
engines_are_bounded(void **state)
{
	struct buf json = BUF_INIT, engines = BUF_INIT;
	char name[100];
	size_t i;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (i = 0; i < VIRUSTOTAL_ENGINES; i++)
		buf_format(&engines, "%s\"%zu%s\":{\"category\":\"harmless\"}",
		    i > 0 ? "," : "", i, name);
	buf_u8(&engines, '\0');
	buf_format(&json, A_FILE(SUM, "1", "{%s}"), (char *)engines.data);
	assert_int_equal(read_file((char *)json.data, json.len), 0);
	counts(0, VIRUSTOTAL_ENGINES, VIRUSTOTAL_ENGINES);
	assert_true(report.engines.len <
	    (size_t)VIRUSTOTAL_ENGINES * 3 * (VIRUSTOTAL_WORD + 4));
	buf_free(&json);
	json = (struct buf)BUF_INIT;
	buf_format(&json,
	    A_FILE(SUM, "1", "{\"x\":{\"category\":\"harmless\"},%s}"),
	    (char *)engines.data);
	no(read_file((char *)json.data, json.len),
	    "its answer lists too many engines");
	buf_free(&json);
	buf_free(&engines);
}

static void
an_analysis_is_waited_for(void **state)
{
	(void)state;
	assert_int_equal(analysis(ANALYSIS(SUM, "queued", "1", "{}"), false),
	    0);
	assert_int_equal(
	    analysis(ANALYSIS(SUM, "in-progress", "1", ENGINES), false), 0);
	counts(0, 0, 0);
	assert_int_equal(
	    analysis(ANALYSIS(SUM, "completed", "7", ENGINES), false), 1);
	counts(2, 4, 5);
	assert_int_equal(report.date, 7);
	no(analysis("{\"data\":{\"attributes\":{}}}", false),
	    "its answer has no status of an analysis");
	no(analysis("{\"meta\":{\"file_info\":{\"sha256\":\"" SUM
	            "\"}},\"data\":{\"attributes\":"
	            "{\"date\":1,\"status\":\"completed\"}}}",
	       false),
	    "its answer does not list the engines");
}

static void
a_private_file_has_a_report_instead(void **state)
{
	struct cursor c;

	(void)state;
	assert_int_equal(analysis("{\"meta\":{\"file_info\":{\"sha256\":\"" SUM
	                          "\"}},\"data\":{\"attributes\":"
	                          "{\"date\":9,\"status\":\"completed\"}}}",
	                     true),
	    1);
	counts(0, 0, 0);
	assert_int_equal(report.date, 9);
	no(private_file(REPORT(SUM, "")), "no engine has looked at the file");
	no(private_file(REPORT(SUM, ",\"threat_verdict\":\"VERDICT_UNKNOWN\"")),
	    "no engine has looked at the file");
	no(private_file(REPORT(SUM, ",\"threat_verdict\":\"undetected\"")),
	    "no engine has looked at the file");
	no(private_file(REPORT(SUM, ",\"sandbox_verdicts\":[]")),
	    "its answer does not list the engines");
	assert_int_equal(private_file(REPORT(SUM,
	                     ",\"threat_verdict\":\"VERDICT_SUSPICIOUS\","
	                     "\"sandbox_verdicts\":{\"Zenbox\":{"
	                     "\"category\":\"harmless\"}}")),
	    0);
	counts(1, 2, 2);
	c = buf_cursor(&report.engines);
	engine(&c, "VirusTotal", "suspicious", "VERDICT_SUSPICIOUS");
	engine(&c, "Zenbox", "harmless", "");
	assert_int_equal(private_file(REPORT(SUM,
	                     ",\"threat_verdict\":\"VERDICT_MALICIOUS\"")),
	    0);
	counts(1, 1, 1);
}

/* What an upload is named; NULL if that is no name. */
static void
named(const char *id, const char *expected)
{
	char json[200], out[VIRUSTOTAL_URL];
	int rc;

	(void)snprintf(json, sizeof(json), "{\"data\":{\"id\":%s}}", id);
	rc = virustotal_upload(cursor_over(json, strlen(json)), out, &e);
	assert_int_equal(rc, expected == NULL ? HT_ERR_DATA : 0);
	if (expected != NULL)
		assert_string_equal(out, expected);
}

static void
an_upload_is_named_in_plain_characters(void **state)
{
	(void)state;
	named("\"NjY0-_Mg==\"", "NjY0-_Mg==");
	named("\"\"", NULL);
	named("\"../x\"", NULL);
	named("\"a?b\"", NULL);
	named("7", NULL);
	named("null", NULL);
}

/* Where a file goes; NULL if it does not. */
static void
goes_to(const char *base, const char *url, const char *expected)
{
	char json[VIRUSTOTAL_URL + 20], out[VIRUSTOTAL_URL];
	int rc;

	(void)snprintf(json, sizeof(json), "{\"data\":\"%s\"}", url);
	rc = virustotal_upload_url(cursor_over(json, strlen(json)), base, out,
	    &e);
	assert_int_equal(rc, expected == NULL ? HT_ERR_DATA : 0);
	if (expected != NULL)
		assert_string_equal(out, expected);
}

static void
a_file_goes_to_no_other_host(void **state)
{
	static const char base[] = "https://www.virustotal.com/api/v3",
	                  local[] = "http://127.0.0.1:2933/api/v3";
	static const char *const others[] = { "", "x", "//", "https://",
		"https://evil.com/", "https://evilvirustotal.com/",
		"https://www.virustotal.com.evil.com/",
		"https://evil.com?.virustotal.com/",
		"https://evil.com#.virustotal.com/",
		"https://evil.com:1.virustotal.com/",
		"https://a@evil.com:443.virustotal.com/",
		"https://.virustotal.com.evil/", "https:///www.virustotal.com/",
		"https://www.virustotal.com:8443/u", "https://h/ u",
		"https://www.virustotal.com/\\r\\nHost: x" };
	char longest[VIRUSTOTAL_URL];
	size_t i;

	(void)state;
	goes_to(base, "https://www.virustotal.com/_ah/u?x=%20&y",
	    "https://www.virustotal.com/_ah/u?x=%20&y");
	goes_to(base, "http://www.virustotal.com/_ah/u",
	    "https://www.virustotal.com/_ah/u");
	goes_to(base, "https://bigfiles.virustotal.com/_ah/u",
	    "https://bigfiles.virustotal.com/_ah/u");
	goes_to(local, "https://127.0.0.1:2933/u", "http://127.0.0.1:2933/u");
	goes_to(local, "http://1.127.0.0.1:2933/u", NULL);
	goes_to(local, "http://127.0.0.1:2934/u", NULL);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		goes_to(base, others[i], NULL);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	memcpy(longest, "//www.virustotal.com/", 21);
	goes_to(base, longest, NULL); /* with https: it is too long */
}

/* Whatever is cut off or flipped, there is no other verdict than of engines. */
static void
damage_is_found(void **state)
{
	static const char good[] = A_FILE(SUM, "1700000000", ENGINES);
	char copy[sizeof(good)];
	size_t i, bit;

	(void)state;
	for (i = 0; i < sizeof(good) - 1; i++)
		assert_int_equal(read_file(good, i), HT_ERR_DATA);
	for (i = 0; i < sizeof(good) - 1; i++)
		for (bit = 0; bit < 8; bit++) {
			memcpy(copy, good, sizeof(good));
			copy[i] = (char)(copy[i] ^ (1 << bit));
			if (read_file(copy, sizeof(good) - 1) < 0)
				continue;
			assert_in_range(report.bad, 1, 2);
			assert_in_range(report.total, 3, 4);
			assert_int_equal(report.listed, 5);
		}
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(engines_are_counted_by_their_own_verdicts),
		TEST(it_is_about_this_file),
		TEST(somebody_has_looked_at_it),
		TEST(it_has_a_date),
		TEST(it_is_json),
		TEST(engines_are_bounded),
		TEST(an_analysis_is_waited_for),
		TEST(a_private_file_has_a_report_instead),
		TEST(an_upload_is_named_in_plain_characters),
		TEST(a_file_goes_to_no_other_host),
		TEST(damage_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
