/*
 * The connection to htsign-keyd, which it comes back to as often as it is lost.
 */

#ifndef FETCH_LINK_H
#define FETCH_LINK_H

#include <stdint.h>

#include "lib/error.h"
#include "lib/loop.h"
#include "protocol/messages.h"

struct link;

/*
 * asked is called with each message of keyd's, of which it takes over the
 * descriptors.  lost is called when keyd has
 * gone: nobody waits for an answer any more.
 */
struct link_uses {
	void (*asked)(void *cookie, const struct msg *m,
	    const union protocol_body *body);
	void (*lost)(void *cookie);
	void *cookie;
};

/*
 * Connect to the socket at path, now and whenever the connection has ended.
 * Borrows loop.  NULL if there is no memory.
 */
struct link *link_new(struct loop *loop, const char *path,
    const struct link_uses *uses);
void link_free(struct link *l); /* NULL is fine */

/*
 * Say something to keyd, if it is there.
 */
void link_say(struct link *l, enum protocol_type type, uint32_t tag,
    const void *body);

#endif
