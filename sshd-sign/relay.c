#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sshd-sign/relay.h"

/* What may be said: by whom, and how many bytes and descriptors long. */
static const struct rule {
	enum relay_side from;
	size_t least;
	size_t most;
	size_t fds;
} rules[RELAY_TYPES] = {
	[RELAY_LOGIN] = { RELAY_NETWORK, 1, PROTOCOL_SESSION_MAX, 0 },
	[RELAY_AUTHENTICATED] = { RELAY_NETWORK, 0, 0, 0 },
	[RELAY_SESSION] = { RELAY_NETWORK, 1, PROTOCOL_SESSION_MAX, 0 },
	[RELAY_END] = { RELAY_NETWORK, 0, 0, 0 },
	[RELAY_KILL] = { RELAY_NETWORK, 0, 0, 0 },
	[RELAY_ADMIT] = { RELAY_LISTENER, 0, 0, 0 },
	[RELAY_DENY] = { RELAY_LISTENER, 0, 0, 0 },
	[RELAY_STARTED] = { RELAY_LISTENER, 0, 0, RELAY_FDS },
	[RELAY_REFUSED] = { RELAY_LISTENER, 1, 1024, 0 },
	[RELAY_EXITED] = { RELAY_LISTENER, 4, 4, 0 },
	[RELAY_DRAIN] = { RELAY_LISTENER, 0, 0, 0 },
};

/* Ancillary data: room for one descriptor more than any message may bring. */
union control {
	struct cmsghdr align;
	char space[CMSG_SPACE((RELAY_FDS + 1) * sizeof(int))];
};

int
relay_pair(int pair[2], struct ht_error *e)
{
	int flags;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		pair[0] = pair[1] = -1;
		return ht_error_errno(e, "socketpair");
	}
	flags = fcntl(pair[0], F_GETFL);
	if (flags >= 0 && fcntl(pair[0], F_SETFL, flags | O_NONBLOCK) == 0)
		return 0;
	(void)ht_error_errno(e, "relay");
	(void)close(pair[0]);
	(void)close(pair[1]);
	pair[0] = pair[1] = -1;
	return HT_ERR_INTERNAL;
}

/* --- sending ----------------------------------------------------------- */

/*
 * The network process has no sendmsg(2), and needs none: it sends no
 * descriptors.
 */
static ssize_t
send_plain(int fd, const uint8_t *header, struct cursor payload)
{
	uint8_t all[RELAY_MAX];

	memcpy(all, header, RELAY_HEADER);
	if (payload.left > 0)
		memcpy(all + RELAY_HEADER, payload.p, payload.left);
	return send(fd, all, RELAY_HEADER + payload.left, MSG_NOSIGNAL);
}

static ssize_t
send_with_fds(int fd, uint8_t *header, const int *fds)
{
	struct iovec iov = { header, RELAY_HEADER };
	union control control;
	struct msghdr h;
	struct cmsghdr *c;

	memset(&h, 0, sizeof(h));
	memset(&control, 0, sizeof(control));
	h.msg_iov = &iov;
	h.msg_iovlen = 1;
	h.msg_control = control.space;
	h.msg_controllen = CMSG_SPACE(RELAY_FDS * sizeof(int));
	c = CMSG_FIRSTHDR(&h);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(RELAY_FDS * sizeof(int));
	memcpy(CMSG_DATA(c), fds, RELAY_FDS * sizeof(int));
	return sendmsg(fd, &h, MSG_NOSIGNAL);
}

int
relay_send(int fd, enum relay_type type, uint32_t channel,
    struct cursor payload, const int *fds, struct ht_error *e)
{
	const struct rule *r = &rules[type];
	uint8_t header[RELAY_HEADER] = { (uint8_t)type,
		(uint8_t)(channel >> 24), (uint8_t)(channel >> 16),
		(uint8_t)(channel >> 8), (uint8_t)channel };
	ssize_t n;

	if (payload.left < r->least || payload.left > r->most ||
	    (fds != NULL) != (r->fds > 0))
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "relay message %d with %zu bytes", (int)type, payload.left);
	do {
		if (fds != NULL)
			n = send_with_fds(fd, header, fds);
		else
			n = send_plain(fd, header, payload);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return ht_error_set(e, HT_ERR_UNAVAILABLE, "relay: %s",
		    strerror(errno));
	return 0;
}

/* --- receiving --------------------------------------------------------- */

static void
close_fds(struct relay_message *m)
{
	while (m->nfds > 0)
		(void)close(m->fd[--m->nfds]);
}

/* Take the descriptors over; HT_ERR_DATA if there are too many. */
static int
take_fds(struct relay_message *m, struct msghdr *h)
{
	struct cmsghdr *c;
	size_t i, n;
	int fd, rc = 0;

	for (c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (m->nfds < RELAY_FDS) {
				m->fd[m->nfds++] = fd;
			} else {
				(void)close(fd);
				rc = HT_ERR_DATA;
			}
		}
	}
	return rc;
}

static int
check(enum relay_side from, struct relay_message *m, size_t n)
{
	struct cursor in = cursor_over(m->bytes, n);
	const struct rule *r;
	uint8_t type;

	if (cursor_u8(&in, &type) < 0 || cursor_u32be(&in, &m->channel) < 0)
		return HT_ERR_DATA;
	if (type == 0 || type >= RELAY_TYPES)
		return HT_ERR_DATA;
	r = &rules[type];
	m->type = (enum relay_type)type;
	m->payload = in;
	if (r->from != from || in.left < r->least || in.left > r->most ||
	    m->nfds != r->fds)
		return HT_ERR_DATA;
	return 0;
}

int
relay_receive(int fd, enum relay_side from, struct relay_message *m,
    struct ht_error *e)
{
	struct iovec iov = { m->bytes, sizeof(m->bytes) };
	union control control;
	struct msghdr h;
	ssize_t n;
	int rc;

	memset(&h, 0, sizeof(h));
	h.msg_iov = &iov;
	h.msg_iovlen = 1;
	h.msg_control = control.space;
	h.msg_controllen = sizeof(control.space);
	m->nfds = 0;
	do {
		n = recvmsg(fd, &h, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n <= 0)
		return ht_error_set(e, HT_ERR_UNAVAILABLE, "relay: %s",
		    n == 0 ? "closed" : strerror(errno));
	rc = take_fds(m, &h);
	if ((h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
		rc = HT_ERR_DATA;
	if (rc == 0)
		rc = check(from, m, (size_t)n);
	if (rc == 0)
		return 1;
	close_fds(m);
	return ht_error_set(e, HT_ERR_DATA, "relay: malformed message");
}
