#include "config.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/put.h"
#include "reader/answer.h"
#include "reader/print.h"
#include "store/journal/walk.h"

/* The most answers at a time. */
#define ANSWERS 64

/* What a step reads is at most this, and one row more: bytes, rows. */
#define STEP_BYTES ((size_t)32 << 10)
#define STEP_ROWS 64

/*
 * After a step nothing is read for this part of the time that it took: then
 * keyd can begin the WAL anew.
 */
#define PAUSE 4

struct answer {
	TAILQ_ENTRY(answer) entry;
	struct answers *all;
	struct protocol_link link;
	struct loop_watch *watch;
	struct protocol_read what;
	struct journal_walk walk;
	bool begun;
	bool done;      /* DONE is queued */
	uint64_t took;  /* when the shell has last taken something */
	struct buf out; /* what a step has read */
	size_t rows;    /* in it */
};

struct answers {
	struct loop *loop;
	struct store *store;
	size_t n;
	TAILQ_HEAD(answer_list, answer) list;
};

static void
end(struct answer *a)
{
	TAILQ_REMOVE(&a->all->list, a, entry);
	a->all->n--;
	loop_watch_remove(a->watch);
	protocol_close(&a->link);
	buf_free(&a->out);
	free(a);
}

/* --- a step ------------------------------------------------------------- */

/* 1 if the step has read enough. */
static int
enough(struct answer *a)
{
	if (buf_failed(&a->out) < 0)
		return HT_ERR_INTERNAL;
	return ++a->rows >= STEP_ROWS || a->out.len >= STEP_BYTES;
}

static int
put_row(void *cookie, const struct journal_row *row)
{
	struct answer *a = cookie;

	print_row(&a->out, row, a->what.json != 0);
	return enough(a);
}

static int
put_event(void *cookie, const struct journal_event *event)
{
	struct answer *a = cookie;

	if (a->what.what == PROTOCOL_READ_SHOW && a->what.json == 0)
		print_step(&a->out, event);
	else
		print_event(&a->out, event, a->what.json != 0);
	return enough(a);
}

static int
put_member(void *cookie, const char *name, const char *value)
{
	struct answer *a = cookie;

	put_field(&a->out, name, value);
	return buf_failed(&a->out);
}

/* The row of one request; its events come after that. */
static int
begin_show(struct answer *a, struct ht_error *e)
{
	struct store *s = a->all->store;
	int rc;

	if (a->what.json != 0)
		return journal_show(s, a->what.request, put_row, NULL, a, e);
	rc = journal_fields(s, a->what.request, put_member, a, e);
	if (rc == 0)
		buf_u8(&a->out, '\n');
	return rc;
}

static const char *
or_null(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

static int
begin(struct answer *a, struct ht_error *e)
{
	const struct protocol_read *what = &a->what;
	const struct journal_filter filter = { or_null(what->client),
		or_null(what->profile), or_null(what->status),
		or_null(what->result), what->limit };
	struct store *s = a->all->store;
	int rc;

	a->begun = true;
	if (what->what == PROTOCOL_READ_LOG)
		return journal_walk_rows(s, &filter, &a->walk, e);
	if (what->what == PROTOCOL_READ_EVENTS)
		return journal_walk_events(s, 0, what->limit, &a->walk, e);
	rc = begin_show(a, e);
	return rc < 0 ? rc
	              : journal_walk_events(s, what->request, 0, &a->walk, e);
}

/* 1: there is more to read. */
static int
read_more(struct answer *a, struct ht_error *e)
{
	struct store *s = a->all->store;
	int rc;

	a->rows = 0;
	if (!a->begun)
		return (rc = begin(a, e)) < 0 ? rc : 1;
	if (a->what.what == PROTOCOL_READ_LOG)
		return journal_walk_row(s, &a->walk, put_row, a, e);
	return journal_walk_event(s, &a->walk, put_event, a, e);
}

static void
pause_after(uint64_t began)
{
	const long ms = (long)(loop_now() - began) / PAUSE + 1;
	const struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };

	(void)nanosleep(&pause, NULL);
}

static int
queue_prints(struct answer *a, struct ht_error *e)
{
	struct cursor out = buf_cursor(&a->out);
	struct protocol_print print;
	int rc = 0;

	while (rc == 0 && out.left > 0) {
		(void)cursor_bytes(&out,
		    out.left < PROTOCOL_PART_MAX ? out.left : PROTOCOL_PART_MAX,
		    &print.bytes);
		rc = protocol_queue(&a->link, PROTOCOL_PRINT, 0, &print, NULL,
		    0, e);
	}
	buf_free(&a->out);
	return rc;
}

/* Read once more, and queue what came of that. */
static int
step(struct answer *a, struct ht_error *e)
{
	struct protocol_done done = { 0 };
	uint64_t began = loop_now();
	int rc = read_more(a, e);

	pause_after(began);
	if (rc < 0) {
		done.status = (uint32_t)-rc;
		(void)snprintf(done.text, sizeof(done.text), "%s", e->text);
	}
	a->done = rc <= 0;
	rc = queue_prints(a, e);
	if (rc == 0 && a->done)
		rc = protocol_queue(&a->link, PROTOCOL_DONE, 0, &done, NULL, 0,
		    e);
	return rc;
}

/* --- turns --------------------------------------------------------------- */

/* The shell takes more, or is gone.  It says nothing. */
static void
ready(void *cookie, short revents)
{
	struct answer *a = cookie;
	struct msg_channel *channel = a->link.channel;
	struct ht_error e;
	int rc = 0;

	if ((revents & (POLLHUP | POLLERR)) != 0)
		rc = HT_ERR_UNAVAILABLE;
	if (rc == 0)
		rc = msg_flush(channel, &e);
	a->took = loop_now();
	if (rc == 0 && !msg_pending(channel) && !a->done &&
	    (rc = step(a, &e)) == 0)
		rc = msg_flush(channel, &e);
	if (rc < 0 || (a->done && !msg_pending(channel)))
		end(a);
}

static void
make_room(struct answers *all)
{
	struct answer *a, *longest = NULL;

	if (all->n < ANSWERS)
		return;
	TAILQ_FOREACH(a, &all->list, entry)
		if (longest == NULL || a->took < longest->took)
			longest = a;
	log_notice("too many answers: one ends, of which nobody takes any");
	end(longest);
}

static int
add(struct answers *all, const struct protocol_read *what, int fd,
    struct ht_error *e)
{
	struct answer *a = calloc(1, sizeof(*a));
	int rc;

	if (a == NULL) {
		(void)close(fd);
		return ht_error_memory(e);
	}
	rc = protocol_open(&a->link, fd, PROTOCOL_LINK_ANSWER, true, e);
	if (rc < 0) {
		free(a);
		return rc;
	}
	a->all = all;
	a->what = *what;
	a->took = loop_now();
	TAILQ_INSERT_TAIL(&all->list, a, entry);
	all->n++;
	a->watch = loop_watch_add(all->loop, fd, POLLOUT, ready, a);
	if (a->watch != NULL)
		return 0;
	end(a);
	return ht_error_memory(e);
}

void
answers_begin(struct answers *all, const struct protocol_read *what, int fd)
{
	struct ht_error e;

	make_room(all);
	if (add(all, what, fd, &e) < 0)
		log_error("%s", e.text);
}

struct answers *
answers_new(struct loop *loop, struct store *store)
{
	struct answers *all = calloc(1, sizeof(*all));

	if (all == NULL)
		return NULL;
	all->loop = loop;
	all->store = store;
	TAILQ_INIT(&all->list);
	return all;
}

void
answers_free(struct answers *all)
{
	struct answer *a;

	if (all == NULL)
		return;
	while ((a = TAILQ_FIRST(&all->list)) != NULL)
		end(a);
	free(all);
}
