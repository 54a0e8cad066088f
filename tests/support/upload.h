/*
 * An upload: bytes that arrive in pieces, through a pipe from a child, as an
 * input that keeps none of them.
 */

#ifndef TESTS_SUPPORT_UPLOAD_H
#define TESTS_SUPPORT_UPLOAD_H

#include <sys/types.h>

#include "lib/buf.h"
#include "lib/input.h"

/* A size of pieces on whose ends no field or chunk begins. */
#define UPLOAD_PIECE 9999

struct upload {
	struct input *in;
	int fd;
	pid_t child;
};

/*
 * Begin to send the bytes, piece of them at a time; wait for the child, which
 * the reader has read to the end, and free the input.  A failure fails the
 * test.
 */
void upload_start(struct upload *upload, const struct buf *bytes, size_t piece);
void upload_finish(struct upload *upload);

#endif
