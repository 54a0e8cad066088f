/*
 * What sshd-sign's listener and a network process say to each other, over a
 * SOCK_SEQPACKET pair: one type, one channel number, and bytes that the
 * listener never looks into.
 *
 * Neither end trusts the other with more than the table in relay.c says: who
 * may send a type, how long its payload may be, how many descriptors ride on
 * it.  A network process that breaks the table is killed.
 */

#ifndef SSHD_SIGN_RELAY_H
#define SSHD_SIGN_RELAY_H

#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"
#include "protocol/messages.h"

/* Sessions of one connection at a time, side by side. */
#define RELAY_SESSIONS_MAX 64

#define RELAY_HEADER ((size_t)5)
#define RELAY_MAX (RELAY_HEADER + PROTOCOL_SESSION_MAX)
#define RELAY_FDS 3

/*
 * From the network process.  A channel is a number of its own choice, used
 * once.  LOGIN and SESSION carry a struct protocol_session_blob; one LOGIN is
 * answered before the next.  Each SESSION ends with exactly one REFUSED or
 * EXITED.  END says that the client has sent all of its input: only then does
 * the listener let go of the shell's stdin.  KILL says that the client is gone
 * without one.  FAILED is the last that is said: an HT_ERR_* code, negated, and
 * a text for the log.
 *
 * From the listener.  STARTED carries the shell's stdin, stdout and stderr;
 * REFUSED the fields of a REFUSE message; EXITED a wait status as u32; DRAIN
 * asks for no new sessions and an end after the last.
 */
enum relay_type {
	RELAY_LOGIN = 1,
	RELAY_AUTHENTICATED,
	RELAY_SESSION,
	RELAY_END,
	RELAY_KILL,
	RELAY_FAILED,
	RELAY_ADMIT,
	RELAY_DENY,
	RELAY_STARTED,
	RELAY_REFUSED,
	RELAY_EXITED,
	RELAY_DRAIN,
	RELAY_TYPES /* how many there are, and 0 */
};

enum relay_side { RELAY_NETWORK, RELAY_LISTENER };

struct relay_message {
	enum relay_type type;
	uint32_t channel;
	struct cursor payload; /* into bytes */
	int fd[RELAY_FDS];     /* the receiver's; close-on-exec */
	size_t nfds;
	uint8_t bytes[RELAY_MAX];
};

/*
 * A connected pair: pair[0] is the listener's and never blocks, pair[1] the
 * network process's.  Both are close-on-exec.
 */
int relay_pair(int pair[2], struct ht_error *e);

/*
 * Send one message, with RELAY_FDS descriptors at fds if the type carries them
 * (the caller keeps its own).  HT_ERR_UNAVAILABLE if the peer is gone, or does
 * not read what it is sent.
 */
int relay_send(int fd, enum relay_type type, uint32_t channel,
    struct cursor payload, const int *fds, struct ht_error *e);

/*
 * Say why a network process ends: e->code and e->text, in a FAILED.
 */
void relay_send_failed(int fd, const struct ht_error *e);

/*
 * Receive one message that from may send.  1 with *m filled in, 0 if none is
 * there (on a descriptor that does not block), HT_ERR_UNAVAILABLE if the peer
 * is gone, HT_ERR_DATA if it broke the table; *m holds no descriptors then.
 */
int relay_receive(int fd, enum relay_side from, struct relay_message *m,
    struct ht_error *e);

#endif
