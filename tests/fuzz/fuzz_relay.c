/*
 * What the ends of a relay send each other.  The input is a list of messages:
 * a byte, which is 0 if the network process sends it; a length of two bytes;
 * the message.  One that is taken must come back the same when it is sent.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sshd-sign/relay.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int pair[2];

/* The payload, as the listener and the network process read it. */
static void
use(const struct relay_message *m)
{
	union protocol_body body;

	if (m->type == RELAY_REFUSED)
		(void)protocol_decode(PROTOCOL_REFUSE, m->payload, &body);
	if (m->type == RELAY_FAILED && m->payload.left == 0)
		abort();
}

static void
one(bool from_listener, struct cursor bytes)
{
	enum relay_side from = from_listener ? RELAY_LISTENER : RELAY_NETWORK;
	static struct relay_message m, again;
	int to = pair[from_listener], by = pair[!from_listener];
	struct ht_error e;

	if (bytes.left == 0 ||
	    send(by, bytes.p, bytes.left, MSG_DONTWAIT) != (ssize_t)bytes.left)
		return;
	if (relay_receive(to, from, &m, &e) != 1)
		return;
	use(&m);
	if (relay_send(by, m.type, m.channel, m.payload, NULL, &e) < 0 ||
	    relay_receive(to, from, &again, &e) != 1 || again.type != m.type ||
	    again.channel != m.channel ||
	    again.payload.left != m.payload.left ||
	    memcmp(again.bytes, bytes.p, bytes.left) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct cursor in = cursor_over(p, n), bytes;
	struct ht_error e;
	uint16_t length;
	uint8_t side;

	if (relay_pair(pair, &e) < 0)
		return 0;
	while (cursor_u8(&in, &side) == 0 && cursor_u16be(&in, &length) == 0 &&
	    cursor_bytes(&in, length, &bytes) == 0)
		one(side != 0, bytes);
	(void)close(pair[0]);
	(void)close(pair[1]);
	return 0;
}
