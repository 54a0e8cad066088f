#include "config.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "htsign/report.h"
#include "lib/json.h"
#include "lib/log.h"

void
report_clear(struct report *r)
{
	buf_free(&r->out);
	buf_free(&r->problems);
}

void
report_text(struct report *r, const char *label, const char *name,
    const char *text)
{
	char escaped[8192];

	if (*text == '\0')
		return;
	if (r->json) {
		json_text(&r->out, name, text);
		return;
	}
	(void)log_escape(escaped, sizeof(escaped), text, strlen(text));
	buf_format(&r->out, "%*s%-13s%s\n", r->indent, "", label, escaped);
}

void
report_number(struct report *r, const char *label, const char *name,
    uint64_t value)
{
	if (r->json)
		json_number(&r->out, name, value);
	else
		buf_format(&r->out, "%*s%-13s%llu\n", r->indent, "", label,
		    (unsigned long long)value);
}

void
report_bool(struct report *r, const char *label, const char *name, bool value)
{
	if (r->json)
		json_bool(&r->out, name, value);
	else if (value)
		report_text(r, label, name, "yes");
}

void
report_hex(struct report *r, const char *label, const char *name,
    const uint8_t *p, size_t n)
{
	struct buf hex = BUF_INIT;
	size_t i;

	for (i = 0; i < n; i++)
		buf_format(&hex, "%02x", p[i]);
	buf_u8(&hex, '\0');
	if (buf_failed(&hex) == 0)
		report_text(r, label, name, (const char *)hex.data);
	else
		r->out.failed = true;
	buf_free(&hex);
}

const char *
report_time_text(int64_t seconds, char out[REPORT_TIME_SIZE])
{
	time_t when = (time_t)seconds;
	struct tm tm;

	out[0] = '\0';
	if (seconds != REPORT_NO_TIME && gmtime_r(&when, &tm) != NULL)
		(void)strftime(out, REPORT_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ",
		    &tm);
	return out;
}

void
report_time(struct report *r, const char *label, const char *name,
    int64_t seconds)
{
	char text[REPORT_TIME_SIZE];

	report_text(r, label, name, report_time_text(seconds, text));
}

void
report_open(struct report *r, const char *name, char bracket)
{
	if (r->json)
		json_open(&r->out, name, bracket);
}

void
report_close(struct report *r, char bracket)
{
	if (r->json)
		json_close(&r->out, bracket);
}

void
report_problem(struct report *r, const char *text)
{
	size_t n = strlen(text) + 1;

	if (r->problems.len > 0 &&
	    memmem(r->problems.data, r->problems.len, text, n) != NULL)
		return;
	buf_bytes(&r->problems, text, n);
	if (r->problem[0] == '\0')
		(void)snprintf(r->problem, sizeof(r->problem), "%s", text);
	if (!r->json)
		report_text(r, "problem:", "", text);
}

void
report_error(struct report *r, const struct ht_error *e)
{
	char text[sizeof(e->text) + 32];

	if (e->offset == HT_NO_OFFSET)
		(void)snprintf(text, sizeof(text), "%s", e->text);
	else
		(void)snprintf(text, sizeof(text), "%s (at byte %llu)", e->text,
		    (unsigned long long)e->offset);
	report_problem(r, text);
}

void
report_problems(struct report *r)
{
	const char *p = (const char *)r->problems.data;
	size_t at;

	if (buf_failed(&r->problems) < 0)
		r->out.failed = true;
	if (r->json && r->problems.len > 0) {
		json_open(&r->out, "problems", '[');
		for (at = 0; at < r->problems.len; at += strlen(p + at) + 1)
			json_text(&r->out, NULL, p + at);
		json_close(&r->out, ']');
	}
	buf_reset(&r->problems);
}
