/*
 * The listener: accepts connections and gives each a process of its own.  It
 * reads nothing that a client sent, but a type and a length.
 */

#ifndef SSHD_SIGN_LISTENER_H
#define SSHD_SIGN_LISTENER_H

#include "config/conf.h"

/*
 * Serve until SIGTERM or SIGINT, then until the last session has ended (a
 * minute at most).  conf is resolved.  0, or HT_ERR_* with *e if it cannot
 * start.
 */
int listener_run(const struct conf *conf, struct ht_error *e);

#endif
