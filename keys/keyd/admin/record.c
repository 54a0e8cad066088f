#include "config.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "keys/keyd/admin/record.h"
#include "keys/keyd/admin/verbs-private.h"
#include "lib/json.h"

#define WIDTH 18 /* of the names */

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

static void
put_name(struct buf *out, const char *name)
{
	size_t i, n = strlen(name);

	for (i = 0; i < n || i < WIDTH; i++)
		buf_u8(out, i < n && name[i] != '_' ? (uint8_t)name[i] : ' ');
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
	put_name(out, name);
	verbs_put_escaped(out, text);
	buf_u8(out, '\n');
}

void
record_number(struct record *r, const char *name, uint64_t value)
{
	if (r->as_json) {
		json_number(&r->json, name, value);
		return;
	}
	put_name(&r->command->out, name);
	buf_format(&r->command->out, "%llu\n", (unsigned long long)value);
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
