#include "config.h"

#include <sys/queue.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keys/keyd/disk-ledger.h"
#include "keys/keyd/spools.h"
#include "lib/log.h"
#include "protocol/names.h"

/*
 * Milliseconds between two looks, at most and at least.  Nobody writes more
 * than 1 MiB in a millisecond.
 */
#define LOOK_MOST 1000
#define LOOK_LEAST 20
#define SPEED ((uint64_t)1 << 20)

struct spool {
	LIST_ENTRY(spool) entry;
	struct spools *spools;
	struct disk_account *account;
	char client[NAMES_SIZE];
	int fd;
	uint64_t bytes; /* at the last look */
	bool kept;
	spool_over_fn *over; /* NULL: the owner is gone */
	void *cookie;
};

struct spools {
	LIST_HEAD(, spool) list;
	struct loop *loop;
	struct loop_timer *timer; /* set while there are spools */
	struct disk_ledger *ledger;
	int folder;
};

struct spools *
spools_new(struct loop *l, int folder)
{
	struct spools *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->ledger = disk_ledger_new(folder);
	if (s->ledger == NULL) {
		free(s);
		return NULL;
	}
	s->loop = l;
	s->folder = folder;
	return s;
}

static void
spool_free(struct spool *p)
{
	disk_release(p->account, p->bytes);
	disk_account_close(p->account);
	LIST_REMOVE(p, entry);
	(void)close(p->fd);
	free(p);
}

void
spools_free(struct spools *s)
{
	if (s == NULL)
		return;
	while (!LIST_EMPTY(&s->list))
		spool_free(LIST_FIRST(&s->list));
	loop_timer_remove(s->timer);
	disk_ledger_free(s->ledger);
	(void)close(s->folder);
	free(s);
}

/* --- looking ------------------------------------------------------------- */

static void
measure(struct spool *p)
{
	struct stat sb;
	uint64_t bytes;

	if (fstat(p->fd, &sb) < 0)
		return;
	bytes = (uint64_t)sb.st_blocks * 512;
	disk_release(p->account, p->bytes);
	disk_charge(p->account, bytes);
	p->bytes = bytes;
}

/*
 * A lease is given only if nobody else has the file open.  Where there are no
 * leases, the spool is not watched any longer than its owner.
 */
static bool
is_open_elsewhere(const struct spool *p)
{
	if (fcntl(p->fd, F_SETLEASE, F_WRLCK) < 0)
		return errno == EAGAIN;
	(void)fcntl(p->fd, F_SETLEASE, F_UNLCK);
	return false;
}

/* Empty the largest spool of client.  Returns false if there is none. */
static bool
empty_one(struct spools *s, const char *client)
{
	struct spool *p, *largest = NULL;

	LIST_FOREACH(p, &s->list, entry)
		if (!p->kept && p->bytes > 0 &&
		    strcmp(p->client, client) == 0 &&
		    (largest == NULL || p->bytes > largest->bytes))
			largest = p;
	if (largest == NULL)
		return false;
	log_notice("a spool of %s is emptied: it holds more than its share",
	    client);
	if (largest->over != NULL && !largest->over(largest->cookie))
		return false;
	if (ftruncate(largest->fd, 0) < 0) {
		log_error("a spool cannot be emptied: %s", strerror(errno));
		return false;
	}
	measure(largest);
	return true;
}

static void look(void *cookie);

/* Look again before what is free can be full. */
static void
look_later(struct spools *s)
{
	uint64_t ms = disk_free(s->ledger) / SPEED;

	if (ms > LOOK_MOST)
		ms = LOOK_MOST;
	if (s->timer == NULL && !LIST_EMPTY(&s->list))
		s->timer = loop_timer_add(s->loop,
		    ms < LOOK_LEAST ? LOOK_LEAST : ms, look, s);
}

static void
look(void *cookie)
{
	struct spools *s = cookie;
	struct spool *p, *next;

	s->timer = NULL;
	for (p = LIST_FIRST(&s->list); p != NULL; p = next) {
		next = LIST_NEXT(p, entry);
		if (p->over == NULL && !is_open_elsewhere(p))
			spool_free(p);
		else
			measure(p);
	}
	LIST_FOREACH(p, &s->list, entry)
		while (disk_over(s->ledger, p->client) > 0 &&
		    empty_one(s, p->client))
			;
	look_later(s);
}

/* --- the owner's side ---------------------------------------------------- */

/*
 * Make the file, and open it a second time for keyd, so that the kernel knows
 * whether a shell has it open.  Without /proc it is the same opening.
 */
static int
make_file(const struct spools *s, int *fd, int *ours, struct ht_error *e)
{
	char path[64];

	*fd = openat(s->folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (*fd < 0)
		return ht_error_errno(e, "no spool");
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", *fd);
	*ours = open(path, O_RDWR | O_CLOEXEC);
	if (*ours < 0)
		*ours = fcntl(*fd, F_DUPFD_CLOEXEC, 0);
	if (*ours >= 0)
		return 0;
	(void)ht_error_errno(e, "no spool");
	(void)close(*fd);
	*fd = -1;
	return e->code;
}

static int
check_share(const struct spools *s, const char *client, struct ht_error *e)
{
	if (disk_left(s->ledger, client) > 0)
		return 0;
	if (disk_held(s->ledger, client, NULL) > 0)
		return ht_error_set(e, HT_ERR_TEMPORARY,
		    "%s holds its share of the room for uploads", client);
	return ht_error_set(e, HT_ERR_UNAVAILABLE,
	    "there is no room for uploads");
}

struct spool *
spool_new(struct spools *s, const char *client, spool_over_fn *over,
    void *cookie, int *fd, struct ht_error *e)
{
	struct spool *p = NULL;
	int ours = -1;

	*fd = -1;
	if (check_share(s, client, e) < 0 || make_file(s, fd, &ours, e) < 0)
		return NULL;
	p = calloc(1, sizeof(*p));
	if (p != NULL)
		p->account = disk_account_open(s->ledger, client, "spool");
	if (p == NULL || p->account == NULL) {
		(void)ht_error_memory(e);
		free(p);
		(void)close(ours);
		(void)close(*fd);
		*fd = -1;
		return NULL;
	}
	(void)snprintf(p->client, sizeof(p->client), "%s", client);
	p->spools = s;
	p->fd = ours;
	p->over = over;
	p->cookie = cookie;
	LIST_INSERT_HEAD(&s->list, p, entry);
	look_later(s);
	return p;
}

uint64_t
spools_room(const struct spools *s)
{
	return disk_free(s->ledger);
}

void
spool_keep(struct spool *p)
{
	p->kept = true;
}

/*
 * A name whose fsync failed is taken away: the next fsync may succeed without
 * it.  What has a name is not looked at again: somebody who opens it while keyd
 * has a lease would send keyd a signal.
 */
int
spool_link(struct spool *p, const char *name, struct ht_error *e)
{
	int folder = p->spools->folder;
	char path[64];
	bool linked;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", p->fd);
	linked = linkat(AT_FDCWD, path, folder, name, AT_SYMLINK_FOLLOW) == 0;
	if ((!linked && errno != EEXIST) || fsync(folder) < 0) {
		(void)ht_error_errno(e, "the file cannot be kept");
		if (linked)
			(void)unlinkat(folder, name, 0);
		return e->code;
	}
	spool_free(p);
	return 0;
}

void
spool_leave(struct spool *p)
{
	if (p != NULL)
		p->over = NULL; /* the next look frees it */
}
