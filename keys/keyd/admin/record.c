#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "keys/keyd/admin/record.h"
#include "keys/keyd/admin/verbs-private.h"
#include "lib/json.h"
#include "lib/log.h"

#define COLUMNS 80
#define WIDTH 16 /* of the names: a SHA-256 fits behind one */

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

	for (i = 0; i <= n || i < WIDTH; i++)
		buf_u8(out, i < n && name[i] != '_' ? (uint8_t)name[i] : ' ');
}

/* As many bytes of the text as fit a line; up to a space, if there is one. */
static size_t
line_of(const char *text, size_t room)
{
	size_t n = strlen(text), at;

	if (n <= room)
		return n;
	for (at = room; at > 0; at--)
		if (text[at] == ' ')
			return at;
	return room;
}

void
record_wrap(struct buf *out, size_t indent, const char *text)
{
	size_t size = 4 * strlen(text) + 1, n;
	char *line = malloc(size);
	const char *at = line;

	if (line == NULL) {
		out->failed = true;
		return;
	}
	(void)log_escape(line, size, text, size / 4);
	for (;;) {
		n = line_of(at, COLUMNS - indent);
		buf_bytes(out, at, n);
		buf_u8(out, '\n');
		at += n;
		at += *at == ' ';
		if (*at == '\0')
			break;
		buf_format(out, "%*s", (int)indent, "");
	}
	free(line);
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
	record_wrap(out, strlen(name) < WIDTH ? WIDTH : strlen(name) + 1, text);
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
