/*
 * The first message of a shell's connection: who is this?
 */

#ifndef KEYS_GREET_H
#define KEYS_GREET_H

#include "keys/identity.h"

/*
 * A shell on the signing (or, with admin, the administrators') socket said
 * HELLO: check the peer's uid, and its ticket with the certificate; on the
 * administrators' socket root and keyd's own user are administrators without
 * one.  0 with *who; HT_ERR_* with the refusal (which is on record already
 * where somebody was genuine).
 */
int greet_shell(struct keyd *k, int fd, bool admin,
    const struct protocol_hello *hello, struct identity *who,
    struct protocol_refuse *r);

/*
 * The same on a connection that was bound at sshd-sign: only the version and
 * the banner count, and that who still stands.
 */
int greet_bound(struct keyd *k, const struct protocol_hello *hello,
    struct identity *who, struct protocol_refuse *r);

#endif
