/*
 * Running htsign-shell, as it was built and in its sandbox, with files for its
 * standard descriptors.  The working folder is the test's own (scratch.h).
 */

#ifndef TESTS_SUPPORT_RUN_H
#define TESTS_SUPPORT_RUN_H

#include <sys/types.h>

#include "lib/buf.h"

/* How the shell is started, and how it ended. */
struct run {
	const char *const *argv;
	const char *command; /* SSH_ORIGINAL_COMMAND, or NULL */
	const struct buf *in;
	int in_fd; /* instead of in, if it is not -1 */
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
 * Start it, and wait until it has exited; out and err are filled in then, err
 * with a NUL behind it.  A shell that ends on a signal fails the test.
 */
void run_start(struct run *run);
void run_finish(struct run *run);
void run_free(struct run *run);

/*
 * Fail unless it ended with this status, with one line on stderr that has text
 * in it, and nothing on stdout.
 */
void run_failed(const struct run *run, int status, const char *text);

/*
 * A socket that listens at name in the working folder.
 */
int run_listen(const char *name);

#endif
