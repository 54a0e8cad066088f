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
	const int *fds; /* become 0, 1, 2, … in the child; a -1 becomes
	                   /dev/null; stderr is kept if nfds < 3 */
	size_t nfds;
	uid_t uid; /* or PROC_SAME; otherwise no supplementary groups */
	gid_t gid;
};

/*
 * Fork and exec.  In the child: all signal dispositions and the mask reset,
 * the descriptors laid out, all others closed, a new session, uid and gid
 * changed, no_new_privs, and the parent's death kills it (PR_SET_PDEATHSIG).
 * Returns the pid and, if pidfd is not NULL, a close-on-exec pidfd.  0, or
 * HT_ERR_INTERNAL; a failed exec is seen as exit status 127 with one line on
 * the child's stderr.
 */
int proc_start(const struct proc_spec *spec, pid_t *pid, int *pidfd,
    struct ht_error *e);

/*
 * First thing in every program: no core, undumpable (execve undoes it) and so
 * no ptrace by others; SIGPIPE and SIGXFSZ ignored; descriptors 0 to 2 open.
 * A build without sandbox stays dumpable, for debuggers and leak checkers.
 */
int proc_harden(struct ht_error *e);

/*
 * Give up root for good: groups, gid, uid; then check that there is no way
 * back.  PROC_SAME for both does nothing.  Undumpable and the parent death
 * signal, which the kernel forgets on the way, are set again.
 */
int proc_drop(uid_t uid, gid_t gid, struct ht_error *e);

/*
 * The full path of another program of ours: the folder named at build time,
 * or, when our own binary is where a build tree has one of these or a unit
 * test, the place that it has in that tree.  Never taken from the environment
 * or the search path.
 */
int proc_program(const char *name, char *path, size_t size, struct ht_error *e);

/*
 * Restarting: how long to wait before the next start.  Doubles from 100 ms to
 * 30 s; a process that lived for a minute starts again at 100 ms.
 */
struct proc_backoff {
	uint64_t started; /* loop_now() of the last start, or 0 */
	unsigned int wait;
};
void proc_backoff_started(struct proc_backoff *b);
unsigned int proc_backoff_next(struct proc_backoff *b);

/*
 * Close-on-exec, non-blocking; unix stream socket pair.
 */
int proc_socketpair(int pair[2], struct ht_error *e);
int proc_nonblock(int fd, struct ht_error *e);

#endif
