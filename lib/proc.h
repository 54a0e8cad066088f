/*
 * Processes: starting one, dropping rights, restarting with back-off.
 */

#ifndef LIB_PROC_H
#define LIB_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/error.h"

/* The most descriptors that a child can be given. */
#define PROC_FDS 16

/* Leave uid or gid as it is. */
#define PROC_SAME ((uid_t)-1)

struct proc_spec {
	const char *const *argv; /* argv[0] is the file: an absolute path */
	const char *const *env;  /* ended with NULL; NULL means empty */
	const int *fds;          /* become 0, 1, 2, … in the child; -1
	                            becomes /dev/null; without one, 0 and
	                            1 are /dev/null and 2 is our stderr */
	size_t nfds;
	uid_t uid;  /* or PROC_SAME; a change drops supplementary groups */
	gid_t gid;  /* the same */
	bool first; /* PROC_FIRST for it and its session, if root starts it */
};

/*
 * Fork and exec.  The child lays out its descriptors and closes all others.  It
 * resets all signal dispositions and the mask.  If there is a terminal, it
 * starts a session.  Its niceness is the usual one, or PROC_FIRST.  Then it
 * changes uid and gid, and sets no_new_privs.  The death of the parent kills the
 * child (PR_SET_PDEATHSIG).  A child that cannot exec exits with status 127,
 * after one line on its stderr.
 *
 * Sets *pid; the caller reaps the child.  Sets *pidfd, unless pidfd is NULL, to
 * a close-on-exec pidfd that the caller closes.  On error both are -1 and no
 * child is left.  HT_ERR_INTERNAL if a system call fails, nfds exceeds PROC_FDS
 * or argv[0] is no absolute path.
 */
int proc_start(const struct proc_spec *spec, pid_t *pid, int *pidfd,
    struct ht_error *e);

/*
 * Every program calls this first.  Allows no core.  Makes the process
 * undumpable, so others cannot ptrace it; execve(2) undoes that.  Ignores
 * SIGPIPE and SIGXFSZ.  Opens descriptors 0 to 2 if they are closed.  A build
 * without sandbox stays dumpable, for debuggers and leak checkers.
 * HT_ERR_INTERNAL if a system call fails.
 */
int proc_harden(struct ht_error *e);

/* The niceness of what works for all clients, before what works for one. */
#define PROC_FIRST (-10)

/*
 * Let a process (0 for the caller) be nicer than is usual, by so much.  Usual is
 * 0, or the caller's niceness if that is more.  At PROC_NICEST the process gets
 * only the time that nobody else wants (SCHED_IDLE).
 *
 * Returns -1 with errno.  Without CAP_SYS_NICE a process of the caller's can
 * become nicer only.
 */
#define PROC_NICEST 19
int proc_nicer(pid_t pid, int by);

/*
 * Give up root for good: supplementary groups, gid, uid.  Then check that
 * there is no way back.  PROC_SAME for both does nothing.  The change of uid
 * makes the kernel forget that the process is undumpable, and its parent death
 * signal: both are set again.  HT_ERR_INTERNAL if a system call or the check
 * fails.  HT_ERR_UNAVAILABLE if the parent died meanwhile.
 */
int proc_drop(uid_t uid, gid_t gid, struct ht_error *e);

/*
 * The same, but group stays as the only supplementary group; (gid_t)-1: none.
 */
int proc_drop_to(uid_t uid, gid_t gid, gid_t group, struct ht_error *e);

/*
 * Let root look at files with the rights of uid; 0 gives it its own again.  The
 * parent death signal stays.  proc_harden has to be called again before the
 * process trusts that it is undumpable.
 */
void proc_files_as(uid_t uid);

/*
 * The full path of another program of ours, NUL-terminated, in path of size
 * bytes.  If this process runs from a build tree, it is the program of that
 * tree; otherwise the one in the folder named at build time.  Environment and
 * search path play no part.  HT_ERR_INTERNAL if the name is unknown, the path
 * is too long, or the path of this process cannot be read.
 */
int proc_program(const char *name, char *path, size_t size, struct ht_error *e);

/*
 * How long to wait before the next start, in milliseconds.  Doubles from 100
 * to 30000, or only to 1600 if the program has served: it can work here, so
 * somebody waits for it.  Starts again at 100 after a process that lived for a
 * minute.  The struct starts as zeros.
 */
struct proc_backoff {
	uint64_t started; /* loop_now() of the last start, or 0 */
	unsigned int wait;
	bool served; /* the caller's: a process of it was ready once */
};
void proc_backoff_started(struct proc_backoff *b);
unsigned int proc_backoff_next(struct proc_backoff *b);

/*
 * A process, so that no later process of the same number is taken for it.
 */
struct proc_id {
	pid_t pid;
	uint64_t start; /* the kernel's clock ticks since it was booted */
};

/*
 * The parent of a process that runs.  HT_ERR_INTERNAL if /proc does not show
 * both, or if the parent has ended.
 */
int proc_parent(pid_t child, struct proc_id *parent, struct ht_error *e);

/* Whether the process is still there. */
bool proc_lives(const struct proc_id *id);

/*
 * A pair of unix stream sockets, close-on-exec and non-blocking.  The caller
 * closes both.  HT_ERR_INTERNAL on error; then both are -1.
 */
int proc_socketpair(int pair[2], struct ht_error *e);

/*
 * Make fd non-blocking.  HT_ERR_INTERNAL on error.
 */
int proc_nonblock(int fd, struct ht_error *e);

#endif
