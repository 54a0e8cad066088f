#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "htsign/file.h"

/* The file that is being written; a signal takes it along. */
static char unfinished[4096];

/*
 * A path that makes no sense is the caller's mistake, not ours.
 */
static int
path_error(const char *path, struct ht_error *e)
{
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
	case EISDIR:
	case EACCES:
	case EPERM:
	case EROFS:
	case ELOOP:
	case ENAMETOOLONG:
	case ENXIO:
		return ht_error_set(e, HT_ERR_USAGE, "%s: %s", path,
		    strerror(errno));
	default:
		return ht_error_errno(e, "%s", path);
	}
}

int
file_open(const char *path, struct ht_error *e)
{
	struct stat st;
	int fd;

	/* Not to wait for the writer of a FIFO. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return path_error(path, e);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	(void)close(fd);
	return ht_error_set(e, HT_ERR_USAGE, "%s: not a regular file", path);
}

int
file_read(const char *path, size_t max, struct buf *out, struct ht_error *e)
{
	uint8_t chunk[16384];
	int fd = STDIN_FILENO;
	size_t total = 0;
	ssize_t n;
	int rc = 0;

	if (strcmp(path, "-") != 0) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return path_error(path, e);
	}
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rc = path_error(path, e);
			break;
		}
		total += (size_t)n;
		if (total > max) {
			rc = ht_error_set(e, HT_ERR_DATA,
			    "%s: more than %zu bytes", path, max);
			break;
		}
		buf_bytes(out, chunk, (size_t)n);
	}
	if (rc == 0 && buf_failed(out) < 0)
		rc = ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
	if (fd != STDIN_FILENO)
		(void)close(fd);
	return rc;
}

static void
clean_up(int number)
{
	if (unfinished[0] != '\0')
		(void)unlink(unfinished);
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}

static int
write_closed(const char *path, int fd, const struct output *plan,
    struct ht_error *e)
{
	uint64_t written;
	int rc;

	rc = output_write(plan, fd, 0, &written, e);
	/* Some file systems say only here that there was no room. */
	if (close(fd) < 0 && rc == 0)
		rc = path_error(path, e);
	return rc;
}

static int
write_beside(const char *path, int like, const struct output *plan,
    struct ht_error *e)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGTERM };
	struct stat st;
	size_t i;
	int rc;
	int fd;
	int n;

	n = snprintf(unfinished, sizeof(unfinished), "%s.XXXXXX", path);
	if (n < 0 || (size_t)n >= sizeof(unfinished)) {
		errno = ENAMETOOLONG;
		fd = -1;
	} else {
		for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
			(void)signal(signals[i], clean_up);
		fd = mkostemp(unfinished, O_CLOEXEC);
	}
	if (fd < 0) {
		unfinished[0] = '\0';
		return path_error(path, e);
	}
	if (fstat(like, &st) == 0)
		(void)fchmod(fd, st.st_mode & 0777);
	rc = write_closed(path, fd, plan, e);
	if (rc == 0 && rename(unfinished, path) < 0)
		rc = path_error(path, e);
	if (rc < 0)
		(void)unlink(unfinished);
	unfinished[0] = '\0';
	return rc;
}

int
file_replace(const char *path, int like, const struct output *plan,
    struct ht_error *e)
{
	struct stat st;
	char *target;
	int rc;
	int fd;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			return path_error(path, e);
		return write_closed(path, fd, plan, e);
	}
	/* A symbolic link stays one. */
	target = realpath(path, NULL);
	rc = write_beside(target != NULL ? target : path, like, plan, e);
	free(target);
	return rc;
}
