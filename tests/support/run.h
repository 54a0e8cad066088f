/*
 * Runs htsign-shell, or htsign-admin if argv[0] is that, as it was built, in its sandbox, with files as stdin,
 * stdout and stderr.  The working folder is the test's own (scratch.h).
 */

#ifndef TESTS_SUPPORT_RUN_H
#define TESTS_SUPPORT_RUN_H

#include <sys/types.h>

#include "lib/buf.h"

/* How the shell is started (up to in_fd), and how it ended. */
struct run {
	const char *const *argv;
	const char *command; /* SSH_ORIGINAL_COMMAND, or NULL */
	const struct buf *in;
	int in_fd; /* used instead of in, unless it is -1 */
	pid_t pid;
	int status;
	struct buf out;
	struct buf err;
};

#define RUN_INIT                                                               \
	{                                                                      \
		NULL, NULL, NULL, -1, 0, 0, BUF_INIT, BUF_INIT                 \
	}

/*
 * run_start starts the shell.  run_finish waits until it has exited and fills
 * in status, out and err; err is NUL-terminated.  A shell that a signal ends
 * fails the test.  run_free frees out and err.
 */
void run_start(struct run *run);
void run_finish(struct run *run);
void run_free(struct run *run);

/*
 * Fail the test unless the shell ended with this status, wrote one line with
 * text in it to stderr, and wrote nothing to stdout.
 */
void run_failed(const struct run *run, int status, const char *text);

/*
 * Return a socket that listens at name in the working folder.  The caller
 * closes it.
 */
int run_listen(const char *name);

#endif
