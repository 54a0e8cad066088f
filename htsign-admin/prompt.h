/*
 * The line that a person types: editing, a history in memory, completion.  All
 * that libedit does is here.
 */

#ifndef HTSIGN_ADMIN_PROMPT_H
#define HTSIGN_ADMIN_PROMPT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/buf.h"
#include "lib/error.h"

/* The longest word, in bytes, that completion adds something to. */
#define PROMPT_WORD 256

/* What the owner does for a prompt. */
struct prompt_owner {
	/* Appends to out each text, with its NUL, that line could end in
	   instead of its last word, which has *typed bytes. */
	void (*complete)(void *cookie, const char *line, struct buf *out,
	    size_t *typed);
	/* fd can be read while somebody types; an error ends the prompt. */
	int (*watch)(void *cookie, struct ht_error *e);
	int fd;
	void *cookie;
};

struct prompt;

/*
 * Fix the terminal: sets TERM to the name of a terminal that is like the one it
 * names, or to "dumb", and loads the descriptions of terminals and characters.
 * Before the sandbox; nothing opens a file later.  NULL on error, with
 * HT_ERR_INTERNAL.
 */
struct prompt *prompt_new(struct ht_error *e);
void prompt_free(struct prompt *p); /* NULL is fine */

/*
 * Read one line.  Ctrl-C empties the line.  bold is for a terminal that knows
 * escape sequences.  Returns 1 and *line without its line end, valid until the
 * next call; 0 at the end of the input; or the error of owner->watch.  A line
 * that is not empty goes into the history.
 */
int prompt_read(struct prompt *p, const struct prompt_owner *owner, bool bold,
    const char **line, struct ht_error *e);

#endif
