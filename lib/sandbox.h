/*
 * The rights that a process gives up before it meets its first outside byte:
 * seccomp and Landlock behind one call.  The roles are the processes of
 * DESIGN.md, section 2.
 */

#ifndef LIB_SANDBOX_H
#define LIB_SANDBOX_H

#include <stddef.h>

#include "lib/error.h"

enum sandbox_role {
	SANDBOX_SHELL,    /* allow-list: the descriptors it has, memory, time */
	SANDBOX_NETWORK,  /* the same, and recv, send and poll on its socket */
	SANDBOX_KEYD,     /* allow-list: its state folder, accept; no exec */
	SANDBOX_TOKEN,    /* deny-list: vendor code runs here */
	SANDBOX_PARENT,   /* deny-list: starts processes, parses nothing */
	SANDBOX_FETCH,    /* allow-list: unix and IP sockets, its files to
			     read, threads; no exec */
	SANDBOX_PUMP,     /* allow-list: the descriptors it has, memory, time */
	SANDBOX_READER,   /* allow-list: its files to read, and to lock them */
	SANDBOX_TOKEN_USB /* as TOKEN; netlink sockets, for libusb */
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
 * Enter the sandbox of role, for good: no_new_privs, then Landlock, then
 * seccomp.
 *
 * Landlock leaves access to exactly the paths.  SHELL and NETWORK pass none.
 * Neither access allows executing a file.  Landlock also closes TCP, except
 * that TOKEN and FETCH may connect.  PARENT gets no Landlock, because its children would
 * inherit it.  A TOKEN has sockets of unix, IPv4 and IPv6 only.
 *
 * With an allow-list, any other call kills the process.  With a deny-list, a
 * listed call fails with EPERM.  So do calls that libraries are known to probe.
 *
 * A SHELL, a PUMP and a READER are also limited in memory and descriptors, and a SHELL in
 * processor time.  It gets a
 * day of processor time, and less once it knows what it may sign.
 *
 * *landlock is the kernel's version of Landlock, or 0 if it has none.  0 is no
 * error, but log it.  HT_ERR_INTERNAL if a path does not exist or the kernel
 * has no seccomp.  Then the program must not go on.
 */
int sandbox_enter(enum sandbox_role role, const struct sandbox_path *paths,
    size_t npaths, int *landlock, struct ht_error *e);

/*
 * Only no_new_privs and Landlock, for a process that starts threads: call
 * this, start the threads, then call sandbox_enter.  A thread inherits both
 * from its creator and cannot get them later.  The seccomp of sandbox_enter
 * also reaches threads that run already.  An allow-list forbids new threads.
 * Returns what sandbox_enter does.
 */
int sandbox_files(enum sandbox_role role, const struct sandbox_path *paths,
    size_t npaths, int *landlock, struct ht_error *e);

#endif
