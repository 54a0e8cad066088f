/*
 * JSON (RFC 8259) on one line of ASCII.  No text in it can forge another line
 * or a terminal sequence, whatever the locale.
 */

#ifndef LIB_JSON_H
#define LIB_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"

/*
 * Append n bytes of JSON that was made elsewhere.  Escapes every character
 * that is not printable ASCII; JSON allows that in strings only.  A byte that
 * is not UTF-8 becomes U+FFFD.
 */
void json_ascii(struct buf *out, const void *p, size_t n);

/*
 * Append a value, after a comma unless out is empty or ends with an opening
 * bracket.  name is the member's name, and is not escaped.  It is NULL for an
 * element of an array and for the outermost value.  json_open and json_close
 * append the bracket of an object or an array.  buf_failed(out) reports a
 * failure.
 */
void json_open(struct buf *out, const char *name, char bracket);
void json_close(struct buf *out, char bracket);
void json_text(struct buf *out, const char *name, const char *text);
void json_number(struct buf *out, const char *name, uint64_t value);
void json_bool(struct buf *out, const char *name, bool value);

#endif
