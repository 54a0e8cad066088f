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

struct connection {
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

/* --- connection.c ------------------------------------------------------ */

/*
 * Say something to the network process: 0, or HT_ERR_UNAVAILABLE if it does not
 * listen; then the connection is ending.
 */
int connection_say(struct connection *c, enum relay_type type, uint32_t channel,
    struct cursor payload, const int *fds);

/*
 * Pass a blob on to keyd together with the client's address.  As keyd_link_ask.
 */
struct keyd_link_ask *connection_ask(struct connection *c,
    enum protocol_type type, struct cursor blob, keyd_link_answer_fn *fn,
    void *cookie);

/*
 * Free it if it has ended and nothing runs for it any more.
 */
void connection_free_when_done(struct connection *c);

/* --- shell-run.c ------------------------------------------------------- */

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
