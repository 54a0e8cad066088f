/*
 * The descent of a network process: everything that it must not have any more
 * when it meets the first byte of a stranger's.
 */

#ifndef SSHD_SIGN_JAIL_H
#define SSHD_SIGN_JAIL_H

#include <sys/types.h>

#include "lib/error.h"

struct jail {
	uid_t uid; /* PROC_SAME: everything runs under one uid */
	gid_t gid;
	int folder; /* an empty one to chroot into, or -1 with PROC_SAME */
};

/*
 * A descriptor of a folder that is empty and stays so: it has no name any
 * more.  -1 and *e on failure.
 */
int jail_folder(struct ht_error *e);

/*
 * Between fork and the network, in the child: signals as they are by default,
 * nothing open but /dev/null and the descriptors keep[0] and keep[1], which
 * become 3 and 4; no environment; chroot, uid, limits, undumpable, dead when
 * the parent (whose pid is given) is; the sandbox.  HT_ERR_*: the process must
 * end, and has told the listener why, over keep[1].
 */
int jail_enter(const struct jail *j, const int keep[2], pid_t parent);

#define JAIL_SOCKET 3
#define JAIL_RELAY 4

#endif
