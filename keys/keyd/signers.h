/*
 * What is known of our code-signing certificates beside what is in them: whether
 * their issuers have revoked them.  And who is told that they expire.
 *
 * The journal has all of it, by the certificate's fingerprint, so it outlasts
 * keyd and a reload.  Each change of the verdict is an event.  A certificate that
 * was revoked once stays revoked: a server could be made to repeat what it said
 * before.
 */

#ifndef KEYS_KEYD_SIGNERS_H
#define KEYS_KEYD_SIGNERS_H

#include "keys/keyd/core.h"

/*
 * A look at all certificates of k->setup begins.  Takes from the journal whether
 * each has been revoked, and records that it expires, once within each of 90, 30
 * and 7 days.  From now on signers_next has those that are not revoked.
 */
void signers_begin(struct keyd *k);

/*
 * The next one to be looked up.  Appends its DER and that of its issuer, and
 * remembers the tag.  False if there is none now: at most PROTOCOL_LOOKS are
 * under way.  One whose issuer cannot be asked is recorded as unknown.
 */
bool signers_next(struct keyd *k, uint32_t tag, struct buf *certificate,
    struct buf *issuer);

/*
 * The answer for that tag.  False if it makes no sense.  One that nobody waits
 * for is ignored.
 */
bool signers_looked(struct keyd *k, uint32_t tag,
    const struct protocol_looked *looked);

/*
 * Whoever was asked is gone: what has no answer is asked again.
 */
void signers_lost(struct keyd *k);

/*
 * Nobody can be asked, and text says why.
 */
void signers_unknown(struct keyd *k, const char *text);

#endif
