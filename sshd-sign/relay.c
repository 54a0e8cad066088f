#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fds.h"
#include "sshd-sign/relay.h"

_Static_assert(RELAY_FDS <= FDS_MAX, "they go in one message");

#define FAILED_MAX (1 + sizeof(((struct ht_error *)NULL)->text))

/* Who may send each type; its length in bytes; its number of descriptors. */
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
	[RELAY_FAILED] = { RELAY_NETWORK, 1, FAILED_MAX, 0 },
	[RELAY_PONG] = { RELAY_NETWORK, 0, 0, 0 },
	[RELAY_ADMIT] = { RELAY_LISTENER, 0, 0, 0 },
	[RELAY_DENY] = { RELAY_LISTENER, 0, 0, 0 },
	[RELAY_STARTED] = { RELAY_LISTENER, 0, 0, RELAY_FDS },
	[RELAY_REFUSED] = { RELAY_LISTENER, 1, 1024, 0 },
	[RELAY_EXITED] = { RELAY_LISTENER, 4, 4, 0 },
	[RELAY_DRAIN] = { RELAY_LISTENER, 0, 0, 0 },
	[RELAY_PING] = { RELAY_LISTENER, 0, 0, 0 },
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

int
relay_send(int fd, enum relay_type type, uint32_t channel,
    struct cursor payload, const int *fds, struct ht_error *e)
{
	const struct rule *r = &rules[type];
	const uint8_t header[RELAY_HEADER] = { (uint8_t)type,
		(uint8_t)(channel >> 24), (uint8_t)(channel >> 16),
		(uint8_t)(channel >> 8), (uint8_t)channel };
	uint8_t all[RELAY_MAX];

	if (payload.left < r->least || payload.left > r->most ||
	    (fds != NULL) != (r->fds > 0))
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "relay message %d with %zu bytes", (int)type, payload.left);
	memcpy(all, header, sizeof(header));
	if (payload.left > 0)
		memcpy(all + RELAY_HEADER, payload.p, payload.left);
	if (fds_send(fd, all, RELAY_HEADER + payload.left, fds, r->fds) < 0)
		return ht_error_set(e, HT_ERR_UNAVAILABLE, "relay: %s",
		    strerror(errno));
	return 0;
}

void
relay_send_failed(int fd, const struct ht_error *e)
{
	uint8_t all[FAILED_MAX];
	size_t n = strlen(e->text);
	struct ht_error ignored;

	all[0] = (uint8_t)-e->code;
	memcpy(all + 1, e->text, n);
	(void)relay_send(fd, RELAY_FAILED, 0, cursor_over(all, 1 + n), NULL,
	    &ignored);
}

/* --- receiving --------------------------------------------------------- */

static void
close_fds(struct relay_message *m)
{
	while (m->nfds > 0)
		(void)close(m->fd[--m->nfds]);
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
	bool whole;
	ssize_t n;

	n = fds_receive(fd, m->bytes, sizeof(m->bytes), m->fd, RELAY_FDS,
	    &m->nfds, &whole);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n < 0)
		return ht_error_set(e, HT_ERR_UNAVAILABLE, "relay: %s",
		    strerror(errno));
	if (n > 0 && whole && check(from, m, (size_t)n) == 0)
		return 1;
	close_fds(m);
	if (n == 0)
		return ht_error_set(e, HT_ERR_UNAVAILABLE, "relay: closed");
	return ht_error_set(e, HT_ERR_DATA, "relay: malformed message");
}
