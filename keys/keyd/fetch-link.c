#include "config.h"

#include <sys/queue.h>
#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keys/keyd/fetch-link.h"
#include "keys/keyd/signers.h"
#include "lib/log.h"
#include "signature/der.h"

/* How often a job is sent, before it is to blame for what happens. */
#define SENDINGS 2

#define IMPRINT_MAX 64

#define AWAY "htsign-fetch is away"

struct fetch_job {
	TAILQ_ENTRY(fetch_job) entry;
	struct fetch *fetch;
	uint32_t tag; /* 0: it waits */
	unsigned int sent;
	struct loop_timer *patience; /* while it is under way */
	char client[NAMES_SIZE];
	struct protocol_stamp stamp; /* imprint and servers point to: */
	uint8_t imprint[IMPRINT_MAX];
	struct buf servers;
	const struct fetch_ops *ops;
	void *cookie;
};

struct fetch {
	struct keyd *keyd;
	struct keyd_connection *link; /* NULL: it is away */
	struct loop_timer *away;      /* while it is waited for */
	struct loop_timer *look;      /* the next one */
	TAILQ_HEAD(fetch_jobs, fetch_job) jobs;
	size_t under_way;
	uint32_t last_tag;
	struct share share;
	struct fetch_other other; /* come is NULL: there is none */
};

/* --- jobs ---------------------------------------------------------------- */

/* The job waits again, or is done. */
static void
stop(struct fetch_job *job)
{
	struct fetch *f = job->fetch;

	if (job->tag == 0)
		return;
	job->tag = 0;
	loop_timer_remove(job->patience);
	job->patience = NULL;
	f->under_way--;
	share_give(&f->share, job->client, 1);
}

static void
remove_job(struct fetch_job *job)
{
	stop(job);
	TAILQ_REMOVE(&job->fetch->jobs, job, entry);
	buf_free(&job->servers);
	free(job);
}

static void
fail(struct fetch_job *job, unsigned int tries, const char *text)
{
	const struct fetch_ops *ops = job->ops;
	void *cookie = job->cookie;

	remove_job(job);
	ops->failed(cookie, tries, text);
}

static uint32_t
next_tag(struct fetch *f)
{
	if (++f->last_tag == 0)
		f->last_tag++;
	return f->last_tag;
}

static void send_more(struct fetch *f);

/* htsign-fetch should have said by now that there is none. */
static void
too_slow(void *cookie)
{
	struct fetch_job *job = cookie;
	struct fetch *f = job->fetch;

	job->patience = NULL;
	log_error("htsign-fetch does not answer");
	fail(job, 0, "htsign-fetch does not answer");
	send_more(f);
}

/* Send what there is room for. */
static void
send_more(struct fetch *f)
{
	struct fetch_job *job;

	TAILQ_FOREACH(job, &f->jobs, entry) {
		if (f->link == NULL || f->under_way == PROTOCOL_STAMPS)
			break;
		if (job->tag != 0 ||
		    !share_take_one(&f->share, job->client, FETCH_CLIENT))
			continue;
		job->stamp.place =
		    (uint32_t)share_of(&f->share, job->client) - 1;
		job->tag = next_tag(f);
		job->sent++;
		job->patience = loop_timer_add(f->keyd->loop, FETCH_PATIENCE,
		    too_slow, job);
		f->under_way++;
		keyd_say(f->link, PROTOCOL_STAMP, job->tag, &job->stamp, NULL,
		    0);
	}
}

static struct fetch_job *
find(struct fetch *f, uint32_t tag)
{
	struct fetch_job *job;

	TAILQ_FOREACH(job, &f->jobs, entry)
		if (job->tag == tag)
			break;
	return job;
}

int
fetch_stamp(struct fetch *f, const struct fetch_work *work,
    const struct fetch_ops *ops, void *cookie, struct fetch_job **out,
    struct ht_error *e)
{
	const struct conf_profile *profile = work->profile;
	struct fetch_job *job;
	size_t i;

	*out = NULL;
	if (!fetch_is_there(f))
		return ht_error_set(e, HT_ERR_UNAVAILABLE, AWAY);
	job = calloc(1, sizeof(*job));
	if (job == NULL)
		return ht_error_memory(e);
	for (i = 0; i < profile->nservers; i++)
		buf_text(&job->servers, profile->servers[i]->name);
	if (buf_failed(&job->servers) < 0 || work->n > sizeof(job->imprint)) {
		buf_free(&job->servers);
		free(job);
		return ht_error_memory(e);
	}
	job->fetch = f;
	job->ops = ops;
	job->cookie = cookie;
	(void)snprintf(job->client, sizeof(job->client), "%s", work->client);
	(void)snprintf(job->stamp.digest, sizeof(job->stamp.digest), "%s",
	    work->digest);
	memcpy(job->imprint, work->imprint, work->n);
	job->stamp.imprint = cursor_over(job->imprint, work->n);
	job->stamp.not_before = (uint64_t)work->from;
	job->stamp.not_after = (uint64_t)work->until;
	job->stamp.milliseconds = PROTOCOL_STAMP_TIME;
	job->stamp.servers = buf_cursor(&job->servers);
	TAILQ_INSERT_TAIL(&f->jobs, job, entry);
	*out = job;
	send_more(f);
	return 0;
}

void
fetch_cancel(struct fetch_job *job)
{
	struct fetch *f;

	if (job == NULL)
		return;
	f = job->fetch;
	if (job->tag != 0 && f->link != NULL)
		keyd_say(f->link, PROTOCOL_STAMP_CANCEL, job->tag, NULL, NULL,
		    0);
	remove_job(job);
	send_more(f);
}

void
fetch_other(struct fetch *f, const struct fetch_other *other)
{
	f->other = *other;
}

uint32_t
fetch_ask(struct fetch *f, enum protocol_type type, const void *body, int fd)
{
	uint32_t tag;

	if (f->link == NULL)
		return 0;
	tag = next_tag(f);
	keyd_say(f->link, type, tag, body, &fd, fd >= 0 ? 1 : 0);
	return tag;
}

void
fetch_ask_no_more(struct fetch *f, enum protocol_type type, uint32_t tag)
{
	if (f->link != NULL)
		keyd_say(f->link, type, tag, NULL, NULL, 0);
}

/* --- looks --------------------------------------------------------------- */

static void
send_looks(struct fetch *f)
{
	struct buf certificate = BUF_INIT, issuer = BUF_INIT;
	struct protocol_look look;
	uint32_t tag;

	for (;;) {
		tag = next_tag(f);
		buf_reset(&certificate);
		buf_reset(&issuer);
		if (!signers_next(f->keyd, tag, &certificate, &issuer))
			break;
		look.certificate = buf_cursor(&certificate);
		look.issuer = buf_cursor(&issuer);
		keyd_say(f->link, PROTOCOL_LOOK, tag, &look, NULL, 0);
	}
	buf_free(&certificate);
	buf_free(&issuer);
}

static void
look_again(void *cookie)
{
	struct fetch *f = cookie;

	f->look = NULL;
	fetch_look(f);
}

void
fetch_look(struct fetch *f)
{
	struct ht_error e;

	loop_timer_remove(f->look);
	f->look = loop_timer_add(f->keyd->loop, FETCH_LOOK, look_again, f);
	if (f->look == NULL)
		keyd_must(f->keyd, ht_error_memory(&e), &e);
	signers_begin(f->keyd);
	if (f->link != NULL)
		send_looks(f);
	else if (f->away == NULL)
		signers_unknown(f->keyd, AWAY);
}

/* --- what htsign-fetch says ---------------------------------------------- */

static bool
has_server(const struct fetch_job *job, const char *name)
{
	struct cursor c = job->stamp.servers, one;

	while (cursor_string(&c, &one) == 0)
		if (cursor_is(one, name))
			return true;
	return false;
}

/* Whether this can be the answer.  Nothing in the token is looked at. */
static bool
is_answer(const struct fetch_job *job, const struct protocol_stamped *s)
{
	struct cursor c = s->token;
	struct der token;

	return s->token.left <= PROTOCOL_STAMP_MAX &&
	    der_expect(&c, DER_SEQUENCE, &token, NULL) == 0 &&
	    cursor_end(&c) == 0 && has_server(job, s->server) &&
	    s->time >= job->stamp.not_before &&
	    s->time <= job->stamp.not_after && s->serial[0] != '\0' &&
	    strspn(s->serial, "0123456789abcdef") == strlen(s->serial);
}

/* One that was cancelled may still be answered. */
static void
stamped(struct keyd_connection *c, uint32_t tag,
    const struct protocol_stamped *s)
{
	struct fetch *f = c->keyd->fetch;
	struct fetch_job *job = tag != 0 ? find(f, tag) : NULL;
	const struct fetch_ops *ops;
	void *cookie;

	if (job == NULL)
		return;
	if (!is_answer(job, s)) {
		log_error("htsign-fetch gave what is no timestamp");
		keyd_close(c);
		return;
	}
	ops = job->ops;
	cookie = job->cookie;
	remove_job(job);
	ops->stamped(cookie, s);
	send_more(f);
}

static void
stamp_failed(struct fetch *f, uint32_t tag,
    const struct protocol_stamp_failed *s)
{
	struct fetch_job *job = tag != 0 ? find(f, tag) : NULL;

	if (job != NULL)
		fail(job, s->tries, s->text);
	send_more(f);
}

static void
hello(struct keyd_connection *c, const struct msg *m,
    const struct protocol_fetch_hello *hello)
{
	struct fetch *f = c->keyd->fetch;
	struct protocol_refuse no;

	if (hello->version == PROTOCOL_VERSION && f->link == NULL) {
		f->link = c;
		loop_timer_remove(f->away);
		f->away = NULL;
		log_notice("htsign-fetch is there");
		send_looks(f);
		send_more(f);
		if (f->other.come != NULL)
			f->other.come(f->other.cookie);
		return;
	}
	keyd_refusal(&no, HT_ERR_UNAVAILABLE, "fetch", "%s",
	    f->link != NULL ? "another htsign-fetch is connected"
	                    : "htsign-keyd has another version");
	keyd_say(c, PROTOCOL_REFUSE, m->tag, &no, NULL, 0);
	keyd_close(c);
}

static void
looked(struct keyd_connection *c, uint32_t tag,
    const struct protocol_looked *looked)
{
	if (signers_looked(c->keyd, tag, looked)) {
		send_looks(c->keyd->fetch);
		return;
	}
	log_error("htsign-fetch gave what is no verdict");
	keyd_close(c);
}

static void
receive(struct keyd_connection *c, struct msg *m, union protocol_body *body)
{
	struct fetch *f = c->keyd->fetch;

	switch (m->type) {
	case PROTOCOL_FETCH_HELLO:
		hello(c, m, &body->fetch_hello);
		break;
	case PROTOCOL_STAMPED:
		stamped(c, m->tag, &body->stamped);
		break;
	case PROTOCOL_STAMP_FAILED:
		stamp_failed(c->keyd->fetch, m->tag, &body->stamp_failed);
		break;
	case PROTOCOL_LOOKED:
		looked(c, m->tag, &body->looked);
		break;
	case PROTOCOL_CHECKED:
		if (f->other.come != NULL &&
		    f->other.answered(f->other.cookie, m->tag, &body->checked))
			break;
		log_error("htsign-fetch gave what is no answer");
		keyd_close(c);
		break;
	default: /* nothing was asked that has another answer */
		keyd_close(c);
		break;
	}
}

/* --- coming and going ---------------------------------------------------- */

bool
fetch_is_there(const struct fetch *f)
{
	return f->link != NULL || f->away != NULL;
}

/* It has not come back: nobody waits any longer. */
static void
too_long(void *cookie)
{
	struct fetch *f = cookie;

	f->away = NULL;
	while (!TAILQ_EMPTY(&f->jobs))
		fail(TAILQ_FIRST(&f->jobs), 0, AWAY);
	if (f->other.come != NULL)
		f->other.away(f->other.cookie);
	signers_begin(f->keyd);
	signers_unknown(f->keyd, AWAY);
}

static void
gone(struct keyd_connection *c)
{
	struct fetch *f = c->keyd->fetch;
	struct fetch_job *job, *next;

	if (f->link == c) {
		f->link = NULL;
		log_error("htsign-fetch is gone");
		signers_lost(f->keyd);
		if (f->other.come != NULL)
			f->other.lost(f->other.cookie);
		f->away =
		    loop_timer_add(f->keyd->loop, FETCH_AWAY, too_long, f);
		for (job = TAILQ_FIRST(&f->jobs); job != NULL; job = next) {
			next = TAILQ_NEXT(job, entry);
			stop(job);
			if (f->away == NULL || job->sent == SENDINGS)
				fail(job, 0,
				    "htsign-fetch has gone twice meanwhile");
		}
	}
	free(c);
}

int
fetch_link_accept(struct keyd *k, int fd, struct ht_error *e)
{
	struct keyd_connection *c;
	struct ucred peer;
	socklen_t n = sizeof(peer);
	int rc;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0 ||
	    peer.uid != k->setup->conf->users[CONF_USER_FETCH].uid) {
		(void)close(fd);
		return ht_error_set(e, HT_ERR_DENIED,
		    "this account may not use the socket");
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		(void)close(fd);
		return ht_error_memory(e);
	}
	c->receive = receive;
	c->gone = gone;
	rc = keyd_connection_add(k, c, fd, PROTOCOL_LINK_FETCH, e);
	if (rc < 0)
		free(c);
	return rc;
}

struct fetch *
fetch_new(struct keyd *k)
{
	struct fetch *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->keyd = k;
	TAILQ_INIT(&f->jobs);
	share_init(&f->share, PROTOCOL_STAMPS);
	f->away = loop_timer_add(k->loop, FETCH_AWAY, too_long, f);
	return f;
}

void
fetch_free(struct fetch *f)
{
	if (f == NULL)
		return;
	loop_timer_remove(f->away);
	loop_timer_remove(f->look);
	free(f);
}
