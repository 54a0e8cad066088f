/*
 * One client's connection in the listener: its network process, the requests
 * of that process, and the shells that run for it.
 */

#ifndef SSHD_SIGN_CONNECTION_H
#define SSHD_SIGN_CONNECTION_H

#include <sys/queue.h>

#include <libssh/server.h>

#include "config/conf.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/share.h"
#include "sshd-sign/forkserver-link.h"
#include "sshd-sign/jail.h"
#include "sshd-sign/keyd-link.h"
#include "sshd-sign/startups.h"

/*
 * Those who are shared with are clients and administrators.  Each kind has its
 * own numbers, so administrators have what no client can take.  The number of
 * clients' connections is in the configuration.
 */
enum server_kind { SERVER_CLIENTS, SERVER_ADMINS, SERVER_KINDS };

#define CONNECTION_ADMINS 64
#define CONNECTION_SHELLS 1024
#define CONNECTION_ADMINS_SHELLS 64

struct connection;
struct shell_run;

/* The state that all connections share, and how many there are. */
struct server {
	const struct conf *conf;
	struct loop *loop;
	struct keyd_link *keyd;
	ssh_bind bind;
	struct jail jail;
	struct forkserver_link *forkserver;
	const char *shell;                 /* path of htsign-shell */
	unsigned int connections;          /* all */
	struct log_often dropped;          /* for want of room */
	struct log_often refused;          /* sessions, over a share */
	struct log_often unfit;            /* clients without our algorithms */
	struct startups startups;          /* those without a place */
	struct share places[SERVER_KINDS]; /* of connections, by name */
	struct share shells[SERVER_KINDS]; /* of sessions, by name */
	struct share starting[SERVER_KINDS]; /* of these, without a shell yet */
	TAILQ_HEAD(waiting_list, shell_run) waiting; /* for their turn */
	struct loop_timer *beat; /* runs while there are connections */
	LIST_HEAD(connection_list, connection) list;
};

/*
 * Prepare the shares and the limits of s, whose conf is set.
 */
void connection_prepare(struct server *s);

/*
 * Make room for one more connection, from this address: end another one if
 * there are too many without a place.  Returns false if the newcomer itself must
 * go.
 */
bool connection_make_room(struct server *s,
    const struct sockaddr_storage *newcomer);

/*
 * End the connections of a client or a certificate that was revoked.
 */
void connection_revoked(struct server *s, const struct protocol_revoked *what);

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
