/*
 * The verbs of administrators.  Each file of verbs has its own table.
 */

#ifndef KEYS_KEYD_ADMIN_VERBS_H
#define KEYS_KEYD_ADMIN_VERBS_H

#include "keys/keyd/identity.h"

/* The most words of a command, and the most options. */
#define VERBS_WORDS 16

/* The most bytes that a command may print. */
#define VERBS_OUTPUT ((size_t)16 << 20)

/* A command while it runs. */
struct verbs_command {
	struct keyd *keyd;
	const struct identity *who;
	char *words[VERBS_WORDS]; /* without the options */
	size_t nwords;
	char *options[VERBS_WORDS]; /* "ttl=1h", "json" */
	size_t noptions;
	struct cursor input; /* from stdin */
	struct buf out;      /* for stdout; the recipe, if there is a file */
	int fd;              /* a file for stdout, or -1; and what is made
	                             of it: */
	uint64_t size;
	uint8_t sha256[32];
	int reader; /* where htsign-reader answers instead, or -1 */
	char text[PROTOCOL_TEXT]; /* for stderr, or "" */
	token_unlock_fn *later;   /* a verb that ends later calls this */
	void *cookie;             /* for later */
};

/* Returned by a verb that will call later. */
#define VERBS_LATER 1

/*
 * Run a command.  Looks it up in the tables, and checks the role, the number of
 * words and the options.  The caller commits the store's changes before it
 * sends anything.
 *
 * Returns 0 with out and text filled in, or VERBS_LATER, or an error.  Errors:
 * HT_ERR_USAGE if there is no such command, its words or options are wrong, or
 * it prints too much; HT_ERR_DENIED if the role may not use it; those of the
 * verb.
 */
int verbs_run(struct verbs_command *command, struct ht_error *e);

/*
 * The connection with this cookie is gone: later is not called.
 */
void verbs_forget(struct keyd *k, void *cookie);

#endif
