#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/proc.h"
#include "sshd-sign/connection-private.h"

/* A process is nicer by this for each other one of its client's. */
#define NICE_STEP 5

/*
 * So many sessions of a client are on their way to a shell at a time.  Starting
 * one takes the listener and keyd a moment, so many at once would delay others.
 */
#define STARTING_MAX 4

/*
 * Who has more sessions than that lets each of these places rest for a while, in
 * milliseconds.  So a client's next hundred come over some seconds.
 */
#define MANY_SESSIONS 16
#define START_REST 200

/* Seconds after which a session or a connection may have ended. */
#define RETRY 5

/*
 * A channel with a shell.  First it waits for its turn; then ask is set, while
 * keyd is asked; then process, the shell.  It is freed when its REFUSED or EXITED
 * is sent.
 */
struct shell_run {
	LIST_ENTRY(shell_run) entry;
	TAILQ_ENTRY(shell_run) turn;
	struct connection *connection;
	uint32_t number;
	bool waits;
	struct keyd_link_ask *ask;
	struct shell_process *process;
	struct buf blob; /* kept until the shell starts */
	bool counted;    /* within the share of who it is for */
	bool killed;     /* the client left before there was a shell */
};

static struct share *
shells_of(struct connection *c)
{
	return &c->server->shells[c->who.admin];
}

static struct share *
starting_of(struct connection *c)
{
	return &c->server->starting[c->who.admin];
}

static void start_waiting(struct server *server);

/* A place among those on their way to a shell, which is given back later. */
struct rest {
	struct server *server;
	struct share *starting;
	char name[PROTOCOL_NAME];
};

static void
rested(void *cookie)
{
	struct rest *r = cookie;
	struct server *server = r->server;

	share_give(r->starting, r->name, 1);
	free(r);
	start_waiting(server);
}

/* Give back the place of a session that keyd was asked about, now or later. */
static void
leave_start(struct connection *c)
{
	struct rest *r = NULL;

	if (share_of(shells_of(c), c->who.name) > MANY_SESSIONS)
		r = malloc(sizeof(*r));
	if (r == NULL) {
		share_give(starting_of(c), c->who.name, 1);
		return;
	}
	r->server = c->server;
	r->starting = starting_of(c);
	memcpy(r->name, c->who.name, sizeof(r->name));
	if (loop_timer_add(c->server->loop, START_REST, rested, r) != NULL)
		return;
	share_give(r->starting, r->name, 1);
	free(r);
}

static void
shell_run_free(struct shell_run *run)
{
	struct connection *c = run->connection;

	LIST_REMOVE(run, entry);
	if (run->waits)
		TAILQ_REMOVE(&c->server->waiting, run, turn);
	if (run->ask != NULL)
		leave_start(c);
	c->nruns--;
	if (run->counted)
		share_give(shells_of(c), c->who.name, 1);
	keyd_link_ask_cancel(run->ask);
	buf_free(&run->blob);
	free(run);
}

/* There will be no shell: send REFUSED and free the run. */
static void
refuse(struct shell_run *run, const struct protocol_refuse *refusal)
{
	struct connection *c = run->connection;
	uint32_t number = run->number;
	struct buf fields = BUF_INIT;

	shell_run_free(run);
	if (protocol_encode(PROTOCOL_REFUSE, refusal, &fields) == 0)
		(void)c->ops->say(c, RELAY_REFUSED, number, buf_cursor(&fields),
		    NULL);
	buf_free(&fields);
}

static void
say_exited(struct connection *c, uint32_t number, int status)
{
	struct buf payload = BUF_INIT;

	buf_u32be(&payload, (uint32_t)status);
	if (buf_failed(&payload) == 0)
		(void)c->ops->say(c, RELAY_EXITED, number, buf_cursor(&payload),
		    NULL);
	buf_free(&payload);
}

/* --- shells ------------------------------------------------------------ */

static void
shell_exited(void *cookie, int status)
{
	struct shell_run *run = cookie;
	struct connection *c = run->connection;
	uint32_t number = run->number;

	run->process = NULL;
	shell_run_free(run);
	if (c->relay >= 0)
		say_exited(c, number, status);
	else
		c->ops->free_when_done(c);
}

int
shell_run_nicer(const struct share *s, const char *name)
{
	size_t others = share_of(s, name) - 1;

	return others < PROC_NICEST / NICE_STEP ? NICE_STEP * (int)others
	                                        : PROC_NICEST;
}

static void
start_shell(struct shell_run *run, const struct keyd_link_answer *answer)
{
	struct server *server = run->connection->server;
	const struct conf_account *admin =
	    &server->conf->users[CONF_USER_ADMIN];
	bool same = server->conf->single_user;
	struct shell_process_spec spec = { .forkserver = server->forkserver,
		.shell = server->shell,
		.nicer = shell_run_nicer(shells_of(run->connection),
		    run->connection->who.name),
		.admin = answer->admin,
		.uid = same ? PROC_SAME : admin->uid,
		.gid = same ? (gid_t)-1 : admin->gid,
		.bound = answer->fd,
		.blob = buf_cursor(&run->blob) };
	static const struct protocol_refuse failed = {
		.status = (uint32_t)-HT_ERR_INTERNAL,
		.code = "internal",
		.text = "cannot start a session"
	};
	int fds[RELAY_FDS], i;
	struct ht_error e;

	/* The connection's process works for this session, too. */
	if (run->connection->pid != 0)
		(void)proc_nicer(run->connection->pid, spec.nicer);
	run->process = shell_process_start(server->loop, &spec, fds,
	    shell_exited, run, &e);
	buf_free(&run->blob);
	if (run->process == NULL) {
		log_error("%s: %s", run->connection->peer.address, e.text);
		refuse(run, &failed);
		return;
	}
	(void)run->connection->ops->say(run->connection, RELAY_STARTED,
	    run->number, cursor_over(NULL, 0), fds);
	for (i = 0; i < RELAY_FDS; i++)
		(void)close(fds[i]);
}

/* The client left before its shell was started. */
static void
end_killed(struct shell_run *run)
{
	struct connection *c = run->connection;
	uint32_t number = run->number;

	shell_run_free(run);
	say_exited(c, number, 0);
}

static void
session_answered(void *cookie, struct keyd_link_answer *answer)
{
	struct shell_run *run = cookie;
	struct server *server = run->connection->server;

	run->ask = NULL;
	leave_start(run->connection);
	if (run->killed)
		end_killed(run);
	else if (answer->type == PROTOCOL_START)
		start_shell(run, answer);
	else
		refuse(run, &answer->refuse);
	if (answer->fd >= 0)
		(void)close(answer->fd);
	start_waiting(server);
}

/* The first whose client has not too many on their way; it is counted then. */
static struct shell_run *
take_waiting(struct server *server)
{
	struct shell_run *run;
	struct connection *c;

	TAILQ_FOREACH(run, &server->waiting, turn) {
		c = run->connection;
		if (share_take_one(starting_of(c), c->who.name, STARTING_MAX))
			return run;
	}
	return NULL;
}

/* A session that is refused may end its connection, and all that it has. */
static void
start_waiting(struct server *server)
{
	static const struct protocol_refuse away = {
		.status = (uint32_t)-HT_ERR_UNAVAILABLE,
		.code = "unavailable",
		.text = "htsign-keyd is away; try again later"
	};
	struct shell_run *run;
	struct connection *c;

	while ((run = take_waiting(server)) != NULL) {
		c = run->connection;
		TAILQ_REMOVE(&server->waiting, run, turn);
		run->waits = false;
		run->ask = c->ops->ask(c, PROTOCOL_SESSION,
		    buf_cursor(&run->blob), session_answered, run);
		if (run->ask != NULL)
			continue;
		share_give(starting_of(c), c->who.name, 1);
		refuse(run, &away);
	}
}

static struct shell_run *
find_run(struct connection *c, uint32_t number)
{
	struct shell_run *run;

	LIST_FOREACH(run, &c->runs, entry)
		if (run->number == number)
			return run;
	return NULL;
}

/*
 * Refuse a session of somebody who has his share of connections or of sessions.
 * A connection without a place ends after that.
 */
static void
refuse_more(struct shell_run *run)
{
	struct connection *c = run->connection;
	struct protocol_refuse no = { .status = (uint32_t)-HT_ERR_TEMPORARY,
		.code = "share",
		.retry = RETRY };

	if (c->placed)
		(void)snprintf(no.text, sizeof(no.text),
		    "%s has %zu sessions open, which is its share: let some "
		    "end first",
		    c->who.name, share_of(shells_of(c), c->who.name));
	else
		(void)snprintf(no.text, sizeof(no.text),
		    "%s has %zu connections open, which is its share: close "
		    "some, or use one for many sessions",
		    c->who.name,
		    share_of(&c->server->places[c->who.admin], c->who.name));
	log_often(&c->server->refused, log_notice, "%s: session refused: %s",
	    c->peer.address, no.text);
	refuse(run, &no);
	if (!c->placed)
		(void)c->ops->say(c, RELAY_DRAIN, 0, cursor_over(NULL, 0),
		    NULL);
}

int
shell_run_on_session(struct connection *c, uint32_t number, struct cursor blob)
{
	struct shell_run *run;

	if (!c->authenticated || find_run(c, number) != NULL ||
	    c->nruns >= RELAY_SESSIONS_MAX)
		return HT_ERR_DATA;
	run = calloc(1, sizeof(*run));
	if (run == NULL)
		return HT_ERR_INTERNAL;
	run->connection = c;
	run->number = number;
	LIST_INSERT_HEAD(&c->runs, run, entry);
	c->nruns++;
	buf_bytes(&run->blob, blob.p, blob.left);
	run->counted = c->placed && buf_failed(&run->blob) == 0 &&
	    share_take(shells_of(c), c->who.name, 1);
	if (!run->counted) {
		refuse_more(run);
		return 0;
	}
	run->waits = true;
	TAILQ_INSERT_TAIL(&c->server->waiting, run, turn);
	start_waiting(c->server);
	return 0;
}

/*
 * END and KILL may cross the EXITED of a channel that is over already.  A
 * channel that is killed while keyd is asked stays until keyd has answered.
 * Otherwise a connection could have any number of open questions.
 */
int
shell_run_on_end(struct connection *c, uint32_t number)
{
	struct shell_run *run = find_run(c, number);

	if (run != NULL && run->process != NULL)
		shell_process_end_input(run->process);
	return 0;
}

int
shell_run_on_kill(struct connection *c, uint32_t number)
{
	struct shell_run *run = find_run(c, number);

	if (run == NULL)
		return 0;
	if (run->process != NULL)
		shell_process_kill(run->process);
	else if (run->waits)
		end_killed(run);
	else
		run->killed = true;
	return 0;
}

void
shell_run_end_all(struct connection *c)
{
	struct shell_run *run, *next;

	for (run = LIST_FIRST(&c->runs); run != NULL; run = next) {
		next = LIST_NEXT(run, entry);
		if (run->process != NULL)
			shell_process_kill(run->process);
		else
			shell_run_free(run);
	}
	start_waiting(c->server);
}
