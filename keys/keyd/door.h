/*
 * The connections of the front doors.  sshd-sign's listener asks who may log
 * in, and asks for sessions.  htsign-principals asks for tickets.
 */

#ifndef KEYS_KEYD_DOOR_H
#define KEYS_KEYD_DOOR_H

#include "keys/keyd/core.h"

/*
 * Serve fd.  Takes over fd.  sshd-sign must run as root; under single_user, as
 * our own uid.  htsign-principals must run as its own uid.  Errors:
 * HT_ERR_DENIED for any other uid; those of keyd_connection_add.  On error fd
 * is closed.
 */
int door_accept_sshd(struct keyd *k, int fd, struct ht_error *e);
int door_accept_principals(struct keyd *k, int fd, struct ht_error *e);

#endif
