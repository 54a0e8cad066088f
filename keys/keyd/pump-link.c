#include "config.h"

#include <sys/queue.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keys/keyd/pump-link.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "store/journal/journal.h"

/* Milliseconds until the next test of clamd, and after one that failed. */
#define TEST_AGAIN 3600000
#define TEST_SOON 60000

/* How long a test may take, in milliseconds. */
#define TEST_MOST 600000

#define DAY 86400

/* A job, or a test: one child of the pump. */
struct pump_job {
	struct keyd_connection c; /* first; for the report, once it runs */
	TAILQ_ENTRY(pump_job) entry;
	struct pump *pump;
	bool runs;
	bool scans;
	char client[NAMES_SIZE];
	uint64_t max_size;
	int file;                   /* until it runs; or -1 */
	const struct pump_ops *ops; /* NULL: a test, or cancelled */
	void *cookie;
};

struct pump {
	struct keyd *keyd;
	struct keyd_connection *link; /* NULL: it is away */
	bool wanted;
	struct proc_backoff backoff;
	struct loop_timer *start; /* for the next start */
	struct loop_timer *test;  /* for the next test */
	struct loop_timer *wake;  /* those that wait look again */
	struct pump_job *testing; /* or NULL */
	bool tested;
	struct protocol_tested last; /* the last test, if tested */
	struct share scans;
	TAILQ_HEAD(pump_jobs, pump_job) waiting;
};

static void start_pump(void *cookie);
static void test_timed(void *cookie);
static void test_later(struct pump *p, uint64_t ms);

static const struct conf *
conf_of(const struct pump *p)
{
	return p->keyd->setup->conf;
}

/* --- whether clamd is good ----------------------------------------------- */

int
pump_can_scan(const struct pump *p, struct ht_error *e)
{
	int64_t age = journal_now() / 1000000 - (int64_t)p->last.date;
	const char *why = NULL;

	if (!p->tested)
		return 0;
	if (p->last.trouble[0] != '\0')
		why = p->last.trouble;
	else if (p->last.date == 0)
		why = "its database has no date";
	else if (age < -DAY)
		why = "its database is of the future";
	else if (age > (int64_t)conf_of(p)->clamav_max_age * DAY)
		why = "its database is older than clamav_max_age";
	if (why == NULL)
		return 0;
	return ht_error_set(e, HT_ERR_UNAVAILABLE, "clamd cannot be used: %s",
	    why);
}

const char *
pump_database(const struct pump *p)
{
	return p->last.database;
}

/* --- jobs ---------------------------------------------------------------- */

static void
free_job(struct pump_job *job)
{
	if (job->runs && job->scans && job->client[0] != '\0')
		share_give(&job->pump->scans, job->client, 1);
	if (!job->runs)
		TAILQ_REMOVE(&job->pump->waiting, job, entry);
	if (job->file >= 0)
		(void)close(job->file);
	free(job);
}

/* The owner forgets the job before it hears of its end. */
static void
fail(struct pump_job *job, const char *text)
{
	const struct pump_ops *ops = job->ops;

	job->ops = NULL;
	if (ops != NULL)
		ops->failed(job->cookie, text);
}

static void
got_verdict(struct pump_job *job, struct protocol_verdict *v)
{
	const struct pump_ops *ops = job->ops;
	struct ht_error e;

	if (job->scans && strcmp(v->verdict, PROTOCOL_VERDICT_CLEAN) == 0 &&
	    pump_can_scan(job->pump, &e) < 0) {
		(void)snprintf(v->verdict, sizeof(v->verdict), "%s",
		    PROTOCOL_VERDICT_UNSCANNED);
		(void)snprintf(v->text, sizeof(v->text), "%.255s", e.text);
	}
	job->ops = NULL;
	if (ops != NULL)
		ops->verdict(job->cookie, v);
}

static void send_more(struct pump *p);

static void
got_test(struct pump *p, const struct protocol_tested *tested)
{
	bool was = p->tested && p->last.trouble[0] == '\0';
	struct ht_error e;

	p->last = *tested;
	p->tested = true;
	if (pump_can_scan(p, &e) < 0)
		log_error("%s", e.text);
	else if (!was)
		log_notice("clamd finds what it should: %s", tested->database);
	send_more(p);
}

static void
receive(struct keyd_connection *c, struct msg *m, union protocol_body *body)
{
	struct pump_job *job = (struct pump_job *)c;
	const struct protocol_pumped *pumped = &body->pumped;
	bool tests = job->pump->testing == job;

	if (tests != (m->type == PROTOCOL_TESTED) ||
	    (m->type == PROTOCOL_PUMPED &&
	        pumped->sha256.left != JOURNAL_SHA256)) {
		keyd_close(c);
	} else if (tests) {
		got_test(job->pump, &body->tested);
		keyd_close(c);
	} else if (m->type == PROTOCOL_UNKEPT) {
		fail(job, body->unkept.text);
		keyd_close(c);
	} else if (m->type == PROTOCOL_VERDICT) {
		got_verdict(job, &body->verdict);
		keyd_close(c);
	} else if (job->ops != NULL) {
		job->ops->pumped(job->cookie, pumped->size, pumped->sha256.p);
	}
}

static void
look_again(void *cookie)
{
	struct pump *p = cookie;

	p->wake = NULL;
	send_more(p);
}

static void
wake(struct pump *p)
{
	if (p->wake == NULL)
		p->wake = loop_timer_add(p->keyd->loop, 0, look_again, p);
}

static void
job_gone(struct keyd_connection *c)
{
	struct pump_job *job = (struct pump_job *)c;
	struct pump *p = job->pump;
	struct ht_error e;

	if (p->testing == job) {
		p->testing = NULL;
		test_later(p,
		    p->tested && pump_can_scan(p, &e) == 0 ? TEST_AGAIN
		                                           : TEST_SOON);
	} else {
		fail(job, "htsign-pump has ended");
	}
	free_job(job);
	/* Connections are being flushed now; what is said next is for later. */
	wake(p);
}

/*
 * Ask the pump, with the pipe's reading end and the job's file, if there are
 * such, and a link for reports.  On error the job is not running.
 */
static int
ask(struct pump_job *job, enum protocol_type type, const void *body, int pipe,
    struct ht_error *e)
{
	struct pump *p = job->pump;
	int fds[3], pair[2], rc;
	size_t n = 0;

	rc = proc_socketpair(pair, e);
	if (rc < 0)
		return rc;
	job->c.receive = receive;
	job->c.gone = job_gone;
	rc = keyd_connection_add(p->keyd, &job->c, pair[0],
	    PROTOCOL_LINK_REPORT, e);
	if (pipe >= 0)
		fds[n++] = pipe;
	if (job->file >= 0)
		fds[n++] = job->file;
	fds[n++] = pair[1];
	if (rc == 0)
		keyd_say(p->link, type, 0, body, fds, n);
	(void)close(pair[1]);
	return rc;
}

static int
run(struct pump_job *job, struct ht_error *e)
{
	const struct conf *conf = conf_of(job->pump);
	struct protocol_pump body = { .scan_max = conf->clamav_max_size,
		.max_size = job->max_size };
	int pipe[2], rc;

	if (pipe2(pipe, O_CLOEXEC) < 0)
		return ht_error_errno(e, "pipe");
	/* The shell does not wait for ever. */
	(void)fcntl(pipe[1], F_SETFL, O_NONBLOCK);
	if (job->scans)
		(void)snprintf(body.clamd, sizeof(body.clamd), "%s",
		    conf->clamav_socket);
	rc = ask(job, PROTOCOL_PUMP, &body, pipe[0], e);
	(void)close(pipe[0]);
	if (rc < 0) {
		(void)close(pipe[1]);
		return rc;
	}
	if (job->file >= 0)
		(void)close(job->file);
	job->file = -1;
	TAILQ_REMOVE(&job->pump->waiting, job, entry);
	job->runs = true;
	job->ops->begun(job->cookie, pipe[1]);
	return 0;
}

/*
 * Whether the job may run now.  Takes its place among the scans.  A pump that
 * does not read gets no more: what is queued for it holds descriptors.
 */
static bool
may_run(struct pump_job *job)
{
	struct pump *p = job->pump;

	return p->link != NULL && !msg_pending(p->link->link.channel) &&
	    (!job->scans ||
	        (p->tested && p->scans.held < p->scans.total &&
	            share_take(&p->scans, job->client, 1)));
}

/* Begin what there is room for. */
static void
send_more(struct pump *p)
{
	struct pump_job *job, *next;
	struct ht_error e;

	for (job = TAILQ_FIRST(&p->waiting); job != NULL; job = next) {
		next = TAILQ_NEXT(job, entry);
		if (!may_run(job) || run(job, &e) == 0)
			continue;
		if (job->scans)
			share_give(&p->scans, job->client, 1);
		fail(job, e.text);
		free_job(job);
	}
}

int
pump_begin(struct pump *p, const char *client,
    const struct conf_profile *profile, int file, const struct pump_ops *ops,
    void *cookie, struct pump_job **out, struct ht_error *e)
{
	struct pump_job *job = calloc(1, sizeof(*job));

	*out = job;
	if (job == NULL) {
		if (file >= 0)
			(void)close(file);
		return ht_error_memory(e);
	}
	job->pump = p;
	job->file = file;
	job->scans = profile->clamav != CONF_SCAN_NONE;
	job->max_size = profile->max_size;
	job->ops = ops;
	job->cookie = cookie;
	(void)snprintf(job->client, sizeof(job->client), "%s", client);
	TAILQ_INSERT_TAIL(&p->waiting, job, entry);
	send_more(p);
	return 0;
}

void
pump_cancel(struct pump_job *job)
{
	if (job == NULL)
		return;
	job->ops = NULL;
	if (job->runs)
		keyd_close(&job->c);
	else
		free_job(job);
}

/* --- the test ------------------------------------------------------------ */

static void
test_later(struct pump *p, uint64_t ms)
{
	loop_timer_remove(p->test);
	p->test = loop_timer_add(p->keyd->loop, ms, test_timed, p);
}

static int
try_test(struct pump *p, struct ht_error *e)
{
	const struct conf *conf = conf_of(p);
	struct protocol_test body = { .scan_max = conf->clamav_max_size };
	struct pump_job *job = calloc(1, sizeof(*job));
	int rc;

	if (job == NULL)
		return ht_error_memory(e);
	(void)snprintf(body.clamd, sizeof(body.clamd), "%s",
	    conf->clamav_socket);
	job->pump = p;
	job->file = -1;
	job->runs = true;
	rc = ask(job, PROTOCOL_TEST, &body, -1, e);
	if (rc == 0)
		p->testing = job;
	else
		free(job);
	return rc;
}

static void
begin_test(struct pump *p)
{
	struct ht_error e;

	if (p->link == NULL || p->testing != NULL)
		return;
	if (try_test(p, &e) == 0) {
		test_later(p, TEST_MOST);
		return;
	}
	log_error("clamd is not tested: %s", e.text);
	test_later(p, TEST_SOON);
}

/* Until a test passes, what the last one said counts no more. */
static void
end_test(struct pump *p)
{
	(void)snprintf(p->last.trouble, sizeof(p->last.trouble),
	    "its test does not end");
	p->tested = true;
	log_error("clamd cannot be used: %s", p->last.trouble);
	keyd_close(&p->testing->c);
}

/* The next test is due, or the one that is under way should have ended. */
static void
test_timed(void *cookie)
{
	struct pump *p = cookie;

	p->test = NULL;
	if (p->testing != NULL)
		end_test(p);
	else
		begin_test(p);
}

/* --- coming and going ---------------------------------------------------- */

/* The pump reads: connections are being flushed, so what waits is for later. */
static bool
link_more(struct keyd_connection *c)
{
	struct pump *p = c->keyd->pump;

	if (p->link == c && !TAILQ_EMPTY(&p->waiting))
		wake(p);
	return false;
}

/* Nothing comes from the pump itself. */
static void
link_receive(struct keyd_connection *c, struct msg *m,
    union protocol_body *body)
{
	(void)m;
	(void)body;
	keyd_close(c);
}

static void
link_gone(struct keyd_connection *c)
{
	struct pump *p = c->keyd->pump;

	if (p->link == c) {
		p->link = NULL;
		p->tested = false;
		if (p->wanted) {
			log_error("htsign-pump has ended");
			p->start = loop_timer_add(p->keyd->loop,
			    proc_backoff_next(&p->backoff), start_pump, p);
		}
	}
	free(c);
}

static bool
scans_any(const struct conf *conf)
{
	size_t i;

	for (i = 0; i < conf->nprofiles; i++)
		if (conf->profiles[i].clamav != CONF_SCAN_NONE)
			return true;
	return false;
}

void
pump_spawned(void *cookie, int fd)
{
	struct pump *p = cookie;
	struct keyd_connection *c = calloc(1, sizeof(*c));
	struct ht_error e;

	if (c == NULL) {
		(void)close(fd);
		return;
	}
	c->receive = link_receive;
	c->gone = link_gone;
	c->more = link_more;
	if (keyd_connection_add(p->keyd, c, fd, PROTOCOL_LINK_PUMP, &e) < 0) {
		log_error("htsign-pump: %s", e.text);
		free(c);
		return;
	}
	p->link = c;
	if (scans_any(conf_of(p)))
		begin_test(p);
	send_more(p);
}

static void
start_pump(void *cookie)
{
	struct pump *p = cookie;
	struct ht_error e;

	p->start = NULL;
	proc_backoff_started(&p->backoff);
	if (tokens_start_extra(p->keyd->tokens, TOKENS_PUMP, pump_spawned, p,
	        &e) < 0)
		log_error("htsign-pump: %s", e.text);
}

void
pump_configured(struct pump *p)
{
	bool was = p->wanted;

	p->wanted = conf_pumps(conf_of(p));
	p->scans.total = conf_of(p)->clamav_parallel;
	/* A test that is under way is that of another clamd. */
	p->tested = false;
	if (p->testing != NULL)
		keyd_close(&p->testing->c);
	p->testing = NULL;
	if (p->wanted && !was && p->link == NULL && p->start == NULL)
		start_pump(p);
	else if (!p->wanted && p->link != NULL)
		keyd_close(p->link);
	else if (p->link != NULL && scans_any(conf_of(p)))
		begin_test(p);
}

struct pump *
pump_new(struct keyd *k)
{
	struct pump *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->keyd = k;
	share_init(&p->scans, 0);
	TAILQ_INIT(&p->waiting);
	return p;
}

void
pump_free(struct pump *p)
{
	if (p == NULL)
		return;
	loop_timer_remove(p->start);
	loop_timer_remove(p->test);
	loop_timer_remove(p->wake);
	free(p);
}
