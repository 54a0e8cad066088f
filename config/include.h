/*
 * Private to config/: what a configuration is read from.  A line
 *
 *	@include "PATH"
 *
 * of its file stands for the lines of another file.  libconfig would open that
 * by itself, so it never sees such a line.  Its line numbers are those of the
 * whole text.
 */

#ifndef CONFIG_INCLUDE_H
#define CONFIG_INCLUDE_H

#include "config/table.h"
#include "lib/buf.h"

/*
 * Append to text the lines of the file at path, and of what it includes, and
 * note in r->conf->sources which are from where.  Checks of each file only that
 * nobody else can change it, and not the way to it: whether that matters is
 * known when the text has been read.  Returns 0, or HT_ERR_USAGE or
 * HT_ERR_INTERNAL with r->e.
 */
int conf_include_read(struct conf_reader *r, const char *path,
    struct buf *text);

/*
 * The same for n bytes of text that are in memory already: they include
 * nothing.
 */
int conf_include_none(struct conf_reader *r, const char *path, const char *from,
    size_t n, struct buf *text);

/*
 * Whether others can change one of the files, or, if alone is false, the way to
 * one.  HT_ERR_USAGE with *e then.
 */
int conf_include_check(const struct conf *c, bool alone, struct ht_error *e);

#endif
