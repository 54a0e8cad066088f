/*
 * What an administrator may type: the verbs, as htsign-keyd lists them for
 * programs (`help --verbs`), and what may stand next in a line.
 */

#ifndef HTSIGN_ADMIN_GRAMMAR_H
#define HTSIGN_ADMIN_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>

#include "htsign-shell/words.h"
#include "lib/buf.h"

struct grammar_verb {
	const char *words; /* "client add" */
	const char *args;  /* "NAME [--ttl=TIME]", see verbs-private.h */
	bool reads;        /* it changes nothing */
};

struct grammar { /* starts as zeros */
	struct grammar_verb *verb;
	size_t n;
	char *text; /* the memory of the verbs */
};

/*
 * Read the list.  Lines that are no verb are for people and go to notice.
 * The caller frees *g with grammar_free, also after an error.  HT_ERR_INTERNAL
 * without memory.
 */
int grammar_parse(struct grammar *g, struct cursor list, struct buf *notice,
    struct ht_error *e);
void grammar_free(struct grammar *g);

/*
 * The verb that the first of n words name, or NULL.
 */
const struct grammar_verb *grammar_find(const struct grammar *g,
    char *const *words, size_t n);

/*
 * Whether the verb has this option, as "json" or "limit=".
 */
bool grammar_has(const struct grammar_verb *v, const char *option);

/* Who wants to know what may stand next. */
struct grammar_asker {
	/* This word, if it starts as what has been typed.  A word that ends
	   in '=' goes on. */
	void (*word)(void *cookie, const char *word, size_t n);
	/* The names of this kind, such as CLIENT; each behind prefix. */
	void (*names)(void *cookie, const char *kind, const char *prefix);
	void *cookie;
};

/*
 * Tell the asker what may stand behind the n words.  typed is what there is of
 * the word so far, which tells options and their values from other words.
 */
void grammar_next(const struct grammar *g, char *const *words, size_t n,
    const char *typed, const struct grammar_asker *asker);

#endif
