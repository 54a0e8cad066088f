#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/loop.h"
#include "sshd-sign/channel-private.h"

/* The most bytes that are moved at a time. */
#define PIECE ((size_t)64 << 10)

void
channel_close_stream(struct stream *s)
{
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
}

bool
channel_stream_empty(const struct stream *s)
{
	return s->at == s->end;
}

int
channel_make_streams(struct channel *c)
{
	c->in.fd = c->out.fd = c->err.fd = -1;
	c->out.data = malloc(PIECE);
	c->err.data = malloc(PIECE);
	c->out.size = c->err.size = PIECE;
	return c->out.data != NULL && c->err.data != NULL ? 0 : HT_ERR_INTERNAL;
}

void
channel_free_streams(struct channel *c)
{
	channel_close_stream(&c->in);
	channel_close_stream(&c->out);
	channel_close_stream(&c->err);
	free(c->in.data);
	free(c->out.data);
	free(c->err.data);
}

/* --- from the client to stdin ------------------------------------------ */

/*
 * Write what the pipe takes now, and return how much that was.  The shell may
 * have closed its end, which is no error.
 */
static size_t
write_input(struct channel *c, const uint8_t *p, size_t n)
{
	ssize_t done;

	do {
		done = write(c->in.fd, p, n);
	} while (done < 0 && errno == EINTR);
	if (done >= 0)
		return (size_t)done;
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		channel_close_stream(&c->in);
	return 0;
}

/* All input is written: let the shell see the end of file. */
static void
end_input(struct channel *c)
{
	channel_close_stream(&c->in);
	channel_say(c, RELAY_END, cursor_over(NULL, 0));
}

/*
 * Read all that libssh has buffered.  Never read a part of it: before 0.11 each
 * read opens the client's window again, even if data is left.  Since 0.11 a
 * read handles packets first.  They call channel_on_data(), which changes
 * c->waiting, so the buffer has room for the most that libssh can have.
 */
static int
take_waiting(struct channel *c)
{
	struct stream *in = &c->in;
	int n;

	if (in->data == NULL)
		in->data = malloc(BACKLOG_MAX);
	if (in->data == NULL) {
		channel_host_end(c->host, HT_ERR_INTERNAL, "out of memory");
		return HT_ERR_INTERNAL;
	}
	n = ssh_channel_read_nonblocking(c->ssh, in->data, BACKLOG_MAX, 0);
	if (n == SSH_EOF)
		n = 0;
	if (n < 0) {
		channel_cannot(c, "read from a channel");
		return HT_ERR_INTERNAL;
	}
	if ((size_t)n != c->waiting) {
		channel_host_end(c->host, HT_ERR_INTERNAL,
		    "libssh gave %d of %zu bytes", n, c->waiting);
		return HT_ERR_INTERNAL;
	}
	c->waiting = 0;
	in->at = 0;
	in->end = (size_t)n;
	return 0;
}

void
channel_push_input(struct channel *c)
{
	struct stream *in = &c->in;

	while (in->fd >= 0 && (!channel_stream_empty(in) || c->waiting > 0)) {
		if (channel_stream_empty(in) && take_waiting(c) < 0)
			return;
		in->at += write_input(c, in->data + in->at, in->end - in->at);
		if (!channel_stream_empty(in))
			return;
	}
	if (in->fd >= 0 && c->client_eof)
		end_input(c);
}

/*
 * libssh passes all len bytes that it has.  It forgets as many as this returns.
 * The rest counts against the client's window.
 */
int
channel_on_data(ssh_session session, ssh_channel ssh, void *data, uint32_t len,
    int is_stderr, void *cookie)
{
	struct channel *c = cookie;
	size_t done = 0;

	(void)session;
	(void)ssh;
	if (is_stderr)
		return (int)len;
	if (len > BACKLOG_MAX)
		channel_host_end(c->host, HT_ERR_DATA,
		    "the client sends more than its window allows");
	else if (c->in.fd >= 0 && channel_stream_empty(&c->in))
		done = write_input(c, data, len);
	c->waiting = len - done;
	return (int)done;
}

/* --- from the shell to the client -------------------------------------- */

/* A short write is no error: the window is full, or keys are exchanged. */
void
channel_drain(struct channel *c, struct stream *s)
{
	int (*const send)(ssh_channel, const void *, uint32_t) =
	    s == &c->err ? ssh_channel_write_stderr : ssh_channel_write;
	size_t n = s->end - s->at;
	uint32_t window = ssh_channel_window_size(c->ssh);
	int done;

	if (n > window)
		n = window;
	if (n == 0)
		return;
	done = send(c->ssh, s->data + s->at, (uint32_t)n);
	if (done < 0)
		channel_cannot(c, "write to a channel");
	else
		s->at += (size_t)done;
	if (done > 0)
		c->taken = loop_now();
}

/*
 * libssh buffers any amount for a socket that takes none.  So a pending write
 * counts as a client that takes no output.
 */
bool
channel_takes_output(const struct channel *c)
{
	return ssh_channel_window_size(c->ssh) > 0 &&
	    (ssh_get_status(c->host->session) & SSH_WRITE_PENDING) == 0;
}

bool
channel_may_fill(const struct channel *c, const struct stream *s)
{
	return s->fd >= 0 && channel_stream_empty(s) && c->state == RUNNING &&
	    channel_takes_output(c);
}

static void
fill(struct stream *s)
{
	ssize_t n = read(s->fd, s->data, s->size);

	if (n > 0) {
		s->at = 0;
		s->end = (size_t)n;
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		channel_close_stream(s);
	}
}

void
channel_serve_output(struct channel *c, struct stream *s)
{
	channel_drain(c, s);
	if (channel_may_fill(c, s)) {
		fill(s);
		channel_drain(c, s);
	}
}

void
channel_put_line(struct channel *c, const char *text)
{
	int n =
	    snprintf((char *)c->err.data, c->err.size, "sshd-sign: %s\n", text);

	c->err.at = 0;
	c->err.end = n < 0 ? 0 : (size_t)n;
}
