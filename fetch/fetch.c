#include "config.h"

#include <jansson.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/conf.h"
#include "config/files.h"
#include "fetch/checking.h"
#include "fetch/fetch.h"
#include "fetch/link.h"
#include "fetch/looking.h"
#include "fetch/stamping.h"
#include "lib/log.h"
#include "lib/notify.h"
#include "lib/proc.h"
#include "lib/sandbox.h"
#include "signature/init.h"

/* Milliseconds that timestamps which are under way get to end. */
#define DRAIN 10000

#define RESOLV_CONF "/etc/resolv.conf"

/* What libcurl and the resolver read.  What is not there is left out. */
static const char *const files[] = { "/etc/ssl/certs", "/etc/hosts",
	"/etc/nsswitch.conf", "/etc/gai.conf", "/etc/host.conf", RESOLV_CONF };
#define FILES (sizeof(files) / sizeof(files[0]))

struct process {
	struct conf *conf;
	struct loop *loop;
	struct http *http;
	struct servers servers;
	struct stamping *stamping;
	struct looking *looking;
	struct buf key; /* for VirusTotal, with its NUL; or empty */
	struct checking_how how;
	struct checking *checking;
	struct link *link;
	struct stat resolver; /* RESOLV_CONF when the sandbox was entered */
	bool ending;
	bool stop;
};

/* --- keyd and its questions -------------------------------------------- */

static void
stop(void *cookie)
{
	struct process *p = cookie;

	p->stop = true;
}

static void
drain(struct process *p, const char *why)
{
	if (p->ending)
		return;
	log_notice("ending: %s", why);
	p->ending = true;
	if (loop_timer_add(p->loop, DRAIN, stop, p) == NULL)
		p->stop = true;
}

/* Landlock knows the file that was there, and no other of its name. */
static void
watch_resolver(struct process *p)
{
	struct stat now;

	if (stat(RESOLV_CONF, &now) == 0 &&
	    (now.st_ino != p->resolver.st_ino ||
	        now.st_dev != p->resolver.st_dev))
		drain(p, RESOLV_CONF " is another file now");
}

static void
asked(void *cookie, const struct msg *m, const union protocol_body *body)
{
	struct process *p = cookie;
	uint32_t tag = m->tag;
	unsigned int type = m->type;

	watch_resolver(p);
	if (type == PROTOCOL_STAMP)
		stamping_begin(p->stamping, tag, &body->stamp);
	if (type == PROTOCOL_STAMP_CANCEL)
		stamping_cancel(p->stamping, tag);
	if (type == PROTOCOL_LOOK)
		looking_begin(p->looking, tag, &body->look);
	if (type == PROTOCOL_CHECK)
		checking_begin(p->checking, tag, &body->check,
		    m->nfds > 0 ? m->fd[0] : -1);
	if (type == PROTOCOL_CHECK_CANCEL)
		checking_cancel(p->checking, tag);
}

static void
lost(void *cookie)
{
	struct process *p = cookie;

	stamping_cancel_all(p->stamping);
	looking_cancel_all(p->looking);
	checking_cancel_all(p->checking);
}

static void
stamped(void *cookie, enum protocol_type type, uint32_t tag, const void *body)
{
	struct process *p = cookie;

	link_say(p->link, type, tag, body);
}

static void
looked(void *cookie, uint32_t tag, const struct protocol_looked *body)
{
	struct process *p = cookie;

	link_say(p->link, PROTOCOL_LOOKED, tag, body);
}

static void
checked(void *cookie, uint32_t tag, const struct protocol_checked *body)
{
	struct process *p = cookie;

	link_say(p->link, PROTOCOL_CHECKED, tag, body);
}

/* --- starting ---------------------------------------------------------- */

/* A server without its roots is left out, and keyd does not ask for it. */
static int
add_servers(struct process *p, struct ht_error *e)
{
	const struct conf_server *server;
	struct buf roots = BUF_INIT;
	struct ht_error why;
	size_t i;
	int rc = 0;

	for (i = 0; i < p->conf->nservers && rc == 0; i++) {
		server = &p->conf->servers[i];
		if (conf_read(p->conf, CONF_USER_FETCH, server->roots, false,
		        CONF_ROOTS_MAX, &roots, &why) == 0)
			rc = servers_add(&p->servers, server->name, server->url,
			    (uint64_t)server->interval * 1000, &roots, e);
		else
			log_notice("timestamp server %s is left out: %s",
			    server->name, why.text);
		buf_free(&roots);
	}
	return rc;
}

/* The key's file may end with a line end.  Without a key nothing is asked. */
static void
read_key(struct process *p)
{
	const char *path = p->conf->virustotal_key;
	struct ht_error e;
	size_t n;

	p->how = (struct checking_how){ p->conf->virustotal_url, NULL,
		p->conf->virustotal_minute, p->conf->virustotal_day };
	if (path == NULL)
		return;
	if (conf_read(p->conf, CONF_USER_FETCH, path, true, CONF_KEY_MAX,
	        &p->key, &e) < 0) {
		log_error("VirusTotal's key: %s", e.text);
		return;
	}
	buf_u8(&p->key, '\0');
	n = buf_failed(&p->key) < 0
	    ? 0
	    : strspn((char *)p->key.data,
	          "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	          "0123456789");
	if (n > 0 && (p->key.data[n] == '\n' || p->key.data[n] == '\0')) {
		p->key.data[n] = '\0';
		p->how.key = (char *)p->key.data;
	} else {
		log_error("%s: that is no key of VirusTotal", path);
	}
}

static int
become(const struct conf *conf, struct ht_error *e)
{
	const struct conf_account *user = &conf->users[CONF_USER_FETCH];
	int rc;

	if (geteuid() == user->uid)
		return 0;
	rc = proc_drop(user->uid, user->gid, e);
	/* setuid(2) may undo it. */
	return rc < 0 ? rc : proc_harden(e);
}

/*
 * A name that is a link may lead elsewhere later, in the folder of what it leads
 * to now: resolv.conf at systemd-resolved, a root at its package.
 */
static size_t
add_path(struct sandbox_path *paths, size_t n, const char *path)
{
	char *real = realpath(path, NULL);

	if (real == NULL)
		return n;
	if (strcmp(real, path) != 0)
		*strrchr(real, '/') = '\0';
	paths[n].path = real;
	paths[n].access = SANDBOX_READ;
	return n + 1;
}

static int
give_up_rights(struct process *p, struct ht_error *e)
{
	struct sandbox_path paths[FILES];
	size_t n = 0, i;
	int landlock, rc;

	rc = become(p->conf, e);
	if (rc < 0)
		return rc;
	(void)stat(RESOLV_CONF, &p->resolver);
	for (i = 0; i < FILES; i++)
		n = add_path(paths, n, files[i]);
	rc = sandbox_enter(SANDBOX_FETCH, paths, n, &landlock, e);
	while (n > 0)
		free((void *)(uintptr_t)paths[--n].path);
	if (rc == 0 && landlock == 0)
		log_notice("this kernel has no Landlock: seccomp alone holds");
	return rc;
}

static void
signalled(void *cookie, int signal)
{
	struct process *p = cookie;

	(void)signal;
	if (p->ending)
		p->stop = true;
	drain(p, "a signal");
}

static int
connect_to_keyd(struct process *p, struct ht_error *e)
{
	const struct link_uses uses = { asked, lost, p };
	char path[PATH_MAX];

	p->stamping = stamping_new(p->loop, p->http, &p->servers, stamped, p);
	p->looking = looking_new(p->http, looked, p);
	p->checking = checking_new(p->loop, p->http, &p->how, checked, p);
	if (p->stamping == NULL || p->looking == NULL || p->checking == NULL)
		return ht_error_memory(e);
	(void)snprintf(path, sizeof(path), "%s/%s", p->conf->run,
	    PROTOCOL_SOCKET_FETCH);
	p->link = link_new(p->loop, path, &uses);
	return p->link == NULL ? ht_error_memory(e) : 0;
}

static int
start(struct process *p, const char *path, struct ht_error *e)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGTERM };
	int rc;

	p->conf = conf_load(path, e);
	if (p->conf == NULL)
		return e->code;
	rc = conf_resolve(p->conf, e);
	if (rc == 0)
		rc = add_servers(p, e);
	if (rc == 0)
		rc = authenticode_init(e);
	if (rc < 0)
		return rc;
	read_key(p);
	json_object_seed(0); /* the sandbox keeps it from /dev/urandom */
	p->loop = loop_new();
	if (p->loop == NULL)
		return ht_error_memory(e);
	p->http = http_new(p->loop, p->conf->proxy, e);
	if (p->http == NULL)
		return e->code;
	rc = loop_signals(p->loop, signals, sizeof(signals) / sizeof(*signals),
	    signalled, p, e);
	if (rc == 0)
		rc = give_up_rights(p, e);
	if (rc == 0)
		rc = connect_to_keyd(p, e);
	if (rc == 0)
		rc = notify_ready(p->loop, e);
	if (rc == 0)
		log_notice("ready%s",
		    p->conf->single_user ? " (test: one user)" : "");
	return rc;
}

static void
finish(struct process *p)
{
	link_free(p->link);
	stamping_free(p->stamping);
	looking_free(p->looking);
	checking_free(p->checking);
	http_free(p->http);
	servers_clear(&p->servers);
	if (p->key.data != NULL)
		ht_wipe(p->key.data, p->key.len);
	buf_free(&p->key);
	loop_free(p->loop);
	conf_free(p->conf);
}

int
fetch_run(const char *path, struct ht_error *e)
{
	static struct process p;
	int rc;

	rc = start(&p, path, e);
	while (rc == 0 && !p.stop &&
	    !(p.ending && stamping_number(p.stamping) == 0))
		rc = loop_once(p.loop, e);
	finish(&p);
	return rc;
}
