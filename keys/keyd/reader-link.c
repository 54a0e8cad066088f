#include "config.h"

#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "keys/keyd/reader-link.h"
#include "lib/log.h"
#include "lib/proc.h"

/* What it is to read once it is there. */
struct waiting {
	STAILQ_ENTRY(waiting) entry;
	struct protocol_read what;
	int fd;
};

struct reader {
	struct keyd *keyd;
	struct keyd_connection *link; /* NULL: it is away */
	bool starting;                /* the parent has been asked */
	STAILQ_HEAD(, waiting) waiting;
	struct proc_backoff backoff;
	struct loop_timer *start; /* for the next start */
};

static void start_reader(void *cookie);

static bool
has_account(const struct reader *r)
{
	const struct conf *conf = r->keyd->setup->conf;

	return conf->users[CONF_USER_READER].uid != (uid_t)-1;
}

/* It says nothing. */
static void
receive(struct keyd_connection *c, struct msg *m, union protocol_body *body)
{
	(void)m;
	(void)body;
	keyd_close(c);
}

static void
gone(struct keyd_connection *c)
{
	struct reader *r = c->keyd->reader;

	if (r->link == c) {
		r->link = NULL;
		log_error("htsign-reader has ended");
		r->start = loop_timer_add(r->keyd->loop,
		    proc_backoff_next(&r->backoff), start_reader, r);
	}
	free(c);
}

static void
send_waiting(struct reader *r)
{
	struct waiting *w;

	while ((w = STAILQ_FIRST(&r->waiting)) != NULL) {
		STAILQ_REMOVE_HEAD(&r->waiting, entry);
		/* Without a reader the shell sees its link end. */
		if (r->link != NULL)
			keyd_say(r->link, PROTOCOL_READ, 0, &w->what, &w->fd,
			    1);
		(void)close(w->fd);
		free(w);
	}
}

static int
wait_for_it(struct reader *r, const struct protocol_read *what, int fd,
    struct ht_error *e)
{
	struct waiting *w = calloc(1, sizeof(*w));

	if (w == NULL) {
		(void)close(fd);
		return ht_error_memory(e);
	}
	w->what = *what;
	w->fd = fd;
	STAILQ_INSERT_TAIL(&r->waiting, w, entry);
	if (r->link != NULL)
		send_waiting(r);
	return 0;
}

static void
connect_reader(struct reader *r, int fd)
{
	struct keyd_connection *c = calloc(1, sizeof(*c));
	struct protocol_store store;
	struct ht_error e;

	if (c == NULL) {
		(void)close(fd);
		return;
	}
	c->receive = receive;
	c->gone = gone;
	if (keyd_connection_add(r->keyd, c, fd, PROTOCOL_LINK_READER, &e) < 0) {
		log_error("htsign-reader: %s", e.text);
		free(c);
		return;
	}
	r->link = c;
	(void)snprintf(store.path, sizeof(store.path), "%s/journal.db",
	    r->keyd->setup->conf->state);
	keyd_say(c, PROTOCOL_STORE, 0, &store, NULL, 0);
}

static void
spawned(void *cookie, int fd)
{
	struct reader *r = cookie;

	r->starting = false;
	connect_reader(r, fd);
	send_waiting(r);
}

static void
start_reader(void *cookie)
{
	struct reader *r = cookie;
	struct ht_error e;

	r->start = NULL;
	proc_backoff_started(&r->backoff);
	r->starting = tokens_start_extra(r->keyd->tokens, TOKENS_READER,
	                  spawned, r, &e) == 0;
	if (!r->starting)
		log_error("htsign-reader: %s", e.text);
}

void
reader_start(struct reader *r)
{
	if (has_account(r))
		start_reader(r);
	else
		log_error("htsign-reader has no account: log, show and events "
		          "do not work (htsign-reader(8))");
}

int
reader_ask(struct reader *r, const struct protocol_read *what, int *fd,
    struct ht_error *e)
{
	int pair[2], rc;

	if (!r->starting && (r->link == NULL || r->link->closing))
		return ht_error_set(e, HT_ERR_UNAVAILABLE,
		    has_account(r)
		        ? "htsign-reader is away: try again in a while"
		        : "htsign-reader has no account (htsign-reader(8))");
	rc = proc_socketpair(pair, e);
	if (rc < 0)
		return rc;
	r->backoff.served = true;
	rc = wait_for_it(r, what, pair[1], e);
	if (rc < 0)
		(void)close(pair[0]);
	else
		*fd = pair[0];
	return rc;
}

void
reader_mind(struct reader *r)
{
	struct ht_error e;

	if (!store_hindered(r->keyd->store) || r->link == NULL)
		return;
	log_error("htsign-reader is in the way of the journal: it is ended");
	if (tokens_kill_extra(r->keyd->tokens, TOKENS_READER, &e) < 0)
		log_error("htsign-reader: %s", e.text);
}

struct reader *
reader_new(struct keyd *k)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->keyd = k;
	STAILQ_INIT(&r->waiting);
	return r;
}

void
reader_free(struct reader *r)
{
	if (r == NULL)
		return;
	loop_timer_remove(r->start);
	r->link = NULL;
	send_waiting(r);
	free(r);
}
