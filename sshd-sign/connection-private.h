/*
 * What connection.c (a connection and its network process) and shell-run.c (its
 * channels with a shell) share.  Nobody else includes this.
 */

#ifndef SSHD_SIGN_CONNECTION_PRIVATE_H
#define SSHD_SIGN_CONNECTION_PRIVATE_H

#include "sshd-sign/connection.h"
#include "sshd-sign/network.h"
#include "sshd-sign/relay.h"
#include "sshd-sign/shell-process.h"

struct shell_run;
struct connection;

/*
 * What shell-run.c says to the connection and through it; connection.c alone
 * knows what follows.
 */
struct connection_ops {
	/*
	 * To the network process: 0, or HT_ERR_UNAVAILABLE if it does not
	 * listen; then the connection is ending.
	 */
	int (*say)(struct connection *c, enum relay_type type, uint32_t channel,
	    struct cursor payload, const int *fds);
	/*
	 * To keyd, together with the client's address.  As keyd_link_ask.
	 */
	struct keyd_link_ask *(*ask)(struct connection *c,
	    enum protocol_type type, struct cursor blob,
	    keyd_link_answer_fn *fn, void *cookie);
	/*
	 * The last shell of a connection that has ended may have ended, too.
	 */
	void (*free_when_done)(struct connection *c);
};

struct connection {
	const struct connection_ops *ops;
	LIST_ENTRY(connection) entry;
	struct server *server;
	pid_t pid; /* of the network process; 0 once it was waited for */
	int pidfd;
	struct loop_watch *pid_watch;
	int relay; /* -1 once closed: the connection is ending */
	struct loop_watch *relay_watch;
	struct loop_timer *grace; /* NULL once authenticated */
	struct keyd_link_ask *login;
	unsigned int logins;
	bool stranger; /* has offered a plain key that keyd does not know */
	bool refused;  /* has offered something else in vain; was logged */
	bool admitted;
	bool authenticated;
	LIST_HEAD(shell_run_list, shell_run) runs;
	unsigned int nruns;
	struct network_peer peer;
};

/*
 * What the network process says of a channel.  0, or a negative code if it may
 * not say that: it is to be killed then.
 */
int shell_run_on_session(struct connection *c, uint32_t number,
    struct cursor blob);
int shell_run_on_end(struct connection *c, uint32_t number);
int shell_run_on_kill(struct connection *c, uint32_t number);

/*
 * The connection is over: kill the shells, and take back what was asked.
 */
void shell_run_end_all(struct connection *c);

#endif
