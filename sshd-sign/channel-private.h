/*
 * Shared by channel.c (the life of a channel), channel-data.c (its bytes in
 * both directions) and channel-host.c (its messages to the connection).  No
 * other file includes this.
 */

#ifndef SSHD_SIGN_CHANNEL_PRIVATE_H
#define SSHD_SIGN_CHANNEL_PRIVATE_H

#include <libssh/callbacks.h>

#include "sshd-sign/channel.h"

enum state {
	OPENED,  /* variables and a command may come */
	ASKED,   /* the listener has the command, and has not answered */
	RUNNING, /* there is a shell, or the listener has refused one */
	LEFT,    /* the client is gone; the shell is being killed */
	FINISHED /* exit status and close are sent, or being sent */
};

/*
 * The most bytes that libssh buffers for a client that respects its window:
 * 1.92 MB before 0.11, 2 MiB since.
 */
#define BACKLOG_MAX ((uint32_t)2 << 20)

/*
 * While the client's window and what is buffered have so many bytes, libssh
 * does not open the window by itself.  This is for 0.10; since 0.11 it never
 * does.
 */
#define WINDOW_WIDE 640000

/* Bytes from or to a descriptor.  Those from at to end are not moved yet. */
struct stream {
	int fd; /* -1 once closed */
	uint8_t *data;
	size_t size; /* of data, in bytes */
	size_t at;
	size_t end;
};

struct channel {
	struct channel_host *host;
	uint32_t number;
	ssh_channel ssh;
	struct ssh_channel_callbacks_struct callbacks;
	enum state state;
	struct buf environment; /* "NAME=value" strings */
	unsigned int set;       /* a bit for each variable that is set */
	struct stream in;       /* to stdin: bytes that the pipe did not take */
	size_t waiting;         /* bytes for stdin in libssh's buffer */
	size_t largest;         /* size of that buffer, which never shrinks */
	bool asked_terminal;
	bool lost; /* data came before a command */
	struct stream out;
	struct stream err;
	uint64_t taken; /* loop_now() when the client last took output */
	bool client_eof;
	bool client_closed;
	bool exited;
	int status; /* valid if exited: exit status; -1 after a signal */
};

/* --- channel-host.c ---------------------------------------------------- */

/*
 * Send the listener a message about this channel.  A failure ends the
 * connection.
 */
void channel_say(struct channel *c, enum relay_type type,
    struct cursor payload);

/*
 * Report that libssh failed to do what for this channel.  This ends the
 * connection, unless the client has closed the channel.  libssh may learn of
 * such a close in any call.
 */
void channel_cannot(struct channel *c, const char *what);

/* --- channel-data.c ---------------------------------------------------- */

/*
 * Allocate the buffers for output: 0, or HT_ERR_INTERNAL without memory.
 * channel_close_stream closes the descriptor of s.  channel_free_streams closes
 * all three streams, frees their buffers and takes c out of host->held.
 */
int channel_make_streams(struct channel *c);
void channel_close_stream(struct stream *s);
void channel_free_streams(struct channel *c);
bool channel_stream_empty(const struct stream *s);

/*
 * libssh's callback for data from the client.  Returns how many bytes libssh
 * may forget.  Data for which there is no stdin is dropped.  If that was before
 * a command, the channel gets no command any more.  Once the channel is
 * finished, libssh keeps the data, and so sends nothing on it, while the channels
 * of the connection hold no more than CHANNEL_HELD_MAX.
 */
int channel_on_data(ssh_session session, ssh_channel ssh, void *data,
    uint32_t len, int is_stderr, void *cookie);

/*
 * Open the client's window so far that libssh will not do so by itself once the
 * channel is finished.  stdin must be closed.
 */
void channel_widen(struct channel *c);

/*
 * Write to stdin what arrived while the pipe was full.  After the client's end
 * of file, close stdin and send END to the listener.
 */
void channel_push_input(struct channel *c);

/*
 * channel_takes_output: whether the client takes more output now.
 * channel_may_fill: whether more of it may be read from s.
 */
bool channel_takes_output(const struct channel *c);
bool channel_may_fill(const struct channel *c, const struct stream *s);

/*
 * channel_drain sends what was read from s already.  channel_serve_output also
 * reads more, and sends that.
 */
void channel_drain(struct channel *c, struct stream *s);
void channel_serve_output(struct channel *c, struct stream *s);

/*
 * Put a line of our own into c->err, which must be empty.
 */
void channel_put_line(struct channel *c, const char *text);

#endif
