/*
 * What command.c (a channel's life) and command-data.c (its bytes, both ways)
 * share.  Nobody else includes this.
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

struct command {
	struct command_host *host;
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

/* --- command.c --------------------------------------------------------- */

/*
 * Say something of this channel to the listener.
 */
void command_say(struct command *c, enum relay_type type,
    struct cursor payload);

/*
 * libssh could not do what for this channel.  That ends the connection, unless
 * the client has closed the channel, which libssh may learn in any call.
 */
void command_cannot(struct command *c, const char *what);

/* --- command-data.c ---------------------------------------------------- */

/*
 * Make room for output: 0, or HT_ERR_INTERNAL.  Close a stream; all, and free
 * what they hold.
 */
int command_make_streams(struct command *c);
void command_close_stream(struct stream *s);
void command_free_streams(struct command *c);
bool command_stream_empty(const struct stream *s);

/*
 * libssh's callback for what the client sends.
 */
int command_on_data(ssh_session session, ssh_channel ssh, void *data,
    uint32_t len, int is_stderr, void *cookie);

/*
 * Move on what came while the pipe was full, and the end of it.
 */
void command_push_input(struct command *c);

/*
 * Whether the client takes more; whether more may be read for it.
 */
bool command_takes_output(const struct command *c);
bool command_may_fill(const struct command *c, const struct stream *s);

/*
 * Move output; what is read already, or also what there is.
 */
void command_drain(struct command *c, struct stream *s);
void command_serve_output(struct command *c, struct stream *s);

/*
 * A line of ours for stderr, behind whatever the shell wrote there.
 */
void command_put_line(struct command *c, const char *text);

#endif
