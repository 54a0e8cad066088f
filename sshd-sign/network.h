/*
 * A network process: speaks SSH with one client.
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
 * Serve the client on JAIL_SOCKET until the connection ends.  The process must
 * be in the jail.  The listener is on JAIL_RELAY.  It gets the error, unless
 * the client just left while nothing ran for it.
 */
void network_run(ssh_bind bind, const struct conf_ssh *conf,
    const struct network_peer *peer);

#endif
