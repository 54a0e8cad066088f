/*
 * What the programs do in normal work, and so must work in their sandboxes.
 */

#ifndef TESTS_SUPPORT_SANDBOX_NEEDS_H
#define TESTS_SUPPORT_SANDBOX_NEEDS_H

#include "lib/sandbox.h"
#include "tests/support/attack.h"

/* The objects that the tests use, made before the sandbox is entered. */
struct fixture {
	int pair[2];     /* connected sockets; a descriptor waits in the 2nd */
	int pipes[2];    /* an empty pipe */
	int listener;    /* a socket with a connection to accept */
	char folder[64]; /* a folder to read and write */
	char readonly[64]; /* a folder to read */
	int landlock;      /* the kernel's version of Landlock, or 0 */
};

extern struct fixture fixture;

/*
 * Enter the sandbox of role with both folders.  Returns 0, or -1 and prints a
 * message.
 */
int fixture_enter(int role);

/* Exit statuses of a child.  Those from 1 to 199 are values of errno. */
#define WORKS 0
#define NO_SANDBOX 200
#define KILLED 1000 /* plus the number of the signal; alone for SIGSYS */

struct need {
	const char *name;
	int (*attempt)(const struct attack_target *t);
	int roles; /* a bit for each role */
	int expected;
};

/* Ends with a NULL name. */
extern const struct need needs[];

#endif
