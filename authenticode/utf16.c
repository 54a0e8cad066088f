#include "config.h"

#include "authenticode/utf16.h"

#define REPLACEMENT 0xfffdU

static int
is_surrogate(uint32_t character)
{
	return character >= 0xd800 && character <= 0xdfff;
}

int
utf8_next(struct cursor *c, uint32_t *character)
{
	/* The least character for each length: below it the form is overlong.
	 */
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	struct cursor at = *c;
	size_t more;
	size_t i;
	uint32_t v;
	uint8_t byte;

	if (cursor_u8(&at, &byte) < 0)
		return HT_ERR_DATA;
	if (byte < 0x80) {
		more = 0;
		v = byte;
	} else if ((byte & 0xe0) == 0xc0) {
		more = 1;
		v = byte & 0x1f;
	} else if ((byte & 0xf0) == 0xe0) {
		more = 2;
		v = byte & 0x0f;
	} else if ((byte & 0xf8) == 0xf0) {
		more = 3;
		v = byte & 0x07;
	} else {
		return HT_ERR_DATA;
	}
	for (i = 0; i < more; i++) {
		if (cursor_u8(&at, &byte) < 0 || (byte & 0xc0) != 0x80)
			return HT_ERR_DATA;
		v = v << 6 | (byte & 0x3f);
	}
	if (v < least[more] || v > 0x10ffff || is_surrogate(v))
		return HT_ERR_DATA;
	*c = at;
	*character = v;
	return 0;
}

int
utf16_from_utf8(const char *text, size_t n, struct buf *out, struct ht_error *e)
{
	struct cursor c = cursor_over(text, n);
	uint32_t v;

	while (c.left > 0) {
		if (utf8_next(&c, &v) < 0)
			return ht_error_at(
			    e, HT_ERR_DATA, n - c.left, "not UTF-8 (RFC 3629)");
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

static void
put_utf8(struct buf *out, uint32_t v)
{
	if (v < 0x80) {
		buf_u8(out, (uint8_t)v);
	} else if (v < 0x800) {
		buf_u8(out, (uint8_t)(0xc0 | v >> 6));
		buf_u8(out, (uint8_t)(0x80 | (v & 0x3f)));
	} else if (v < 0x10000) {
		buf_u8(out, (uint8_t)(0xe0 | v >> 12));
		buf_u8(out, (uint8_t)(0x80 | (v >> 6 & 0x3f)));
		buf_u8(out, (uint8_t)(0x80 | (v & 0x3f)));
	} else {
		buf_u8(out, (uint8_t)(0xf0 | v >> 18));
		buf_u8(out, (uint8_t)(0x80 | (v >> 12 & 0x3f)));
		buf_u8(out, (uint8_t)(0x80 | (v >> 6 & 0x3f)));
		buf_u8(out, (uint8_t)(0x80 | (v & 0x3f)));
	}
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
			put_utf8(out, REPLACEMENT);
			return;
		}
		ahead = c;
		if (!is_surrogate(unit)) {
			put_utf8(out, unit);
		} else if (unit < 0xdc00 && cursor_u16be(&ahead, &low) == 0 &&
		    low >= 0xdc00 && low <= 0xdfff) {
			put_utf8(out,
			    0x10000U + ((uint32_t)(unit - 0xd800) << 10) +
			        (uint32_t)(low - 0xdc00));
			c = ahead;
		} else {
			put_utf8(out, REPLACEMENT);
		}
	}
}
