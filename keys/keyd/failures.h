/*
 * Counts failed logins, so that strangers cannot fill the journal.  For each
 * door, reason and source prefix there is at most one event a minute.  When
 * there are more than 256 such combinations in a minute, the rest are counted
 * together under "other".
 */

#ifndef KEYS_KEYD_FAILURES_H
#define KEYS_KEYD_FAILURES_H

#include "lib/loop.h"
#include "protocol/messages.h"
#include "store/store.h"

struct failures;

/*
 * failures_new returns NULL if there is no memory.  Events are written to s,
 * which must outlive the result.  failures_free writes what was counted and not
 * yet recorded.
 */
struct failures *failures_new(struct loop *l, struct store *s);
void failures_free(struct failures *f); /* NULL is fine */

/*
 * Count one failed login.  door is a static text and is not copied.  reason has
 * fewer than PROTOCOL_WORD bytes.  peer is an address or "".  Its prefix is /24
 * for IPv4 and /48 for IPv6.  The first of a combination is recorded at once.
 * Further ones are recorded together when the minute is over.  Returns 0, or an
 * error of journal_auth_failed.
 */
int failures_count(struct failures *f, const char *door, const char *reason,
    const char *peer, struct ht_error *e);

#endif
