#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/fds.h"
#include "lib/msg.h"

_Static_assert(MSG_FDS <= FDS_MAX, "they go in one message");

/* A frame in the queue. */
struct frame {
	struct frame *next;
	int fd[MSG_FDS];
	size_t nfds; /* 0 after they have been sent */
	size_t len;
	size_t sent;
	uint8_t bytes[];
};

struct msg_channel {
	int fd;
	struct frame *first;
	struct frame **last;
	int in_fd[MSG_FDS]; /* of the frame that is arriving */
	size_t in_nfds;
	size_t have; /* bytes of that frame in in[] */
	uint8_t in[MSG_MAX];
};

struct msg_channel *
msg_channel_new(int fd)
{
	struct msg_channel *ch;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return NULL;
	ch = malloc(sizeof(*ch));
	if (ch == NULL)
		return NULL;
	ch->fd = fd;
	ch->first = NULL;
	ch->last = &ch->first;
	ch->in_nfds = 0;
	ch->have = 0;
	return ch;
}

static void
close_all(int *fd, size_t *n)
{
	size_t i;

	for (i = 0; i < *n; i++)
		if (fd[i] >= 0)
			(void)close(fd[i]);
	*n = 0;
}

static void
frame_free(struct frame *f)
{
	close_all(f->fd, &f->nfds);
	ht_wipe(f->bytes, f->len);
	free(f);
}

void
msg_channel_free(struct msg_channel *ch)
{
	struct frame *f;

	if (ch == NULL)
		return;
	while ((f = ch->first) != NULL) {
		ch->first = f->next;
		frame_free(f);
	}
	close_all(ch->in_fd, &ch->in_nfds);
	(void)close(ch->fd);
	ht_wipe(ch->in, sizeof(ch->in));
	free(ch);
}

int
msg_channel_fd(const struct msg_channel *ch)
{
	return ch->fd;
}

void
msg_close_fds(struct msg *m)
{
	close_all(m->fd, &m->nfds);
}

void
msg_wipe(struct msg *m)
{
	/* The body is in the channel's own memory, which is not const. */
	ht_wipe((void *)(uintptr_t)m->body.p, m->body.left);
}

/* --- receiving --------------------------------------------------------- */

/*
 * Receive until want bytes of the frame have arrived.  Returns 1 if they have,
 * 0 if not yet.  Descriptors may only come with the first byte.  The header is
 * received separately, so they cannot belong to the next frame.
 */
static int
receive(struct msg_channel *ch, size_t want, struct ht_error *e)
{
	ssize_t n;
	size_t nfds;
	bool at_start;
	bool whole;

	while (ch->have < want) {
		at_start = ch->have == 0;
		n = fds_receive(ch->fd, ch->in + ch->have, want - ch->have,
		    ch->in_fd + ch->in_nfds, MSG_FDS - ch->in_nfds, &nfds,
		    &whole);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n < 0)
			return ht_error_set(e, HT_ERR_UNAVAILABLE,
			    "the peer is gone: %s", strerror(errno));
		ch->in_nfds += nfds;
		if (!whole || (nfds > 0 && !at_start))
			return ht_error_set(e, HT_ERR_DATA,
			    "descriptors where none belong");
		if (n == 0)
			return ht_error_set(e, HT_ERR_UNAVAILABLE,
			    ch->have == 0 ? "the peer has closed"
			                  : "the peer closed within a frame");
		ch->have += (size_t)n;
	}
	return 1;
}

int
msg_next(struct msg_channel *ch, struct msg *m, struct ht_error *e)
{
	struct cursor header = cursor_over(ch->in, MSG_HEADER);
	uint32_t length;
	int rc;

	memset(m, 0, sizeof(*m));
	rc = receive(ch, ch->have < MSG_HEADER ? MSG_HEADER : ch->have, e);
	if (rc <= 0)
		return rc;
	(void)cursor_u32be(&header, &length);
	(void)cursor_u16be(&header, &m->type);
	(void)cursor_u32be(&header, &m->tag);
	if (length < MSG_HEADER - 4 || length > MSG_MAX - 4)
		return ht_error_set(e, HT_ERR_DATA, "a frame of %u bytes",
		    (unsigned int)length);
	rc = receive(ch, length + 4, e);
	if (rc <= 0)
		return rc;
	m->body = cursor_over(ch->in + MSG_HEADER, length + 4 - MSG_HEADER);
	memcpy(m->fd, ch->in_fd, sizeof(m->fd));
	m->nfds = ch->in_nfds;
	ch->in_nfds = 0;
	ch->have = 0;
	return 1;
}

/* --- sending ----------------------------------------------------------- */

int
msg_queue(struct msg_channel *ch, uint16_t type, uint32_t tag,
    const struct buf *body, const int *fds, size_t nfds, struct ht_error *e)
{
	struct buf header = BUF_INIT;
	struct frame *f = NULL;
	size_t n = body != NULL ? body->len : 0;

	if (n > MSG_BODY_MAX || nfds > MSG_FDS)
		return ht_error_set(e, HT_ERR_INTERNAL, "a message too long");
	buf_u32be(&header, (uint32_t)(MSG_HEADER - 4 + n));
	buf_u16be(&header, type);
	buf_u32be(&header, tag);
	if (buf_failed(&header) < 0 ||
	    (f = malloc(sizeof(*f) + MSG_HEADER + n)) == NULL)
		goto fail;
	f->next = NULL;
	f->nfds = 0;
	f->len = MSG_HEADER + n;
	f->sent = 0;
	memcpy(f->bytes, header.data, MSG_HEADER);
	if (n > 0)
		memcpy(f->bytes + MSG_HEADER, body->data, n);
	while (f->nfds < nfds) {
		f->fd[f->nfds] = fcntl(fds[f->nfds], F_DUPFD_CLOEXEC, 3);
		if (f->fd[f->nfds] < 0)
			goto fail;
		f->nfds++;
	}
	*ch->last = f;
	ch->last = &f->next;
	buf_free(&header);
	return 0;
fail:
	if (f != NULL)
		frame_free(f);
	buf_free(&header);
	return ht_error_errno(e, "cannot queue a message");
}

int
msg_flush(struct msg_channel *ch, struct ht_error *e)
{
	struct frame *f;
	ssize_t n;

	while ((f = ch->first) != NULL) {
		n = fds_send(ch->fd, f->bytes + f->sent, f->len - f->sent,
		    f->fd, f->nfds);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n < 0)
			return ht_error_set(e, HT_ERR_UNAVAILABLE,
			    "the peer is gone: %s", strerror(errno));
		close_all(f->fd, &f->nfds);
		f->sent += (size_t)n;
		if (f->sent < f->len)
			continue;
		ch->first = f->next;
		if (ch->first == NULL)
			ch->last = &ch->first;
		frame_free(f);
	}
	return 0;
}

bool
msg_pending(const struct msg_channel *ch)
{
	return ch->first != NULL;
}

/* --- waiting ----------------------------------------------------------- */

static int64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Wait until fd is ready.  A negative deadline never comes. */
static int
wait_ready(int fd, short events, int64_t deadline, struct ht_error *e)
{
	struct pollfd p = { fd, events, 0 };
	int64_t left = -1;
	int n;

	for (;;) {
		if (deadline >= 0) {
			left = deadline - now_ms();
			if (left < 0)
				left = 0;
		}
		n = poll(&p, 1, (int)left);
		if (n > 0)
			return 0;
		if (n == 0)
			return ht_error_set(e, HT_ERR_UNAVAILABLE,
			    "no answer in time");
		if (errno != EINTR)
			return ht_error_errno(e, "poll");
	}
}

/* The deadline in so many milliseconds, or -1 for never. */
static int64_t
deadline_in(int timeout)
{
	return timeout < 0 ? -1 : now_ms() + timeout;
}

int
msg_drain(struct msg_channel *ch, int timeout, struct ht_error *e)
{
	int rc = msg_flush(ch, e);

	while (rc == 0 && msg_pending(ch)) {
		rc = wait_ready(ch->fd, POLLOUT, deadline_in(timeout), e);
		if (rc == 0)
			rc = msg_flush(ch, e);
	}
	return rc;
}

int
msg_wait(struct msg_channel *ch, struct msg *m, int timeout, struct ht_error *e)
{
	int64_t deadline = deadline_in(timeout);
	int rc;

	while ((rc = msg_next(ch, m, e)) == 0) {
		rc = wait_ready(ch->fd, POLLIN, deadline, e);
		if (rc < 0)
			return rc;
	}
	return rc;
}
