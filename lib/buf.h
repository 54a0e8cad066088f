/*
 * Bytes from outside, and bytes to send.
 *
 * A cursor is the only way to read bytes that came from elsewhere: every
 * getter either advances past what it returns or fails and leaves the cursor
 * where it was.  Nobody does arithmetic on offsets by hand.
 *
 * A buf is a growing string of bytes that we make ourselves.  Its errors (no
 * memory, over the limit) stick: put everything, then ask buf_failed() once.
 */

#ifndef LIB_BUF_H
#define LIB_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is left to read.  Passed by value where a function only peeks. */
struct cursor {
	const uint8_t *p;
	size_t left;
};

/*
 * A cursor over n bytes at p, which must outlive it.  p may be NULL if n is 0.
 */
struct cursor cursor_over(const void *p, size_t n);

/*
 * Getters: 0, or HT_ERR_DATA if fewer bytes are left than they need.  be and
 * le are the byte orders.
 */
int cursor_u8(struct cursor *c, uint8_t *v);
int cursor_u16be(struct cursor *c, uint16_t *v);
int cursor_u32be(struct cursor *c, uint32_t *v);
int cursor_u64be(struct cursor *c, uint64_t *v);
int cursor_u16le(struct cursor *c, uint16_t *v);
int cursor_u32le(struct cursor *c, uint32_t *v);
int cursor_u64le(struct cursor *c, uint64_t *v);

/*
 * The next n bytes as a cursor of their own, pointing into the same memory.
 */
int cursor_bytes(struct cursor *c, size_t n, struct cursor *out);
int cursor_skip(struct cursor *c, size_t n);

/*
 * An SSH-style string (RFC 4251): u32 length, then that many bytes.
 */
int cursor_string(struct cursor *c, struct cursor *out);

/*
 * A string as above, copied as text with a NUL behind it into out, which has
 * room for size bytes.  HT_ERR_DATA also if it holds a NUL or does not fit.
 */
int cursor_text(struct cursor *c, char *out, size_t size);

/*
 * 0 if nothing is left, HT_ERR_DATA otherwise: left-over bytes are an error.
 */
int cursor_end(const struct cursor *c);

/*
 * Whether the whole of c is exactly the text s.
 */
bool cursor_is(struct cursor c, const char *s);

struct buf {
	uint8_t *data;
	size_t len;
	size_t size;  /* allocated */
	size_t limit; /* never grows past this; 0 means BUF_LIMIT */
	bool failed;
};

#define BUF_LIMIT ((size_t)64 << 20)

/*
 * A buf starts as BUF_INIT (or all zeros) and ends with buf_free, which wipes
 * what it held and leaves it as at the start.
 */
#define BUF_INIT                                                               \
	{                                                                      \
		NULL, 0, 0, 0, false                                           \
	}
void buf_free(struct buf *b);

/*
 * Empty it, wiping what was there but keeping the memory.
 */
void buf_reset(struct buf *b);

void buf_u8(struct buf *b, uint8_t v);
void buf_u16be(struct buf *b, uint16_t v);
void buf_u32be(struct buf *b, uint32_t v);
void buf_u64be(struct buf *b, uint64_t v);
void buf_u16le(struct buf *b, uint16_t v);
void buf_u32le(struct buf *b, uint32_t v);
void buf_u64le(struct buf *b, uint64_t v);
void buf_bytes(struct buf *b, const void *p, size_t n);
void buf_zeros(struct buf *b, size_t n);

/*
 * An SSH-style string; buf_text takes one that ends with a NUL, which is not
 * part of it.
 */
void buf_string(struct buf *b, const void *p, size_t n);
void buf_text(struct buf *b, const char *s);

/*
 * Formatted text, without the NUL.
 */
void buf_format(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * See that there is memory for n more bytes and no more than that, where the
 * usual doubling would be much too much.
 */
void buf_reserve(struct buf *b, size_t n);

/*
 * Make room for n more bytes and return where they go, or NULL.  The caller
 * fills them; they count as put.
 */
uint8_t *buf_room(struct buf *b, size_t n);

/*
 * 0, or HT_ERR_INTERNAL if any put failed since the last reset.
 */
int buf_failed(const struct buf *b);

/*
 * A cursor over what has been put.  Valid until the next put.
 */
struct cursor buf_cursor(const struct buf *b);

/*
 * Overwrite n bytes at p in a way that the compiler keeps.
 */
void ht_wipe(void *p, size_t n);

#endif
