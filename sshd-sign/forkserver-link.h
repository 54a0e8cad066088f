/*
 * The listener's connection to the forkserver, a process of htsign-shell
 * without a client.  It forks the shells of clients
 * (htsign-shell/forkserver.h).
 */

#ifndef SSHD_SIGN_FORKSERVER_LINK_H
#define SSHD_SIGN_FORKSERVER_LINK_H

#include <sys/types.h>

#include "lib/error.h"
#include "lib/loop.h"

/* The number of descriptors that a shell gets, as 0, 1, 2, ... */
#define FORKSERVER_LINK_FDS 5

struct forkserver_link;

/*
 * A link to a forkserver that runs shell, a path, as uid and gid (lib/proc.h).
 * shell is borrowed.  The process is started when it is needed and not there.
 * NULL without memory.
 */
struct forkserver_link *forkserver_link_new(struct loop *loop,
    const char *shell, uid_t uid, gid_t gid);

/*
 * Start the process now, so that the next client need not wait for it.  A
 * failure is only logged.
 */
void forkserver_link_prepare(struct forkserver_link *f);

/*
 * Start a shell that gets copies of the descriptors in fds.  Its niceness is
 * the usual one (proc_nicer) plus nicer, which is 0 to 19.  It is a child of
 * this process, and the caller reaps *pid.  The caller owns *pidfd, which is
 * close-on-exec.
 *
 * HT_ERR_INTERNAL if no forkserver can be started, or it does not answer
 * properly within 5 seconds; *pid and *pidfd are then not valid.
 */
int forkserver_link_shell(struct forkserver_link *f,
    const int fds[FORKSERVER_LINK_FDS], int nicer, pid_t *pid, int *pidfd,
    struct ht_error *e);

#endif
