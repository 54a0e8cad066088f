/*
 * Base64 (RFC 4648), strictly: every string of bytes has exactly one text, and
 * any other text is an error.  No line breaks, no white space.
 */

#ifndef LIB_BASE64_H
#define LIB_BASE64_H

#include <stddef.h>

#include "lib/buf.h"

enum base64_alphabet {
	BASE64_STANDARD, /* §4: + and /, padded with = */
	BASE64_URL       /* §5: - and _, never padded */
};

/*
 * Append the text of n bytes at p to out.  buf_failed(out) reports a failure.
 */
void base64_encode(const void *p, size_t n, enum base64_alphabet alphabet,
    struct buf *out);

/*
 * Append the bytes of a text to out, or nothing on error.  Returns HT_ERR_DATA
 * for a text that base64_encode would not write, and HT_ERR_INTERNAL if out
 * failed.
 */
int base64_decode(struct cursor text, enum base64_alphabet alphabet,
    struct buf *out);

#endif
