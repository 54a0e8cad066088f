#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fetch/link.h"
#include "lib/log.h"

/* Milliseconds between two attempts: keyd is being restarted, or is away. */
#define SOON 100
#define SELDOM 1000
#define PATIENCE 5000

struct link {
	struct loop *loop;
	char *path;
	struct link_uses uses;
	struct protocol_link link;
	struct loop_watch *watch; /* while connected */
	struct loop_timer *retry;
	uint64_t since; /* loop_now() of the last message or connection */
};

static void try_connect(void *cookie);

static void
try_later(struct link *l)
{
	uint64_t ms = loop_now() - l->since < PATIENCE ? SOON : SELDOM;

	l->retry = loop_timer_add(l->loop, ms, try_connect, l);
}

static void
lose(struct link *l, const struct ht_error *e)
{
	log_error("htsign-keyd is away: %s", e->text);
	loop_watch_remove(l->watch);
	l->watch = NULL;
	protocol_close(&l->link);
	l->uses.lost(l->uses.cookie);
	try_later(l);
}

static int
take(struct link *l, const struct msg *m, const union protocol_body *body,
    struct ht_error *e)
{
	l->since = loop_now();
	if (m->type == PROTOCOL_REFUSE)
		return ht_error_set(e, HT_ERR_DENIED, "%s", body->refuse.text);
	l->uses.asked(l->uses.cookie, m, body);
	return 0;
}

static void
ready(void *cookie, short revents)
{
	struct link *l = cookie;
	union protocol_body body;
	struct ht_error e;
	struct msg m;
	int rc = 0;

	if ((revents & POLLOUT) != 0)
		rc = msg_flush(l->link.channel, &e);
	while (rc == 0 && (rc = protocol_next(&l->link, &m, &body, &e)) == 1)
		rc = take(l, &m, &body, &e);
	if (rc < 0)
		lose(l, &e);
	else if (!msg_pending(l->link.channel))
		loop_watch_events(l->watch, POLLIN);
}

static int
connect_to(const char *path, struct ht_error *e)
{
	struct sockaddr_un un;
	int fd, rc;

	memset(&un, 0, sizeof(un));
	un.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(un.sun_path))
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "%s: too long for a socket", path);
	memcpy(un.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0)
		return fd;
	rc = ht_error_errno(e, "%s", path);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

static void
try_connect(void *cookie)
{
	struct protocol_fetch_hello hello = { PROTOCOL_VERSION };
	struct link *l = cookie;
	struct ht_error e;
	int rc;

	l->retry = NULL;
	rc = connect_to(l->path, &e);
	if (rc >= 0)
		rc = protocol_open(&l->link, rc, PROTOCOL_LINK_FETCH, true, &e);
	if (rc == 0) {
		l->watch = loop_watch_add(l->loop,
		    msg_channel_fd(l->link.channel), POLLIN, ready, l);
		if (l->watch == NULL) {
			protocol_close(&l->link);
			rc = ht_error_memory(&e);
		}
	}
	if (rc < 0) {
		log_debug("htsign-keyd is away: %s", e.text);
		try_later(l);
		return;
	}
	log_notice("connected to htsign-keyd");
	link_say(l, PROTOCOL_FETCH_HELLO, 0, &hello);
}

void
link_say(struct link *l, enum protocol_type type, uint32_t tag,
    const void *body)
{
	struct ht_error e;

	if (l->watch == NULL)
		return;
	if (protocol_queue(&l->link, type, tag, body, NULL, 0, &e) < 0) {
		log_error("%s", e.text);
		return;
	}
	/* If this fails, the watch sees the end of the connection. */
	(void)msg_flush(l->link.channel, &e);
	if (msg_pending(l->link.channel))
		loop_watch_events(l->watch, POLLIN | POLLOUT);
}

struct link *
link_new(struct loop *loop, const char *path, const struct link_uses *uses)
{
	struct link *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->loop = loop;
	l->uses = *uses;
	l->since = loop_now();
	l->path = strdup(path);
	if (l->path == NULL) {
		free(l);
		return NULL;
	}
	try_connect(l);
	return l;
}

void
link_free(struct link *l)
{
	if (l == NULL)
		return;
	loop_timer_remove(l->retry);
	loop_watch_remove(l->watch);
	protocol_close(&l->link);
	free(l->path);
	free(l);
}
