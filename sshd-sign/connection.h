/*
 * One client's connection in the listener: its network process, the requests
 * of that process, and the shells that run for it.
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

/* The most shells that run at a time, for all connections together. */
#define CONNECTION_SHELLS_MAX 1024

/* The state that all connections share, and how many there are. */
struct server {
	const struct conf *conf;
	struct loop *loop;
	struct keyd_link *keyd;
	ssh_bind bind;
	struct jail jail;
	struct forkserver_link *forkserver;
	const char *shell;        /* path of htsign-shell */
	unsigned int connections; /* all */
	unsigned int starting;    /* those not yet authenticated */
	unsigned int shells;      /* running shells */
	LIST_HEAD(connection_list, connection) list;
};

struct connection;

/*
 * Start a network process for the client at fd.  Consumes fd, also on error.
 * HT_ERR_INTERNAL if the client is gone or the process cannot be started.
 */
int connection_open(struct server *server, int fd, struct ht_error *e);

/*
 * connection_drain_all: all connections accept no more sessions, and end after
 * their last one.  connection_close_all: end all now, and kill their shells.
 */
void connection_drain_all(struct server *server);
void connection_close_all(struct server *server);

#endif
