/*
 * UTF-8 to UTF-16BE and back: our own, because iconv opens files.
 */

#ifndef SIGNATURE_UTF16_H
#define SIGNATURE_UTF16_H

#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"

/*
 * Append the n bytes of UTF-8 at text to out, as UTF-16BE without a byte order
 * mark.  HT_ERR_DATA with the offset if it is not UTF-8; out then holds what
 * came before the offset.
 */
int utf16_from_utf8(const char *text, size_t n, struct buf *out,
    struct ht_error *e);

/*
 * Append the n bytes of UTF-16BE at p to out, as UTF-8.  A lone surrogate or an
 * odd last byte becomes U+FFFD.
 */
void utf16_to_utf8(const uint8_t *p, size_t n, struct buf *out);

#endif
