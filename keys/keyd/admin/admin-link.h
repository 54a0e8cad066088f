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

#endif
