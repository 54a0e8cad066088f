/*
 * A network process: SSH with one client, from its first byte to its last.
 */

#ifndef SSHD_SIGN_NETWORK_H
#define SSHD_SIGN_NETWORK_H

#include <libssh/server.h>

#include "config/conf.h"
#include "protocol/messages.h"

/* Room for a port number as text. */
#define NETWORK_PORT 8

struct network_peer {
	char address[PROTOCOL_ADDRESS];
	char port[NETWORK_PORT];
	char local[PROTOCOL_ADDRESS];
	char local_port[NETWORK_PORT];
};

/*
 * Serve the client on JAIL_SOCKET with the listener on JAIL_RELAY, inside the
 * jail, until the connection has ended.  What went wrong goes to the listener.
 */
void network_run(ssh_bind bind, const struct conf_ssh *conf,
    const struct network_peer *peer);

#endif
