#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "fetch/checking.h"
#include "fetch/virustotal.h"
#include "lib/log.h"

#define MINUTE 60000
#define DAY 86400000

/* The pause after a refused key, or if there is no answer. */
#define PAUSE 60000

#define URL (2 * VIRUSTOTAL_URL)

/* Requests in a span of time, which begins with the first one. */
struct rate {
	uint64_t span; /* milliseconds */
	size_t most, used;
	uint64_t start; /* of the span that is being used */
};

/* What a check does next, or waits for. */
enum step { LOOK_UP, ASK_URL, UPLOAD, ASK_ANALYSIS, ASK_REPORT };

struct check {
	LIST_ENTRY(check) entry;
	struct checking *all;
	uint32_t tag;
	uint8_t sha256[VIRUSTOTAL_SHA256];
	uint64_t size;
	bool private;
	int file; /* or -1: there is no upload */
	enum step step;
	char where[VIRUSTOTAL_URL]; /* an upload's URL; an analysis */
	int64_t date;               /* of a private analysis */
	uint64_t deadline;          /* by loop_now() */
	uint32_t asked;             /* requests that it took */
	struct http_request *request;
	struct loop_timer *timer;
};

struct checking {
	struct loop *loop;
	struct http *http;
	const struct checking_how *how;
	checking_answer_fn *fn;
	void *cookie;
	struct rate minute, day;
	uint64_t pause; /* nobody is asked until then */
	LIST_HEAD(check_list, check) checks;
};

static void next(struct check *c);

/* --- ends ---------------------------------------------------------------- */

static void
forget(struct check *c)
{
	LIST_REMOVE(c, entry);
	http_cancel(c->request);
	loop_timer_remove(c->timer);
	if (c->file >= 0)
		(void)close(c->file);
	free(c);
}

static void
answer(struct check *c, struct protocol_checked *body)
{
	struct checking *all = c->all;
	uint32_t tag = c->tag;

	body->asked = c->asked;
	forget(c);
	all->fn(all->cookie, tag, body);
}

static void
give_up(struct check *c, const char *why)
{
	struct protocol_checked body;

	memset(&body, 0, sizeof(body));
	(void)log_escape(body.text, sizeof(body.text), why, strlen(why));
	log_notice("VirusTotal: %s", body.text);
	answer(c, &body);
}

static void
give(struct check *c, const struct virustotal_report *report)
{
	struct protocol_checked body;

	memset(&body, 0, sizeof(body));
	body.known = 1;
	body.date = (uint64_t)report->date;
	body.bad = report->bad;
	body.total = report->total;
	body.engines = buf_cursor(&report->engines);
	answer(c, &body);
}

/* --- when ---------------------------------------------------------------- */

/* When the next request may go out.  Counts it if that is now. */
static uint64_t
rate_next(struct rate *r, uint64_t now)
{
	if (now - r->start >= r->span) {
		r->start = now;
		r->used = 0;
	}
	return r->used < r->most ? now : r->start + r->span;
}

static void
go_on(void *cookie)
{
	struct check *c = cookie;

	c->timer = NULL;
	next(c);
}

/* Go on after ms, if that is in time. */
static void
later(struct check *c, uint64_t ms, const char *why)
{
	if (loop_now() + ms >= c->deadline) {
		give_up(c, why);
		return;
	}
	c->timer = loop_timer_add(c->all->loop, ms, go_on, c);
	if (c->timer == NULL)
		give_up(c, "out of memory");
}

/* Look again, when that is due. */
static void
again(struct check *c, const char *why)
{
	uint64_t ms = MINUTE / c->all->how->minute;

	later(c, ms > CHECKING_AGAIN ? ms : CHECKING_AGAIN, why);
}

/* Whether c may ask now.  Otherwise it waits, or has been answered. */
static bool
may_ask(struct check *c, uint64_t now)
{
	struct checking *all = c->all;
	uint64_t minute = rate_next(&all->minute, now);
	uint64_t day = rate_next(&all->day, now);
	uint64_t at = minute > day ? minute : day;

	if (at < all->pause)
		at = all->pause;
	if (at > now) {
		later(c, at - now,
		    day > now ? "today's requests are used up"
		              : "no request is free in time");
		return false;
	}
	all->minute.used++;
	all->day.used++;
	c->asked++;
	return true;
}

/* --- answers ------------------------------------------------------------- */

static bool
is_fresh(const struct virustotal_report *report)
{
	int64_t now = time(NULL);

	return report->date <= now + 86400 &&
	    report->date >= now - CHECKING_AGE;
}

/* It does not know the file, or not lately. */
static void
not_known(struct check *c, const char *why)
{
	if (c->file < 0) {
		give_up(c, why);
	} else if (c->size > CHECKING_LARGE) {
		give_up(c, "the file is too large for an upload");
	} else {
		c->step = c->size > CHECKING_SMALL ? ASK_URL : UPLOAD;
		c->where[0] = '\0';
		next(c);
	}
}

static int
looked_up(struct check *c, struct cursor json, struct ht_error *e)
{
	struct virustotal_report report;
	int rc = virustotal_file(json, c->sha256, &report, e);

	if (rc == 0 && is_fresh(&report))
		give(c, &report);
	else if (rc == 0)
		not_known(c, "its last analysis is too old");
	buf_free(&report.engines);
	return rc;
}

static int
analysed(struct check *c, struct cursor json, struct ht_error *e)
{
	struct virustotal_report report;
	int rc = virustotal_analysis(json, c->sha256, c->private, &report, e);

	if (rc == 1 && c->private) {
		c->date = report.date;
		c->step = ASK_REPORT;
		next(c);
	} else if (rc == 1) {
		give(c, &report);
	} else if (rc == 0) {
		again(c, "the analysis was not completed in time");
	}
	buf_free(&report.engines);
	return rc < 0 ? rc : 0;
}

static int
reported(struct check *c, struct cursor json, struct ht_error *e)
{
	struct virustotal_report report;
	int rc = virustotal_private(json, c->sha256, &report, e);

	report.date = c->date;
	if (rc == 0)
		give(c, &report);
	buf_free(&report.engines);
	return rc;
}

static int
uploaded(struct check *c, struct cursor json, struct ht_error *e)
{
	int rc = virustotal_upload(json, c->where, e);

	if (rc < 0)
		return rc;
	(void)close(c->file);
	c->file = -1;
	c->step = ASK_ANALYSIS;
	again(c, "the analysis was not completed in time");
	return 0;
}

static int
got_url(struct check *c, struct cursor json, struct ht_error *e)
{
	int rc = virustotal_upload_url(json, c->all->how->url, c->where, e);

	if (rc < 0)
		return rc;
	c->step = UPLOAD;
	next(c);
	return 0;
}

static int
good(struct check *c, struct cursor json, struct ht_error *e)
{
	switch (c->step) {
	case LOOK_UP:
		return looked_up(c, json, e);
	case ASK_URL:
		return got_url(c, json, e);
	case UPLOAD:
		return uploaded(c, json, e);
	case ASK_ANALYSIS:
		return analysed(c, json, e);
	case ASK_REPORT:
		return reported(c, json, e);
	}
	return HT_ERR_INTERNAL;
}

/* Nobody is asked for a while. */
static void
pause_all(struct checking *all, uint64_t ms)
{
	uint64_t until = loop_now() + ms;

	if (all->pause < until)
		all->pause = until;
}

/*
 * Whether a status says something of the server, and not of one file: status 200
 * is here if an answer is too long.
 */
static bool
is_of_all(unsigned int status)
{
	if (status == 401 || status == 403)
		return true;
	return status != 200 && (status < 400 || status >= 500);
}

/* http_done_fn */
static void
replied(void *cookie, const struct http_reply *reply, const struct ht_error *e)
{
	struct check *c = cookie;
	struct checking *all = c->all;
	struct ht_error why = *e;

	c->request = NULL;
	if (why.code == 0) {
		if (good(c, reply->body, &why) < 0)
			give_up(c, why.text);
	} else if (reply->status == 404 && c->step == LOOK_UP) {
		not_known(c, "it does not know the file");
	} else if (reply->status == 429) {
		pause_all(all, reply->retry > 0 ? reply->retry : MINUTE);
		next(c);
	} else if (reply->status == 409 && c->step == UPLOAD) {
		/* Somebody else uploads it just now. */
		c->step = LOOK_UP;
		again(c, "another upload of it goes on");
	} else if (loop_now() >= c->deadline) {
		/* Its own time is over, which says nothing of theirs. */
		give_up(c, "the time is over");
	} else {
		if (is_of_all(reply->status))
			pause_all(all, PAUSE);
		give_up(c,
		    reply->status == 401 || reply->status == 403
		        ? "it does not take our key"
		        : why.text);
	}
}

/* --- questions ----------------------------------------------------------- */

static void
make_url(const struct check *c, char url[URL])
{
	const char *base = c->all->how->url;
	const char *private = c->private ? "private/" : "";
	int n;
	size_t i;

	switch (c->step) {
	case LOOK_UP:
	case ASK_REPORT:
		n = snprintf(url, URL, "%s/%sfiles/", base,
		    c->step == LOOK_UP ? "" : private);
		for (i = 0; i < VIRUSTOTAL_SHA256; i++)
			n += snprintf(url + n, URL - (size_t)n, "%02x",
			    c->sha256[i]);
		break;
	case ASK_URL:
		(void)snprintf(url, URL, "%s/%sfiles/upload_url", base,
		    private);
		break;
	case UPLOAD:
		if (c->where[0] != '\0')
			(void)snprintf(url, URL, "%s", c->where);
		else
			(void)snprintf(url, URL, "%s/%sfiles", base, private);
		break;
	case ASK_ANALYSIS:
		(void)snprintf(url, URL, "%s/%sanalyses/%s", base, private,
		    c->where);
		break;
	}
}

/* Ask what the step is about, or wait until that is possible. */
static void
next(struct check *c)
{
	char url[URL];
	struct http_ask ask = { .url = url,
		.accept = "application/json",
		.most = VIRUSTOTAL_REPLY_MAX,
		.key = c->all->how->key,
		.file = -1,
		.timeout = CHECKING_PATIENCE };
	uint64_t now = loop_now();
	struct ht_error e;

	if (now >= c->deadline) {
		give_up(c, "the time is over");
		return;
	}
	if (!may_ask(c, now))
		return;
	make_url(c, url);
	if (c->step == UPLOAD) {
		ask.file = c->file;
		ask.size = c->size;
		ask.timeout = CHECKING_UPLOAD_PATIENCE;
	}
	if (ask.timeout > c->deadline - now)
		ask.timeout = c->deadline - now;
	c->request = http_ask(c->all->http, &ask, replied, c, &e);
	if (c->request == NULL)
		give_up(c, e.text);
}

void
checking_begin(struct checking *all, uint32_t tag,
    const struct protocol_check *what, int file)
{
	struct protocol_checked no;
	struct check *c;

	c = what->sha256.left == VIRUSTOTAL_SHA256 ? calloc(1, sizeof(*c))
	                                           : NULL;
	if (c == NULL || all->how->key == NULL) {
		free(c);
		if (file >= 0)
			(void)close(file);
		memset(&no, 0, sizeof(no));
		(void)snprintf(no.text, sizeof(no.text), "%s",
		    all->how->key == NULL ? "htsign-fetch has no key for it"
		                          : "out of memory");
		all->fn(all->cookie, tag, &no);
		return;
	}
	c->all = all;
	c->tag = tag;
	memcpy(c->sha256, what->sha256.p, sizeof(c->sha256));
	c->size = what->size;
	c->private = what->private != 0;
	c->file = file;
	c->deadline = loop_now() + what->milliseconds;
	LIST_INSERT_HEAD(&all->checks, c, entry);
	next(c);
}

static void
cancel(struct checking *all, const uint32_t *tag)
{
	struct check *c, *after;

	for (c = LIST_FIRST(&all->checks); c != NULL; c = after) {
		after = LIST_NEXT(c, entry);
		if (tag == NULL || c->tag == *tag)
			forget(c);
	}
}

void
checking_cancel(struct checking *c, uint32_t tag)
{
	cancel(c, &tag);
}

void
checking_cancel_all(struct checking *c)
{
	cancel(c, NULL);
}

struct checking *
checking_new(struct loop *loop, struct http *http,
    const struct checking_how *how, checking_answer_fn *fn, void *cookie)
{
	struct checking *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->loop = loop;
	c->http = http;
	c->how = how;
	c->fn = fn;
	c->cookie = cookie;
	c->minute = (struct rate){ MINUTE, how->minute, 0, 0 };
	c->day = (struct rate){ DAY, how->day, 0, 0 };
	LIST_INIT(&c->checks);
	return c;
}

void
checking_free(struct checking *c)
{
	if (c == NULL)
		return;
	checking_cancel_all(c);
	free(c);
}
