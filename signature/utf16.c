#include "config.h"

#include "lib/utf8.h"
#include "signature/utf16.h"

#define REPLACEMENT 0xfffdU

static int
is_surrogate(uint32_t character)
{
	return character >= 0xd800 && character <= 0xdfff;
}

int
utf16_from_utf8(const char *text, size_t n, struct buf *out, struct ht_error *e)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t length;
	size_t at;
	uint32_t v;

	for (at = 0; at < n; at += length) {
		length = utf8_next(p + at, n - at, &v);
		if (length == 0)
			return ht_error_at(e, HT_ERR_DATA, at,
			    "not UTF-8 (RFC 3629)");
		if (v < 0x10000) {
			buf_u16be(out, (uint16_t)v);
		} else {
			v -= 0x10000;
			buf_u16be(out, (uint16_t)(0xd800 + (v >> 10)));
			buf_u16be(out, (uint16_t)(0xdc00 + (v & 0x3ff)));
		}
	}
	return 0;
}

void
utf16_to_utf8(const uint8_t *p, size_t n, struct buf *out)
{
	struct cursor c = cursor_over(p, n);
	struct cursor ahead;
	uint16_t unit;
	uint16_t low;

	while (c.left > 0) {
		if (cursor_u16be(&c, &unit) < 0) {
			utf8_put(out, REPLACEMENT);
			return;
		}
		ahead = c;
		if (!is_surrogate(unit)) {
			utf8_put(out, unit);
		} else if (unit < 0xdc00 && cursor_u16be(&ahead, &low) == 0 &&
		    low >= 0xdc00 && low <= 0xdfff) {
			utf8_put(out,
			    0x10000U + ((uint32_t)(unit - 0xd800) << 10) +
			        (uint32_t)(low - 0xdc00));
			c = ahead;
		} else {
			utf8_put(out, REPLACEMENT);
		}
	}
}
