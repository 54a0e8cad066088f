#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/json.h"
#include "lib/log.h"
#include "lib/put.h"

#define COLUMNS 80
#define WIDTH 16 /* of the names: a SHA-256 fits behind one */

void
put_escaped(struct buf *out, const char *text)
{
	char line[1024];
	size_t n = log_escape(line, sizeof(line), text, strlen(text));

	buf_bytes(out, line, n);
}

void
put_column(struct buf *out, int width, const char *text)
{
	char line[256];

	(void)log_escape(line, sizeof(line), text, strlen(text));
	buf_format(out, "%-*s ", width, line);
}

void
put_json(struct buf *out, const char *json)
{
	json_ascii(out, json, strlen(json));
	buf_u8(out, '\n');
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
put_wrapped(struct buf *out, size_t indent, const char *text)
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
put_field(struct buf *out, const char *name, const char *text)
{
	put_name(out, name);
	put_wrapped(out, strlen(name) < WIDTH ? WIDTH : strlen(name) + 1, text);
}
