/*
 * Framed messages over a unix stream socket, with descriptors.
 *
 * A frame is u32 length of what follows, u16 type, u32 tag, fields; big-endian.
 * It has at most MSG_MAX bytes in all.  Descriptors come with its first byte.
 * protocol/messages.h lists the types and says when each may come.
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
	struct cursor body; /* borrowed until the next call on the channel */
	int fd[MSG_FDS];    /* the receiver owns them; close-on-exec */
	size_t nfds;
};

struct msg_channel;

/*
 * A channel over fd.  It owns fd and makes it non-blocking.  NULL if fd is bad
 * or there is no memory; then the caller keeps fd.
 */
struct msg_channel *msg_channel_new(int fd);
void msg_channel_free(struct msg_channel *ch); /* NULL is fine */
int msg_channel_fd(const struct msg_channel *ch);

/*
 * Receive the next frame.  Returns 1 with *m filled, or 0 if the frame is not
 * complete yet.  A call reads at most one frame, so a busy peer cannot starve
 * the others.  HT_ERR_UNAVAILABLE if the peer is gone.  HT_ERR_DATA if the
 * length is wrong, or for descriptors that are too many or not at the first
 * byte.
 */
int msg_next(struct msg_channel *ch, struct msg *m, struct ht_error *e);

/*
 * Close the descriptors of m, except those that the caller has set to -1
 * because it keeps them.
 */
void msg_close_fds(struct msg *m);

/*
 * Overwrite the body of m, for a message that held a secret.
 */
void msg_wipe(struct msg *m);

/*
 * Queue a frame.  Copies the body, which may be NULL, and duplicates the
 * descriptors: the caller keeps both.  HT_ERR_INTERNAL if the body is longer
 * than MSG_BODY_MAX, nfds exceeds MSG_FDS, a descriptor is bad, or there is no
 * memory.
 */
int msg_queue(struct msg_channel *ch, uint16_t type, uint32_t tag,
    const struct buf *body, const int *fds, size_t nfds, struct ht_error *e);

/*
 * Send as much of the queue as the socket takes, and wipe each frame once it
 * is sent.  Returns 0, also if some is left: msg_pending says so.
 * HT_ERR_UNAVAILABLE if the peer is gone.
 */
int msg_flush(struct msg_channel *ch, struct ht_error *e);
bool msg_pending(const struct msg_channel *ch);

/*
 * For a program that does one thing at a time.  msg_drain sends the whole queue
 * and returns 0.  The peer must take some of it every timeout milliseconds.
 * msg_wait receives the next frame within timeout milliseconds and returns 1.
 * A negative timeout waits for ever.  HT_ERR_UNAVAILABLE if the time is over or
 * the peer is gone.  HT_ERR_INTERNAL if poll(2) fails.  msg_wait also returns
 * HT_ERR_DATA as msg_next does.
 */
int msg_drain(struct msg_channel *ch, int timeout, struct ht_error *e);
int msg_wait(struct msg_channel *ch, struct msg *m, int timeout,
    struct ht_error *e);

#endif
