/*
 * What a process that was taken over would try.
 */

#ifndef TESTS_SUPPORT_ATTACK_H
#define TESTS_SUPPORT_ATTACK_H

#include <sys/types.h>

/* What the attacks are aimed at; made before the sandbox is entered. */
struct attack_target {
	pid_t pid;  /* another process, best one like this */
	int pidfd;  /* of it */
	int socket; /* a connected unix stream socket */
	int terminal;
	int fd;                   /* to be sent away */
	const char *file;         /* that may not be opened */
	const char *useless_file; /* that may be lost */
	const char *socket_path;  /* where somebody listens */
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

/* The exit statuses of a process that lived through an attack. */
#define ATTACK_UNKNOWN 97
#define ATTACK_DENIED 98
#define ATTACK_WORKED 99

/*
 * Attack with what every process has at hand: its parent, descriptor 0, the
 * password file.  Does not return; at best the process is killed by SIGSYS.
 */
void attack_run(const char *name) __attribute__((noreturn));

#endif
