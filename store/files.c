/*
 * The files of the store beside what SQLite has open: who may write, and who may
 * read.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/store-private.h"

/*
 * Open the database or a file beside it, which stays open until SQLite has
 * closed its own: closing any descriptor of a file drops all POSIX locks on it.
 * What is new gets mode 0600; SQLite would use the umask.
 */
static int
open_file(const char *path, int *fd, struct ht_error *e)
{
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return *fd < 0 ? ht_error_errno(e, "%s", path) : 0;
}

/*
 * Two processes that write would both sign.  The lock is on a file of its own,
 * since whoever may read the database could lock that.
 */
static int
lock_out(struct store *s, const char *path, struct ht_error *e)
{
	const struct timespec step = { 0, 20000000 }; /* 20 ms */
	char name[PATH_MAX];
	int waited, rc;

	if ((size_t)snprintf(name, sizeof(name), "%s-lock", path) >=
	    sizeof(name))
		return ht_error_set(e, HT_ERR_USAGE, "%s: too long", path);
	if ((rc = open_file(name, &s->lock, e)) < 0)
		return rc;
	for (waited = 0; flock(s->lock, LOCK_EX | LOCK_NB) < 0; waited += 20) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return ht_error_errno(e, "%s", name);
		if (waited >= STORE_LEAVING)
			return ht_error_set(e, HT_ERR_UNAVAILABLE,
			    "%s: the journal is in use by another process",
			    path);
		(void)nanosleep(&step, NULL);
	}
	return 0;
}

int
store_files_open(struct store *s, const char *path, struct ht_error *e)
{
	int ret = lock_out(s, path, e);

	return ret < 0 ? ret : open_file(path, &s->file, e);
}

static void
close_file(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

void
store_files_close(struct store *s)
{
	/* The lock comes last. */
	close_file(s->file);
	close_file(s->wal);
	close_file(s->shm);
	close_file(s->lock);
}

int
store_share(struct store *s, gid_t readers, struct ht_error *e)
{
	const int fds[] = { s->file, s->wal, s->shm };
	size_t i;

	for (i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fchown(fds[i], (uid_t)-1, readers) < 0 ||
		    fchmod(fds[i], 0640) < 0)
			return ht_error_errno(e,
			    "the journal cannot be shared");
	return 0;
}
