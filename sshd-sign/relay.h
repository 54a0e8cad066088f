/*
 * Messages between sshd-sign's listener and a network process, over a
 * SOCK_SEQPACKET pair.  A message has a type, a channel number, and a payload
 * into which the listener never looks, except for that of FAILED.
 *
 * The table in relay.c says who may send a type, how long its payload may be,
 * and how many descriptors it carries.  Both ends check this.  A network
 * process that breaks the table is killed.
 */

#ifndef SSHD_SIGN_RELAY_H
#define SSHD_SIGN_RELAY_H

#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"
#include "protocol/messages.h"

/* The most sessions of one connection at a time. */
#define RELAY_SESSIONS_MAX 64

#define RELAY_HEADER ((size_t)5)
#define RELAY_MAX (RELAY_HEADER + PROTOCOL_SESSION_MAX)
#define RELAY_FDS 3

/*
 * From the network process.  It chooses the number of a channel and uses it
 * once.  LOGIN and SESSION carry a struct protocol_session_blob.  A LOGIN must
 * be answered before the next one is sent.  Each SESSION gets exactly one
 * REFUSED or EXITED.  END says that the client has sent all of its input; only
 * then does the listener close the shell's stdin.  KILL says that the client is
 * gone without an END.  FAILED is the last message: one byte, which is a
 * negated HT_ERR_* code, and a text for the log.  PONG answers a PING.
 *
 * From the listener.  ADMIT and DENY answer a LOGIN.  STARTED carries the
 * shell's stdin, stdout and stderr.  REFUSED has the fields of a REFUSE
 * message.  EXITED has a wait status as u32.  DRAIN asks the network process to
 * take no new sessions and to end after the last one.  PING asks whether the
 * network process still runs its loop.  It is not sent again before its PONG.
 */
enum relay_type {
	RELAY_LOGIN = 1,
	RELAY_AUTHENTICATED,
	RELAY_SESSION,
	RELAY_END,
	RELAY_KILL,
	RELAY_FAILED,
	RELAY_PONG,
	RELAY_ADMIT,
	RELAY_DENY,
	RELAY_STARTED,
	RELAY_REFUSED,
	RELAY_EXITED,
	RELAY_DRAIN,
	RELAY_PING,
	RELAY_TYPES /* the number of types, plus 1 for the unused 0 */
};

enum relay_side { RELAY_NETWORK, RELAY_LISTENER };

struct relay_message {
	enum relay_type type;
	uint32_t channel;
	struct cursor payload; /* points into bytes */
	int fd[RELAY_FDS];     /* owned by the receiver; close-on-exec */
	size_t nfds;
	uint8_t bytes[RELAY_MAX];
};

/*
 * Make a connected pair.  pair[0] is for the listener and does not block.
 * pair[1] is for the network process.  Both are close-on-exec.  HT_ERR_INTERNAL
 * if a system call fails; both are then -1.
 */
int relay_pair(int pair[2], struct ht_error *e);

/*
 * Send one message.  fds are RELAY_FDS descriptors if the type carries them,
 * else NULL.  The caller still owns them.
 *
 * HT_ERR_UNAVAILABLE if the peer is gone, or fd does not block and the peer
 * does not read.  HT_ERR_INTERNAL if the message breaks the table.
 */
int relay_send(int fd, enum relay_type type, uint32_t channel,
    struct cursor payload, const int *fds, struct ht_error *e);

/*
 * Send a FAILED with e->code and e->text.  Errors are ignored.
 */
void relay_send_failed(int fd, const struct ht_error *e);

/*
 * Receive one message that from may send.  Returns 1 and *m; the caller owns
 * the descriptors in *m.  Returns 0 if fd does not block and there is no
 * message.
 *
 * HT_ERR_UNAVAILABLE if the peer is gone.  HT_ERR_DATA if the message breaks
 * the table; its descriptors are closed.
 */
int relay_receive(int fd, enum relay_side from, struct relay_message *m,
    struct ht_error *e);

#endif
