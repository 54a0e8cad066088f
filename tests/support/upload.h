/*
 * An upload: a child sends bytes in pieces through a pipe.  The input over the
 * pipe has no spool.
 */

#ifndef TESTS_SUPPORT_UPLOAD_H
#define TESTS_SUPPORT_UPLOAD_H

#include <sys/types.h>

#include "lib/buf.h"
#include "lib/input.h"

/* A size of pieces whose ends are not aligned to fields or chunks. */
#define UPLOAD_PIECE 9999

struct upload {
	struct input *in;
	int fd;
	pid_t child;
};

/*
 * upload_start starts a child that sends bytes, at most piece bytes at a time.
 * upload_finish frees the input and reaps the child; the test must have read
 * the input to its end.  A failure fails the test.
 */
void upload_start(struct upload *upload, const struct buf *bytes, size_t piece);
void upload_finish(struct upload *upload);

#endif
