#include "config.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keys/keyd/parent/children.h"
#include "keys/keyd/parent/parent.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/notify.h"
#include "lib/proc.h"
#include "lib/sandbox.h"
#include "protocol/messages.h"

#define WORKERS_MAX 64

/*
 * The most processes at a time.  A killed one may hang in the kernel for a
 * while, when its successor already runs.
 */
#define CHILDREN_MAX (4 * WORKERS_MAX)

/* The most messages of keyd's in one turn, before children and signals. */
#define MESSAGES_AT_ONCE 16

/* How long keyd may take to drain after SIGTERM. */
#define DRAIN 15000U /* ms */

/* After such an end before keyd was ever ready, a restart does not help. */
#define STATUS_FIRST 64
#define STATUS_LAST 78

/* What keyd has once, beside the tokens' workers. */
static const char *const extra[] = { "htsign-pump", "htsign-reader" };
#define EXTRA (sizeof(extra) / sizeof(extra[0]))

struct ids {
	uid_t uid;
	gid_t gid;
};

struct parent {
	const struct parent_options *options;
	struct loop *loop;
	struct children children;
	struct child *keyd; /* or NULL */
	/* Or NULL; behind the tokens' workers are those of extra. */
	struct child *workers[WORKERS_MAX + EXTRA];
	uint32_t nworkers; /* from READY; without those of extra */
	struct ids ids;    /* of the tokens' workers */
	struct ids extra_ids[EXTRA];
	struct protocol_link link;
	struct loop_watch *link_watch;
	struct loop_timer *timer; /* for the next start of keyd, or for DRAIN */
	struct proc_backoff backoff;
	bool starting; /* we start keyd; false in parent_serve */
	bool ending;   /* after SIGTERM or SIGINT */
	bool over;
	int status;
};

static void start_keyd(struct parent *p);

/* --- what keyd asks for ------------------------------------------------ */

/* We end workers by SIGKILL, so that end is not logged. */
static void
on_worker_end(void *cookie, short revents)
{
	struct child *c = cookie;
	struct parent *p = c->cookie;
	const char *name = c->name;
	int status;
	size_t i;

	(void)revents;
	for (i = 0; i < WORKERS_MAX + EXTRA; i++)
		if (p->workers[i] == c)
			p->workers[i] = NULL;
	status = child_collect(c);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		child_log_end(name, status);
}

static const char *
name_of(const struct parent *p, uint32_t index)
{
	return index < p->nworkers ? "htsign-token"
	                           : extra[index - p->nworkers];
}

static int
start_worker(struct parent *p, uint32_t index, int *fd, struct ht_error *e)
{
	const struct ids *ids =
	    index < p->nworkers ? &p->ids : &p->extra_ids[index - p->nworkers];
	char program[PROTOCOL_PATH];
	const char *argv[3] = { program, NULL, NULL };
	struct child_spec spec = { name_of(p, index), argv, ids->uid, ids->gid,
		on_worker_end, p };
	struct child **at = &p->workers[index];
	int rc;

	if (ids->uid == PROC_SAME && p->ids.uid != PROC_SAME)
		return ht_error_set(e, HT_ERR_USAGE, "it has no account");
	if (p->children.n >= CHILDREN_MAX)
		return ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "too many killed workers have not ended yet");
	if (p->options->to_syslog)
		argv[1] = "--syslog";
	rc = proc_program(spec.name, program, sizeof(program), e);
	if (rc < 0)
		return rc;
	*at = child_start(&p->children, &spec, fd, e);
	return *at != NULL ? 0 : e->code;
}

/* Make a closed link.  It tells keyd that a worker could not be started. */
static int
closed_link(int *fd, struct ht_error *e)
{
	int pair[2];
	int rc = proc_socketpair(pair, e);

	if (rc < 0)
		return rc;
	(void)close(pair[1]);
	*fd = pair[0];
	return 0;
}

static int
spawn(struct parent *p, uint32_t index, struct ht_error *e)
{
	struct protocol_worker body = { index };
	int fd, rc;

	child_kill(&p->workers[index]);
	rc = start_worker(p, index, &fd, e);
	if (rc < 0) {
		log_error("%s: %s", name_of(p, index), e->text);
		rc = closed_link(&fd, e);
	}
	if (rc < 0)
		return rc;
	rc = protocol_queue(&p->link, PROTOCOL_SPAWNED, 0, &body, &fd, 1, e);
	(void)close(fd);
	if (rc == 0)
		rc = msg_flush(p->link.channel, e);
	/* They are few and short, and fit unless keyd does not read. */
	if (rc == 0 && msg_pending(p->link.channel))
		rc = ht_error_set(e, HT_ERR_DATA, "it does not read");
	return rc;
}

/*
 * Check the ids for workers.  A keyd that did not change its own ids asks for
 * no change.  Otherwise both ids must change, and neither may be root's.
 */
static bool
may_be(uint32_t uid, uint32_t gid)
{
	const uint32_t same = UINT32_MAX;

	if (uid == same && gid == same)
		return true;
	return uid != 0 && gid != 0 && uid != same && gid != same;
}

static int
get_ready(struct parent *p, const struct protocol_ready *ready,
    struct ht_error *e)
{
	if (ready->tokens > WORKERS_MAX)
		return ht_error_set(e, HT_ERR_DATA, "too many tokens");
	if (!may_be(ready->token_uid, ready->token_gid) ||
	    !may_be(ready->pump_uid, ready->pump_gid) ||
	    !may_be(ready->reader_uid, ready->reader_gid))
		return ht_error_set(e, HT_ERR_DATA, "workers run as root");
	p->ids.uid = (uid_t)ready->token_uid;
	p->ids.gid = (gid_t)ready->token_gid;
	p->extra_ids[0].uid = (uid_t)ready->pump_uid;
	p->extra_ids[0].gid = (gid_t)ready->pump_gid;
	p->extra_ids[1].uid = (uid_t)ready->reader_uid;
	p->extra_ids[1].gid = (gid_t)ready->reader_gid;
	p->nworkers = ready->tokens;
	p->backoff.served = true;
	if (notify_ready(p->loop, e) < 0)
		log_error("%s", e->text);
	return 0;
}

static int
obey(struct parent *p, const struct msg *m, const union protocol_body *body,
    struct ht_error *e)
{
	if (m->type == PROTOCOL_READY)
		return get_ready(p, &body->ready, e);
	if (body->worker.index >= p->nworkers + EXTRA)
		return ht_error_set(e, HT_ERR_DATA, "no worker %u",
		    (unsigned int)body->worker.index);
	if (m->type == PROTOCOL_SPAWN)
		return spawn(p, body->worker.index, e);
	child_kill(&p->workers[body->worker.index]);
	return 0;
}

/* keyd is gone or not to be trusted.  Close its link and kill all workers. */
static void
drop_link(struct parent *p)
{
	size_t i;

	loop_watch_remove(p->link_watch);
	p->link_watch = NULL;
	if (p->link.channel != NULL)
		protocol_close(&p->link);
	for (i = 0; i < WORKERS_MAX + EXTRA; i++)
		child_kill(&p->workers[i]);
	p->nworkers = 0;
	if (!p->starting)
		p->over = true;
}

static void
on_link(void *cookie, short revents)
{
	struct parent *p = cookie;
	union protocol_body body;
	struct ht_error e;
	struct msg m;
	int i, rc = 1;

	(void)revents;
	for (i = 0; i < MESSAGES_AT_ONCE && rc == 1; i++) {
		rc = protocol_next(&p->link, &m, &body, &e);
		if (rc == 1 && obey(p, &m, &body, &e) < 0)
			rc = e.code;
	}
	if (rc >= 0)
		return;
	if (rc != HT_ERR_UNAVAILABLE) {
		log_error("htsign-keyd: %s", e.text);
		child_signal(p->keyd, SIGKILL);
	}
	drop_link(p);
}

static int
open_link(struct parent *p, int fd, struct ht_error *e)
{
	int rc = protocol_open(&p->link, fd, PROTOCOL_LINK_PARENT, false, e);

	if (rc < 0)
		return rc;
	p->link_watch = loop_watch_add(p->loop, fd, POLLIN, on_link, p);
	if (p->link_watch == NULL) {
		protocol_close(&p->link);
		return ht_error_memory(e);
	}
	return 0;
}

/* --- keyd -------------------------------------------------------------- */

static void
on_start_time(void *cookie)
{
	struct parent *p = cookie;

	p->timer = NULL;
	start_keyd(p);
}

static void
start_again(struct parent *p)
{
	unsigned int wait = proc_backoff_next(&p->backoff);

	log_notice("htsign-keyd is started again in %u ms", wait);
	p->timer = loop_timer_add(p->loop, wait, on_start_time, p);
	if (p->timer == NULL) {
		log_error("out of memory");
		p->over = true;
		p->status = -HT_ERR_INTERNAL;
	}
}

/* True if keyd's exit status says that it cannot be started at all. */
static bool
is_hopeless(const struct parent *p, int status)
{
	return !p->backoff.served && WIFEXITED(status) &&
	    WEXITSTATUS(status) >= STATUS_FIRST &&
	    WEXITSTATUS(status) <= STATUS_LAST;
}

static void
on_keyd_end(void *cookie, short revents)
{
	struct child *c = cookie;
	struct parent *p = c->cookie;
	int status;

	(void)revents;
	p->keyd = NULL;
	status = child_collect(c);
	drop_link(p);
	loop_timer_remove(p->timer);
	p->timer = NULL;
	if (p->ending) {
		child_log_end("htsign-keyd", status);
		p->over = true;
	} else if (is_hopeless(p, status)) {
		log_error("htsign-keyd cannot be started: exit status %d",
		    WEXITSTATUS(status));
		p->over = true;
		p->status = WEXITSTATUS(status);
	} else {
		child_log_end("htsign-keyd", status);
		start_again(p);
	}
}

static int
try_keyd(struct parent *p, struct ht_error *e)
{
	char program[PROTOCOL_PATH];
	const char *argv[7] = { program, "--keyd", "-c", p->options->conf };
	struct child_spec spec = { "htsign-keyd", argv, PROC_SAME, (gid_t)-1,
		on_keyd_end, p };
	size_t n = 4;
	int fd;
	int rc;

	if (p->options->verbose)
		argv[n++] = "-v";
	if (p->options->to_syslog)
		argv[n++] = "-s";
	argv[n] = NULL;
	rc = proc_program("htsign-keyd", program, sizeof(program), e);
	if (rc < 0)
		return rc;
	proc_backoff_started(&p->backoff);
	p->keyd = child_start(&p->children, &spec, &fd, e);
	if (p->keyd == NULL)
		return e->code;
	if (open_link(p, fd, e) < 0) {
		log_error("htsign-keyd: %s", e->text);
		child_signal(p->keyd, SIGKILL); /* its end starts it again */
	}
	return 0;
}

static void
start_keyd(struct parent *p)
{
	struct ht_error e;

	if (try_keyd(p, &e) == 0)
		return;
	log_error("htsign-keyd: %s", e.text);
	start_again(p);
}

/* --- signals ----------------------------------------------------------- */

static void
on_drained(void *cookie)
{
	struct parent *p = cookie;

	p->timer = NULL;
	log_error("htsign-keyd did not end in %u s", DRAIN / 1000);
	child_kill(&p->keyd);
	p->over = true;
}

static void
end(struct parent *p)
{
	if (p->ending)
		return;
	p->ending = true;
	loop_timer_remove(p->timer);
	p->timer = NULL;
	if (p->keyd == NULL) {
		p->over = true;
		return;
	}
	child_signal(p->keyd, SIGTERM);
	p->timer = loop_timer_add(p->loop, DRAIN, on_drained, p);
}

static void
on_signal(void *cookie, int signal)
{
	struct parent *p = cookie;

	if (signal == SIGHUP)
		child_signal(p->keyd, SIGHUP);
	else
		end(p);
}

/* --- the process ------------------------------------------------------- */

static struct parent *
parent_new(const struct parent_options *options, struct ht_error *e)
{
	struct parent *p = calloc(1, sizeof(*p));

	if (p != NULL)
		p->loop = loop_new();
	if (p == NULL || p->loop == NULL) {
		free(p);
		(void)ht_error_memory(e);
		return NULL;
	}
	p->options = options;
	children_init(&p->children, p->loop);
	return p;
}

static void
parent_free(struct parent *p)
{
	drop_link(p);
	children_kill(&p->children);
	loop_free(p->loop);
	free(p);
}

static int
run(struct parent *p, struct ht_error *e)
{
	int rc = 0;

	while (rc == 0 && !p->over)
		rc = loop_once(p->loop, e);
	return rc;
}

int
parent_run(const struct parent_options *options)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGTERM };
	struct ht_error e;
	struct parent *p = parent_new(options, &e);
	int landlock, rc, status;

	if (p == NULL) {
		log_error("%s", e.text);
		return -e.code;
	}
	rc = loop_signals(p->loop, signals, sizeof(signals) / sizeof(*signals),
	    on_signal, p, &e);
	if (rc == 0)
		rc = sandbox_enter(SANDBOX_PARENT, NULL, 0, &landlock, &e);
	if (rc == 0) {
		p->starting = true;
		start_keyd(p);
		rc = run(p, &e);
	}
	if (rc < 0)
		log_error("%s", e.text);
	status = rc < 0 ? -rc : p->status;
	parent_free(p);
	return status;
}

int
parent_serve(int fd, struct ht_error *e)
{
	static const struct parent_options options = { NULL, false, false };
	struct parent *p = parent_new(&options, e);
	int rc;

	if (p == NULL) {
		(void)close(fd);
		return e->code;
	}
	rc = open_link(p, fd, e);
	if (rc == 0)
		rc = run(p, e);
	parent_free(p);
	return rc;
}
