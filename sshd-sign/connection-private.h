/*
 * Shared by connection.c (a connection and its network process) and shell-run.c
 * (the connection's channels with a shell).  No other file includes this.
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
 * The functions of connection.c that shell-run.c calls.
 */
struct connection_ops {
	/*
	 * Send a message to the network process.  HT_ERR_UNAVAILABLE if it is
	 * gone or does not read; the connection is then ending.
	 */
	int (*say)(struct connection *c, enum relay_type type, uint32_t channel,
	    struct cursor payload, const int *fds);
	/*
	 * Ask keyd, as keyd_link_ask.  Adds the addresses of the connection.
	 */
	struct keyd_link_ask *(*ask)(struct connection *c,
	    enum protocol_type type, struct cursor blob,
	    keyd_link_answer_fn *fn, void *cookie);
	/*
	 * A shell has ended.  Free c if the connection is over and no other
	 * shell runs for it.
	 */
	void (*free_when_done)(struct connection *c);
};

struct connection {
	const struct connection_ops *ops;
	LIST_ENTRY(connection) entry;
	struct server *server;
	pid_t pid; /* of the network process; 0 once it is reaped */
	int pidfd;
	struct loop_watch *pid_watch;
	int relay; /* -1 once closed: the connection is ending */
	struct loop_watch *relay_watch;
	struct loop_timer *grace; /* when it has to end; or NULL */
	unsigned int unanswered;  /* beats since a PING that has no PONG yet */
	uint64_t used; /* processor time of pid, in ms, at the last PING */
	struct keyd_link_ask *login;
	unsigned int logins;
	bool stranger; /* has offered a plain key that keyd does not know */
	bool refused;  /* keyd has refused another login, which is logged */
	bool admitted;
	struct protocol_admit who; /* once admitted */
	bool authenticated;
	bool placed; /* authenticated, and within the share of who it is */
	struct startup startup; /* while it has no place */
	LIST_HEAD(shell_run_list, shell_run) runs;
	unsigned int nruns;
	struct network_peer peer;
};

/*
 * Handle a message of the network process about channel number: SESSION, END
 * or KILL.  After an error the caller must end the connection.
 *
 * shell_run_on_session: HT_ERR_DATA if the message is not allowed now,
 * HT_ERR_INTERNAL without memory.  The others return 0; they ignore a channel
 * that has no shell any more.
 */
int shell_run_on_session(struct connection *c, uint32_t number,
    struct cursor blob);
int shell_run_on_end(struct connection *c, uint32_t number);
int shell_run_on_kill(struct connection *c, uint32_t number);

/*
 * By how much the newest process of name is to be nicer (proc_nicer).
 * It holds one of s for each process.  The more there are, the less processor
 * time a new one gets, so the many of one client leave time for the few of
 * another.
 */
int shell_run_nicer(const struct share *s, const char *name);

/*
 * The connection is over: kill its shells and cancel its questions to keyd.
 */
void shell_run_end_all(struct connection *c);

#endif
