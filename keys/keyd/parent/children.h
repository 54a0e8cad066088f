/*
 * The processes that htsign-keyd's parent starts, each at the other end of a
 * socket pair, and watches until they have ended.
 */

#ifndef KEYS_KEYD_PARENT_CHILDREN_H
#define KEYS_KEYD_PARENT_CHILDREN_H

#include <sys/queue.h>
#include <sys/types.h>

#include "lib/error.h"
#include "lib/loop.h"

/* One that runs, or was killed and has not ended yet. */
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
	loop_watch_fn *on_end; /* with the struct child: it has ended */
	void *cookie;          /* the child's */
};

void children_init(struct children *all, struct loop *loop);

/*
 * Kill and forget all.
 */
void children_kill(struct children *all);

/*
 * Start one with one end of a new socket pair as descriptor 3; *fd is the
 * other, or -1.  NULL and *e on failure.
 */
struct child *child_start(struct children *all, const struct child_spec *spec,
    int *fd, struct ht_error *e);

/*
 * Take what has ended: its wait status.  *c is gone afterwards.
 */
int child_collect(struct child *c);

/*
 * Send a signal; NULL is fine.
 */
void child_signal(const struct child *c, int number);

/*
 * Kill *at, if there is one, and forget it: it is collected when it has ended,
 * as one that hangs in the kernel must not keep us waiting.
 */
void child_kill(struct child **at);

/*
 * Log how a child ended, unless that was well.
 */
void child_log_end(const char *name, int status);

#endif
