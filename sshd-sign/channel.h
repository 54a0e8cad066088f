/*
 * One session channel in the network process: from its opening over its
 * environment and command to the shell's pipes and its exit status.
 *
 * Nothing is dropped and nothing piles up: what the shell does not take stays
 * in libssh's buffer, so that the client's window closes; what the client does
 * not take stays in the shell's pipe.
 */

#ifndef SSHD_SIGN_CHANNEL_H
#define SSHD_SIGN_CHANNEL_H

#include <poll.h>
#include <stdbool.h>

#include <libssh/libssh.h>

#include "lib/buf.h"
#include "lib/error.h"
#include "protocol/messages.h"
#include "sshd-sign/relay.h"

/* What the channels of one connection share. */
struct channel_host {
	ssh_session session;
	int relay;
	char user[PROTOCOL_NAME];
	struct buf key;         /* the certificate or key that was proved */
	const char *connection; /* "SSH_CONNECTION=…" */
	struct ht_error end;    /* code 0 as long as the connection may go on */
};

struct channel;

/*
 * End the connection: HT_ERR_INTERNAL for a mistake of ours, HT_ERR_DATA for
 * one of the client's, HT_ERR_UNAVAILABLE if somebody has hung up.  The first
 * word counts.
 */
void channel_host_end(struct channel_host *host, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Whether the SSH connection is there.  A packet that makes no sense is told by
 * the session's state alone.
 */
bool channel_host_connected(const struct channel_host *host);

/* Descriptors that one channel may have polled. */
#define CHANNEL_POLLS 3

/*
 * A channel that a client opens, under a number not used before.  NULL if
 * there is no memory.  channel_drop frees it, and sends nothing to anybody
 * that is not sent yet but an SSH close.  (libssh still has a channel_new and
 * a channel_free.)
 */
struct channel *channel_open(struct channel_host *host, uint32_t number);
void channel_drop(struct channel *c);
ssh_channel channel_ssh(const struct channel *c);
uint32_t channel_number(const struct channel *c);

/*
 * What the listener says about it.  fds are the channel's from then on.
 */
void channel_started(struct channel *c, const int fds[RELAY_FDS]);
void channel_refused(struct channel *c, const struct protocol_refuse *refusal);
void channel_exited(struct channel *c, int status);

/*
 * Fill in what to poll for (a descriptor of -1 for nothing), and move what can
 * be moved after the poll.
 */
void channel_polls(const struct channel *c, struct pollfd p[CHANNEL_POLLS]);
void channel_serve(struct channel *c);

/*
 * Since when (loop_now()) the client has taken nothing of what there is, or may
 * be, for it; 0 if that is not so.
 */
uint64_t channel_stuck(const struct channel *c);

/*
 * Whether it has a command that is not finished; and whether both ends have
 * closed it, so that it can be freed.
 */
bool channel_active(const struct channel *c);
bool channel_over(const struct channel *c);

#endif
