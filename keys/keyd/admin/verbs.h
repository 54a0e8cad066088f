/*
 * What an administrator can say: verbs, which their files have in tables.
 */

#ifndef KEYS_KEYD_ADMIN_VERBS_H
#define KEYS_KEYD_ADMIN_VERBS_H

#include "keys/keyd/identity.h"

/* The most words of a command, and options that a verb may have. */
#define VERBS_WORDS 16

/* The most that a command may print, in bytes. */
#define VERBS_OUTPUT ((size_t)16 << 20)

/* A command while it runs. */
struct verbs_command {
	struct keyd *keyd;
	const struct identity *who;
	char *words[VERBS_WORDS]; /* without the options */
	size_t nwords;
	char *options[VERBS_WORDS]; /* "ttl=1h", "json" */
	size_t noptions;
	struct cursor input;      /* what came on stdin */
	struct buf out;           /* for stdout */
	char text[PROTOCOL_TEXT]; /* for stderr, or "" */
	token_unlock_fn *later;   /* called once by a verb that ends later, */
	void *cookie;             /* with this */
};

/* A verb returns this when later will be called. */
#define VERBS_LATER 1

/*
 * Run the command: check the words against the table, the role against the
 * verb, and call it.  0 with out and text filled in, VERBS_LATER, or HT_ERR_*
 * with *e.  The store's changes are committed before any of it is said.
 */
int verbs_run(struct verbs_command *command, struct ht_error *e);

/*
 * The connection that waits with this cookie is gone: later is not called.
 */
void verbs_forget(struct keyd *k, void *cookie);

#endif
