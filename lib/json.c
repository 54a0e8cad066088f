#include "config.h"

#include <string.h>

#include "lib/json.h"
#include "lib/utf8.h"

static void
put_point(struct buf *out, uint32_t point)
{
	if (point >= 0x20 && point < 0x7f)
		buf_u8(out, (uint8_t)point);
	else if (point < 0x10000)
		buf_format(out, "\\u%04x", (unsigned int)point);
	else
		buf_format(out, "\\u%04x\\u%04x",
		    0xd7c0 + (unsigned int)(point >> 10),
		    0xdc00 + (unsigned int)(point & 0x3ff));
}

static void
put_escaped(struct buf *out, const uint8_t *p, size_t n, bool is_text)
{
	uint32_t point;
	size_t length;

	for (; n > 0; p += length, n -= length) {
		length = utf8_next(p, n, &point);
		if (length == 0) {
			length = 1;
			point = 0xfffd;
		}
		if (is_text && (point == '"' || point == '\\'))
			buf_u8(out, '\\');
		put_point(out, point);
	}
}

void
json_ascii(struct buf *out, const void *p, size_t n)
{
	put_escaped(out, p, n, false);
}

static void
put_name(struct buf *out, const char *name)
{
	uint8_t last = out->len > 0 ? out->data[out->len - 1] : '{';

	if (last != '{' && last != '[')
		buf_u8(out, ',');
	if (name != NULL)
		buf_format(out, "\"%s\":", name);
}

void
json_open(struct buf *out, const char *name, char bracket)
{
	put_name(out, name);
	buf_u8(out, (uint8_t)bracket);
}

void
json_close(struct buf *out, char bracket)
{
	buf_u8(out, (uint8_t)bracket);
}

void
json_text(struct buf *out, const char *name, const char *text)
{
	put_name(out, name);
	buf_u8(out, '"');
	put_escaped(out, (const uint8_t *)text, strlen(text), true);
	buf_u8(out, '"');
}

void
json_number(struct buf *out, const char *name, uint64_t value)
{
	put_name(out, name);
	buf_format(out, "%llu", (unsigned long long)value);
}

void
json_bool(struct buf *out, const char *name, bool value)
{
	put_name(out, name);
	buf_format(out, "%s", value ? "true" : "false");
}
