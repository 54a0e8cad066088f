/*
 * What the programs do all day, and so must work in their sandboxes.
 */

#ifndef TESTS_SUPPORT_SANDBOX_NEEDS_H
#define TESTS_SUPPORT_SANDBOX_NEEDS_H

#include "lib/sandbox.h"
#include "tests/support/attack.h"

/* What the tests use, made before the sandbox is entered. */
struct fixture {
	int pair[2];     /* connected sockets; a descriptor waits in the 2nd */
	int pipes[2];    /* an empty pipe */
	int listener;    /* a socket at which somebody knocked */
	char folder[64]; /* to read and write below */
	char readonly[64]; /* to read below */
	int landlock;      /* the kernel's version, or 0 */
};

extern struct fixture fixture;

/*
 * Enter the sandbox of role with those folders; 0, or -1 and a message.
 */
int fixture_enter(int role);

/* Exit statuses of a child; errno values are below them. */
#define WORKS 0
#define NO_SANDBOX 200
#define KILLED 1000 /* by SIGSYS, or with a signal added, as a parent sees it */

struct need {
	const char *name;
	int (*attempt)(const struct attack_target *t);
	int roles; /* bits */
	int expected;
};

/* Ends with a NULL name. */
extern const struct need needs[];

#endif
