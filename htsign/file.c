#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "htsign/file.h"

int
file_error(const char *path, struct ht_error *e)
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

	/* O_NONBLOCK: do not wait for the writer of a FIFO. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return file_error(path, e);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	(void)close(fd);
	return ht_error_set(e, HT_ERR_USAGE, "%s: not a regular file", path);
}

/*
 * Copy what is left of stdin.
 */
static int
copy_stdin(FILE *copy, struct ht_error *e)
{
	char chunk[65536];
	ssize_t n;

	while ((n = read(STDIN_FILENO, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_error("stdin", e);
		if (fwrite(chunk, 1, (size_t)n, copy) != (size_t)n)
			return ht_error_errno(e, "cannot keep stdin");
	}
	return fflush(copy) == 0 ? 0 : ht_error_errno(e, "cannot keep stdin");
}

int
file_stdin(struct ht_error *e)
{
	FILE *copy = NULL;
	struct stat st;
	int fd = STDIN_FILENO;
	int rc = 0;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    lseek(fd, 0, SEEK_CUR) != 0) {
		copy = tmpfile();
		if (copy == NULL)
			return ht_error_errno(e, "cannot keep stdin");
		rc = copy_stdin(copy, e);
		fd = fileno(copy);
	}
	if (rc == 0 && (rc = fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0)
		rc = ht_error_errno(e, "cannot keep stdin");
	if (copy != NULL)
		(void)fclose(copy);
	return rc;
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
			return file_error(path, e);
	}
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rc = file_error(path, e);
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
		rc = ht_error_memory(e);
	if (fd != STDIN_FILENO)
		(void)close(fd);
	return rc;
}
