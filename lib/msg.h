/*
 * Framed messages over a unix stream socket, with descriptors.
 *
 * A frame is u32 length of what follows, u16 type, u32 tag, fields; big-endian.
 * It is at most MSG_MAX bytes in all.  Descriptors ride on the frame's first
 * byte.  What types exist, and when, is protocol/messages.h.
 */

#ifndef LIB_MSG_H
#define LIB_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"

#define MSG_MAX ((size_t)64 << 10)
#define MSG_HEADER ((size_t)10)
#define MSG_BODY_MAX (MSG_MAX - MSG_HEADER)
#define MSG_FDS 4

struct msg {
	uint16_t type;
	uint32_t tag;
	struct cursor body; /* valid until the next call on the channel */
	int fd[MSG_FDS];    /* the receiver's from now on; close-on-exec */
	size_t nfds;
};

struct msg_channel;

/*
 * A channel over fd, which it owns and makes non-blocking.  NULL if there is
 * no memory; then fd is still the caller's.
 */
struct msg_channel *msg_channel_new(int fd);
void msg_channel_free(struct msg_channel *ch); /* NULL is fine */
int msg_channel_fd(const struct msg_channel *ch);

/*
 * Take the next frame.  1 with *m filled, 0 if it has not arrived whole, or
 * HT_ERR_UNAVAILABLE with *e if the peer is gone, HT_ERR_DATA if it broke the
 * framing.  At most one recvmsg(2) pair a call beyond a whole frame, so a busy
 * peer cannot starve the others.
 */
int msg_next(struct msg_channel *ch, struct msg *m, struct ht_error *e);

/*
 * Close the descriptors of m that were not taken (taken ones are set to -1).
 */
void msg_close_fds(struct msg *m);

/*
 * Overwrite the body of m: it held a secret.
 */
void msg_wipe(struct msg *m);

/*
 * Queue a frame.  The descriptors are duplicated: the caller keeps its own.
 * HT_ERR_INTERNAL if the body is too long or there is no memory.  msg_flush
 * sends what the socket takes: 0 (msg_pending says whether all is out) or
 * HT_ERR_UNAVAILABLE.  Frames are wiped once they are sent.
 */
int msg_queue(struct msg_channel *ch, uint16_t type, uint32_t tag,
    const struct buf *body, const int *fds, size_t nfds, struct ht_error *e);
int msg_flush(struct msg_channel *ch, struct ht_error *e);
bool msg_pending(const struct msg_channel *ch);

/*
 * For a program that does one thing at a time: flush, waiting until all is
 * out, as long as the peer takes some of it every timeout milliseconds (-1:
 * for ever); and wait for the next frame, at most so long.
 * HT_ERR_UNAVAILABLE when that is over or the peer is gone; 0 and 1 as
 * msg_flush and msg_next.
 */
int msg_drain(struct msg_channel *ch, int timeout, struct ht_error *e);
int msg_wait(struct msg_channel *ch, struct msg *m, int timeout,
    struct ht_error *e);

#endif
