/*
 * One client's connection as the listener sees it: a network process, what
 * that may ask for, and the shells that run for it.
 */

#ifndef SSHD_SIGN_CONNECTION_H
#define SSHD_SIGN_CONNECTION_H

#include <sys/queue.h>

#include <libssh/server.h>

#include "config/conf.h"
#include "lib/loop.h"
#include "sshd-sign/forkserver-link.h"
#include "sshd-sign/jail.h"
#include "sshd-sign/keyd-link.h"

/* Shells that may run at a time, of all connections together. */
#define CONNECTION_SHELLS_MAX 1024

/* What all connections share, and their numbers. */
struct server {
	const struct conf *conf;
	struct loop *loop;
	struct keyd_link *keyd;
	ssh_bind bind;
	struct jail jail;
	struct forkserver_link *forkserver;
	const char *shell;        /* path of htsign-shell */
	unsigned int connections; /* all */
	unsigned int starting;    /* of them: not yet authenticated */
	unsigned int shells;      /* that run */
	LIST_HEAD(connection_list, connection) list;
};

struct connection;

/*
 * Serve the client at fd, which is taken over also on failure: HT_ERR_INTERNAL
 * if no process can be started for it.
 */
int connection_open(struct server *server, int fd, struct ht_error *e);

/*
 * For all connections: take no more sessions and end after the last; or end
 * now, with whatever runs.
 */
void connection_drain_all(struct server *server);
void connection_close_all(struct server *server);

#endif
