/*
 * The two mechanisms behind sandbox_enter, each in a file of its own.
 */

#ifndef LIB_SANDBOX_PRIVATE_H
#define LIB_SANDBOX_PRIVATE_H

#include "lib/sandbox.h"

/*
 * Confine files, TCP, abstract sockets and signals with Landlock, as far as
 * the kernel supports it.  Does nothing for PARENT.  *abi is the kernel's
 * version of Landlock, or 0 if it has none.  HT_ERR_INTERNAL if a path cannot
 * be opened or the kernel refuses the rules.
 */
int sandbox_landlock(enum sandbox_role role, const struct sandbox_path *paths,
    size_t npaths, int *abi, struct ht_error *e);

/*
 * Load the seccomp filter of role.  HT_ERR_INTERNAL on error.
 */
int sandbox_seccomp(enum sandbox_role role, struct ht_error *e);

#endif
