#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "keys/keyd/core.h"
#include "lib/log.h"

/* Milliseconds for a peer's HELLO, and to read our last message. */
#define GREETING 15000
#define FAREWELL 10000

/*
 * Milliseconds that a shell may have nothing to ask.  A client's asks at once,
 * or ends.  An administrator types his PIN meanwhile.
 */
static const uint64_t idle[PROTOCOL_LINK_KINDS] = {
	[PROTOCOL_LINK_SIGN] = 15000,
	[PROTOCOL_LINK_ADMIN] = 300000,
};

/* Descriptors that are kept for other uses than connections. */
#define SPARE_FILES 128

static const size_t shares[PROTOCOL_LINK_KINDS] = {
	[PROTOCOL_LINK_SIGN] = KEYD_SIGNING,
	[PROTOCOL_LINK_ADMIN] = KEYD_ADMINS,
	[PROTOCOL_LINK_PRINCIPALS] = KEYD_PRINCIPALS,
	[PROTOCOL_LINK_SSHD] = KEYD_SSHD,
	[PROTOCOL_LINK_FETCH] = KEYD_FETCH,
	[PROTOCOL_LINK_PUMP] = KEYD_PUMPS,
	[PROTOCOL_LINK_REPORT] = KEYD_REPORTS,
	[PROTOCOL_LINK_READER] = KEYD_READERS,
};

static void
drop(struct keyd_connection *c)
{
	struct keyd *k = c->keyd;

	*c->at = c->next;
	if (c->next != NULL)
		c->next->at = c->at;
	k->nconnections[c->link.kind]--;
	loop_watch_remove(c->watch);
	loop_timer_remove(c->deadline);
	protocol_close(&c->link);
	c->gone(c);
}

static void
too_late(void *cookie)
{
	struct keyd_connection *c = cookie;

	c->deadline = NULL;
	log_notice("a connection is closed: its peer %s",
	    c->closing ? "does not read" : "says nothing");
	drop(c);
}

/* If there is no memory for the timer, only the peer can end the connection. */
static void
allow(struct keyd_connection *c, uint64_t ms)
{
	loop_timer_remove(c->deadline);
	c->deadline = loop_timer_add(c->keyd->loop, ms, too_late, c);
}

/* The peer has the word: allow it no more than its time. */
static void
allow_idle(struct keyd_connection *c)
{
	if (c->link.state == PROTOCOL_IDLE && idle[c->link.kind] > 0 &&
	    !c->closing)
		allow(c, idle[c->link.kind]);
}

/*
 * Read one message a round, so that a busy peer does not delay others.  If there
 * is more in the socket, poll reports it again.
 */
static void
ready(void *cookie, short revents)
{
	struct keyd_connection *c = cookie;
	union protocol_body body;
	struct ht_error e;
	struct msg m;
	int rc;

	if ((revents & POLLIN) != 0 && !c->closing) {
		if (c->client != NULL &&
		    !share_turn(&c->keyd->links, c->client, KEYD_TURN))
			return;
		rc = protocol_next(&c->link, &m, &body, &e);
		if (rc == 1) {
			loop_timer_remove(c->deadline);
			c->deadline = NULL;
			c->receive(c, &m, &body);
			allow_idle(c);
		}
		if (rc == HT_ERR_DATA)
			log_notice("a connection is closed: %s", e.text);
		if (rc < 0)
			drop(c);
		return;
	}
	if ((revents & (POLLHUP | POLLERR)) != 0)
		drop(c);
}

/* Whether a first message has to come soon. */
static bool
greets(enum protocol_kind kind)
{
	return kind != PROTOCOL_LINK_SSHD && kind != PROTOCOL_LINK_PUMP &&
	    kind != PROTOCOL_LINK_REPORT && kind != PROTOCOL_LINK_READER;
}

int
keyd_connection_add(struct keyd *k, struct keyd_connection *c, int fd,
    enum protocol_kind kind, struct ht_error *e)
{
	int rc;

	c->keyd = k;
	if (k->nconnections[kind] >= shares[kind] ||
	    fd + SPARE_FILES >= k->files) {
		(void)close(fd);
		return ht_error_set(e, HT_ERR_TEMPORARY,
		    "too many connections");
	}
	rc = protocol_open(&c->link, fd, kind, false, e);
	if (rc < 0)
		return rc;
	c->watch = loop_watch_add(k->loop, fd, POLLIN, ready, c);
	if (c->watch == NULL) {
		protocol_close(&c->link);
		return ht_error_memory(e);
	}
	c->next = k->connections;
	c->at = &k->connections;
	if (c->next != NULL)
		c->next->at = &c->next;
	k->connections = c;
	k->nconnections[kind]++;
	if (greets(kind))
		allow(c, GREETING);
	return 0;
}

void
keyd_say(struct keyd_connection *c, enum protocol_type type, uint32_t tag,
    const void *body, const int *fds, size_t nfds)
{
	struct ht_error e;

	if (protocol_queue(&c->link, type, tag, body, fds, nfds, &e) == 0) {
		allow_idle(c);
		return;
	}
	log_error("%s", e.text);
	keyd_close(c);
}

void
keyd_revoked(struct keyd *k, const struct protocol_revoked *what)
{
	struct keyd_connection *c;

	for (c = k->connections; c != NULL; c = c->next)
		if (c->revoked != NULL && !c->closing)
			c->revoked(c, what);
}

void
keyd_close(struct keyd_connection *c)
{
	if (!c->closing)
		allow(c, FAREWELL);
	c->closing = true;
}

/* Large answers are queued piece by piece, as the peer reads them. */
static int
send_all(struct keyd_connection *c, struct ht_error *e)
{
	int rc;

	do {
		rc = msg_flush(c->link.channel, e);
	} while (rc == 0 && !msg_pending(c->link.channel) && !c->closing &&
	    c->more != NULL && c->more(c));
	return rc;
}

void
keyd_flush(struct keyd *k)
{
	struct keyd_connection *c, *next;
	struct ht_error e;
	bool more;

	share_new_round(&k->links);
	for (c = k->connections; c != NULL; c = next) {
		next = c->next;
		if (!msg_pending(c->link.channel) && !c->closing)
			continue;
		if (send_all(c, &e) < 0) {
			drop(c);
			continue;
		}
		more = msg_pending(c->link.channel);
		if (c->closing && !more) {
			drop(c);
			continue;
		}
		/*
		 * Read nothing from a peer that does not read.  This bounds
		 * what we keep.
		 */
		loop_watch_events(c->watch, more ? POLLOUT : POLLIN);
	}
}

void
keyd_cut(struct keyd *k)
{
	struct keyd_connection *c, *next;

	for (c = k->connections; c != NULL; c = next) {
		next = c->next;
		if (c->link.kind == PROTOCOL_LINK_SIGN ||
		    (c->link.kind == PROTOCOL_LINK_ADMIN &&
		        msg_pending(c->link.channel)))
			drop(c);
	}
}

void
keyd_refusal(struct protocol_refuse *r, int code, const char *word,
    const char *fmt, ...)
{
	va_list ap;

	memset(r, 0, sizeof(*r));
	r->status = (uint32_t)-code;
	memcpy(r->code, word, strnlen(word, sizeof(r->code) - 1));
	va_start(ap, fmt);
	if (vsnprintf(r->text, sizeof(r->text), fmt, ap) < 0)
		r->text[0] = '\0';
	va_end(ap);
}

void
keyd_must(struct keyd *k, int rc, const struct ht_error *e)
{
	(void)k;
	if (rc >= 0 || rc == HT_ERR_UNAVAILABLE)
		return;
	log_error("the journal cannot be written: %s", e->text);
	_exit(-rc);
}
