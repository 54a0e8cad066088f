/*
 * The listener: accepts connections and starts a network process for each.  It
 * reads nothing that a client sent except a type and a length.
 */

#ifndef SSHD_SIGN_LISTENER_H
#define SSHD_SIGN_LISTENER_H

#include "config/conf.h"

/*
 * Serve until SIGTERM or SIGINT.  Then wait until the last session has ended,
 * at most a minute; a second signal ends at once.  conf must be resolved.
 *
 * HT_ERR_USAGE for a host key that cannot be used.  Other HT_ERR_* if the
 * listener cannot start, or its loop fails.
 */
int listener_run(const struct conf *conf, struct ht_error *e);

/*
 * Check what listener_run would do with the configuration: its host keys, and
 * its addresses, where something may listen already.  Errors as above, with the
 * setting's file and line.
 */
int listener_check(const struct conf *conf, struct ht_error *e);

#endif
