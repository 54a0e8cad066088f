#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "htsign/file.h"
#include "htsign/result.h"

/* The mode, owner and times of a replaced file. */
struct look {
	const struct stat *like; /* NULL: like any new file */
	bool in_place;           /* all of them, not only permissions */
};

/*
 * The name of the unfinished file.  If it is ours, a signal removes the file.
 */
static char unfinished[4096];
static volatile sig_atomic_t is_ours;

static void
clean_up(int number)
{
	if (is_ours)
		(void)unlink(unfinished);
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}

static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

static void
catch_signals(void)
{
	size_t i;

	for (i = 0; i < SIGNALS; i++)
		(void)signal(signals[i], clean_up);
}

/*
 * Block these signals while the name becomes ours or ceases to be.  A name that
 * is not ours may be another person's file.
 */
static void
hold_signals(sigset_t *before)
{
	sigset_t held;
	size_t i;

	(void)sigemptyset(&held);
	for (i = 0; i < SIGNALS; i++)
		(void)sigaddset(&held, signals[i]);
	(void)sigprocmask(SIG_BLOCK, &held, before);
}

static void
let_signals(const sigset_t *before)
{
	(void)sigprocmask(SIG_SETMASK, before, NULL);
}

/*
 * Set owner and mode.  Set-user-ID and the like are kept only together with
 * their owner.
 */
static void
set_owner(int fd, const struct stat *like)
{
	mode_t mode = like->st_mode & 0777;
	struct stat st;

	/*
	 * Only root gives files away, but the group may still be one of ours.
	 */
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
 * Write everything.  If there is a look, sync it to the disk.
 */
static int
write_all(const char *path, int fd, const struct output *plan,
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
	return rc;
}

/*
 * Close the file after rc.  Some file systems report only here that there was
 * no room.
 */
static int
close_file(const char *path, int fd, int rc, struct ht_error *e)
{
	if (close(fd) < 0 && rc == 0)
		return file_error(path, e);
	return rc;
}

/* --- beside what is there ------------------------------------------------ */

/*
 * Open the folder that path is in.  Returns -1 on error.
 */
static int
open_folder(const char *path, int flags)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash == NULL
	    ? strdup(".")
	    : strndup(path, (size_t)(slash - path) + 1);
	int fd = -1;

	if (folder != NULL)
		fd = open(folder, flags | O_CLOEXEC, 0600);
	free(folder);
	return fd;
}

/*
 * Try to have the name on the disk, too.  Failure is no error.
 */
static void
sync_folder(const char *path)
{
	int fd = open_folder(path, O_RDONLY | O_DIRECTORY);

	if (fd >= 0) {
		(void)fsync(fd);
		(void)close(fd);
	}
}

/*
 * Open a file without a name.  However we end, it is gone with us.  Returns -1
 * if there are none.  Without /proc the file could not get a name.
 */
static int
open_unnamed(const char *path)
{
	if (access("/proc/self/fd", X_OK) < 0)
		return -1;
	return open_folder(path, O_TMPFILE | O_WRONLY);
}

/*
 * Set unfinished to path and an ending.
 */
static int
set_unfinished(const char *path, const char *ending)
{
	int n = snprintf(unfinished, sizeof(unfinished), "%s.%s", path, ending);

	if (n >= 0 && (size_t)n < sizeof(unfinished))
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

static int
open_named(const char *path)
{
	sigset_t before;
	int fd;

	if (set_unfinished(path, "XXXXXX") < 0)
		return -1;
	hold_signals(&before);
	fd = mkostemp(unfinished, O_CLOEXEC);
	is_ours = fd >= 0;
	let_signals(&before);
	return fd;
}

/*
 * Give a file without a name a temporary one.
 */
static int
give_name(const char *path, int fd)
{
	char self[64];
	char ending[16];
	uint32_t number;
	sigset_t before;
	int rc;

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	do {
		if (getrandom(&number, sizeof(number), 0) < 0)
			return -1;
		(void)snprintf(ending, sizeof(ending), "%06x",
		    (unsigned int)(number >> 8));
		if (set_unfinished(path, ending) < 0)
			return -1;
		hold_signals(&before);
		rc = linkat(AT_FDCWD, self, AT_FDCWD, unfinished,
		    AT_SYMLINK_FOLLOW);
		is_ours = rc == 0;
		let_signals(&before);
	} while (rc < 0 && errno == EEXIST);
	return rc;
}

/*
 * Move the file with our name to path; remove it after an error.
 */
static int
settle(const char *path, int rc, struct ht_error *e)
{
	sigset_t before;

	hold_signals(&before);
	if (rc == 0 && rename(unfinished, path) < 0)
		rc = file_error(path, e);
	if (rc < 0 && is_ours)
		(void)unlink(unfinished);
	is_ours = false;
	let_signals(&before);
	return rc;
}

static int
write_beside(const char *path, const struct look *look,
    const struct output *plan, struct ht_error *e)
{
	int fd = open_unnamed(path);
	int rc;

	catch_signals();
	if (fd < 0)
		fd = open_named(path);
	if (fd < 0)
		return file_error(path, e);
	rc = write_all(path, fd, plan, look, e);
	if (rc == 0 && !is_ours && give_name(path, fd) < 0)
		rc = file_error(path, e);
	rc = close_file(path, fd, rc, e);
	rc = settle(path, rc, e);
	if (rc == 0)
		sync_folder(path);
	return rc;
}

/* --- where it goes ------------------------------------------------------- */

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
		rc = write_all(path, fd, plan, NULL, e);
		return close_file(path, fd, rc, e);
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
