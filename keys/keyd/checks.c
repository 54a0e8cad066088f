#include "config.h"

#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keys/keyd/checks.h"
#include "keys/keyd/fetch-link.h"
#include "store/journal/journal.h"

#define DAY 86400000 /* ms */
#define MINUTE 60000

/* Milliseconds between two looks of htsign-fetch at an analysis, at least. */
#define AGAIN 2000

/* Milliseconds after which htsign-fetch should have said that there is none. */
#define PATIENCE 1000

/*
 * Requests that an upload takes: the look-up, its URL, itself, the analysis, and
 * the report.  More, if the analysis takes long, are counted when that is over.
 */
#define UPLOAD 5

struct check_job {
	TAILQ_ENTRY(check_job) entry;
	struct checks *all;
	uint32_t tag; /* 0: it waits */
	char client[NAMES_SIZE];
	uint8_t sha256[JOURNAL_SHA256];
	struct protocol_check what;
	int file;       /* or -1 */
	size_t counted; /* of today's requests */
	uint64_t day;   /* that of checks.since */
	uint64_t asked; /* by loop_now() */
	struct loop_timer *patience;
	check_answer_fn *fn;
	void *cookie;
};

struct checks {
	struct keyd *keyd;
	TAILQ_HEAD(check_jobs, check_job) jobs;
	struct share under_way;
	struct share today;
	uint64_t since; /* when today began, by loop_now() */
};

static void send_more(void *cookie);

static void
forget(struct check_job *job)
{
	if (job->tag != 0)
		share_give(&job->all->under_way, job->client, 1);
	TAILQ_REMOVE(&job->all->jobs, job, entry);
	loop_timer_remove(job->patience);
	if (job->file >= 0)
		(void)close(job->file);
	free(job);
}

/* It has taken so many requests; a share that is used up can be exceeded. */
static void
count(struct check_job *job, uint64_t requests)
{
	struct share *today = &job->all->today;

	if (job->day != job->all->since)
		return; /* today's are others */
	if (requests > today->total)
		requests = today->total;
	if (requests < job->counted)
		share_give(today, job->client, job->counted - (size_t)requests);
	for (; job->counted < requests; job->counted++)
		if (!share_take_one(today, job->client, SIZE_MAX))
			return;
}

/*
 * The most that it can have taken meanwhile, if nobody says: an analysis is asked
 * for every two seconds at most.
 */
static void
count_all(struct check_job *job)
{
	uint64_t often =
	    MINUTE / job->all->keyd->setup->conf->virustotal_minute;

	if (job->tag != 0 && job->file >= 0)
		count(job,
		    UPLOAD +
		        (loop_now() - job->asked) /
		            (often > AGAIN ? often : AGAIN));
}

static void
answer(struct check_job *job, const struct protocol_checked *body)
{
	struct checks *all = job->all;
	check_answer_fn *fn = job->fn;
	void *cookie = job->cookie;

	forget(job);
	fn(cookie, body);
	send_more(all);
}

static void
fail(struct check_job *job, const char *text)
{
	struct protocol_checked body;

	count_all(job);
	memset(&body, 0, sizeof(body));
	(void)snprintf(body.text, sizeof(body.text), "%s", text);
	answer(job, &body);
}

static void
too_slow(void *cookie)
{
	struct check_job *job = cookie;

	job->patience = NULL;
	fail(job, "there was no answer in time");
}

static void
send_more(void *cookie)
{
	struct checks *c = cookie;
	struct check_job *job;
	uint64_t waited;

	TAILQ_FOREACH(job, &c->jobs, entry) {
		if (job->tag != 0 || !share_take(&c->under_way, job->client, 1))
			continue;
		waited = loop_now() - job->asked;
		if (waited < job->what.milliseconds)
			job->what.milliseconds -= (uint32_t)waited;
		job->tag = fetch_ask(c->keyd->fetch, PROTOCOL_CHECK, &job->what,
		    job->file);
		if (job->tag == 0) {
			share_give(&c->under_way, job->client, 1);
			return; /* it is away, and will be told when it comes */
		}
	}
}

/* A new day, for all. */
static void
look_at_the_clock(struct checks *c)
{
	c->today.total = c->keyd->setup->conf->virustotal_day;
	if (loop_now() - c->since < DAY)
		return;
	c->since = loop_now();
	share_clear(&c->today);
}

/* Whether this client may ask so often today.  Counts it, if so. */
static int
may_ask(struct checks *c, const char *client, size_t requests,
    struct ht_error *e)
{
	look_at_the_clock(c);
	if (!fetch_is_there(c->keyd->fetch))
		return ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "htsign-fetch is away");
	if (c->today.held >= c->today.total ||
	    !share_take(&c->today, client, requests))
		return ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "%s has had its share of today's requests", client);
	return 0;
}

int
checks_begin(struct checks *c, const struct check_work *work,
    check_answer_fn *fn, void *cookie, struct check_job **out,
    struct ht_error *e)
{
	size_t requests = work->file >= 0 ? UPLOAD : 1;
	struct check_job *job = NULL;

	*out = NULL;
	if (may_ask(c, work->client, requests, e) == 0) {
		job = calloc(1, sizeof(*job));
		if (job == NULL)
			(void)ht_error_memory(e);
	}
	if (job == NULL) {
		if (work->file >= 0)
			(void)close(work->file);
		return e->code;
	}
	job->all = c;
	(void)snprintf(job->client, sizeof(job->client), "%s", work->client);
	memcpy(job->sha256, work->sha256, sizeof(job->sha256));
	job->what.sha256 = cursor_over(job->sha256, sizeof(job->sha256));
	job->what.size = work->size;
	job->what.private = work->private;
	job->what.milliseconds = (uint32_t)work->milliseconds;
	job->file = work->file;
	job->counted = requests;
	job->day = c->since;
	job->asked = loop_now();
	job->patience = loop_timer_add(c->keyd->loop,
	    work->milliseconds + PATIENCE, too_slow, job);
	job->fn = fn;
	job->cookie = cookie;
	TAILQ_INSERT_TAIL(&c->jobs, job, entry);
	*out = job;
	send_more(c);
	return 0;
}

void
checks_cancel(struct check_job *job)
{
	struct checks *c;

	if (job == NULL)
		return;
	c = job->all;
	count_all(job);
	if (job->tag != 0)
		fetch_ask_no_more(c->keyd->fetch, PROTOCOL_CHECK_CANCEL,
		    job->tag);
	forget(job);
	send_more(c);
}

/* The list of engines: strings, three of which are one engine. */
static bool
makes_sense(const struct protocol_checked *a)
{
	struct cursor c = a->engines, one;
	size_t n = 0;

	while (cursor_string(&c, &one) == 0)
		n++;
	return c.left == 0 && n % 3 == 0 && a->bad <= a->total &&
	    (a->known == 0 || a->total > 0) && a->total <= n / 3 &&
	    a->date <= INT64_MAX;
}

static bool
answered(void *cookie, uint32_t tag, const struct protocol_checked *a)
{
	struct checks *c = cookie;
	struct check_job *job;

	TAILQ_FOREACH(job, &c->jobs, entry)
		if (job->tag == tag)
			break;
	if (tag == 0 || job == NULL)
		return true; /* it was cancelled */
	if (!makes_sense(a))
		return false;
	count(job, a->asked);
	answer(job, a);
	return true;
}

/* Those that were sent are not asked again: an upload is not for twice. */
static void
lost(void *cookie)
{
	struct checks *c = cookie;
	struct check_job *job, *next;

	for (job = TAILQ_FIRST(&c->jobs); job != NULL; job = next) {
		next = TAILQ_NEXT(job, entry);
		if (job->tag != 0)
			fail(job, "htsign-fetch has ended meanwhile");
	}
}

static void
away(void *cookie)
{
	struct checks *c = cookie;

	while (!TAILQ_EMPTY(&c->jobs))
		fail(TAILQ_FIRST(&c->jobs), "htsign-fetch is away");
}

struct checks *
checks_new(struct keyd *k)
{
	struct checks *c = calloc(1, sizeof(*c));
	const struct fetch_other other = { send_more, answered, lost, away, c };

	if (c == NULL)
		return NULL;
	fetch_other(k->fetch, &other);
	c->keyd = k;
	c->since = loop_now();
	TAILQ_INIT(&c->jobs);
	share_init(&c->under_way, CHECKS);
	share_init(&c->today, 0);
	return c;
}

void
checks_free(struct checks *c)
{
	if (c != NULL)
		share_clear(&c->today);
	free(c);
}
