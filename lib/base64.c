#include "config.h"

#include <string.h>

#include "lib/base64.h"
#include "lib/error.h"

static const char digits[2][65] = {
	[BASE64_STANDARD] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                    "abcdefghijklmnopqrstuvwxyz0123456789+/",
	[BASE64_URL] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	               "abcdefghijklmnopqrstuvwxyz0123456789-_",
};

void
base64_encode(const void *p, size_t n, enum base64_alphabet alphabet,
    struct buf *out)
{
	const uint8_t *in = p;
	uint32_t group;
	size_t i, j, take;

	for (i = 0; i < n; i += take) {
		take = n - i < 3 ? n - i : 3;
		group = 0;
		for (j = 0; j < 3; j++)
			group = group << 8 | (j < take ? in[i + j] : 0);
		for (j = 0; j < 4; j++) {
			if (j <= take)
				buf_u8(out,
				    (uint8_t)
				        digits[alphabet]
				              [group >> (18 - 6 * j) & 63]);
			else if (alphabet == BASE64_STANDARD)
				buf_u8(out, '=');
		}
	}
}

/* The value of digit c, or -1 if it is none. */
static int
digit_value(uint8_t c, enum base64_alphabet alphabet)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == (uint8_t)digits[alphabet][62])
		return 62;
	return c == (uint8_t)digits[alphabet][63] ? 63 : -1;
}

/* Decode two to four digits to one to three bytes.  Spare bits must be 0. */
static int
decode_group(const uint8_t *p, size_t n, enum base64_alphabet alphabet,
    struct buf *out)
{
	uint32_t group = 0;
	size_t i;
	int v;

	if (n < 2)
		return HT_ERR_DATA;
	for (i = 0; i < 4; i++) {
		v = i < n ? digit_value(p[i], alphabet) : 0;
		if (v < 0)
			return HT_ERR_DATA;
		group = group << 6 | (uint32_t)v;
	}
	for (i = 0; i < 3; i++) {
		if (i < n - 1)
			buf_u8(out, (uint8_t)(group >> (16 - 8 * i)));
		else if ((group >> (16 - 8 * i) & 0xff) != 0)
			return HT_ERR_DATA;
	}
	return 0;
}

/* Remove the padding, which makes the length a multiple of 4. */
static int
strip_padding(struct cursor *text)
{
	size_t i;

	if (text->left % 4 != 0)
		return HT_ERR_DATA;
	for (i = 0; i < 2 && text->left > 0; i++) {
		if (text->p[text->left - 1] == '=')
			text->left--;
	}
	return 0;
}

int
base64_decode(struct cursor text, enum base64_alphabet alphabet,
    struct buf *out)
{
	struct cursor group;
	size_t start = out->len;
	int rc = 0;

	if (alphabet == BASE64_STANDARD)
		rc = strip_padding(&text);
	while (rc == 0 && text.left > 0) {
		(void)cursor_bytes(&text, text.left < 4 ? text.left : 4,
		    &group);
		rc = decode_group(group.p, group.left, alphabet, out);
	}
	if (rc == 0)
		rc = buf_failed(out);
	if (rc < 0)
		out->len = start;
	return rc;
}
