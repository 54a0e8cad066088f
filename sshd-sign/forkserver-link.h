/*
 * Where the listener gets its clients' shells from: a process of htsign-shell's
 * that has no client and forks one for each (htsign-shell/forkserver.h).
 */

#ifndef SSHD_SIGN_FORKSERVER_LINK_H
#define SSHD_SIGN_FORKSERVER_LINK_H

#include <sys/types.h>

#include "lib/error.h"
#include "lib/loop.h"

/* What becomes 0, 1, 2, ... of a shell. */
#define FORKSERVER_LINK_FDS 5

struct forkserver_link;

/*
 * A forkserver of that program, under that uid and gid (lib/proc.h); shell
 * stays the caller's.  Its process is started, or started again, when it is
 * missed.  NULL without memory.
 */
struct forkserver_link *forkserver_link_new(struct loop *loop,
    const char *shell, uid_t uid, gid_t gid);

/*
 * Start the process now, so that the first client need not wait for it.
 */
void forkserver_link_prepare(struct forkserver_link *f);

/*
 * A new shell with these descriptors, which stay the caller's: a child of this
 * process's, and a close-on-exec pidfd of it.  0, or HT_ERR_INTERNAL.
 */
int forkserver_link_shell(struct forkserver_link *f,
    const int fds[FORKSERVER_LINK_FDS], pid_t *pid, int *pidfd,
    struct ht_error *e);

#endif
