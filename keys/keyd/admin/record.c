#include "config.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "keys/keyd/admin/record.h"
#include "keys/keyd/admin/verbs-private.h"
#include "lib/json.h"

void
record_begin(struct record *r, struct verbs_command *c)
{
	memset(r, 0, sizeof(*r));
	r->command = c;
	r->as_json = verbs_option(c, "json") != NULL;
	if (r->as_json)
		json_open(&r->json, NULL, '{');
	else if (c->out.len > 0)
		buf_u8(&c->out, '\n');
}

void
record_end(struct record *r)
{
	struct buf *out = &r->command->out;

	if (r->as_json) {
		json_close(&r->json, '}');
		buf_u8(&r->json, '\n');
		buf_bytes(out, r->json.data, r->json.len);
		if (buf_failed(&r->json) < 0)
			out->failed = true;
	}
	buf_free(&r->json);
}

void
record_text(struct record *r, const char *name, const char *text)
{
	struct buf *out = &r->command->out;

	if (text == NULL)
		return;
	if (r->as_json) {
		json_text(&r->json, name, text);
		return;
	}
	put_field(out, name, text);
}

void
record_number(struct record *r, const char *name, uint64_t value)
{
	char text[32];

	if (r->as_json) {
		json_number(&r->json, name, value);
		return;
	}
	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	put_field(&r->command->out, name, text);
}

void
record_time(struct record *r, const char *name, int64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;
	char text[32] = "?";

	if (gmtime_r(&t, &tm) != NULL)
		(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	record_text(r, name, text);
}
