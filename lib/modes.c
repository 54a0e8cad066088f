#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/modes.h"
#include "lib/proc.h"

/* The most links on the way to a file. */
#define LINKS 16

#define OTHERS_WRITE (S_IWGRP | S_IWOTH)

struct way {
	const struct modes *modes;
	struct ht_error *e;
	char at[PATH_MAX]; /* without links; "" for / */
	unsigned int links;
};

static int
absent(const char *path, struct ht_error *e)
{
	return ht_error_set(e, HT_ERR_USAGE, "%s: %s", path, strerror(errno));
}

/* The path stands last, where it can be cut off without harm to the rest. */
static int
judge(const char *path, const struct stat *st, const struct modes *m,
    bool secret, struct ht_error *e)
{
	mode_t never = secret ? S_IRWXG | S_IRWXO : OTHERS_WRITE;

	if (st->st_uid != 0 && st->st_uid != m->owner)
		return ht_error_set(e, HT_ERR_USAGE,
		    "uid %u must not own this: chown %u %s",
		    (unsigned int)st->st_uid,
		    (unsigned int)(S_ISREG(st->st_mode) ? m->owner : 0), path);
	if (S_ISLNK(st->st_mode) ||
	    (S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) != 0) ||
	    (st->st_mode & never) == 0)
		return 0;
	return ht_error_set(e, HT_ERR_USAGE, "others can %s this: chmod %s %s",
	    secret ? "read" : "change", secret ? "go=" : "go-w", path);
}

static const char *
where(const struct way *w)
{
	return w->at[0] != '\0' ? w->at : "/";
}

static int
judge_way(const struct way *w, struct stat *st)
{
	if (lstat(where(w), st) < 0)
		return absent(where(w), w->e);
	return judge(where(w), st, w->modes, false, w->e);
}

static int walk(struct way *w, const char *path);

static int
follow_link(struct way *w, char *name)
{
	char target[PATH_MAX];
	ssize_t n = readlink(w->at, target, sizeof(target) - 1);

	if (n >= 0 && w->links++ == LINKS) {
		errno = ELOOP;
		n = -1;
	}
	if (n < 0)
		return absent(w->at, w->e);
	target[n] = '\0';
	*name = '\0'; /* a relative target starts from the link's folder */
	return walk(w, target);
}

/* Go to the name, of n bytes, in the folder where we are. */
static int
step(struct way *w, const char *name, size_t n)
{
	size_t used = strlen(w->at);
	struct stat st;
	int rc;

	if (n == 2 && memcmp(name, "..", 2) == 0) {
		while (used > 0 && w->at[--used] != '/')
			;
		w->at[used] = '\0';
		return 0;
	}
	if (used + n + 2 > sizeof(w->at)) {
		errno = ENAMETOOLONG;
		return absent(w->at, w->e);
	}
	w->at[used] = '/';
	memcpy(w->at + used + 1, name, n);
	w->at[used + 1 + n] = '\0';
	rc = judge_way(w, &st);
	if (rc == 0 && S_ISLNK(st.st_mode))
		rc = follow_link(w, w->at + used);
	return rc;
}

static int
walk(struct way *w, const char *path)
{
	struct stat st;
	size_t n;
	int rc = 0;

	if (path[0] == '/') {
		w->at[0] = '\0';
		rc = judge_way(w, &st);
	}
	while (rc == 0 && path[0] != '\0') {
		n = strcspn(path, "/");
		if (n > 1 || (n == 1 && path[0] != '.'))
			rc = step(w, path, n);
		path += n + (path[n] == '/');
	}
	return rc;
}

/* Leave the path without links in w->at; or path, if the way does not matter. */
static int
check_way(struct way *w, const char *path)
{
	char here[PATH_MAX];
	int rc = 0;

	if (w->modes->alone) {
		(void)snprintf(w->at, sizeof(w->at), "%s", path);
		return 0;
	}
	if (path[0] != '/') {
		if (getcwd(here, sizeof(here)) == NULL)
			return absent(path, w->e);
		rc = walk(w, here);
	}
	return rc == 0 ? walk(w, path) : rc;
}

int
modes_check(const char *path, const struct modes *m, struct ht_error *e)
{
	struct way w = { .modes = m, .e = e };
	struct stat st;
	int rc = check_way(&w, path);

	if (rc == 0 && stat(where(&w), &st) < 0)
		rc = absent(path, e);
	return rc == 0 ? judge(where(&w), &st, m, m->secret, e) : rc;
}

int
modes_open_as_owner(const char *path)
{
	uid_t us = geteuid();
	struct stat st;
	int fd, error;

	if (stat(path, &st) < 0)
		return -1;
	if (us == 0 && st.st_uid != 0)
		proc_files_as(st.st_uid);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	error = errno;
	if (us == 0 && st.st_uid != 0)
		proc_files_as(us);
	errno = error;
	return fd;
}

int
modes_open(const char *path, const struct modes *m, struct ht_error *e)
{
	struct way w = { .modes = m, .e = e };
	struct stat st;
	int rc = check_way(&w, path);
	int fd;

	if (rc < 0)
		return rc;
	fd = modes_open_as_owner(where(&w));
	if (fd < 0 || fstat(fd, &st) < 0)
		rc = absent(path, e);
	else
		rc = judge(where(&w), &st, m, m->secret, e);
	if (rc < 0 && fd >= 0)
		(void)close(fd);
	return rc < 0 ? rc : fd;
}
