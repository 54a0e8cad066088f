/*
 * What clamd answers, and what becomes of that.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "pump/clamd.h"

static void
expect(const char *answer, size_t n, const char *verdict, const char *text)
{
	struct protocol_verdict v;

	memset(&v, 0, sizeof(v));
	clamd_verdict(answer, n, &v);
	assert_string_equal(v.verdict, verdict);
	assert_string_equal(v.text, text);
}

static void
only_ok_is_clean(void **state)
{
	static const char *const others[] = { "OK", "stream: ok", "stream: OK ",
		"stream:  OK", "xstream: OK", "stream: OKAY", "1: stream: OK",
		"stream: FOUND", "UNKNOWN COMMAND", "COMMAND UNAVAILABLE",
		"INSTREAM size limit exceeded. ERROR", " FOUND" };
	char text[128];
	size_t i;

	(void)state;
	expect("stream: OK", 10, PROTOCOL_VERDICT_CLEAN, "");
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		(void)snprintf(text, sizeof(text), "clamd: %s", others[i]);
		expect(others[i], strlen(others[i]), PROTOCOL_VERDICT_UNSCANNED,
		    text);
	}
}

static void
what_is_found_has_a_name(void **state)
{
	static const char found[] = "stream: Win.Test-1 FOUND",
	                  spaces[] = "stream: a FOUND FOUND",
	                  limits[] = "stream: Heuristics.Limits.Exceeded."
	                             "MaxScanSize FOUND",
	                  other[] = "stream: Heuristics.Phishing FOUND";

	(void)state;
	expect(found, sizeof(found) - 1, PROTOCOL_VERDICT_VIRUS, "Win.Test-1");
	expect(spaces, sizeof(spaces) - 1, PROTOCOL_VERDICT_VIRUS, "a FOUND");
	expect(other, sizeof(other) - 1, PROTOCOL_VERDICT_VIRUS,
	    "Heuristics.Phishing");
	expect(limits, sizeof(limits) - 1, PROTOCOL_VERDICT_UNSCANNED,
	    "Heuristics.Limits.Exceeded.MaxScanSize");
}

static void
what_is_not_plain_is_no_answer(void **state)
{
	static const char nothing[] = "clamd answers what is no answer";
	static const char *const others[] = { "stream: a\nb FOUND",
		"stream: \033[2J FOUND", "stream: caf\303\251 FOUND", "" };
	char longest[CLAMD_ANSWER];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		expect(others[i], strlen(others[i]), PROTOCOL_VERDICT_UNSCANNED,
		    nothing);
	expect("stream: OK\0", 11, PROTOCOL_VERDICT_UNSCANNED, nothing);
	memset(longest, 'a', sizeof(longest));
	expect(longest, sizeof(longest), PROTOCOL_VERDICT_UNSCANNED, nothing);
}

static void
a_database_has_a_date_or_none(void **state)
{
	static const char *const without[] = { "ClamAV 1.4.3", "",
		"ClamAV 1.4.3/27000/", "ClamAV 1.4.3/27000/yesterday",
		"ClamAV 1.4.3/27000/Sun Nov 29 03:53:37 2026 ",
		"ClamAV 1.4.3/27000/Sun Nov 29 03:53:37",
		"ClamAV 1.4.3/27000/Thu Jan  1 00:00:00 1960" };
	size_t i;

	(void)state;
	assert_int_equal(
	    clamd_date("ClamAV 1.4.3/27000/Sun Nov 29 03:53:37 2026"),
	    1795924417);
	for (i = 0; i < sizeof(without) / sizeof(without[0]); i++)
		assert_int_equal(clamd_date(without[i]), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_ok_is_clean),
		cmocka_unit_test(what_is_found_has_a_name),
		cmocka_unit_test(what_is_not_plain_is_no_answer),
		cmocka_unit_test(a_database_has_a_date_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
