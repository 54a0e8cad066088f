/*
 * The front doors' connections: sshd-sign's listener, which asks who may log
 * in and has sessions bound, and htsign-principals, which asks for tickets.
 */

#ifndef KEYS_KEYD_DOOR_H
#define KEYS_KEYD_DOOR_H

#include "keys/keyd/core.h"

/*
 * Serve fd, which is taken over.  Only root, and under single_user our own
 * uid, may be sshd-sign; only its own uid htsign-principals.  0, or as
 * keyd_connection_add; HT_ERR_DENIED for another uid.
 */
int door_accept_sshd(struct keyd *k, int fd, struct ht_error *e);
int door_accept_principals(struct keyd *k, int fd, struct ht_error *e);

#endif
