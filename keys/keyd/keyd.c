#include "config.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "keys/keyd/archive.h"
#include "keys/keyd/checks.h"
#include "keys/keyd/core.h"
#include "keys/keyd/failures.h"
#include "keys/keyd/fetch-link.h"
#include "keys/keyd/keyd.h"
#include "keys/keyd/pump-link.h"
#include "keys/keyd/quota.h"
#include "keys/keyd/rates.h"
#include "keys/keyd/reader-link.h"
#include "keys/keyd/request/request.h"
#include "keys/keyd/sockets.h"
#include "keys/keyd/spools.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sandbox.h"
#include "signature/init.h"
#include "store/journal/journal.h"
#include "store/journal/pins.h"

/* Milliseconds that open requests get to end after SIGTERM. */
#define DRAIN 10000

/* The most folders of files that a reload can read. */
#define PATHS 64

/* The process: what keyd's parts share, and what only this file needs. */
struct process {
	struct keyd keyd; /* first */
	struct sockets *sockets;
	bool stop;
};

/* --- the loop ---------------------------------------------------------- */

/*
 * Commit the events, go on with what waited for the commit, and send what is
 * queued.  Without room nothing of this round has happened.  A connection that
 * closes may add an event; then start again.
 */
static void
settle(struct keyd *k)
{
	struct ht_error e;
	int rc;

	do {
		while (store_dirty(k->store) || k->commits.first != NULL) {
			rc = store_commit(k->store, &e);
			keyd_must(k, rc, &e);
			if (rc < 0) {
				request_undo(k, &e);
				continue;
			}
			commit_run(&k->commits);
			tokens_committed(k->tokens);
		}
		reader_mind(k->reader);
		keyd_flush(k);
	} while (store_dirty(k->store));
}

static void
stop(void *cookie)
{
	struct process *p = cookie;

	p->stop = true;
}

static void
drain(struct process *p)
{
	struct keyd *k = &p->keyd;

	if (k->ending)
		return;
	log_notice("ending");
	k->ending = true;
	sockets_stop(p->sockets);
	if (loop_timer_add(k->loop, DRAIN, stop, p) == NULL)
		p->stop = true;
}

/* --- reading the configuration again ----------------------------------- */

static struct setup *
setup_again(struct keyd *k, struct ht_error *e)
{
	const struct conf *old = k->setup->conf;
	struct conf *conf = conf_load(old->path, e);

	if (conf == NULL)
		return NULL;
	/* Names of accounts were looked up before we entered the sandbox. */
	memcpy(conf->users, old->users, sizeof(conf->users));
	if (conf->single_user != old->single_user ||
	    strcmp(conf->state, old->state) != 0 ||
	    strcmp(conf->spool, old->spool) != 0 ||
	    strcmp(conf->run, old->run) != 0) {
		(void)ht_error_set(e, HT_ERR_USAGE,
		    "single_user, state, spool and run need a restart");
		conf_free(conf);
		return NULL;
	}
	if (conf_pumps(conf) && conf->users[CONF_USER_PUMP].uid == (uid_t)-1) {
		(void)ht_error_set(e, HT_ERR_USAGE,
		    "the first profile that scans or archives needs a "
		    "restart");
		conf_free(conf);
		return NULL;
	}
	if (tokens_match(k->tokens, conf, e) < 0) {
		conf_free(conf);
		return NULL;
	}
	return setup_new(conf, k->tokens, e);
}

static void
reload(struct keyd *k)
{
	static const struct store_actor actor = { "htsign-keyd", "local",
		NULL };
	struct setup *setup;
	struct ht_error e;
	int rc;

	setup = setup_again(k, &e);
	if (setup == NULL) {
		log_error("the old configuration stays: %s", e.text);
		rc = journal_configured(k->store, &actor, e.text, &e);
	} else {
		setup_free(k->setup);
		k->setup = setup;
		pump_configured(k->pump);
		log_notice("the configuration was read again");
		rc = journal_configured(k->store, &actor, "read again", &e);
		fetch_look(k->fetch);
	}
	keyd_must(k, rc, &e);
}

static void
signalled(void *cookie, int signal)
{
	struct process *p = cookie;

	if (signal == SIGHUP)
		reload(&p->keyd);
	else
		drain(p);
}

/* --- starting ---------------------------------------------------------- */

/*
 * Make a folder, and open it.  A symbolic link in its place is not followed:
 * keyd, which may have been taken over, could have left it there for root to
 * give away another folder.  Returns the descriptor, or -1 and errno.
 */
static int
make_folder(const char *path)
{
	(void)mkdir(path, 0700);
	return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/*
 * Make a folder that keyd owns, and open it.  Where root has no right, as the
 * unit leaves it, keyd has, unless the folder is somebody else's.
 */
static int
own_folder(const struct conf *conf, const char *path, int *out,
    struct ht_error *e)
{
	const struct conf_account *user = &conf->users[CONF_USER_KEYD];
	int fd = make_folder(path), rc;

	if (fd < 0 && errno == EACCES) {
		proc_files_as(user->uid);
		fd = make_folder(path);
		proc_files_as(geteuid());
	}
	if (fd < 0)
		return ht_error_errno(e, "%s", path);
	if (!conf->single_user && fchown(fd, user->uid, user->gid) < 0) {
		rc = ht_error_errno(e, "%s", path);
		(void)close(fd);
		return rc;
	}
	*out = fd;
	return 0;
}

static int
open_folders(struct keyd *k, const struct conf *conf, struct ht_error *e)
{
	char path[PATH_MAX];
	int folder, rc;

	rc = own_folder(conf, conf->state, &folder, e);
	if (rc < 0)
		return rc;
	(void)close(folder);
	rc = own_folder(conf, conf->spool, &folder, e);
	if (rc < 0)
		return rc;
	k->spools = spools_new(k->loop, folder);
	if (k->spools == NULL) {
		(void)close(folder);
		return ht_error_memory(e);
	}
	(void)snprintf(path, sizeof(path), "%s/archive", conf->state);
	rc = own_folder(conf, path, &folder, e);
	if (rc < 0)
		return rc;
	k->archive = archive_new(k, folder);
	if (k->archive != NULL)
		return 0;
	(void)close(folder);
	return ht_error_memory(e);
}

/* Each connection may hold a spool, which is a descriptor. */
static void
raise_limits(struct keyd *k)
{
	struct rlimit files = { 4 * KEYD_CONNECTIONS, 4 * KEYD_CONNECTIONS };

	if (setrlimit(RLIMIT_NOFILE, &files) < 0 &&
	    getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	k->files = files.rlim_cur < INT_MAX ? (int)files.rlim_cur : INT_MAX;
}

/* What needs root, if root started us. */
static int
prepare(struct process *p, const char *path, struct ht_error *e)
{
	struct keyd *k = &p->keyd;
	struct conf *conf;
	int rc;

	conf = conf_load(path, e);
	if (conf == NULL)
		return e->code;
	rc = conf_resolve(conf, e);
	if (rc == 0) {
		k->tokens = tokens_new(k->loop, conf, e);
		rc = k->tokens == NULL ? e->code : 0;
	}
	if (rc < 0) {
		conf_free(conf);
		return rc;
	}
	k->setup = setup_new(conf, k->tokens, e);
	if (k->setup == NULL)
		return e->code;
	rc = open_folders(k, conf, e);
	if (rc < 0)
		return rc;
	p->sockets = sockets_new(conf, e);
	if (p->sockets == NULL)
		return e->code;
	raise_limits(k);
	if (RAND_bytes(k->ticket_key, sizeof(k->ticket_key)) != 1)
		return ht_error_set(e, HT_ERR_INTERNAL, "no random numbers");
	return 0;
}

static int
give_up_rights(const struct keyd *k, struct ht_error *e)
{
	const struct conf *conf = k->setup->conf;
	const struct conf_account *user = &conf->users[CONF_USER_KEYD];
	const gid_t readers = conf->users[CONF_USER_READER].gid;
	struct sandbox_path paths[PATHS];
	int landlock;
	int n, rc;

	if (!conf->single_user) {
		rc = proc_drop_to(user->uid, user->gid, readers, e);
		if (rc == 0)
			rc = proc_harden(e); /* setuid may undo proc_harden */
		if (rc < 0)
			return rc;
	}
	n = setup_paths(k->setup, paths, PATHS - 4);
	if (n < 0)
		return ht_error_memory(e);
	paths[n].path = conf->state;
	paths[n].access = SANDBOX_READ_WRITE;
	paths[n + 1].path = conf->spool;
	paths[n + 1].access = SANDBOX_READ_WRITE;
	paths[n + 2].path = "/dev/urandom"; /* SQLite reads it */
	paths[n + 2].access = SANDBOX_READ;
	paths[n + 3].path = "/proc"; /* whose child is a shell? (holders.h) */
	paths[n + 3].access = SANDBOX_READ;
	rc = sandbox_enter(SANDBOX_KEYD, paths, (size_t)n + 4, &landlock, e);
	setup_paths_free(paths, (size_t)n);
	if (rc == 0 && landlock == 0)
		log_notice("this kernel has no Landlock: seccomp alone holds");
	return rc;
}

/*
 * The group of htsign-reader may pass the state folder, and read the journal
 * there.  Without an account it is nobody's.
 */
static int
share_journal(const struct keyd *k, struct ht_error *e)
{
	const struct conf *conf = k->setup->conf;
	const gid_t readers = conf->users[CONF_USER_READER].gid;
	int folder, rc = 0;

	if (conf->single_user || readers == (gid_t)-1)
		return 0;
	folder = open(conf->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0 || fchown(folder, (uid_t)-1, readers) < 0 ||
	    fchmod(folder, 0710) < 0)
		rc = ht_error_errno(e, "%s", conf->state);
	if (folder >= 0)
		(void)close(folder);
	return rc < 0 ? rc : store_share(k->store, readers, e);
}

static int
open_journal(struct keyd *k, struct ht_error *e)
{
	const struct conf *conf = k->setup->conf;
	char path[PATH_MAX];
	uint64_t closed = 0;
	int rc;

	(void)snprintf(path, sizeof(path), "%s/journal.db", conf->state);
	k->store = store_open(path, e);
	if (k->store == NULL)
		return e->code;
	(void)snprintf(path, sizeof(path), "%s/pin.key", conf->state);
	rc = pin_key_open(k->store, path, e);
	if (rc == 0)
		rc = share_journal(k, e);
	if (rc < 0)
		return rc;
	rc = journal_recover(k->store, &closed, e);
	if (rc == HT_ERR_UNAVAILABLE) {
		log_error("%s: requests stay open", e->text);
		k->behind = true;
		rc = 0;
	}
	if (rc == 0 && closed > 0)
		log_notice("%llu requests were open when keyd ended last",
		    (unsigned long long)closed);
	if (rc == 0)
		rc = journal_started(k->store, PACKAGE_VERSION,
		    conf->single_user, e);
	k->failures = failures_new(k->loop, k->store);
	k->quota = quota_new();
	k->rates = rates_new();
	k->fetch = fetch_new(k);
	k->checks = k->fetch == NULL ? NULL : checks_new(k);
	k->pump = pump_new(k);
	k->reader = reader_new(k);
	if (rc == 0 &&
	    (k->failures == NULL || k->quota == NULL || k->rates == NULL ||
	        k->fetch == NULL || k->checks == NULL || k->pump == NULL ||
	        k->reader == NULL))
		rc = ht_error_memory(e);
	if (rc == 0)
		rc = rates_recall(k->rates, k->store, e);
	if (rc == 0) {
		fetch_look(k->fetch);
		archive_start(k->archive);
	}
	return rc;
}

static int
start(struct process *p, const char *path, int parent_fd, struct ht_error *e)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGTERM };
	struct keyd *k = &p->keyd;
	const struct conf_account *users;
	bool single;
	int rc;

	rc = authenticode_init(e);
	if (rc == 0)
		rc = prepare(p, path, e);
	if (rc == 0)
		rc = loop_signals(p->keyd.loop, signals,
		    sizeof(signals) / sizeof(*signals), signalled, p, e);
	if (rc == 0)
		rc = give_up_rights(k, e);
	if (rc == 0)
		rc = open_journal(k, e);
	if (rc < 0)
		return rc;
	single = k->setup->conf->single_user;
	users = k->setup->conf->users;
	rc = tokens_start(k->tokens, k->store, parent_fd, single ? NULL : users,
	    stop, p, e);
	if (rc == 0) {
		pump_configured(k->pump);
		reader_start(k->reader);
	}
	if (rc == 0)
		rc = sockets_serve(p->sockets, k, e);
	if (rc == 0)
		log_notice("ready%s", single ? " (test: one user)" : "");
	return rc;
}

static void
finish(struct process *p)
{
	struct keyd *k = &p->keyd;
	struct ht_error e;

	if (k->store != NULL) {
		failures_free(k->failures);
		quota_free(k->quota);
		checks_free(k->checks);
		fetch_free(k->fetch);
		pump_free(k->pump);
		reader_free(k->reader);
		keyd_must(k, journal_stopped(k->store, "SIGTERM", &e), &e);
		keyd_must(k, store_commit(k->store, &e), &e);
		store_close(k->store);
	}
	tokens_free(k->tokens);
	archive_free(k->archive);
	spools_free(k->spools);
	sockets_free(p->sockets);
	setup_free(k->setup);
	rates_free(k->rates);
	holders_free(&k->holders);
	ht_wipe(k->ticket_key, sizeof(k->ticket_key));
}

/* A login that is cut off would make the PIN guard lock the token. */
static bool
is_drained(const struct keyd *k)
{
	return k->ending && k->requests == NULL &&
	    !tokens_logging_in(k->tokens);
}

int
keyd_main(const char *conf_path, int parent_fd)
{
	static struct process p;
	struct ht_error e;
	int rc;

	p.keyd.loop = loop_new();
	commit_init(&p.keyd.commits);
	share_init(&p.keyd.links, KEYD_SIGNING);
	if (p.keyd.loop == NULL)
		return -HT_ERR_INTERNAL;
	rc = start(&p, conf_path, parent_fd, &e);
	if (rc < 0) {
		log_error("%s", e.text);
		return -rc;
	}
	settle(&p.keyd);
	while (!p.stop && !is_drained(&p.keyd)) {
		rc = loop_once(p.keyd.loop, &e);
		if (rc < 0) {
			log_error("%s", e.text);
			break;
		}
		settle(&p.keyd);
	}
	finish(&p);
	return rc < 0 ? -rc : 0;
}
