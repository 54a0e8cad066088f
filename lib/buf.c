#include "config.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/error.h"

struct cursor
cursor_over(const void *p, size_t n)
{
	struct cursor c = { p, n };

	return c;
}

int
cursor_bytes(struct cursor *c, size_t n, struct cursor *out)
{
	if (n > c->left)
		return HT_ERR_DATA;
	*out = cursor_over(c->p, n);
	if (n > 0)
		c->p += n;
	c->left -= n;
	return 0;
}

int
cursor_skip(struct cursor *c, size_t n)
{
	struct cursor skipped;

	return cursor_bytes(c, n, &skipped);
}

/* An unsigned number of n bytes, most significant first. */
static int
number_be(struct cursor *c, size_t n, uint64_t *v)
{
	struct cursor bytes;
	size_t i;

	if (cursor_bytes(c, n, &bytes) < 0)
		return HT_ERR_DATA;
	*v = 0;
	for (i = 0; i < n; i++)
		*v = *v << 8 | bytes.p[i];
	return 0;
}

/* The same, least significant first. */
static int
number_le(struct cursor *c, size_t n, uint64_t *v)
{
	struct cursor bytes;
	size_t i;

	if (cursor_bytes(c, n, &bytes) < 0)
		return HT_ERR_DATA;
	*v = 0;
	for (i = n; i > 0; i--)
		*v = *v << 8 | bytes.p[i - 1];
	return 0;
}

#define CURSOR_NUMBER(name, type, order)                                       \
	int name(struct cursor *c, type *v)                                    \
	{                                                                      \
		uint64_t n;                                                    \
                                                                               \
		if (number_##order(c, sizeof(*v), &n) < 0)                     \
			return HT_ERR_DATA;                                    \
		*v = (type)n;                                                  \
		return 0;                                                      \
	}

CURSOR_NUMBER(cursor_u8, uint8_t, be)
CURSOR_NUMBER(cursor_u16be, uint16_t, be)
CURSOR_NUMBER(cursor_u32be, uint32_t, be)
CURSOR_NUMBER(cursor_u64be, uint64_t, be)
CURSOR_NUMBER(cursor_u16le, uint16_t, le)
CURSOR_NUMBER(cursor_u32le, uint32_t, le)
CURSOR_NUMBER(cursor_u64le, uint64_t, le)

int
cursor_string(struct cursor *c, struct cursor *out)
{
	struct cursor try = *c;
	uint32_t n;

	if (cursor_u32be(&try, &n) < 0 || cursor_bytes(&try, n, out) < 0)
		return HT_ERR_DATA;
	*c = try;
	return 0;
}

int
cursor_text(struct cursor *c, char *out, size_t size)
{
	struct cursor try = *c;
	struct cursor s;

	if (cursor_string(&try, &s) < 0 || s.left >= size)
		return HT_ERR_DATA;
	if (s.left > 0 && memchr(s.p, '\0', s.left) != NULL)
		return HT_ERR_DATA;
	if (s.left > 0)
		memcpy(out, s.p, s.left);
	out[s.left] = '\0';
	*c = try;
	return 0;
}

int
cursor_end(const struct cursor *c)
{
	return c->left == 0 ? 0 : HT_ERR_DATA;
}

bool
cursor_is(struct cursor c, const char *s)
{
	size_t n = strlen(s);

	return c.left == n && (n == 0 || memcmp(c.p, s, n) == 0);
}

void
ht_wipe(void *p, size_t n)
{
	if (n > 0)
		explicit_bzero(p, n);
}

void
buf_free(struct buf *b)
{
	if (b->data != NULL)
		ht_wipe(b->data, b->size);
	free(b->data);
	memset(b, 0, sizeof(*b));
}

void
buf_reset(struct buf *b)
{
	if (b->data != NULL)
		ht_wipe(b->data, b->len);
	b->len = 0;
	b->failed = false;
}

/*
 * Move the bytes to new memory.  realloc(3) would not wipe the old memory,
 * which may have held a secret.
 */
static int
buf_move(struct buf *b, size_t size)
{
	uint8_t *data = malloc(size);

	if (data == NULL)
		return HT_ERR_INTERNAL;
	if (b->data != NULL) {
		memcpy(data, b->data, b->len);
		ht_wipe(b->data, b->size);
		free(b->data);
	}
	b->data = data;
	b->size = size;
	return 0;
}

/*
 * Allocate more than need bytes: buf_format writes a NUL after its text.
 */
static int
buf_grow(struct buf *b, size_t need)
{
	size_t size = b->size != 0 ? b->size : 128;

	while (size <= need && size <= SIZE_MAX / 2)
		size *= 2;
	return size <= need ? HT_ERR_INTERNAL : buf_move(b, size);
}

void
buf_reserve(struct buf *b, size_t n)
{
	size_t limit = b->limit != 0 ? b->limit : BUF_LIMIT;

	if (b->failed || n > limit || b->len > limit - n)
		b->failed = true;
	else if (b->len + n >= b->size && buf_move(b, b->len + n + 1) < 0)
		b->failed = true;
}

uint8_t *
buf_room(struct buf *b, size_t n)
{
	size_t limit = b->limit != 0 ? b->limit : BUF_LIMIT;
	uint8_t *at;

	if (b->failed || n > limit || b->len > limit - n) {
		b->failed = true;
		return NULL;
	}
	if (b->len + n >= b->size && buf_grow(b, b->len + n) < 0) {
		b->failed = true;
		return NULL;
	}
	at = b->data + b->len;
	b->len += n;
	return at;
}

void
buf_bytes(struct buf *b, const void *p, size_t n)
{
	uint8_t *at = buf_room(b, n);

	if (at != NULL && n > 0)
		memcpy(at, p, n);
}

void
buf_zeros(struct buf *b, size_t n)
{
	uint8_t *at = buf_room(b, n);

	if (at != NULL && n > 0)
		memset(at, 0, n);
}

static void
put_be(struct buf *b, uint64_t v, size_t n)
{
	uint8_t *at = buf_room(b, n);

	while (at != NULL && n > 0) {
		at[--n] = (uint8_t)v;
		v >>= 8;
	}
}

static void
put_le(struct buf *b, uint64_t v, size_t n)
{
	uint8_t *at = buf_room(b, n);
	size_t i;

	for (i = 0; at != NULL && i < n; i++) {
		at[i] = (uint8_t)v;
		v >>= 8;
	}
}

void
buf_u8(struct buf *b, uint8_t v)
{
	put_be(b, v, 1);
}

void
buf_u16be(struct buf *b, uint16_t v)
{
	put_be(b, v, 2);
}

void
buf_u32be(struct buf *b, uint32_t v)
{
	put_be(b, v, 4);
}

void
buf_u64be(struct buf *b, uint64_t v)
{
	put_be(b, v, 8);
}

void
buf_u16le(struct buf *b, uint16_t v)
{
	put_le(b, v, 2);
}

void
buf_u32le(struct buf *b, uint32_t v)
{
	put_le(b, v, 4);
}

void
buf_u64le(struct buf *b, uint64_t v)
{
	put_le(b, v, 8);
}

void
buf_string(struct buf *b, const void *p, size_t n)
{
	if (n > UINT32_MAX) {
		b->failed = true;
		return;
	}
	buf_u32be(b, (uint32_t)n);
	buf_bytes(b, p, n);
}

void
buf_text(struct buf *b, const char *s)
{
	buf_string(b, s, strlen(s));
}

void
buf_format(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;
	uint8_t *at;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || (at = buf_room(b, (size_t)n)) == NULL) {
		b->failed = true;
		return;
	}
	/* There is room for the NUL: see buf_grow. */
	va_start(ap, fmt);
	(void)vsnprintf((char *)at, (size_t)n + 1, fmt, ap);
	va_end(ap);
}

int
buf_failed(const struct buf *b)
{
	return b->failed ? HT_ERR_INTERNAL : 0;
}

struct cursor
buf_cursor(const struct buf *b)
{
	return cursor_over(b->data, b->len);
}
