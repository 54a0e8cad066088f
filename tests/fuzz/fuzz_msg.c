/*
 * Frames and fields.  The first byte says what the others are: a message of
 * that type, whose fields must come back the same when they are written again;
 * or, beyond the types, what a peer sends over a fresh link of some kind.
 */

#include "config.h"

#include <sys/socket.h>
#include <unistd.h>

#include "protocol/messages.h"

#define KINDS 7U

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
fields(enum protocol_type type, struct cursor in)
{
	union protocol_body body;
	struct buf out = BUF_INIT;

	if (protocol_decode(type, in, &body) < 0)
		return;
	if (protocol_encode(type, &body, &out) < 0 || out.len != in.left ||
	    (in.left > 0 && memcmp(out.data, in.p, in.left) != 0))
		abort();
	buf_free(&out);
}

static void
stream(enum protocol_kind kind, bool asker, struct cursor in)
{
	struct protocol_link link;
	union protocol_body body;
	struct ht_error e;
	struct msg m;
	int fd[2];
	int rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) < 0)
		return;
	if (protocol_open(&link, fd[0], kind, asker, &e) == 0) {
		/* More than the socket holds does not come. */
		(void)!write(fd[1], in.p, in.left);
		(void)close(fd[1]);
		do {
			rc = protocol_next(&link, &m, &body, &e);
			if (rc == 1)
				msg_close_fds(&m);
		} while (rc == 1);
		if (rc == 0)
			abort();
		protocol_close(&link);
	} else {
		(void)close(fd[1]);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct cursor in = cursor_over(p, n);
	uint8_t first;

	if (cursor_u8(&in, &first) < 0)
		return 0;
	if (first < PROTOCOL_TYPES)
		fields((enum protocol_type)first, in);
	else
		stream((enum protocol_kind)(first % KINDS), first / KINDS % 2,
		    in);
	return 0;
}
