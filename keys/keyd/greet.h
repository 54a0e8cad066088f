/*
 * The first message of a shell's connection: who is this?
 */

#ifndef KEYS_KEYD_GREET_H
#define KEYS_KEYD_GREET_H

#include "keys/keyd/identity.h"

/*
 * A shell said HELLO on c, which is a signing or an administrators' connection.
 * On one that was bound at sshd-sign *who is known: only the version and the
 * banner count, and that it still stands.  On one of the sockets the peer's uid
 * is checked, and its ticket with the certificate; at the administrators' root
 * and keyd's own user are administrators without one.
 *
 * 0 with *who, and *welcome but for its profiles, for the caller to say.  Else
 * HT_ERR_*: c has been refused and closed, which is on record where somebody
 * was genuine.
 */
int greet_shell(struct keyd_connection *c, uint32_t tag,
    const struct protocol_hello *hello, bool bound, struct identity *who,
    struct protocol_welcome *welcome);

#endif
