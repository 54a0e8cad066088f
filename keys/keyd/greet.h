/*
 * The first message of a shell's connection: who is this?
 */

#ifndef KEYS_KEYD_GREET_H
#define KEYS_KEYD_GREET_H

#include "keys/keyd/identity.h"

/*
 * Handle HELLO on c, a signing or an administrator's connection.
 *
 * If bound, sshd-sign proved *who before.  Then only the version, the banner
 * and identity_stands count.  Otherwise the shell connected to a socket.  Then
 * the peer's uid is checked, and the ticket together with the certificate.  On
 * the administrators' socket, root and keyd's own user need no ticket; they are
 * administrators.
 *
 * On success *who is set, and *welcome except for its profiles; the caller
 * sends it.  On error returns HT_ERR_*.  c has been refused and is closing
 * then.  If a genuine identity was refused, the journal has a record of it.
 */
int greet_shell(struct keyd_connection *c, uint32_t tag,
    const struct protocol_hello *hello, bool bound, struct identity *who,
    struct protocol_welcome *welcome);

#endif
