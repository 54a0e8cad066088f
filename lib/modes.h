/*
 * Whether only those who may can read or change a file, as sshd's StrictModes
 * asks (sshd_config(5)).
 *
 * The file, and each folder and link on the way to it from /, must belong to
 * root or to one other uid.  Nobody else may write to any of them.  A folder
 * with the sticky bit, such as /tmp, is fine: nobody can move what another owns
 * there.  Nobody else may read a secret file.
 */

#ifndef LIB_MODES_H
#define LIB_MODES_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/error.h"

struct modes {
	uid_t owner; /* who may own it besides root */
	bool secret; /* nobody else may read the file */
	bool alone;  /* do not look at the way to it */
};

/*
 * Check the file at path.  HT_ERR_USAGE if others can get at it, with the
 * command that mends it, or if it is not there.
 */
int modes_check(const char *path, const struct modes *m, struct ht_error *e);

/*
 * Open the file at path for reading, and check it.  What is checked last is the
 * open file.  Returns the descriptor, which the caller closes, or the errors of
 * modes_check.
 */
int modes_open(const char *path, const struct modes *m, struct ht_error *e);

/*
 * open(2) for reading, with the rights of the file's owner if we are root: root
 * needs no capability to read what is another's.  Returns the descriptor, or -1
 * and errno.
 */
int modes_open_as_owner(const char *path);

#endif
