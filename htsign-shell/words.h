/*
 * Splits a line into words as a POSIX shell does (XCU 2.2, Quoting).  There are
 * no expansions, no operators and no comments.
 */

#ifndef HTSIGN_SHELL_WORDS_H
#define HTSIGN_SHELL_WORDS_H

#include <stddef.h>

#include "lib/error.h"

/* The longest line, in bytes, without its NUL. */
#define WORDS_LINE_MAX ((size_t)8 << 10)

struct words {
	char **word; /* n words, then a NULL */
	size_t n;
	char *text; /* the memory of the words */
};

/*
 * Split line into *w, which the caller frees with words_free.  *w is all zeros
 * on error.
 *
 * HT_ERR_USAGE if line is too long, has an open quote, or ends in a backslash.
 * HT_ERR_INTERNAL without memory.
 */
int words_split(const char *line, struct words *w, struct ht_error *e);
void words_free(struct words *w);

#endif
