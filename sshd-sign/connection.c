#include "config.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/proc.h"
#include "sshd-sign/connection.h"
#include "sshd-sign/network.h"
#include "sshd-sign/relay.h"
#include "sshd-sign/session.h"

/* Messages of one network process before the others have their turn. */
#define MESSAGES_AT_ONCE 16

/*
 * A channel with a shell: first the question to keyd (ask), then the shell
 * (session).  It is gone when its REFUSED or EXITED is sent.
 */
struct run {
	LIST_ENTRY(run) entry;
	struct connection *connection;
	uint32_t number;
	struct keyd_ask *ask;
	struct session *session;
	struct buf blob; /* kept until the shell starts */
	bool killed;     /* before there was a shell */
};

struct connection {
	LIST_ENTRY(connection) entry;
	struct server *server;
	pid_t pid; /* of the network process; 0 once it was waited for */
	int pidfd;
	struct loop_watch *pid_watch;
	int relay; /* -1 once closed: the connection is ending */
	struct loop_watch *relay_watch;
	struct loop_timer *grace; /* NULL once authenticated */
	struct keyd_ask *login;
	unsigned int logins;
	bool admitted;
	bool authenticated;
	LIST_HEAD(run_list, run) runs;
	unsigned int nruns;
	struct network_peer peer;
};

static const struct cursor nothing = { NULL, 0 };

/* --- the end ----------------------------------------------------------- */

static void
free_when_done(struct connection *c)
{
	if (c->relay >= 0 || c->pid != 0 || !LIST_EMPTY(&c->runs))
		return;
	LIST_REMOVE(c, entry);
	c->server->connections--;
	if (!c->authenticated)
		c->server->starting--;
	free(c);
}

static void
run_free(struct run *run)
{
	LIST_REMOVE(run, entry);
	run->connection->nruns--;
	keyd_ask_cancel(run->ask);
	buf_free(&run->blob);
	free(run);
}

/*
 * The connection is over: whatever still runs for it is killed, and it goes
 * when all of that has ended.
 */
static void
close_connection(struct connection *c)
{
	struct run *run, *next;

	if (c->relay < 0)
		return;
	loop_watch_remove(c->relay_watch);
	(void)close(c->relay);
	c->relay = -1;
	loop_timer_remove(c->grace);
	c->grace = NULL;
	keyd_ask_cancel(c->login);
	c->login = NULL;
	for (run = LIST_FIRST(&c->runs); run != NULL; run = next) {
		next = LIST_NEXT(run, entry);
		if (run->session != NULL)
			session_kill(run->session);
		else
			run_free(run);
	}
	if (c->pid != 0)
		(void)pidfd_send_signal(c->pidfd, SIGKILL, NULL, 0);
	free_when_done(c);
}

static void
network_ended(void *cookie, short revents)
{
	struct connection *c = cookie;
	int status = 0;

	(void)revents;
	if (waitpid(c->pid, &status, WNOHANG) == 0)
		return;
	if (WIFSIGNALED(status) && c->relay >= 0)
		log_error("%s: network process died of signal %d",
		    c->peer.address, WTERMSIG(status));
	loop_watch_remove(c->pid_watch);
	(void)close(c->pidfd);
	c->pid = 0;
	if (c->relay >= 0)
		close_connection(c);
	else
		free_when_done(c);
}

static void
too_late(void *cookie)
{
	struct connection *c = cookie;

	c->grace = NULL;
	log_notice("%s: did not log in in time", c->peer.address);
	close_connection(c);
}

/* --- what it says to its network process ------------------------------- */

static int
say(struct connection *c, enum relay_type type, uint32_t channel,
    struct cursor payload, const int *fds)
{
	struct ht_error e;

	if (c->relay < 0)
		return HT_ERR_UNAVAILABLE;
	if (relay_send(c->relay, type, channel, payload, fds, &e) == 0)
		return 0;
	log_debug("%s: %s", c->peer.address, e.text);
	close_connection(c);
	return HT_ERR_UNAVAILABLE;
}

/* The channel is over before its shell began. */
static void
refuse(struct run *run, const struct protocol_refuse *refusal)
{
	struct connection *c = run->connection;
	uint32_t number = run->number;
	struct buf fields = BUF_INIT;

	run_free(run);
	if (protocol_encode(PROTOCOL_REFUSE, refusal, &fields) == 0)
		(void)say(c, RELAY_REFUSED, number, buf_cursor(&fields), NULL);
	buf_free(&fields);
}

static void
say_exited(struct connection *c, uint32_t number, int status)
{
	struct buf payload = BUF_INIT;

	buf_u32be(&payload, (uint32_t)status);
	if (buf_failed(&payload) == 0)
		(void)say(c, RELAY_EXITED, number, buf_cursor(&payload), NULL);
	buf_free(&payload);
}

/* --- shells ------------------------------------------------------------ */

static void
shell_exited(void *cookie, int status)
{
	struct run *run = cookie;
	struct connection *c = run->connection;
	uint32_t number = run->number;

	c->server->shells--;
	run->session = NULL;
	run_free(run);
	if (c->relay >= 0)
		say_exited(c, number, status);
	else
		free_when_done(c);
}

static void
start_shell(struct run *run, const struct keyd_answer *answer)
{
	struct server *server = run->connection->server;
	const struct conf_account *admin =
	    &server->conf->users[CONF_USER_ADMIN];
	bool same = server->conf->single_user;
	struct session_spec spec = { .nursery = server->nursery,
		.shell = server->shell,
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

	run->session =
	    session_start(server->loop, &spec, fds, shell_exited, run, &e);
	buf_free(&run->blob);
	if (run->session == NULL) {
		log_error("%s: %s", run->connection->peer.address, e.text);
		refuse(run, &failed);
		return;
	}
	server->shells++;
	(void)say(run->connection, RELAY_STARTED, run->number, nothing, fds);
	for (i = 0; i < RELAY_FDS; i++)
		(void)close(fds[i]);
}

/* The client went before its shell began. */
static void
end_killed(struct run *run)
{
	struct connection *c = run->connection;
	uint32_t number = run->number;

	run_free(run);
	say_exited(c, number, 0);
}

static void
session_answered(void *cookie, struct keyd_answer *answer)
{
	struct run *run = cookie;

	run->ask = NULL;
	if (run->killed)
		end_killed(run);
	else if (answer->type == PROTOCOL_START)
		start_shell(run, answer);
	else
		refuse(run, &answer->refuse);
	if (answer->fd >= 0)
		(void)close(answer->fd);
}

/* --- what the network process asks for --------------------------------- */

static void
login_answered(void *cookie, struct keyd_answer *answer)
{
	struct connection *c = cookie;

	c->login = NULL;
	if (answer->type == PROTOCOL_ADMIT) {
		c->admitted = true;
		(void)say(c, RELAY_ADMIT, 0, nothing, NULL);
		return;
	}
	log_notice("%s: login refused: %s", c->peer.address,
	    answer->refuse.text);
	(void)say(c, RELAY_DENY, 0, nothing, NULL);
}

static struct keyd_ask *
ask(struct connection *c, enum protocol_type type, struct cursor blob,
    keyd_answer_fn *fn, void *cookie)
{
	struct protocol_relayed relayed;

	memcpy(relayed.peer, c->peer.address, sizeof(relayed.peer));
	memcpy(relayed.local, c->peer.local, sizeof(relayed.local));
	relayed.blob = blob;
	return keyd_ask(c->server->keyd, type, &relayed, fn, cookie);
}

static int
on_login(struct connection *c, struct cursor blob)
{
	if (c->login != NULL || c->authenticated ||
	    ++c->logins > c->server->conf->ssh.max_auth_tries)
		return HT_ERR_DATA;
	c->login = ask(c, PROTOCOL_LOGIN, blob, login_answered, c);
	if (c->login == NULL)
		return say(c, RELAY_DENY, 0, nothing, NULL);
	return 0;
}

static int
on_authenticated(struct connection *c)
{
	if (!c->admitted || c->authenticated)
		return HT_ERR_DATA;
	c->authenticated = true;
	c->server->starting--;
	loop_timer_remove(c->grace);
	c->grace = NULL;
	return 0;
}

static struct run *
find_run(struct connection *c, uint32_t number)
{
	struct run *run;

	LIST_FOREACH(run, &c->runs, entry)
	if (run->number == number)
		return run;
	return NULL;
}

static int
on_session(struct connection *c, uint32_t number, struct cursor blob)
{
	static const struct protocol_refuse busy = {
		.status = (uint32_t)-HT_ERR_TEMPORARY,
		.code = "busy",
		.text = "too many sessions; try again later"
	};
	static const struct protocol_refuse away = {
		.status = (uint32_t)-HT_ERR_UNAVAILABLE,
		.code = "unavailable",
		.text = "htsign-keyd is away; try again later"
	};
	struct run *run;

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
	if (buf_failed(&run->blob) < 0 ||
	    c->server->shells >= CONNECTION_SHELLS_MAX) {
		refuse(run, &busy);
		return 0;
	}
	run->ask = ask(c, PROTOCOL_SESSION, blob, session_answered, run);
	if (run->ask == NULL)
		refuse(run, &away);
	return 0;
}

/*
 * Both may cross the EXITED of a channel that is over already.  A channel that
 * is killed before there is a shell keeps its place until keyd has answered:
 * otherwise a connection could have any number of questions under way.
 */
static int
on_end(struct connection *c, uint32_t number)
{
	struct run *run = find_run(c, number);

	if (run != NULL && run->session != NULL)
		session_end_input(run->session);
	return 0;
}

static int
on_kill(struct connection *c, uint32_t number)
{
	struct run *run = find_run(c, number);

	if (run != NULL && run->session != NULL)
		session_kill(run->session);
	else if (run != NULL)
		run->killed = true;
	return 0;
}

static int
take(struct connection *c, const struct relay_message *m)
{
	switch (m->type) {
	case RELAY_LOGIN:
		return on_login(c, m->payload);
	case RELAY_AUTHENTICATED:
		return on_authenticated(c);
	case RELAY_SESSION:
		return on_session(c, m->channel, m->payload);
	case RELAY_END:
		return on_end(c, m->channel);
	case RELAY_KILL:
		return on_kill(c, m->channel);
	default:
		return HT_ERR_DATA;
	}
}

static void
relay_ready(void *cookie, short revents)
{
	static struct relay_message m;
	struct connection *c = cookie;
	struct ht_error e;
	int i, rc = 1;

	(void)revents;
	for (i = 0; i < MESSAGES_AT_ONCE && rc == 1 && c->relay >= 0; i++) {
		rc = relay_receive(c->relay, RELAY_NETWORK, &m, &e);
		if (rc == 1 && take(c, &m) < 0 && c->relay >= 0)
			rc = ht_error_set(&e, HT_ERR_DATA,
			    "relay: message %d out of turn", (int)m.type);
	}
	if (rc == HT_ERR_DATA)
		log_error("%s: %s", c->peer.address, e.text);
	if (rc < 0)
		close_connection(c);
}

/* --- the beginning ----------------------------------------------------- */

static int
name_end(const struct sockaddr_storage *address, socklen_t length, char *host,
    char *port, struct ht_error *e)
{
	if (getnameinfo((const struct sockaddr *)address, length, host,
	        PROTOCOL_ADDRESS, port, NETWORK_PORT,
	        NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return ht_error_set(e, HT_ERR_INTERNAL, "an odd address");
	return 0;
}

static int
name_peer(int fd, struct network_peer *peer, struct ht_error *e)
{
	struct sockaddr_storage there, here;
	socklen_t there_size = sizeof(there), here_size = sizeof(here);

	if (getpeername(fd, (struct sockaddr *)&there, &there_size) < 0 ||
	    getsockname(fd, (struct sockaddr *)&here, &here_size) < 0)
		return ht_error_errno(e, "a client that is gone already");
	if (name_end(&there, there_size, peer->address, peer->port, e) < 0)
		return HT_ERR_INTERNAL;
	return name_end(&here, here_size, peer->local, peer->local_port, e);
}

/* In the child: from here on it is a network process. */
static void __attribute__((noreturn))
become_network(struct connection *c, int fd, int relay, pid_t parent)
{
	const struct server *server = c->server;
	const int keep[2] = { fd, relay };
	struct ht_error e;

	if (jail_enter(&server->jail, keep, parent, &e) < 0)
		_exit(-HT_ERR_INTERNAL);
	_exit(network_run(server->bind, &server->conf->ssh, &c->peer));
}

static int
start_network(struct connection *c, int fd, struct ht_error *e)
{
	pid_t parent = getpid();
	int pair[2], rc;

	rc = relay_pair(pair, e);
	if (rc < 0)
		return rc;
	c->pid = fork();
	if (c->pid == 0)
		become_network(c, fd, pair[1], parent);
	if (c->pid < 0)
		rc = ht_error_errno(e, "fork");
	(void)close(pair[1]);
	if (rc == 0)
		c->pidfd = pidfd_open(c->pid, 0);
	if (rc == 0 && c->pidfd < 0) {
		rc = ht_error_errno(e, "pidfd_open");
		(void)kill(c->pid, SIGKILL);
		(void)waitpid(c->pid, NULL, 0);
	}
	if (rc == 0)
		c->relay = pair[0];
	else
		(void)close(pair[0]);
	return rc;
}

/* The process runs: watch it. */
static int
watch(struct connection *c, struct ht_error *e)
{
	struct server *server = c->server;

	c->pid_watch =
	    loop_watch_add(server->loop, c->pidfd, POLLIN, network_ended, c);
	c->relay_watch =
	    loop_watch_add(server->loop, c->relay, POLLIN, relay_ready, c);
	c->grace = loop_timer_add(server->loop,
	    (uint64_t)server->conf->ssh.login_grace * 1000, too_late, c);
	if (c->pid_watch != NULL && c->relay_watch != NULL && c->grace != NULL)
		return 0;
	(void)ht_error_errno(e, "connection");
	loop_watch_remove(c->pid_watch);
	loop_watch_remove(c->relay_watch);
	loop_timer_remove(c->grace);
	(void)kill(c->pid, SIGKILL);
	(void)waitpid(c->pid, NULL, 0);
	(void)close(c->pidfd);
	(void)close(c->relay);
	return HT_ERR_INTERNAL;
}

int
connection_open(struct server *server, int fd, struct ht_error *e)
{
	struct connection *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL) {
		(void)close(fd);
		return ht_error_errno(e, "connection");
	}
	c->server = server;
	LIST_INIT(&c->runs);
	rc = name_peer(fd, &c->peer, e);
	if (rc == 0)
		rc = start_network(c, fd, e);
	if (rc == 0)
		rc = watch(c, e);
	(void)close(fd);
	if (rc < 0) {
		free(c);
		return rc;
	}
	LIST_INSERT_HEAD(&server->list, c, entry);
	server->connections++;
	server->starting++;
	return 0;
}

void
connection_drain_all(struct server *server)
{
	struct connection *c, *next;

	for (c = LIST_FIRST(&server->list); c != NULL; c = next) {
		next = LIST_NEXT(c, entry);
		(void)say(c, RELAY_DRAIN, 0, nothing, NULL);
	}
}

void
connection_close_all(struct server *server)
{
	struct connection *c, *next;

	for (c = LIST_FIRST(&server->list); c != NULL; c = next) {
		next = LIST_NEXT(c, entry);
		close_connection(c);
	}
}
