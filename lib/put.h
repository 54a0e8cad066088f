/*
 * Texts of somebody else in what people or programs read.
 */

#ifndef LIB_PUT_H
#define LIB_PUT_H

#include "lib/buf.h"

/*
 * Append a text, escaped for a terminal.  put_escaped appends at most 1023 bytes.
 * put_column appends at most 255, padded to width, and a space.  put_json appends
 * a line of JSON in ASCII.
 */
void put_escaped(struct buf *out, const char *text);
void put_column(struct buf *out, int width, const char *text);
void put_json(struct buf *out, const char *json);

/*
 * Append a text, escaped, and a line end: in lines of at most 80 columns.  out is
 * at the column indent, where the further lines begin, too.  put_field appends the
 * name of a field before that, with blanks for underscores.
 */
void put_wrapped(struct buf *out, size_t indent, const char *text);
void put_field(struct buf *out, const char *name, const char *text);

#endif
