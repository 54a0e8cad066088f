#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/log.h"
#include "sshd-sign/keyd-link.h"

/* keyd counts as away after this much silence, in milliseconds. */
#define ANSWER_TIMEOUT 60000

/*
 * The most questions without an answer; each has up to PROTOCOL_SESSION_MAX
 * bytes.  Cancelled questions count too: clients that ask and leave, again and
 * again, must not fill our memory.
 */
#define ASKS_MAX 1024

/* So many keyds are asked.  A question that has ended two may be why. */
#define TRIES 2

struct keyd_link_ask {
	LIST_ENTRY(keyd_link_ask) entry;
	struct keyd_link *keyd;
	uint32_t tag;
	enum protocol_type type;
	struct protocol_relayed relayed;
	struct buf blob; /* of relayed */
	unsigned int tries;
	keyd_link_answer_fn *fn; /* NULL once cancelled */
	void *cookie;
	struct loop_timer *timer; /* while keyd has it */
};

/*
 * Milliseconds: within RESTART, a keyd that is restarted is back.  Until then
 * the link tries to connect each SOON, later each SELDOM.  If keyd ends links
 * as soon as they are made, that is each SELDOM, too.
 */
#define RESTART 10000
#define SOON 50
#define SELDOM 1000

struct keyd_link {
	struct loop *loop;
	char *path;
	keyd_link_revoked_fn *revoked;
	void *cookie;
	bool present;
	uint64_t since; /* loop_now() when it came or went away */
	struct protocol_link link;
	struct loop_watch *watch;
	struct loop_timer *retry;
	LIST_HEAD(ask_list, keyd_link_ask) asks;
	size_t nasks;
	uint32_t tag; /* the last one given out */
};

static void try_connect(void *cookie);
static void answer_late(void *cookie);

/* --- answers ----------------------------------------------------------- */

static void
forget(struct keyd_link_ask *a)
{
	LIST_REMOVE(a, entry);
	a->keyd->nasks--;
	loop_timer_remove(a->timer);
	buf_free(&a->blob);
	free(a);
}

static void
answer(struct keyd_link_ask *a, struct keyd_link_answer *with)
{
	keyd_link_answer_fn *fn = a->fn;
	void *cookie = a->cookie;

	forget(a);
	if (fn != NULL)
		fn(cookie, with);
	else if (with->fd >= 0)
		(void)close(with->fd);
}

/* Answer in the place of keyd, which is away. */
static void
answer_away(struct keyd_link_ask *a)
{
	struct keyd_link_answer away = { .type = PROTOCOL_REFUSE,
		.fd = -1,
		.refuse = { .status = (uint32_t)-HT_ERR_UNAVAILABLE,
		    .code = "unavailable",
		    .text = "htsign-keyd is away; try again later" } };

	answer(a, &away);
}

static struct keyd_link_ask *
find_ask(struct keyd_link *k, uint32_t tag)
{
	struct keyd_link_ask *a;

	LIST_FOREACH(a, &k->asks, entry)
		if (a->tag == tag)
			return a;
	return NULL;
}

/* If sending fails, the watch sees the end of the link. */
static int
say(struct keyd_link *k, enum protocol_type type, uint32_t tag,
    const void *body)
{
	struct ht_error e;

	if (protocol_queue(&k->link, type, tag, body, NULL, 0, &e) < 0)
		return e.code;
	(void)msg_flush(k->link.channel, &e);
	if (msg_pending(k->link.channel))
		loop_watch_events(k->watch, POLLIN | POLLOUT);
	return 0;
}

static int
put(struct keyd_link_ask *a)
{
	struct keyd_link *k = a->keyd;

	a->tries++;
	a->timer = loop_timer_add(k->loop, ANSWER_TIMEOUT, answer_late, a);
	if (a->timer == NULL)
		return HT_ERR_INTERNAL;
	return say(k, a->type, a->tag, &a->relayed);
}

/* keyd has come: put to it what waits. */
static void
put_all(struct keyd_link *k)
{
	struct keyd_link_ask *a, *next;

	for (a = LIST_FIRST(&k->asks); a != NULL; a = next) {
		next = LIST_NEXT(a, entry);
		if (put(a) < 0)
			answer_away(a);
	}
}

/* keyd is away.  What the next one may still answer waits for it. */
static void
keep_some(struct keyd_link *k)
{
	struct keyd_link_ask *a, *next;

	for (a = LIST_FIRST(&k->asks); a != NULL; a = next) {
		next = LIST_NEXT(a, entry);
		loop_timer_remove(a->timer);
		a->timer = NULL;
		if (a->fn == NULL || a->tries >= TRIES ||
		    !keyd_link_expected(k))
			answer_away(a);
	}
}

/* --- the link ---------------------------------------------------------- */

static void
lose(struct keyd_link *k)
{
	uint64_t now = loop_now();
	bool soon =
	    k->present ? now - k->since >= SELDOM : keyd_link_expected(k);

	if (k->present)
		k->since = now;
	k->present = false;
	loop_watch_remove(k->watch);
	k->watch = NULL;
	protocol_close(&k->link);
	keep_some(k);
	k->retry =
	    loop_timer_add(k->loop, soon ? SOON : SELDOM, try_connect, k);
}

static void
lose_because(struct keyd_link *k, const struct ht_error *e)
{
	log_error("htsign-keyd is away: %s", e->text);
	lose(k);
}

/* End the link, since messages queued for a silent keyd would pile up. */
static void
answer_late(void *cookie)
{
	struct keyd_link_ask *a = cookie;
	struct ht_error e;

	a->timer = NULL;
	a->tries = TRIES;
	(void)ht_error_set(&e, HT_ERR_UNAVAILABLE, "it does not answer");
	lose_because(a->keyd, &e);
}

static int
take_answer(struct keyd_link *k, struct msg *m, const union protocol_body *body,
    struct ht_error *e)
{
	struct keyd_link_answer with = { .type = (enum protocol_type)m->type,
		.fd = -1 };
	struct keyd_link_ask *a;

	if (m->type == PROTOCOL_REVOKED) {
		k->revoked(k->cookie, &body->revoked);
		return 0;
	}
	a = find_ask(k, m->tag);
	if (a == NULL) {
		msg_close_fds(m);
		return ht_error_set(e, HT_ERR_DATA, "an answer to no question");
	}
	if (m->type != PROTOCOL_REFUSE &&
	    m->type !=
	        (a->type == PROTOCOL_LOGIN ? PROTOCOL_ADMIT : PROTOCOL_START)) {
		msg_close_fds(m);
		return ht_error_set(e, HT_ERR_DATA, "%s is no answer",
		    protocol_name((enum protocol_type)m->type));
	}
	if (m->type == PROTOCOL_REFUSE)
		with.refuse = body->refuse;
	if (m->type == PROTOCOL_ADMIT)
		with.admit = body->admit;
	if (m->type == PROTOCOL_START) {
		with.admin = body->start.admin != 0;
		with.fd = m->fd[0];
	}
	answer(a, &with);
	return 0;
}

static void
ready(void *cookie, short revents)
{
	struct keyd_link *k = cookie;
	union protocol_body body;
	struct ht_error e;
	struct msg m;
	int rc = 0;

	if ((revents & POLLOUT) != 0)
		rc = msg_flush(k->link.channel, &e);
	while (rc == 0 && (rc = protocol_next(&k->link, &m, &body, &e)) == 1)
		rc = take_answer(k, &m, &body, &e);
	if (rc < 0)
		lose_because(k, &e);
	else if (!msg_pending(k->link.channel))
		loop_watch_events(k->watch, POLLIN);
}

/* A socket connected to path, or -1. */
static int
connect_to(const char *path, struct ht_error *e)
{
	struct sockaddr_un un;
	int fd;

	memset(&un, 0, sizeof(un));
	un.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(un.sun_path)) {
		(void)ht_error_set(e, HT_ERR_INTERNAL,
		    "%s: too long for a socket", path);
		return -1;
	}
	memcpy(un.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0)
		return fd;
	(void)ht_error_errno(e, "%s", path);
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

static void
try_connect(void *cookie)
{
	struct keyd_link *k = cookie;
	struct ht_error e;
	int fd;

	k->retry = NULL;
	fd = connect_to(k->path, &e);
	if (fd >= 0 &&
	    protocol_open(&k->link, fd, PROTOCOL_LINK_SSHD, true, &e) == 0)
		k->watch = loop_watch_add(k->loop, fd, POLLIN, ready, k);
	if (k->watch == NULL) {
		log_debug("htsign-keyd is away: %s", e.text);
		lose(k);
		return;
	}
	log_notice("connected to htsign-keyd");
	k->present = true;
	k->since = loop_now();
	put_all(k);
}

struct keyd_link *
keyd_link_new(struct loop *loop, const char *path,
    keyd_link_revoked_fn *revoked, void *cookie)
{
	struct keyd_link *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->loop = loop;
	k->revoked = revoked;
	k->cookie = cookie;
	k->since = loop_now();
	LIST_INIT(&k->asks);
	k->path = strdup(path);
	if (k->path == NULL) {
		free(k);
		return NULL;
	}
	try_connect(k);
	return k;
}

void
keyd_link_free(struct keyd_link *k)
{
	if (k == NULL)
		return;
	while (!LIST_EMPTY(&k->asks))
		forget(LIST_FIRST(&k->asks));
	loop_timer_remove(k->retry);
	loop_watch_remove(k->watch);
	protocol_close(&k->link);
	free(k->path);
	free(k);
}

bool
keyd_link_present(const struct keyd_link *k)
{
	return k->present;
}

bool
keyd_link_expected(const struct keyd_link *k)
{
	return !k->present && loop_now() - k->since < RESTART;
}

/* --- questions --------------------------------------------------------- */

struct keyd_link_ask *
keyd_link_ask(struct keyd_link *k, enum protocol_type type,
    const struct protocol_relayed *relayed, keyd_link_answer_fn *fn,
    void *cookie)
{
	struct keyd_link_ask *a;

	if ((!k->present && !keyd_link_expected(k)) || k->nasks >= ASKS_MAX ||
	    (a = calloc(1, sizeof(*a))) == NULL)
		return NULL;
	a->keyd = k;
	a->tag = ++k->tag;
	a->type = type;
	a->relayed = *relayed;
	buf_bytes(&a->blob, relayed->blob.p, relayed->blob.left);
	a->relayed.blob = buf_cursor(&a->blob);
	a->fn = fn;
	a->cookie = cookie;
	LIST_INSERT_HEAD(&k->asks, a, entry);
	k->nasks++;
	if (buf_failed(&a->blob) == 0 && (!k->present || put(a) == 0))
		return a;
	forget(a);
	return NULL;
}

void
keyd_link_stranger(struct keyd_link *k, const char *peer)
{
	struct protocol_stranger stranger;

	memset(&stranger, 0, sizeof(stranger));
	(void)snprintf(stranger.peer, sizeof(stranger.peer), "%s", peer);
	if (k->present)
		(void)say(k, PROTOCOL_STRANGER, 0, &stranger);
}

void
keyd_link_ask_cancel(struct keyd_link_ask *a)
{
	if (a != NULL)
		a->fn = NULL;
}
