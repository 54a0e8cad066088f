/*
 * An administrator's connection.  It takes one command after another.  verbs.c
 * has the table of commands.
 */

#ifndef KEYS_KEYD_ADMIN_ADMIN_LINK_H
#define KEYS_KEYD_ADMIN_ADMIN_LINK_H

#include "keys/keyd/identity.h"

/*
 * Serve fd as an administrator's connection.  Takes over fd.  who is copied.
 * If who is NULL, the shell came by the socket.  Returns 0, or an error of
 * keyd_connection_add.  On error fd is closed.
 */
int admin_link_accept(struct keyd *k, int fd, const struct identity *who,
    struct ht_error *e);

#endif
