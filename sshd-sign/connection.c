#include "config.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/proc.h"
#include "sshd-sign/connection-private.h"

/* Read this many messages of one network process, then serve the others. */
#define MESSAGES_AT_ONCE 16

/* How long the shells of a revoked client have to say so, in milliseconds. */
#define REVOKED 2000

/*
 * The time between two heartbeats, and the processor time after which a network
 * process without shells is asked whether it still answers, both in ms.  One
 * that has not answered spins if it has used so much processor time since, in
 * ms.  At so many further beats it is taken to be stuck.
 */
#define BEAT 5000
#define BUSY 20
#define SPINS 2000
#define STUCK 12

/*
 * A key exchange costs the endpoint more than a stranger.  So many of a network
 * are as eager as everybody; more at a time get what all others leave.
 */
#define EAGER 10

static const struct cursor nothing = { NULL, 0 };

/* --- the end ----------------------------------------------------------- */

static void
free_when_done(struct connection *c)
{
	if (c->relay >= 0 || c->pid != 0 || !LIST_EMPTY(&c->runs))
		return;
	LIST_REMOVE(c, entry);
	c->server->connections--;
	free(c);
}

/* A refused plain key is not logged if the client had a better login later. */
static void
report_stranger(const struct connection *c)
{
	if (!c->stranger || c->refused || c->authenticated)
		return;
	log_notice("%s: login refused: no key that is known here",
	    c->peer.address);
	keyd_link_stranger(c->server->keyd, c->peer.address);
}

/*
 * End the connection: kill all its processes.  It is freed when they have
 * ended.
 */
static void
close_connection(struct connection *c)
{
	if (c->relay < 0)
		return;
	loop_watch_remove(c->relay_watch);
	(void)close(c->relay);
	c->relay = -1;
	loop_timer_remove(c->grace);
	c->grace = NULL;
	keyd_link_ask_cancel(c->login);
	c->login = NULL;
	report_stranger(c);
	startups_remove(&c->server->startups, &c->startup);
	if (c->placed)
		share_give(&c->server->places[c->who.admin], c->who.name, 1);
	shell_run_end_all(c);
	if (c->pid != 0)
		(void)pidfd_send_signal(c->pidfd, SIGKILL, NULL, 0);
	free_when_done(c);
}

static void
too_late(void *cookie)
{
	struct connection *c = cookie;

	c->grace = NULL;
	if (!c->authenticated)
		log_notice("%s: did not log in in time", c->peer.address);
	close_connection(c);
}

/* --- messages to the network process ----------------------------------- */

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

/* --- heartbeat --------------------------------------------------------- */

static uint64_t
time_used(const struct connection *c)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(c->pid, &clock) != 0 ||
	    clock_gettime(clock, &t) < 0)
		return c->used;
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/*
 * A process that does nothing for nobody is not asked, so it is not woken.  One
 * that the kernel does not let run has used no time, and is waited for.
 */
static void
ask_whether_alive(struct connection *c)
{
	uint64_t used = time_used(c);

	if (c->unanswered == 0) {
		if (LIST_EMPTY(&c->runs) && used - c->used < BUSY)
			return;
		c->used = used;
		c->unanswered = 1;
		(void)say(c, RELAY_PING, 0, nothing, NULL);
	} else if (used - c->used >= SPINS || ++c->unanswered > STUCK) {
		log_error("%s: network process does not answer: killed after "
		          "%llu ms of processor time",
		    c->peer.address, (unsigned long long)used);
		close_connection(c);
	}
}

static void
beat(void *cookie)
{
	struct server *server = cookie;
	struct connection *c, *next;

	server->beat = NULL;
	for (c = LIST_FIRST(&server->list); c != NULL; c = next) {
		next = LIST_NEXT(c, entry);
		if (c->relay >= 0)
			ask_whether_alive(c);
	}
	if (!LIST_EMPTY(&server->list))
		server->beat = loop_timer_add(server->loop, BEAT, beat, server);
}

/* --- messages from the network process --------------------------------- */

static void
login_answered(void *cookie, struct keyd_link_answer *answer)
{
	struct connection *c = cookie;

	c->login = NULL;
	if (answer->type == PROTOCOL_ADMIT) {
		c->admitted = true;
		c->who = answer->admit;
		(void)say(c, RELAY_ADMIT, 0, nothing, NULL);
		return;
	}
	if (strcmp(answer->refuse.code, PROTOCOL_UNKNOWN_KEY) == 0) {
		c->stranger = true;
	} else {
		c->refused = true;
		log_notice("%s: login refused: %s", c->peer.address,
		    answer->refuse.text);
	}
	(void)say(c, RELAY_DENY, 0, nothing, NULL);
}

static struct keyd_link_ask *
ask(struct connection *c, enum protocol_type type, struct cursor blob,
    keyd_link_answer_fn *fn, void *cookie)
{
	struct protocol_relayed relayed;

	memcpy(relayed.peer, c->peer.address, sizeof(relayed.peer));
	relayed.port = (uint32_t)strtoul(c->peer.port, NULL, 10);
	memcpy(relayed.local, c->peer.local, sizeof(relayed.local));
	relayed.blob = blob;
	return keyd_link_ask(c->server->keyd, type, &relayed, fn, cookie);
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

/*
 * Whoever has his share of connections gets no place: his sessions are refused,
 * and the connection ends as one would that does not log in.
 */
static int
on_authenticated(struct connection *c)
{
	struct server *s = c->server;

	if (!c->admitted || c->authenticated)
		return HT_ERR_DATA;
	c->authenticated = true;
	c->placed = share_take(&s->places[c->who.admin], c->who.name, 1);
	if (!c->placed)
		return 0;
	startups_remove(&s->startups, &c->startup);
	loop_timer_remove(c->grace);
	c->grace = NULL;
	if (c->pid != 0)
		(void)proc_nicer(c->pid,
		    shell_run_nicer(&s->places[c->who.admin], c->who.name));
	return 0;
}

/*
 * Log why the network process ends.  FAILED is its last message.  A client whose
 * algorithms do not fit comes again and again.
 */
static int
on_failed(struct connection *c, struct cursor payload)
{
	int code = -payload.p[0], n = (int)payload.left - 1;
	const char *text = (const char *)payload.p + 1;

	if (code == HT_ERR_REFUSED)
		log_often(&c->server->unfit, log_notice, "%s: %.*s",
		    c->peer.address, n, text);
	else if (code == HT_ERR_INTERNAL)
		log_error("%s: %.*s", c->peer.address, n, text);
	else
		log_notice("%s: %.*s", c->peer.address, n, text);
	close_connection(c);
	return 0;
}

static int
on_pong(struct connection *c)
{
	if (c->unanswered == 0)
		return HT_ERR_DATA;
	c->unanswered = 0;
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
		return shell_run_on_session(c, m->channel, m->payload);
	case RELAY_END:
		return shell_run_on_end(c, m->channel);
	case RELAY_KILL:
		return shell_run_on_kill(c, m->channel);
	case RELAY_PONG:
		return on_pong(c);
	case RELAY_FAILED:
		return on_failed(c, m->payload);
	default:
		return HT_ERR_DATA;
	}
}

static void
hear(struct connection *c, int most)
{
	static struct relay_message m;
	struct ht_error e;
	int i, taken, rc = 1;

	for (i = 0; i < most && rc == 1 && c->relay >= 0; i++) {
		rc = relay_receive(c->relay, RELAY_NETWORK, &m, &e);
		taken = rc == 1 ? take(c, &m) : 0;
		if (taken == HT_ERR_INTERNAL)
			rc = ht_error_memory(&e);
		else if (taken == HT_ERR_DATA)
			rc = ht_error_set(&e, HT_ERR_DATA,
			    "relay: message %d out of turn", (int)m.type);
	}
	if (rc == HT_ERR_DATA || rc == HT_ERR_INTERNAL)
		log_error("%s: %s", c->peer.address, e.text);
	if (rc < 0)
		close_connection(c);
}

static void
relay_ready(void *cookie, short revents)
{
	struct connection *c = cookie;

	(void)revents;
	hear(c, MESSAGES_AT_ONCE);
}

/* Not called for a process that we have killed. */
static void
log_end(const struct connection *c, int status)
{
	if (WIFSIGNALED(status))
		log_error("%s: network process died of signal %d",
		    c->peer.address, WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		log_error("%s: network process ended with status %d",
		    c->peer.address, WEXITSTATUS(status));
}

static void
network_ended(void *cookie, short revents)
{
	struct connection *c = cookie;
	int status = 0;

	(void)revents;
	if (waitpid(c->pid, &status, WNOHANG) == 0)
		return;
	if (c->relay >= 0) {
		log_end(c, status);
		hear(c, INT_MAX);
	}
	loop_watch_remove(c->pid_watch);
	(void)close(c->pidfd);
	c->pid = 0;
	if (c->relay >= 0)
		close_connection(c);
	else
		free_when_done(c);
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
name_peer(int fd, struct network_peer *peer, struct sockaddr_storage *there,
    struct ht_error *e)
{
	struct sockaddr_storage here;
	socklen_t there_size = sizeof(*there), here_size = sizeof(here);

	if (getpeername(fd, (struct sockaddr *)there, &there_size) < 0 ||
	    getsockname(fd, (struct sockaddr *)&here, &here_size) < 0)
		return ht_error_errno(e, "a client that is gone already");
	if (name_end(there, there_size, peer->address, peer->port, e) < 0)
		return HT_ERR_INTERNAL;
	return name_end(&here, here_size, peer->local, peer->local_port, e);
}

/* In the child: become the network process. */
static void __attribute__((noreturn))
become_network(struct connection *c, int fd, int relay, pid_t parent)
{
	const struct server *server = c->server;
	const int keep[2] = { fd, relay };

	if (jail_enter(&server->jail, keep, parent) == 0)
		network_run(server->bind, &server->conf->ssh, &c->peer);
	_exit(0);
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

/* Watch the process.  On error it is killed and reaped. */
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

static const struct connection_ops ops = { say, ask, free_when_done };

int
connection_open(struct server *server, int fd, struct ht_error *e)
{
	struct connection *c = calloc(1, sizeof(*c));
	struct sockaddr_storage from;
	int rc;

	if (c == NULL) {
		(void)close(fd);
		return ht_error_errno(e, "connection");
	}
	c->ops = &ops;
	c->server = server;
	LIST_INIT(&c->runs);
	rc = name_peer(fd, &c->peer, &from, e);
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
	c->startup.owner = c;
	startups_add(&server->startups, &c->startup, &from);
	(void)proc_nicer(c->pid,
	    c->startup.of_network > EAGER ? PROC_NICEST : 0);
	if (server->beat == NULL)
		server->beat = loop_timer_add(server->loop, BEAT, beat, server);
	return 0;
}

void
connection_prepare(struct server *s)
{
	const struct conf_ssh *ssh = &s->conf->ssh;

	share_init(&s->places[0], ssh->max_connections);
	share_init(&s->places[1], CONNECTION_ADMINS);
	share_init(&s->shells[0], CONNECTION_SHELLS);
	share_init(&s->shells[1], CONNECTION_ADMINS_SHELLS);
	share_init(&s->starting[0], 0);
	share_init(&s->starting[1], 0);
	TAILQ_INIT(&s->waiting);
	s->startups.start = ssh->startups;
	s->startups.rate = ssh->startups_rate;
	s->startups.full = ssh->startups_full;
}

bool
connection_make_room(struct server *s, const struct sockaddr_storage *newcomer)
{
	struct startup *one;
	unsigned int lot;

	if (getrandom(&lot, sizeof(lot), 0) != sizeof(lot))
		lot = 0;
	if (!startups_crowded(&s->startups, lot % 100))
		return true;
	log_often(&s->dropped, log_notice,
	    "too many connections that do not log in: one is dropped");
	one = startups_choose(&s->startups, newcomer);
	if (one == NULL)
		return false;
	close_connection(one->owner);
	return true;
}

/* The shells say why they end.  The connection goes after them. */
static void
end_revoked(struct connection *c)
{
	log_notice("%s: %s is revoked or disabled: the connection ends",
	    c->peer.address, c->who.name);
	loop_timer_remove(c->grace);
	c->grace = loop_timer_add(c->server->loop, REVOKED, too_late, c);
	if (c->grace == NULL)
		close_connection(c);
	else
		(void)say(c, RELAY_DRAIN, 0, nothing, NULL);
}

/* Whether who was let in by what is revoked. */
static bool
is_meant(const struct protocol_admit *who, const struct protocol_revoked *what)
{
	if (what->key[0] != '\0')
		return strcmp(who->key, what->key) == 0;
	if (who->admin)
		return false;
	return what->name[0] != '\0' ? strcmp(who->name, what->name) == 0
	                             : who->serial == what->serial;
}

void
connection_revoked(struct server *s, const struct protocol_revoked *what)
{
	struct connection *c, *next;

	for (c = LIST_FIRST(&s->list); c != NULL; c = next) {
		next = LIST_NEXT(c, entry);
		if (c->admitted && c->relay >= 0 && is_meant(&c->who, what))
			end_revoked(c);
	}
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
