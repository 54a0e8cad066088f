/*
 * UTF-8 (RFC 3629).
 */

#ifndef LIB_UTF8_H
#define LIB_UTF8_H

#include <stddef.h>
#include <stdint.h>

/*
 * How many bytes the first character of the n >= 1 bytes at p takes, 1 to 4,
 * and in *point (which may be NULL) its code point.  0 if it is no character:
 * cut short, not the shortest form, a surrogate, or beyond U+10FFFF.
 */
size_t utf8_next(const uint8_t *p, size_t n, uint32_t *point);

#endif
