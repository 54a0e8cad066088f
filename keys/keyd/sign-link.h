/*
 * A shell's signing connection: one request after another, each taken through
 * the states of PROTOCOL.md.
 */

#ifndef KEYS_KEYD_SIGN_LINK_H
#define KEYS_KEYD_SIGN_LINK_H

#include "keys/keyd/identity.h"

/*
 * Serve fd, which is taken over, as a signing connection: bound to who, or
 * with NULL from the socket, where HELLO must bring a ticket.  0, or as
 * keyd_connection_add.
 */
int sign_link_accept(struct keyd *k, int fd, const struct identity *who,
    struct ht_error *e);

#endif
