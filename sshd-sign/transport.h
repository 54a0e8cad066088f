/*
 * libssh as a server: its algorithms and its host keys.
 */

#ifndef SSHD_SIGN_TRANSPORT_H
#define SSHD_SIGN_TRANSPORT_H

#include <libssh/server.h>

#include "config/conf.h"

/*
 * Read the host keys that conf names, and set up libssh for all sessions.
 * Neither this nor any session reads another file.
 *
 * Returns NULL and *e on error: HT_ERR_USAGE for a key that cannot be used, or
 * that others can get at; HT_ERR_INTERNAL for a failure of libssh.
 */
ssh_bind transport_new(const struct conf *conf, struct ht_error *e);

/* The cipher that ssh.compatible adds. */
#define TRANSPORT_COMPATIBLE "aes256-ctr"

/*
 * A session over the connected socket fd, which the session owns.  It does not
 * block, and offers the method publickey alone.  NULL on error.
 */
ssh_session transport_session(ssh_bind bind, int fd);

#endif
