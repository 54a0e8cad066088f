/*
 * The attacks that a subverted process would try.
 */

#ifndef TESTS_SUPPORT_ATTACK_H
#define TESTS_SUPPORT_ATTACK_H

#include <sys/types.h>

/* The targets of the attacks, made before the sandbox is entered. */
struct attack_target {
	pid_t pid;  /* another process, preferably one like this */
	int pidfd;  /* the same process */
	int socket; /* a connected unix stream socket */
	int terminal;
	int fd;                   /* a descriptor to send to others */
	const char *file;         /* a file that must not be opened */
	const char *useless_file; /* a file that may be destroyed */
	const char *socket_path;  /* a socket on which a process listens */
};

struct attack {
	const char *name;
	int (*run)(const struct attack_target *t); /* 0, or errno */
};

/* Ends with a NULL name. */
extern const struct attack attacks[];

/*
 * The attack of that name, or NULL.
 */
const struct attack *attack_find(const char *name);

/* The exit statuses of a process that survived its attack. */
#define ATTACK_UNKNOWN 97
#define ATTACK_DENIED 98
#define ATTACK_WORKED 99

/*
 * Run the attack of that name on targets that every process has: its parent,
 * descriptor 0, the password file.  Does not return.  In a good sandbox the
 * process is killed by SIGSYS; else it exits with an ATTACK_ status.
 */
void attack_run(const char *name) __attribute__((noreturn));

#endif
