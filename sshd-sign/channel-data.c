#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/loop.h"
#include "sshd-sign/channel-private.h"
#include "sshd-sign/relay.h"

/* The most bytes that are moved at a time. */
#define PIECE ((size_t)64 << 10)

/*
 * The least that a client must take in a packet, in bytes, and how many packets
 * a write may make that are not its own.  OpenSSH takes 32 KiB in a packet.
 */
#define LEAST_PACKET 512
#define OTHER_PACKETS 16

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

/* What was read is written, or nobody will read it. */
static void
forget_input(struct channel *c)
{
	struct stream *in = &c->in;

	c->host->held -= in->end;
	in->at = in->end = 0;
	free(in->data);
	in->data = NULL;
}

void
channel_free_streams(struct channel *c)
{
	channel_close_stream(&c->in);
	channel_close_stream(&c->out);
	channel_close_stream(&c->err);
	forget_input(c);
	c->host->held -= c->largest;
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
	in->end = (size_t)n;
	c->host->held += in->end;
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
		forget_input(c);
	}
	if (in->fd >= 0 && c->client_eof)
		end_input(c);
}

/*
 * A read of more than the window opens it, before 0.11.  There is nothing to
 * read.  If libssh has had data to keep, the window is wide already.
 */
void
channel_widen(struct channel *c)
{
	uint8_t *room;

	if (c->waiting > 0)
		return;
	room = malloc(WINDOW_WIDE);
	if (room == NULL)
		channel_host_end(c->host, HT_ERR_INTERNAL, "out of memory");
	else
		(void)ssh_channel_read_timeout(c->ssh, room, WINDOW_WIDE, 0, 0);
	free(room);
}

/*
 * Whether libssh shall keep what it has, len bytes.  Whatever it forgets may make
 * it open the window, and nothing may follow a close (RFC 4254, 5.3).  So all is
 * kept once the channel is finished, while there is room for it.
 */
static bool
is_wanted(const struct channel *c, size_t len, bool is_stderr)
{
	if (c->state == FINISHED)
		return c->host->held - c->largest + len <= CHANNEL_HELD_MAX;
	return !is_stderr && (c->in.fd >= 0 || c->state == ASKED);
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
	if (c->state == OPENED)
		c->lost = true;
	if (!is_wanted(c, len, is_stderr))
		return (int)len;
	if (len > c->largest) {
		c->host->held += len - c->largest;
		c->largest = len;
	}
	if (len > BACKLOG_MAX)
		channel_host_end(c->host, HT_ERR_DATA,
		    "the client sends more than its window allows");
	else if (c->in.fd >= 0 && channel_stream_empty(&c->in))
		done = write_input(c, data, len);
	c->waiting = len - done;
	return (int)done;
}

/* --- from the shell to the client -------------------------------------- */

/* A write while it runs. */
struct writing {
	struct channel_host *host;
	struct ssh_counter_struct before; /* host->packets when it began */
	uint64_t most;                    /* packets that it may make */
};

/*
 * libssh logs each packet of a write, so it calls this for each.  Nothing else
 * tells how large a packet the client takes.  For a client that takes 10 bytes,
 * libssh 0.10 would write empty packets for ever.  A write cannot be given up
 * from here, so the process ends.  Packets that arrive meanwhile are answered.
 */
static void
count_packets(int priority, const char *function, const char *line,
    void *cookie)
{
	const struct writing *w = cookie;
	struct channel_host *host = w->host;
	uint64_t in = host->packets.in_packets - w->before.in_packets;

	(void)priority;
	(void)function;
	(void)line;
	if (host->packets.out_packets - w->before.out_packets <=
	    w->most + 2 * in)
		return;
	channel_host_end(host, HT_ERR_DATA,
	    "the client wants packets of fewer than %d bytes", LEAST_PACKET);
	relay_send_failed(host->relay, &host->end);
	_exit(0);
}

static int
send_counted(struct channel *c, const struct stream *s, uint32_t n)
{
	int (*const send)(ssh_channel, const void *, uint32_t) =
	    s == &c->err ? ssh_channel_write_stderr : ssh_channel_write;
	struct writing w = { c->host, c->host->packets,
		n / LEAST_PACKET + OTHER_PACKETS };
	int done;

	(void)ssh_set_log_userdata(&w);
	(void)ssh_set_log_callback(count_packets);
	(void)ssh_set_log_level(SSH_LOG_PACKET);
	done = send(c->ssh, s->data + s->at, n);
	(void)ssh_set_log_level(SSH_LOG_NOLOG);
	(void)ssh_set_log_userdata(NULL);
	return done;
}

/* A short write is no error: the window is full, or keys are exchanged. */
void
channel_drain(struct channel *c, struct stream *s)
{
	size_t n = s->end - s->at;
	uint32_t window = ssh_channel_window_size(c->ssh);
	int done;

	if (n > window)
		n = window;
	if (n == 0)
		return;
	done = send_counted(c, s, (uint32_t)n);
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
