/*
 * The processes that htsign-keyd's parent starts.  Each is connected by a
 * socket pair.  The parent watches each until it has ended.
 */

#ifndef KEYS_KEYD_PARENT_CHILDREN_H
#define KEYS_KEYD_PARENT_CHILDREN_H

#include <sys/queue.h>
#include <sys/types.h>

#include "lib/error.h"
#include "lib/loop.h"

/* A child that runs, or that was killed and has not ended yet. */
struct child {
	TAILQ_ENTRY(child) entry;
	struct children *all;
	const char *name; /* not copied */
	void *cookie;
	pid_t pid;
	int pidfd;
	struct loop_watch *watch;
};

struct children {
	TAILQ_HEAD(child_list, child) list;
	struct loop *loop;
	size_t n;
};

struct child_spec {
	const char *name; /* for the log */
	const char *const *argv;
	uid_t uid; /* or PROC_SAME */
	gid_t gid;
	loop_watch_fn *on_end; /* called with struct child when it has ended */
	void *cookie;          /* for struct child */
};

void children_init(struct children *all, struct loop *loop);

/*
 * Kill all children and free them.  Does not wait until they have ended.
 */
void children_kill(struct children *all);

/*
 * Start a child.  Its descriptor 3 is one end of a new socket pair.  *fd is the
 * other end and is the caller's.  all owns the child, until child_collect frees
 * it.  spec->name is not copied.  On error returns NULL, and *fd is -1.
 */
struct child *child_start(struct children *all, const struct child_spec *spec,
    int *fd, struct ht_error *e);

/*
 * Reap an ended child, free it, and return its wait status.
 */
int child_collect(struct child *c);

/*
 * Send a signal to the child.  NULL is fine.
 */
void child_signal(const struct child *c, int number);

/*
 * Send SIGKILL to *at and set *at to NULL.  NULL in *at is fine.  The child is
 * reaped later, when it has ended: it may hang in the kernel, and we do not
 * wait.
 */
void child_kill(struct child **at);

/*
 * Log how a child ended, unless it exited with status 0.
 */
void child_log_end(const char *name, int status);

#endif
