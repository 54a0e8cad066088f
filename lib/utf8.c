#include "config.h"

#include <string.h>

#include "lib/utf8.h"

size_t
utf8_next(const uint8_t *p, size_t n, uint32_t *point)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t value;
	size_t length, i;

	if (p[0] < 0x80) {
		length = 1;
		value = p[0];
	} else if (p[0] >= 0xc0 && p[0] < 0xe0) {
		length = 2;
		value = p[0] & 0x1f;
	} else if (p[0] >= 0xe0 && p[0] < 0xf0) {
		length = 3;
		value = p[0] & 0x0f;
	} else if (p[0] >= 0xf0 && p[0] < 0xf8) {
		length = 4;
		value = p[0] & 0x07;
	} else {
		return 0;
	}
	if (length > n)
		return 0;
	for (i = 1; i < length; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (p[i] & 0x3f);
	}
	if (value < least[length] || value > 0x10ffff ||
	    (value >= 0xd800 && value <= 0xdfff))
		return 0;
	if (point != NULL)
		*point = value;
	return length;
}

bool
utf8_plain(const char *text)
{
	size_t n = strlen(text), take;
	uint32_t point;

	for (; n > 0; text += take, n -= take) {
		take = utf8_next((const uint8_t *)text, n, &point);
		if (take == 0 || point < 0x20 ||
		    (point >= 0x7f && point < 0xa0))
			return false;
	}
	return true;
}

int
utf8_clip(const char *text, int most)
{
	int n = (int)strnlen(text, (size_t)most);

	/* The first byte left out must begin a character, or be the NUL. */
	while (n > 0 && ((uint8_t)text[n] & 0xc0) == 0x80)
		n--;
	return n;
}

void
utf8_put(struct buf *out, uint32_t point)
{
	if (point < 0x80) {
		buf_u8(out, (uint8_t)point);
	} else if (point < 0x800) {
		buf_u8(out, (uint8_t)(0xc0 | point >> 6));
		buf_u8(out, (uint8_t)(0x80 | (point & 0x3f)));
	} else if (point < 0x10000) {
		buf_u8(out, (uint8_t)(0xe0 | point >> 12));
		buf_u8(out, (uint8_t)(0x80 | (point >> 6 & 0x3f)));
		buf_u8(out, (uint8_t)(0x80 | (point & 0x3f)));
	} else {
		buf_u8(out, (uint8_t)(0xf0 | point >> 18));
		buf_u8(out, (uint8_t)(0x80 | (point >> 12 & 0x3f)));
		buf_u8(out, (uint8_t)(0x80 | (point >> 6 & 0x3f)));
		buf_u8(out, (uint8_t)(0x80 | (point & 0x3f)));
	}
}
