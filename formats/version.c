#include "config.h"

#include <string.h>

#include "formats/version.h"
#include "lib/utf8.h"

void
format_version_utf8(struct cursor text, char out[FORMAT_VERSION_TEXT])
{
	size_t n;

	out[0] = '\0';
	if (text.left == 0)
		return;
	n = strnlen((const char *)text.p, text.left);
	if (n >= FORMAT_VERSION_TEXT)
		return;
	memcpy(out, text.p, n);
	out[n] = '\0';
	if (!utf8_plain(out))
		out[0] = '\0';
}

/* One code point.  HT_ERR_DATA at the end, and for half a surrogate pair. */
static int
next(struct cursor *text, uint32_t *c)
{
	uint16_t high, low = 0;

	if (cursor_u16le(text, &high) < 0)
		return HT_ERR_DATA;
	*c = high;
	if (high < 0xd800 || high >= 0xe000)
		return 0;
	if (high >= 0xdc00 || cursor_u16le(text, &low) < 0 || low < 0xdc00 ||
	    low >= 0xe000)
		return HT_ERR_DATA;
	*c = 0x10000 + ((uint32_t)(high - 0xd800) << 10) + (low - 0xdc00U);
	return 0;
}

void
format_version_utf16(struct cursor text, char out[FORMAT_VERSION_TEXT])
{
	struct buf b = BUF_INIT;
	uint32_t c = 1;

	b.limit = FORMAT_VERSION_TEXT;
	while (text.left > 1 && c != 0) {
		if (next(&text, &c) < 0)
			b.failed = true;
		else if (c != 0)
			utf8_put(&b, c);
		if (b.failed)
			break;
	}
	out[0] = '\0';
	if (buf_failed(&b) == 0)
		format_version_utf8(buf_cursor(&b), out);
	buf_free(&b);
}
