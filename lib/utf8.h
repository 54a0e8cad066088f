/*
 * UTF-8 (RFC 3629).
 */

#ifndef LIB_UTF8_H
#define LIB_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"

/*
 * The length in bytes, 1 to 4, of the first character of the n >= 1 bytes at
 * p.  *point is its code point; point may be NULL.  Returns 0 if it is no
 * character: cut short, not the shortest form, a surrogate, or beyond U+10FFFF.
 */
size_t utf8_next(const uint8_t *p, size_t n, uint32_t *point);

/*
 * Whether the text is well-formed UTF-8 without control characters.
 */
bool utf8_plain(const char *text);

/*
 * How many bytes of a well-formed text are whole characters within its first
 * most bytes.  Fits "%.*s".
 */
int utf8_clip(const char *text, int most);

/*
 * Append the character of a code point, which must be at most U+10FFFF and no
 * surrogate.
 */
void utf8_put(struct buf *out, uint32_t point);

#endif
