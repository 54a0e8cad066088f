#include "config.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/loop.h"
#include "lib/notify.h"
#include "lib/proc.h"
#include "lib/sandbox.h"
#include "sshd-sign/connection.h"
#include "sshd-sign/keyd-link.h"
#include "sshd-sign/listener.h"
#include "sshd-sign/transport.h"

/* Connections that wait to be accepted, and that are accepted at a time. */
#define BACKLOG 512
#define ACCEPT_AT_ONCE 16

/*
 * Times in milliseconds: the break when there are no descriptors left; the
 * break while keyd is restarted; how long sessions may go on after SIGTERM; the
 * time between two log lines about drops, or about breaks.
 */
#define ACCEPT_BREAK 100
#define RESTART_BREAK 20
#define DRAIN_TIME 60000

struct listener {
	struct server server;
	char shell[PATH_MAX];
	struct socket *sockets;    /* as many as conf->ssh.nlisten */
	struct loop_timer *resume; /* runs while nothing is accepted */
	struct log_often away;
	struct log_often breaks;
	bool draining;
	bool over;
};

struct socket {
	struct listener *listener;
	int fd;
	struct loop_watch *watch;
};

/* --- accepting --------------------------------------------------------- */

static void
accept_all(struct listener *l, short events)
{
	size_t i;

	for (i = 0; i < l->server.conf->ssh.nlisten; i++)
		loop_watch_events(l->sockets[i].watch, events);
}

static void
resume(void *cookie)
{
	struct listener *l = cookie;

	l->resume = NULL;
	if (!l->draining)
		accept_all(l, POLLIN);
}

/* Stop polling for a while.  New clients wait in the backlog. */
static void
take_a_break(struct listener *l, unsigned int ms)
{
	l->resume = loop_timer_add(l->server.loop, ms, resume, l);
	if (l->resume != NULL)
		accept_all(l, 0);
}

/* No descriptors or no memory.  New clients would cause this again at once. */
static void
no_more(struct listener *l, const char *why)
{
	log_often(&l->breaks, log_error, "accept: %s", why);
	take_a_break(l, ACCEPT_BREAK);
}

static void
acceptable(void *cookie, short revents)
{
	struct socket *s = cookie;
	struct listener *l = s->listener;
	struct sockaddr_storage from;
	socklen_t size;
	struct ht_error e;
	int fd, i;

	(void)revents;
	if (keyd_link_expected(l->server.keyd)) {
		take_a_break(l, RESTART_BREAK);
		return;
	}
	for (i = 0; i < ACCEPT_AT_ONCE; i++) {
		size = sizeof(from);
		fd = accept4(s->fd, (struct sockaddr *)&from, &size,
		    SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE ||
			    errno == ENOMEM || errno == ENOBUFS)
				no_more(l, strerror(errno));
			return;
		}
		if (!keyd_link_present(l->server.keyd)) {
			log_often(&l->away, log_notice,
			    "htsign-keyd is away: a connection is dropped");
			(void)close(fd);
		} else if (!connection_make_room(&l->server, &from)) {
			(void)close(fd);
		} else if (connection_open(&l->server, fd, &e) < 0) {
			log_error("%s", e.text);
		}
	}
}

/* Returns -1 and errno on error. */
static int
bind_socket(int fd, const struct conf_listen *where)
{
	const int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (where->address.ss_family == AF_INET6 &&
	        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0))
		return -1;
	return bind(fd, (const struct sockaddr *)&where->address,
	    where->length);
}

static int
new_socket(const struct conf_listen *where)
{
	return socket(where->address.ss_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static int
cannot_listen(const struct conf *conf, const struct conf_listen *where,
    struct ht_error *e)
{
	(void)ht_error_errno(e, "cannot listen on %s", where->text);
	return conf_at(conf, where->text, e);
}

/* That something listens there is no mistake: this may be about to. */
static int
check_address(const struct conf *conf, const struct conf_listen *where,
    struct ht_error *e)
{
	int fd = new_socket(where), rc = 0;

	if (fd < 0 || (bind_socket(fd, where) < 0 && errno != EADDRINUSE))
		rc = cannot_listen(conf, where, e);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

int
listener_check(const struct conf *conf, struct ht_error *e)
{
	ssh_bind bind = transport_new(conf, e);
	size_t i;
	int rc = bind == NULL ? e->code : 0;

	ssh_bind_free(bind);
	for (i = 0; i < conf->ssh.nlisten && rc == 0; i++)
		rc = check_address(conf, &conf->ssh.listen[i], e);
	return rc;
}

static int
open_sockets(struct listener *l, struct ht_error *e)
{
	const struct conf_ssh *ssh = &l->server.conf->ssh;
	size_t i;
	int rc = 0;

	l->sockets = calloc(ssh->nlisten, sizeof(*l->sockets));
	if (l->sockets == NULL)
		return ht_error_errno(e, "sockets");
	for (i = 0; i < ssh->nlisten; i++)
		l->sockets[i].fd = -1;
	for (i = 0; i < ssh->nlisten && rc == 0; i++) {
		l->sockets[i].listener = l;
		l->sockets[i].fd = new_socket(&ssh->listen[i]);
		if (l->sockets[i].fd < 0 ||
		    bind_socket(l->sockets[i].fd, &ssh->listen[i]) < 0 ||
		    listen(l->sockets[i].fd, BACKLOG) < 0)
			rc = cannot_listen(l->server.conf, &ssh->listen[i], e);
	}
	return rc;
}

static int
watch_sockets(struct listener *l, struct ht_error *e)
{
	struct socket *s;
	size_t i;

	for (i = 0; i < l->server.conf->ssh.nlisten; i++) {
		s = &l->sockets[i];
		s->watch = loop_watch_add(l->server.loop, s->fd, POLLIN,
		    acceptable, s);
		if (s->watch == NULL)
			return ht_error_errno(e, "sockets");
		log_notice("listening on %s",
		    l->server.conf->ssh.listen[i].text);
	}
	return 0;
}

static void
close_sockets(struct listener *l)
{
	size_t i;

	if (l->sockets == NULL)
		return;
	for (i = 0; i < l->server.conf->ssh.nlisten; i++) {
		loop_watch_remove(l->sockets[i].watch);
		if (l->sockets[i].fd >= 0)
			(void)close(l->sockets[i].fd);
	}
	free(l->sockets);
	l->sockets = NULL;
}

/* --- the end ----------------------------------------------------------- */

static void
time_is_up(void *cookie)
{
	struct listener *l = cookie;

	l->over = true;
	connection_close_all(&l->server);
}

/* The first signal drains the connections, the second one ends them at once. */
static void
signalled(void *cookie, int signal)
{
	struct listener *l = cookie;

	(void)signal;
	if (l->draining) {
		time_is_up(l);
		return;
	}
	l->draining = true;
	log_notice("stopping; %u connections", l->server.connections);
	loop_timer_remove(l->resume);
	l->resume = NULL;
	close_sockets(l);
	connection_drain_all(&l->server);
	if (loop_timer_add(l->server.loop, DRAIN_TIME, time_is_up, l) == NULL)
		time_is_up(l);
}

/* --- the beginning ----------------------------------------------------- */

static int
prepare_jail(struct listener *l, struct ht_error *e)
{
	const struct conf *conf = l->server.conf;
	struct jail *jail = &l->server.jail;

	jail->uid = PROC_SAME;
	jail->gid = (gid_t)-1;
	jail->folder = -1;
	if (conf->single_user)
		return 0;
	jail->uid = conf->users[CONF_USER_NET].uid;
	jail->gid = conf->users[CONF_USER_NET].gid;
	jail->folder = jail_folder(e);
	return jail->folder < 0 ? e->code : 0;
}

/* The forkserver has the uid of the clients' shells. */
static int
prepare_forkserver(struct listener *l, struct ht_error *e)
{
	struct server *s = &l->server;
	const struct conf_account *sign = &s->conf->users[CONF_USER_SIGN];
	bool same = s->conf->single_user;

	s->forkserver = forkserver_link_new(s->loop, s->shell,
	    same ? PROC_SAME : sign->uid, same ? (gid_t)-1 : sign->gid);
	if (s->forkserver == NULL)
		return ht_error_errno(e, "forkserver");
	forkserver_link_prepare(s->forkserver);
	return 0;
}

/* Each connection and each session needs several descriptors. */
static void
raise_file_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
}

static void
revoked(void *cookie, const struct protocol_revoked *what)
{
	connection_revoked(cookie, what);
}

static int
prepare(struct listener *l, struct ht_error *e)
{
	static const int signals[] = { SIGINT, SIGTERM };
	struct server *s = &l->server;
	char path[PATH_MAX];
	int landlock, rc;

	raise_file_limit();
	(void)setpriority(PRIO_PROCESS, 0, PROC_FIRST);
	rc = proc_program("htsign-shell", l->shell, sizeof(l->shell), e);
	if (rc < 0)
		return rc;
	s->shell = l->shell;
	s->bind = transport_new(s->conf, e);
	if (s->bind == NULL)
		return e->code;
	rc = prepare_jail(l, e);
	if (rc == 0)
		rc = open_sockets(l, e);
	if (rc == 0)
		rc = sandbox_enter(SANDBOX_PARENT, NULL, 0, &landlock, e);
	if (rc < 0)
		return rc;
	s->loop = loop_new();
	if (s->loop == NULL)
		return ht_error_errno(e, "loop");
	(void)snprintf(path, sizeof(path), "%s/%s", s->conf->run,
	    PROTOCOL_SOCKET_SSHD);
	s->keyd = keyd_link_new(s->loop, path, revoked, s);
	if (s->keyd == NULL)
		return ht_error_errno(e, "keyd");
	rc = loop_signals(l->server.loop, signals,
	    sizeof(signals) / sizeof(*signals), signalled, l, e);
	if (rc == 0)
		rc = prepare_forkserver(l, e);
	if (rc == 0)
		rc = watch_sockets(l, e);
	if (rc == 0 && notify_ready(s->loop, e) < 0)
		log_error("%s", e->text);
	return rc;
}

int
listener_run(const struct conf *conf, struct ht_error *e)
{
	static struct listener l;
	int rc;

	l.server.conf = conf;
	connection_prepare(&l.server);
	rc = prepare(&l, e);
	while (rc == 0 && !l.over && !(l.draining && l.server.connections == 0))
		rc = loop_once(l.server.loop, e);
	close_sockets(&l);
	return rc;
}
