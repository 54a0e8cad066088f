/*
 * What VirusTotal answers.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "fetch/virustotal.h"

static const uint8_t sha256[VIRUSTOTAL_SHA256] = { 0xab, 0xcd };
#define HEX "abcd000000000000000000000000000000000000000000000000000000000000"
#define FILE_OF(members)                                                       \
	"{\"data\":{\"attributes\":{\"sha256\":\"" HEX "\"," members "}}}"
#define ENGINE(name, category, result)                                         \
	"\"" name "\":{\"category\":\"" category "\",\"result\":" result "}"

static int
file(const char *json, struct virustotal_report *out)
{
	struct ht_error e;

	return virustotal_file(cursor_over(json, strlen(json)), sha256, out,
	    &e);
}

static int
analysis(const char *json, struct virustotal_report *out)
{
	struct ht_error e;

	return virustotal_analysis(cursor_over(json, strlen(json)), sha256, out,
	    &e);
}

static void
engines_are_counted(void **state)
{
	static const char *const expected[] = { "A", "malicious", "Evil", "B",
		"suspicious", "", "C", "undetected", "", "D", "timeout", "",
		"E?x", "harmless",
		"012345678901234567890123456789012345678901234567890123456789"
		"012" };
	struct virustotal_report report;
	struct cursor c, one;
	size_t i;

	(void)state;
	assert_int_equal(
	    file(FILE_OF("\"last_analysis_date\":17,"
	                 "\"last_analysis_results\":{" //
	             ENGINE("A", "malicious", "\"Evil\"") "," ENGINE("B",
	                 "suspicious", "null") "," ENGINE("C", "undetected",
	                 "null") "," ENGINE("D", "timeout",
	                 "null") "," ENGINE("E\\nx", "harmless",
	                 "\"012345678901234567890123456789012345678901234567890"
	                 "1234"
	                 "567890123456789\"") "}"),
	        &report),
	    0);
	assert_int_equal(report.date, 17);
	assert_int_equal(report.bad, 2);
	assert_int_equal(report.total, 4);
	c = buf_cursor(&report.engines);
	for (i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		assert_int_equal(cursor_string(&c, &one), 0);
		assert_true(cursor_is(one, expected[i]));
	}
	assert_int_equal(c.left, 0);
	buf_free(&report.engines);
}

static void
other_answers_are_none(void **state)
{
	static const char *const cases[] = {
		"",
		"[]",
		"17",
		"{}",
		"{\"data\":[]}",
		FILE_OF("\"last_analysis_date\":17"),
		FILE_OF("\"last_analysis_results\":{" //
		    ENGINE("A", "harmless", "null") "}"),
		FILE_OF("\"last_analysis_date\":\"17\","
		        "\"last_analysis_results\":{" //
		    ENGINE("A", "harmless", "null") "}"),
		FILE_OF("\"last_analysis_date\":17,"
		        "\"last_analysis_results\":{}"),
		FILE_OF("\"last_analysis_date\":17,"
		        "\"last_analysis_results\":{" //
		    ENGINE("A", "timeout", "null") "}"),
		FILE_OF("\"last_analysis_date\":17,"
		        "\"last_analysis_results\":{\"A\":{}}"),
		FILE_OF("\"last_analysis_date\":17,"
		        "\"last_analysis_results\":{\"A\":[]}"),
		/* It says a name twice. */
		FILE_OF("\"sha256\":\"" HEX "\",\"last_analysis_date\":17,"
		        "\"last_analysis_results\":{" //
		    ENGINE("A", "harmless", "null") "}"),
		/* Another file. */
		"{\"data\":{\"attributes\":{\"sha256\":\"ab\","
		"\"last_analysis_date\":17,\"last_analysis_results\":{" //
		ENGINE("A", "harmless", "null") "}}}}",
		/* More behind it. */
		FILE_OF("\"last_analysis_date\":17,"
		        "\"last_analysis_results\":{" //
		    ENGINE("A", "harmless", "null") "}") "x",
	};
	struct virustotal_report report;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (file(cases[i], &report) != HT_ERR_DATA)
			fail_msg("not refused: %s", cases[i]);
		buf_free(&report.engines);
	}
}

#define ANALYSIS(status, hex)                                                  \
	"{\"data\":{\"attributes\":{\"status\":\"" status "\",\"date\":18,"    \
	"\"results\":{" ENGINE("A", "harmless",                                \
	    "null") "}}},"                                                     \
	            "\"meta\":{\"file_info\":{\"sha256\":\"" hex "\"}}}"

static void
an_analysis_counts_when_it_is_completed(void **state)
{
	struct virustotal_report report;

	(void)state;
	assert_int_equal(analysis(ANALYSIS("queued", HEX), &report), 0);
	assert_int_equal(report.total, 0);
	buf_free(&report.engines);
	assert_int_equal(analysis(ANALYSIS("completed", HEX), &report), 1);
	assert_int_equal(report.date, 18);
	assert_int_equal(report.total, 1);
	buf_free(&report.engines);
	assert_int_equal(analysis(ANALYSIS("completed", "00"), &report),
	    HT_ERR_DATA);
	buf_free(&report.engines);
	assert_int_equal(analysis("{\"data\":{}}", &report), HT_ERR_DATA);
	buf_free(&report.engines);
}

static void
what_an_upload_is_told(void **state)
{
	static const char good[] = "{\"data\":{\"id\":\"dGVzdA==\"}}",
	                  url[] = "{\"data\":\"https://h/up?x=1\"}",
	                  space[] = "{\"data\":\"https://h/ up\"}",
	                  slash[] = "{\"data\":{\"id\":\"../files\"}}",
	                  empty[] = "{\"data\":{\"id\":\"\"}}";
	char out[VIRUSTOTAL_URL];
	struct ht_error e;

	(void)state;
#define OVER(text) cursor_over(text, sizeof(text) - 1)
	assert_int_equal(virustotal_upload(OVER(good), out, &e), 0);
	assert_string_equal(out, "dGVzdA==");
	assert_int_equal(virustotal_upload_url(OVER(url), out, &e), 0);
	assert_string_equal(out, "https://h/up?x=1");
	assert_int_equal(virustotal_upload_url(OVER(space), out, &e),
	    HT_ERR_DATA);
	assert_int_equal(virustotal_upload(OVER(slash), out, &e), HT_ERR_DATA);
	assert_int_equal(virustotal_upload(OVER(empty), out, &e), HT_ERR_DATA);
	assert_int_equal(virustotal_upload(OVER(url), out, &e), HT_ERR_DATA);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(engines_are_counted),
		cmocka_unit_test(other_answers_are_none),
		cmocka_unit_test(an_analysis_counts_when_it_is_completed),
		cmocka_unit_test(what_an_upload_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
