/*
 * Answers of VirusTotal.  Only one about the file that was asked about counts,
 * and the counts are those of its engines.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "fetch/virustotal.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* How many engines the list has, all plain text. */
static size_t
engines(const struct buf *list)
{
	struct cursor c = buf_cursor(list), one;
	size_t n = 0, i;

	while (cursor_string(&c, &one) == 0) {
		n++;
		if (one.left >= VIRUSTOTAL_WORD)
			abort();
		for (i = 0; i < one.left; i++)
			if (one.p[i] < ' ' || one.p[i] > '~')
				abort();
	}
	if (c.left != 0 || n % 3 != 0)
		abort();
	return n / 3;
}

static void
check(const struct virustotal_report *report, struct cursor json)
{
	static const char hex[] =
	    "abcd000000000000000000000000000000000000000000000000000000000000";

	if (report->total == 0 || report->bad > report->total ||
	    report->total > report->listed || report->date < 0 ||
	    report->listed > VIRUSTOTAL_ENGINES ||
	    report->listed != engines(&report->engines) ||
	    memmem(json.p, json.left, hex, sizeof(hex) - 1) == NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const uint8_t sha256[VIRUSTOTAL_SHA256] = { 0xab, 0xcd };
	struct cursor json = cursor_over(p, n);
	struct virustotal_report report;
	char text[VIRUSTOTAL_URL];
	const char *end;
	struct ht_error e;

	if (virustotal_file(json, sha256, &report, &e) == 0)
		check(&report, json);
	buf_free(&report.engines);
	if (virustotal_analysis(json, sha256, false, &report, &e) == 1)
		check(&report, json);
	buf_free(&report.engines);
	if (virustotal_analysis(json, sha256, true, &report, &e) == 1 &&
	    (report.total != 0 || report.date < 0))
		abort();
	buf_free(&report.engines);
	if (virustotal_private(json, sha256, &report, &e) == 0)
		check(&report, json);
	buf_free(&report.engines);
	if (virustotal_upload_url(json, "https://www.virustotal.com/api/v3",
	        text, &e) == 0) {
		end = text + 8 + strcspn(text + 8, "/");
		if (strncmp(text, "https://", 8) != 0 || end < text + 23 ||
		    strncmp(end - 15, ".virustotal.com", 15) != 0)
			abort();
	}
	if (virustotal_upload(json, text, &e) == 0 && strchr(text, '/') != NULL)
		abort();
	return 0;
}
