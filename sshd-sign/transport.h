/*
 * libssh as a server: which algorithms it offers, and the host keys.
 */

#ifndef SSHD_SIGN_TRANSPORT_H
#define SSHD_SIGN_TRANSPORT_H

#include <libssh/server.h>

#include "config/conf.h"

/*
 * Read the host keys that the configuration names and set up what every
 * session starts from.  NULL and *e: HT_ERR_USAGE for a key that cannot be
 * used, HT_ERR_INTERNAL.  Neither this nor any session reads another file.
 */
ssh_bind transport_new(const struct conf_ssh *conf, struct ht_error *e);

/*
 * A session, not blocking, over the connected socket fd, which it owns.
 * NULL on failure.
 */
ssh_session transport_session(ssh_bind bind, int fd);

#endif
