#include "config.h"

#include <openssl/rand.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "fetch/stamping.h"
#include "lib/log.h"
#include "signature/tsa.h"

_Static_assert(TSA_TOKEN_MAX <= PROTOCOL_STAMP_MAX,
    "a token that was accepted fits STAMPED");

struct stamp {
	LIST_ENTRY(stamp) entry;
	struct stamping *all;
	bool probe; /* nobody waits for it */
	uint32_t tag;
	uint32_t place;
	char digest[PROTOCOL_WORD];
	struct buf imprint;
	struct timestamp_query query; /* its nonce is new for each server */
	int64_t not_before, not_after;
	uint64_t deadline; /* by loop_now() */
	uint64_t left;     /* bits of the servers that may be asked yet */
	uint32_t tries;
	struct buf text; /* what those have done that were asked */
	size_t server;   /* that is being asked */
	struct http_request *request;
	struct loop_timer *timer; /* while it waits */
};

struct stamping {
	struct loop *loop;
	struct http *http;
	struct servers *servers;
	stamping_answer_fn *fn;
	void *cookie;
	LIST_HEAD(stamp_list, stamp) stamps; /* by their places */
	size_t n;                            /* without the probes */
	struct loop_timer *wake;             /* all that wait look again */
};

static void next(struct stamp *t);

/* --- ends -------------------------------------------------------------- */

static void
forget(struct stamp *t)
{
	LIST_REMOVE(t, entry);
	if (t->probe)
		servers_probe_over(t->all->servers, t->server);
	else
		t->all->n--;
	http_cancel(t->request);
	loop_timer_remove(t->timer);
	buf_free(&t->imprint);
	buf_free(&t->text);
	free(t);
}

/* Make a text for people of the first bytes of b. */
static void
copy_text(char out[PROTOCOL_TEXT], const struct buf *b)
{
	(void)log_escape(out, PROTOCOL_TEXT, b->data, b->len);
}

static void
fail(struct stamping *all, uint32_t tag, uint32_t tries, const struct buf *why)
{
	struct protocol_stamp_failed failed = { .tries = tries };

	copy_text(failed.text, why);
	log_error("no timestamp: %s", failed.text);
	all->fn(all->cookie, PROTOCOL_STAMP_FAILED, tag, &failed);
}

static void
give_up(struct stamp *t, const char *why)
{
	struct stamping *all = t->all;
	struct buf text = t->text;
	uint32_t tag = t->tag, tries = t->tries;
	bool probe = t->probe;

	memset(&t->text, 0, sizeof(t->text));
	forget(t);
	buf_format(&text, "%s%s", text.len > 0 && *why != 0 ? "; " : "", why);
	if (!probe)
		fail(all, tag, tries, &text);
	buf_free(&text);
}

static void
give(struct stamp *t, struct cursor token, const struct timestamp *timestamp)
{
	struct stamping *all = t->all;
	struct protocol_stamped stamped;
	uint32_t tag = t->tag;
	bool probe = t->probe;

	memset(&stamped, 0, sizeof(stamped));
	(void)snprintf(stamped.server, sizeof(stamped.server), "%s",
	    all->servers->one[t->server].name);
	(void)snprintf(stamped.serial, sizeof(stamped.serial), "%s",
	    timestamp->serial);
	stamped.time = (uint64_t)timestamp->time;
	stamped.tries = t->tries;
	stamped.token = token;
	forget(t);
	if (!probe)
		all->fn(all->cookie, PROTOCOL_STAMPED, tag, &stamped);
}

/* --- one server -------------------------------------------------------- */

static void
look_again(void *cookie)
{
	struct stamping *all = cookie;
	struct stamp *t, *after;

	all->wake = NULL;
	for (t = LIST_FIRST(&all->stamps); t != NULL; t = after) {
		after = LIST_NEXT(t, entry);
		if (t->request == NULL)
			next(t);
	}
}

/* A server can be asked again, or can not: who waits wants to know. */
static void
wake_all(struct stamping *all)
{
	if (all->wake == NULL)
		all->wake = loop_timer_add(all->loop, 0, look_again, all);
}

static void
check_reply(struct stamp *t, struct cursor reply, struct cursor *token,
    struct timestamp *timestamp, struct ht_error *e)
{
	struct tsa_rules rules = {
		.roots = buf_cursor(&t->all->servers->one[t->server].roots),
		.not_before = t->not_before,
		.not_after = t->not_after,
		.now = time(NULL),
	};

	(void)tsa_reply(reply, &t->query, &rules, token, timestamp, e);
}

/* The server has not done what it should. */
static void
strike(struct stamp *t, const struct http_reply *reply,
    const struct ht_error *e)
{
	struct servers *servers = t->all->servers;
	const char *name = servers->one[t->server].name;
	bool busy = reply->status == 429;

	log_notice("%s: %s", name, e->text);
	/* It could not help it if the others had left no time for it. */
	if (reply->status != 0 || loop_now() < t->deadline || t->probe)
		servers_said(servers, t->server,
		    busy ? SERVERS_BUSY : SERVERS_FAILED, reply->retry,
		    loop_now());
	if (!busy)
		t->left &= ~((uint64_t)1 << t->server);
	buf_format(&t->text, "%s%s: %s", t->text.len > 0 ? "; " : "", name,
	    e->text);
}

/* http_done_fn */
static void
replied(void *cookie, const struct http_reply *reply, const struct ht_error *e)
{
	struct stamp *t = cookie;
	struct stamping *all = t->all;
	struct cursor token = { NULL, 0 };
	struct timestamp timestamp;
	struct ht_error why = *e;

	t->request = NULL;
	memset(&timestamp, 0, sizeof(timestamp));
	if (why.code == 0)
		check_reply(t, reply->body, &token, &timestamp, &why);
	if (why.code != 0) {
		strike(t, reply, &why);
		if (t->probe)
			give_up(t, "");
		else
			next(t);
	} else {
		servers_said(all->servers, t->server, SERVERS_GOOD, 0,
		    loop_now());
		give(t, token, &timestamp);
	}
	timestamp_clear(&timestamp);
	wake_all(all);
}

static int
ask(struct stamp *t, uint64_t now, struct ht_error *e)
{
	struct server *server = &t->all->servers->one[t->server];
	struct http_ask what = { .url = server->url,
		.type = TSA_QUERY_TYPE,
		.accept = TSA_REPLY_TYPE,
		.file = -1,
		.most = TSA_REPLY_MAX,
		.timeout = STAMPING_PATIENCE };
	struct buf query = BUF_INIT;
	int rc;

	if (t->deadline - now < what.timeout)
		what.timeout = t->deadline - now;
	rc = tsa_query(&t->query, &query, e);
	if (rc == 0) {
		what.body = buf_cursor(&query);
		t->request = http_ask(t->all->http, &what, replied, t, e);
		rc = t->request == NULL ? e->code : 0;
	}
	buf_free(&query);
	if (rc < 0)
		return rc;
	servers_asked(t->all->servers, t->server, now);
	t->tries++;
	return 0;
}

/* --- from one to the next ---------------------------------------------- */

static void
waited(void *cookie)
{
	struct stamp *t = cookie;

	t->timer = NULL;
	wake_all(t->all);
}

/* Ask the next server, wait for one, or give up. */
static void
next(struct stamp *t)
{
	uint64_t random, until = t->deadline, now = loop_now();
	struct ht_error e;

	loop_timer_remove(t->timer);
	t->timer = NULL;
	if (now >= t->deadline) {
		give_up(t, "the time is over");
		return;
	}
	if (RAND_bytes((uint8_t *)&random, sizeof(random)) != 1 ||
	    RAND_bytes((uint8_t *)&t->query.nonce, sizeof(t->query.nonce)) !=
	        1) {
		give_up(t, "no random numbers");
		return;
	}
	switch (servers_choose(t->all->servers, t->left, now, random,
	    &t->server, &until)) {
	case SERVERS_ASK:
		if (ask(t, now, &e) < 0)
			give_up(t, e.text);
		return;
	case SERVERS_WAIT:
		t->timer = loop_timer_add(t->all->loop, until - now, waited, t);
		if (t->timer == NULL)
			give_up(t, "out of memory");
		return;
	case SERVERS_NONE:
		if (t->left != 0)
			give_up(t, "the others have failed lately, or rest");
		else
			give_up(t, t->tries > 0 ? "" : "no server to ask");
		return;
	}
}

/* --- beginnings -------------------------------------------------------- */

static struct stamp *
new_stamp(struct stamping *all, const char *digest, struct cursor imprint,
    uint64_t ms)
{
	struct stamp *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->all = all;
	(void)snprintf(t->digest, sizeof(t->digest), "%s", digest);
	buf_bytes(&t->imprint, imprint.p, imprint.left);
	t->query.digest = t->digest;
	t->query.imprint = buf_cursor(&t->imprint);
	t->not_after = INT64_MAX;
	t->deadline = loop_now() + ms;
	t->text.limit = PROTOCOL_TEXT * 4;
	if (buf_failed(&t->imprint) == 0)
		return t;
	free(t);
	return NULL;
}

/* Behind those that are to be served before it. */
static void
insert(struct stamp *t)
{
	struct stamp *after = NULL, *one;

	LIST_FOREACH(one, &t->all->stamps, entry)
		if (one->place <= t->place)
			after = one;
	if (after != NULL)
		LIST_INSERT_AFTER(after, t, entry);
	else
		LIST_INSERT_HEAD(&t->all->stamps, t, entry);
}

/* Ask whoever is due for it after a failure, for random bytes. */
static void
send_probes(struct stamping *all)
{
	struct servers *servers = all->servers;
	uint8_t random[32];
	struct stamp *t;
	struct ht_error e;
	size_t server;

	while (servers_probe(servers, loop_now(), &server)) {
		t = NULL;
		if (RAND_bytes(random, sizeof(random)) == 1)
			t = new_stamp(all, "sha256",
			    cursor_over(random, sizeof(random)),
			    STAMPING_PATIENCE);
		if (t == NULL) {
			servers_probe_over(servers, server);
			return;
		}
		t->probe = true;
		t->server = server;
		LIST_INSERT_HEAD(&all->stamps, t, entry);
		if (ask(t, loop_now(), &e) < 0) {
			forget(t);
			return;
		}
	}
}

static uint64_t
bits_of(const struct servers *servers, struct cursor names)
{
	struct cursor name;
	uint64_t bits = 0;

	while (cursor_string(&names, &name) == 0)
		bits |= servers_bit(servers, name);
	return bits;
}

void
stamping_begin(struct stamping *s, uint32_t tag,
    const struct protocol_stamp *what)
{
	uint64_t ms = what->milliseconds;
	struct buf why = BUF_INIT;
	struct stamp *t = NULL;

	if (s->n >= PROTOCOL_STAMPS)
		buf_format(&why, "too many at a time");
	else
		t = new_stamp(s, what->digest, what->imprint,
		    ms < PROTOCOL_STAMP_TIME ? ms : PROTOCOL_STAMP_TIME);
	if (t == NULL) {
		buf_format(&why, "%s", why.len == 0 ? "out of memory" : "");
		fail(s, tag, 0, &why);
		buf_free(&why);
		return;
	}
	t->tag = tag;
	t->not_before = (int64_t)what->not_before;
	t->not_after = (int64_t)what->not_after;
	t->left = bits_of(s->servers, what->servers);
	t->place = what->place;
	insert(t);
	s->n++;
	send_probes(s);
	next(t);
}

static bool
matches(const struct stamp *t, const uint32_t *tag)
{
	return !t->probe && (tag == NULL || t->tag == *tag);
}

static void
cancel(struct stamping *s, const uint32_t *tag)
{
	struct stamp *t, *after;

	for (t = LIST_FIRST(&s->stamps); t != NULL; t = after) {
		after = LIST_NEXT(t, entry);
		if (matches(t, tag))
			forget(t);
	}
}

void
stamping_cancel(struct stamping *s, uint32_t tag)
{
	cancel(s, &tag);
}

void
stamping_cancel_all(struct stamping *s)
{
	cancel(s, NULL);
}

size_t
stamping_number(const struct stamping *s)
{
	return s->n;
}

struct stamping *
stamping_new(struct loop *loop, struct http *http, struct servers *servers,
    stamping_answer_fn *fn, void *cookie)
{
	struct stamping *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->loop = loop;
	s->http = http;
	s->servers = servers;
	s->fn = fn;
	s->cookie = cookie;
	LIST_INIT(&s->stamps);
	return s;
}

void
stamping_free(struct stamping *s)
{
	if (s == NULL)
		return;
	while (!LIST_EMPTY(&s->stamps))
		forget(LIST_FIRST(&s->stamps));
	loop_timer_remove(s->wake);
	free(s);
}
