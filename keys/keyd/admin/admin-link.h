/*
 * An administrator's connection: one command after another.
 *
 * What the commands are is the table in verbs.c.
 */

#ifndef KEYS_KEYD_ADMIN_ADMIN_LINK_H
#define KEYS_KEYD_ADMIN_ADMIN_LINK_H

#include "keys/keyd/identity.h"

/*
 * Serve fd, which is taken over: bound to who, or with NULL from the socket.
 * 0, or as keyd_connection_add.
 */
int admin_link_accept(struct keyd *k, int fd, const struct identity *who,
    struct ht_error *e);

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
	void *cookie; /* of verbs that end later: admin_link_later */
};

/* A verb returns this when admin_link_later will be called. */
#define VERBS_LATER 1

/*
 * A verb that could not end at once has ended: rc is 0 or HT_ERR_* with the
 * text in *e.  cookie is the command's.  Does nothing for one that is gone.
 */
void admin_link_later(void *cookie, int rc, const struct ht_error *e);

#endif
