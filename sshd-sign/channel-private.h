/*
 * What channel.c (a channel's life), channel-data.c (its bytes, both ways) and
 * channel-host.c (what it says to its connection) share.  Nobody else includes
 * this.
 */

#ifndef SSHD_SIGN_CHANNEL_PRIVATE_H
#define SSHD_SIGN_CHANNEL_PRIVATE_H

#include <libssh/callbacks.h>

#include "sshd-sign/channel.h"

enum state {
	OPENED,  /* may get an environment, and a command */
	ASKED,   /* the listener has the command; no answer yet */
	RUNNING, /* there is a shell */
	LEFT,    /* the client is gone; the shell is being killed */
	FINISHED /* exit status and close are sent */
};

/*
 * The most that libssh keeps for a client that minds its window, in bytes:
 * 1.92 MB before 0.11, 2 MiB since.
 */
#define BACKLOG_MAX ((uint32_t)2 << 20)

/* Bytes on their way from or to a descriptor; -1 is a closed one. */
struct stream {
	int fd;
	uint8_t *data;
	size_t size; /* of data, bytes */
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
	unsigned int set;       /* bits of variables */
	struct stream in;       /* to stdin: what the pipe did not take */
	size_t waiting;         /* bytes for stdin that libssh still has */
	struct stream out;
	struct stream err;
	uint64_t taken; /* loop_now() when the client took output */
	bool client_eof;
	bool client_closed;
	bool exited;
	int status; /* exit status, valid if exited */
};

/* --- channel-host.c ---------------------------------------------------- */

/*
 * Say something of this channel to the listener.
 */
void channel_say(struct channel *c, enum relay_type type,
    struct cursor payload);

/*
 * libssh could not do what for this channel.  That ends the connection, unless
 * the client has closed the channel, which libssh may learn in any call.
 */
void channel_cannot(struct channel *c, const char *what);

/* --- channel-data.c ---------------------------------------------------- */

/*
 * Make room for output: 0, or HT_ERR_INTERNAL.  Close a stream; all, and free
 * what they hold.
 */
int channel_make_streams(struct channel *c);
void channel_close_stream(struct stream *s);
void channel_free_streams(struct channel *c);
bool channel_stream_empty(const struct stream *s);

/*
 * libssh's callback for what the client sends.
 */
int channel_on_data(ssh_session session, ssh_channel ssh, void *data,
    uint32_t len, int is_stderr, void *cookie);

/*
 * Move on what came while the pipe was full, and the end of it.
 */
void channel_push_input(struct channel *c);

/*
 * Whether the client takes more; whether more may be read for it.
 */
bool channel_takes_output(const struct channel *c);
bool channel_may_fill(const struct channel *c, const struct stream *s);

/*
 * Move output; what is read already, or also what there is.
 */
void channel_drain(struct channel *c, struct stream *s);
void channel_serve_output(struct channel *c, struct stream *s);

/*
 * A line of ours for stderr, behind whatever the shell wrote there.
 */
void channel_put_line(struct channel *c, const char *text);

#endif
