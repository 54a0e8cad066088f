/*
 * The rights that a process gives up before it meets its first outside byte:
 * seccomp and Landlock behind one call.  The roles are those of DESIGN.md §2.
 */

#ifndef LIB_SANDBOX_H
#define LIB_SANDBOX_H

#include <stddef.h>

#include "lib/error.h"

enum sandbox_role {
	SANDBOX_SHELL,   /* allow-list: the descriptors it has, memory, time */
	SANDBOX_NETWORK, /* the same, and recv, send and poll on its socket */
	SANDBOX_KEYD,    /* allow-list: its state folder, accept; no exec */
	SANDBOX_TOKEN,   /* deny-list: vendor code runs here */
	SANDBOX_PARENT   /* deny-list: starts processes, parses nothing */
};

enum sandbox_access {
	SANDBOX_READ,      /* a file, or everything below a folder */
	SANDBOX_READ_WRITE /* the same, with create, rename and unlink */
};

struct sandbox_path {
	const char *path;
	enum sandbox_access access;
};

/*
 * Enter the sandbox of role, for good: no_new_privs, Landlock on exactly the
 * paths (none for SHELL and NETWORK; PARENT has no Landlock, since its children
 * would inherit it), then seccomp.  Calls outside the list kill the process
 * (allow-lists) or fail with EPERM (deny-lists, and probes that libraries are
 * known to make).  A SHELL is also limited in memory, descriptors and processor
 * time: a day, less once it knows what it may sign.  READ on a folder covers
 * what is below; neither access lets a file be executed.  TCP is closed to all
 * roles but TOKEN, which may connect, and PARENT.
 *
 * *landlock is the kernel's version of Landlock; 0 means that it has none, and
 * is no error but for the log.  HT_ERR_INTERNAL or HT_ERR_UNAVAILABLE if a path
 * is not there or seccomp is missing: the program must not go on.
 */
int sandbox_enter(enum sandbox_role role, const struct sandbox_path *paths,
    size_t npaths, int *landlock, struct ht_error *e);

/*
 * A part of it, for a process that starts threads: no_new_privs and Landlock.
 * A thread inherits both, and gets neither afterwards; seccomp, which comes
 * with sandbox_enter, reaches the threads that are there and forbids new ones
 * where there is an allow-list.
 */
int sandbox_files(enum sandbox_role role, const struct sandbox_path *paths,
    size_t npaths, int *landlock, struct ht_error *e);

#endif
