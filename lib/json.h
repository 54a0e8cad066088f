/*
 * JSON (RFC 8259) on one line of ASCII: no text in it can forge another line or
 * a terminal sequence, in whatever locale.
 */

#ifndef LIB_JSON_H
#define LIB_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"

/*
 * Append n bytes of JSON that was made elsewhere: what is not printable ASCII
 * is escaped, which only strings can hold; what is not UTF-8 is U+FFFD.
 */
void json_ascii(struct buf *out, const void *p, size_t n);

/*
 * Append a value, with a comma in front of it where one has to be.  name is
 * that of a member, or NULL in an array and for the whole.  An object or an
 * array is opened, filled, and closed again, with its bracket.
 */
void json_open(struct buf *out, const char *name, char bracket);
void json_close(struct buf *out, char bracket);
void json_text(struct buf *out, const char *name, const char *text);
void json_number(struct buf *out, const char *name, uint64_t value);
void json_bool(struct buf *out, const char *name, bool value);

#endif
