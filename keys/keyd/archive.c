#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keys/keyd/archive.h"
#include "lib/log.h"

/* Milliseconds between two looks, and between two files that are pruned. */
#define LOOK 3600000
#define NEXT 10

#define DAY ((int64_t)86400 * 1000000) /* microseconds */

#define NAME (2 * (size_t)JOURNAL_SHA256)

struct archive {
	struct keyd *keyd;
	int folder;
	struct spools *files; /* that are being written */
	struct loop_timer *timer;
	struct commit_step step;
	struct journal_old old; /* the one that is being pruned */
};

struct archive *
archive_new(struct keyd *k, int folder)
{
	struct archive *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->files = spools_new(k->loop, folder);
	if (a->files == NULL) {
		free(a);
		return NULL;
	}
	a->keyd = k;
	a->folder = folder;
	return a;
}

void
archive_free(struct archive *a)
{
	if (a == NULL)
		return;
	loop_timer_remove(a->timer);
	commit_forget(&a->step);
	spools_free(a->files); /* closes the folder */
	free(a);
}

/* --- pruning ------------------------------------------------------------- */

static void
discard(const struct archive *a, const char *name)
{
	if (unlinkat(a->folder, name, 0) < 0 && errno != ENOENT)
		log_error("archive/%s: %s", name, strerror(errno));
}

/* "pruned" is durable.  The same bytes may have come again meanwhile. */
static void
is_pruned(void *cookie)
{
	struct archive *a = cookie;
	struct ht_error e;
	int rc = journal_archive_has(a->keyd->store, a->old.sha256, &e);

	keyd_must(a->keyd, rc, &e);
	if (rc == 0)
		discard(a, a->old.sha256);
}

/* Prune the oldest file that is too old, if there is one. */
static void
look(void *cookie)
{
	struct archive *a = cookie;
	struct store *s = a->keyd->store;
	unsigned int days = a->keyd->setup->conf->archive_days;
	char text[PROTOCOL_TEXT];
	struct ht_error e;
	int rc;

	rc = journal_archive_oldest(s, journal_now() - days * DAY, &a->old, &e);
	keyd_must(a->keyd, rc, &e);
	a->timer = loop_timer_add(a->keyd->loop, rc > 0 ? NEXT : LOOK, look, a);
	if (rc <= 0)
		return;
	(void)snprintf(text, sizeof(text), "kept for %u days", days);
	keyd_must(a->keyd, journal_pruned(s, &a->old, text, &e), &e);
	a->step.run = is_pruned;
	a->step.cookie = a;
	commit_after(&a->keyd->commits, &a->step);
}

/* What keyd had no time to record, or to remove, before it was killed. */
static void
tidy(const struct archive *a)
{
	int fd = openat(a->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	struct ht_error e;
	size_t n = 0;
	int rc;

	if (dir == NULL) {
		log_error("archive: %s", strerror(errno));
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (strlen(entry->d_name) != NAME ||
		    strspn(entry->d_name, "0123456789abcdef") != NAME)
			continue;
		rc = journal_archive_has(a->keyd->store, entry->d_name, &e);
		keyd_must(a->keyd, rc, &e);
		if (rc == 0) {
			discard(a, entry->d_name);
			n++;
		}
	}
	(void)closedir(dir);
	if (n > 0)
		log_notice("archive: %zu files that no request has", n);
}

void
archive_start(struct archive *a)
{
	tidy(a);
	a->timer = loop_timer_add(a->keyd->loop, NEXT, look, a);
}

/* --- keeping ------------------------------------------------------------- */

int
archive_room(const struct archive *a, const char *client, uint64_t bytes,
    struct ht_error *e)
{
	uint64_t most = a->keyd->setup->conf->archive_max, all, own, others;
	int rc = journal_archive_held(a->keyd->store, client, &all, &own, e);

	keyd_must(a->keyd, rc, e);
	if (rc < 0)
		return rc;
	others = all - own;
	most = most > others ? (most - others) / 2 : 0;
	if (own < most && bytes <= most - own)
		return 0;
	return ht_error_set(e, HT_ERR_UNAVAILABLE,
	    "there is no room in the archive for more files of %s: an "
	    "administrator can set archive_max or archive_days",
	    client);
}

struct spool *
archive_file(struct archive *a, const char *client, spool_over_fn *over,
    void *cookie, int *fd, struct ht_error *e)
{
	struct spool *file = spool_new(a->files, client, over, cookie, fd, e);
	struct ht_error why = *e;

	if (file == NULL && why.code == HT_ERR_INTERNAL)
		(void)ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "the file cannot be kept: %s", why.text);
	return file;
}

int
archive_keep(struct spool *file, const uint8_t sha256[JOURNAL_SHA256],
    struct ht_error *e)
{
	char name[NAME + 1];
	struct ht_error why;
	size_t i;

	for (i = 0; i < JOURNAL_SHA256; i++)
		(void)snprintf(name + 2 * i, 3, "%02x", sha256[i]);
	if (spool_link(file, name, &why) == 0)
		return 0;
	return ht_error_set(e, HT_ERR_UNAVAILABLE, "%s", why.text);
}

int
archive_open(const struct archive *a, const char *name, struct ht_error *e)
{
	int fd = openat(a->folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		(void)ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "archive/%s cannot be read: %s", name, strerror(errno));
	return fd;
}

uint64_t
archive_disk(const struct archive *a)
{
	return spools_room(a->files);
}
