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
#include "htsign/result.h"

/* How a replaced file is to look. */
struct look {
	const struct stat *like; /* NULL: as any new file */
	bool in_place;           /* like it in all, not only permissions */
};

/* The file that is being written; a signal takes it along. */
static char unfinished[4096];

static void
clean_up(int number)
{
	if (unfinished[0] != '\0')
		(void)unlink(unfinished);
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}

static void
catch_signals(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	size_t i;

	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		(void)signal(signals[i], clean_up);
}

/*
 * Owner and mode; set-user-ID and its like only together with their owner.
 */
static void
set_owner(int fd, const struct stat *like)
{
	mode_t mode = like->st_mode & 0777;
	struct stat st;

	/* Nobody but root gives files away; a group may still be ours. */
	if (fchown(fd, like->st_uid, like->st_gid) < 0)
		(void)!fchown(fd, (uid_t)-1, like->st_gid);
	if (fstat(fd, &st) == 0 && st.st_uid == like->st_uid &&
	    st.st_gid == like->st_gid)
		mode = like->st_mode & 07777;
	(void)fchmod(fd, mode);
}

static void
set_look(int fd, const struct look *look)
{
	mode_t mask;

	if (look->in_place) {
		set_owner(fd, look->like);
		(void)futimens(fd,
		    (const struct timespec[]){ look->like->st_atim,
		        look->like->st_mtim });
		return;
	}
	mask = umask(0);
	(void)umask(mask);
	(void)fchmod(fd,
	    look->like != NULL ? look->like->st_mode & 0777 : 0666 & ~mask);
}

/*
 * Write all, and have it on the disk; the descriptor is closed.
 */
static int
write_closed(const char *path, int fd, const struct output *plan,
    const struct look *look, struct ht_error *e)
{
	uint64_t written;
	int rc;

	rc = output_write(plan, fd, 0, &written, e);
	if (rc == 0 && look != NULL) {
		set_look(fd, look);
		if (fsync(fd) < 0 && errno != EINVAL)
			rc = file_error(path, e);
	}
	/* Some file systems say only here that there was no room. */
	if (close(fd) < 0 && rc == 0)
		rc = file_error(path, e);
	return rc;
}

/*
 * That the name is on the disk, too, is worth trying, and no more.
 */
static void
sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash == NULL
	    ? strdup(".")
	    : strndup(path, (size_t)(slash - path) + 1);
	int fd = -1;

	if (folder != NULL)
		fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		(void)fsync(fd);
		(void)close(fd);
	}
	free(folder);
}

static int
write_beside(const char *path, const struct look *look,
    const struct output *plan, struct ht_error *e)
{
	int rc;
	int fd;
	int n;

	n = snprintf(unfinished, sizeof(unfinished), "%s.XXXXXX", path);
	if (n < 0 || (size_t)n >= sizeof(unfinished)) {
		errno = ENAMETOOLONG;
		fd = -1;
	} else {
		catch_signals();
		fd = mkostemp(unfinished, O_CLOEXEC);
	}
	if (fd < 0) {
		unfinished[0] = '\0';
		return file_error(path, e);
	}
	rc = write_closed(path, fd, plan, look, e);
	if (rc == 0 && rename(unfinished, path) < 0)
		rc = file_error(path, e);
	if (rc < 0)
		(void)unlink(unfinished);
	unfinished[0] = '\0';
	if (rc == 0)
		sync_folder(path);
	return rc;
}

static int
replace(const char *path, const struct look *look, const struct output *plan,
    struct ht_error *e)
{
	struct stat st;
	char *target;
	int rc;
	int fd;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			return file_error(path, e);
		return write_closed(path, fd, plan, NULL, e);
	}
	/* A symbolic link stays one. */
	target = realpath(path, NULL);
	rc = write_beside(target != NULL ? target : path, look, plan, e);
	free(target);
	return rc;
}

static int
deliver(const struct htsign_arguments *a, const struct subject *subject,
    const struct look *look, const struct output *plan, struct ht_error *e)
{
	uint64_t written;

	if (a->in_place)
		return replace(subject->path, look, plan, e);
	if (a->output != NULL && strcmp(a->output, "-") != 0)
		return replace(a->output, look, plan, e);
	if (isatty(STDOUT_FILENO))
		return ht_error_set(e, HT_ERR_USAGE,
		    "the result does not go to a terminal: use -o OUT");
	return output_write(plan, STDOUT_FILENO, 0, &written, e);
}

int
result_write(const struct htsign_arguments *a, const struct subject *subject,
    const struct output *plan, struct ht_error *e)
{
	struct look look = { &subject->st, a->in_place };

	return deliver(a, subject, &look, plan, e);
}

int
result_write_bytes(const struct htsign_arguments *a,
    const struct subject *subject, const void *p, size_t n, struct ht_error *e)
{
	struct look look = { NULL, false };
	struct output *plan = output_new(subject->in, e);
	int rc = HT_ERR_INTERNAL;

	if (plan != NULL)
		rc = output_literal(plan, p, n, e);
	if (rc == 0)
		rc = deliver(a, subject, &look, plan, e);
	output_free(plan);
	return rc;
}
