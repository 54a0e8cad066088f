/*
 * The jail of a network process: it gives up its rights before it reads the
 * first byte from outside.
 */

#ifndef SSHD_SIGN_JAIL_H
#define SSHD_SIGN_JAIL_H

#include <sys/types.h>

#include "lib/error.h"

struct jail {
	uid_t uid; /* PROC_SAME if everything runs under one uid */
	gid_t gid;
	int folder; /* an empty folder for chroot(2); -1 with PROC_SAME */
};

/*
 * Make an empty folder and return a descriptor of it, or -1 and *e.  The folder
 * has no name any more, so it stays empty.
 */
int jail_folder(struct ht_error *e);

/*
 * Enter the jail, in the child after fork(2).  Signals get their default
 * actions, but SIGPIPE is ignored.  The environment is cleared.  Descriptor
 * keep[0] becomes JAIL_SOCKET, keep[1] becomes JAIL_RELAY, and 0 to 2 become
 * /dev/null; all others are closed.  chroot, limits, uid, gid and sandbox
 * follow.  The process is undumpable, and dies with its parent, whose pid is
 * parent.
 *
 * On error the process must end.  The listener has then been sent the reason.
 * HT_ERR_UNAVAILABLE if parent is gone, or as sandbox_enter; otherwise
 * HT_ERR_INTERNAL.
 */
int jail_enter(const struct jail *j, const int keep[2], pid_t parent);

#define JAIL_SOCKET 3
#define JAIL_RELAY 4

#endif
