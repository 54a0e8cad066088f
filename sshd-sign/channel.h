/*
 * One session channel in the network process, from its opening to its exit
 * status.  It takes the environment and the command, and moves bytes between
 * the client and the shell's pipes.
 *
 * No data is dropped that a shell would read, and buffers are bounded.  Input
 * that the shell does not read stays in libssh's buffer, so the client's window
 * closes.  Output that the client does not take stays in the shell's pipe.
 */

#ifndef SSHD_SIGN_CHANNEL_H
#define SSHD_SIGN_CHANNEL_H

#include <poll.h>
#include <stdbool.h>

#include <libssh/callbacks.h>
#include <libssh/libssh.h>

#include "lib/buf.h"
#include "lib/error.h"
#include "protocol/messages.h"
#include "sshd-sign/relay.h"

/* Bytes of memory for the input of all channels of a connection. */
#define CHANNEL_HELD_MAX ((size_t)24 << 20)

/* The state that the channels of one connection share. */
struct channel_host {
	ssh_session session;
	int relay;
	char user[PROTOCOL_NAME];
	struct buf key;         /* the certificate or key that was proved */
	const char *connection; /* "SSH_CONNECTION=…" */
	const char *banner;     /* "SSH_CLIENT_BANNER=…", once it is known */
	struct ssh_counter_struct packets;
	size_t held; /* bytes of memory that all channels' input takes */
	struct ht_error end; /* code 0 until the connection must end */
};

struct channel;

/*
 * Mark the connection to be ended, with this reason in host->end.  code is
 * HT_ERR_INTERNAL for our own mistake, HT_ERR_DATA for the client's, and
 * HT_ERR_UNAVAILABLE if the other end is gone.  Only the first call counts.
 */
void channel_host_end(struct channel_host *host, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Whether the SSH connection still stands.  After a malformed packet, only the
 * session's status says that it does not.
 */
bool channel_host_connected(const struct channel_host *host);

/* The number of descriptors that a channel polls. */
#define CHANNEL_POLLS 3

/*
 * A new channel, which a client opens.  number must be new in this connection.
 * Returns NULL without memory.  The channel borrows host.
 *
 * channel_drop frees c.  It sends only an SSH close; pending data is
 * discarded.  (The names channel_new and channel_free are libssh's.)
 */
struct channel *channel_open(struct channel_host *host, uint32_t number);
void channel_drop(struct channel *c);
ssh_channel channel_ssh(const struct channel *c);
uint32_t channel_number(const struct channel *c);

/*
 * Take the listener's message: STARTED, REFUSED, or EXITED with a wait status.
 * The channel owns fds from then on.
 */
void channel_started(struct channel *c, const int fds[RELAY_FDS]);
void channel_refused(struct channel *c, const struct protocol_refuse *refusal);
void channel_exited(struct channel *c, int status);

/*
 * channel_polls fills in p; unused entries have the descriptor -1.
 * channel_serve moves what can be moved after the poll.
 */
void channel_polls(const struct channel *c, struct pollfd p[CHANNEL_POLLS]);
void channel_serve(struct channel *c);

/*
 * When the client last took output, by loop_now(), if it takes none now.
 * Returns 0 if it is not stalled, or no shell runs.
 */
uint64_t channel_stuck(const struct channel *c);

/*
 * How many bytes of input wait for the shell to read.
 */
size_t channel_holds(const struct channel *c);

/*
 * channel_active: whether the channel has a command that is not finished.
 * channel_over: whether the client has closed the channel and it is not
 * active, so that it can be dropped.
 */
bool channel_active(const struct channel *c);
bool channel_over(const struct channel *c);

#endif
