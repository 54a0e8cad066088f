/*
 * Splitting a line into words as a POSIX shell does (XCU 2.2, Quoting), and
 * nothing else of what a shell does: no expansion, no operators, no comments.
 */

#ifndef HTSIGN_SHELL_WORDS_H
#define HTSIGN_SHELL_WORDS_H

#include <stddef.h>

#include "lib/error.h"

/* The longest line, in bytes without its NUL. */
#define WORDS_LINE_MAX ((size_t)8 << 10)

struct words {
	char **word; /* n of them, then a NULL; NULL itself if there is none */
	size_t n;
	char *text; /* what they point into */
};

/*
 * Split line.  HT_ERR_USAGE for a line that is too long, a quote that is not
 * closed, or a backslash at the very end; HT_ERR_INTERNAL without memory.  *w
 * is all zeros on error; otherwise words_free ends it.
 */
int words_split(const char *line, struct words *w, struct ht_error *e);
void words_free(struct words *w);

#endif
