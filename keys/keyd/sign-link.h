/*
 * A shell's signing connection.  It takes one request after another through the
 * states of PROTOCOL.md.
 */

#ifndef KEYS_KEYD_SIGN_LINK_H
#define KEYS_KEYD_SIGN_LINK_H

#include "keys/keyd/identity.h"

/*
 * Serve fd as a signing connection.  Takes over fd.  who is copied.  If who is
 * NULL, the shell came by the socket, and its HELLO must bring a ticket.
 * Returns 0, or an error of keyd_connection_add; HT_ERR_TEMPORARY also if the
 * client has its share of connections.  On error fd is closed.
 */
int sign_link_accept(struct keyd *k, int fd, const struct identity *who,
    struct ht_error *e);

#endif
