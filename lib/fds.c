#include "config.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fds.h"

/* Ancillary data, with room for one descriptor too many: take() notices it. */
union control {
	struct cmsghdr align;
	char space[CMSG_SPACE((FDS_MAX + 1) * sizeof(int))];
};

static ssize_t
send_with(int fd, const void *p, size_t n, const int *fds, size_t nfds)
{
	struct iovec iov = { (void *)(uintptr_t)p, n };
	union control control;
	struct msghdr h;
	struct cmsghdr *c;

	memset(&h, 0, sizeof(h));
	memset(&control, 0, sizeof(control));
	h.msg_iov = &iov;
	h.msg_iovlen = 1;
	h.msg_control = control.space;
	h.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
	c = CMSG_FIRSTHDR(&h);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
	memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	return sendmsg(fd, &h, MSG_NOSIGNAL);
}

ssize_t
fds_send(int fd, const void *p, size_t n, const int *fds, size_t nfds)
{
	ssize_t sent;

	if (nfds > FDS_MAX) {
		errno = EINVAL;
		return -1;
	}
	do {
		if (nfds > 0)
			sent = send_with(fd, p, n, fds, nfds);
		else
			sent = send(fd, p, n, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent;
}

/* Take at most max descriptors.  If more came, close them and return false. */
static bool
take(struct msghdr *h, int *fds, size_t max, size_t *nfds)
{
	struct cmsghdr *c;
	bool whole = true;
	size_t i, n;
	int fd;

	for (c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (*nfds < max) {
				fds[(*nfds)++] = fd;
			} else {
				(void)close(fd);
				whole = false;
			}
		}
	}
	return whole;
}

ssize_t
fds_receive(int fd, void *p, size_t n, int *fds, size_t max, size_t *nfds,
    bool *whole)
{
	struct iovec iov = { p, n };
	union control control;
	struct msghdr h;
	ssize_t got;

	*nfds = 0;
	*whole = true;
	memset(&h, 0, sizeof(h));
	h.msg_iov = &iov;
	h.msg_iovlen = 1;
	h.msg_control = control.space;
	h.msg_controllen = sizeof(control.space);
	do {
		got = recvmsg(fd, &h, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return got;
	*whole = take(&h, fds, max, nfds) &&
	    (h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
	return got;
}
