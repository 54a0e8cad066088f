/*
 * Bytes from outside, and bytes to send.
 *
 * A cursor is the only way to read bytes that came from elsewhere.  A getter
 * advances past what it returns.  On error it leaves the cursor where it was.
 * Nobody does arithmetic on offsets by hand.
 *
 * A buf is a growing string of bytes that we make ourselves.  Its errors (no
 * memory, over the limit) stick: append everything, then ask buf_failed() once.
 */

#ifndef LIB_BUF_H
#define LIB_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is left to read.  Passed by value to a function that only peeks. */
struct cursor {
	const uint8_t *p;
	size_t left;
};

/*
 * A cursor over n bytes at p.  The bytes are borrowed and must outlive it.
 * p may be NULL if n is 0.
 */
struct cursor cursor_over(const void *p, size_t n);

/*
 * Getters return 0, or HT_ERR_DATA if too few bytes are left.  be and le are
 * the byte orders: most and least significant byte first.
 */
int cursor_u8(struct cursor *c, uint8_t *v);
int cursor_u16be(struct cursor *c, uint16_t *v);
int cursor_u32be(struct cursor *c, uint32_t *v);
int cursor_u64be(struct cursor *c, uint64_t *v);
int cursor_u16le(struct cursor *c, uint16_t *v);
int cursor_u32le(struct cursor *c, uint32_t *v);
int cursor_u64le(struct cursor *c, uint64_t *v);

/*
 * The next n bytes as a cursor of their own into the same memory.
 */
int cursor_bytes(struct cursor *c, size_t n, struct cursor *out);
int cursor_skip(struct cursor *c, size_t n);

/*
 * An SSH-style string (RFC 4251): u32 length, then that many bytes.
 */
int cursor_string(struct cursor *c, struct cursor *out);

/*
 * Copy an SSH-style string to out, NUL-terminated.  out has size bytes.
 * HT_ERR_DATA also if the string contains a NUL or does not fit.
 */
int cursor_text(struct cursor *c, char *out, size_t size);

/*
 * 0 if nothing is left, HT_ERR_DATA otherwise: left-over bytes are an error.
 */
int cursor_end(const struct cursor *c);

/*
 * Whether the bytes left in c are exactly the text s.
 */
bool cursor_is(struct cursor c, const char *s);

struct buf {
	uint8_t *data;
	size_t len;
	size_t size;  /* allocated */
	size_t limit; /* of len, in bytes; 0 means BUF_LIMIT */
	bool failed;
};

#define BUF_LIMIT ((size_t)64 << 20)

/*
 * A buf starts as BUF_INIT (or all zeros) and ends with buf_free.  buf_free
 * wipes the bytes, frees them and makes the buf BUF_INIT again.
 */
#define BUF_INIT                                                               \
	{                                                                      \
		NULL, 0, 0, 0, false                                           \
	}
void buf_free(struct buf *b);

/*
 * Make the buf empty and clear its error.  Wipes the bytes, keeps the memory.
 */
void buf_reset(struct buf *b);

/*
 * Append numbers, n bytes at p, or n zero bytes.
 */
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
 * Append an SSH-style string.  buf_text takes it NUL-terminated and does not
 * append the NUL.
 */
void buf_string(struct buf *b, const void *p, size_t n);
void buf_text(struct buf *b, const char *s);

/*
 * Append formatted text without its NUL.
 */
void buf_format(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Allocate memory for exactly n more bytes.  Use it where the usual doubling
 * would waste much memory.
 */
void buf_reserve(struct buf *b, size_t n);

/*
 * Append n bytes that the caller fills in.  Returns where they start, or NULL
 * on error.  The pointer is valid until the next append.
 */
uint8_t *buf_room(struct buf *b, size_t n);

/*
 * HT_ERR_INTERNAL if anything failed since the last reset, 0 otherwise.
 */
int buf_failed(const struct buf *b);

/*
 * A cursor over the bytes of the buf.  Valid until the next append.
 */
struct cursor buf_cursor(const struct buf *b);

/*
 * Overwrite n bytes at p.  The compiler cannot optimise this away.
 */
void ht_wipe(void *p, size_t n);

#endif
