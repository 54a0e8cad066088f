/*
 * Counts what is refused, so that nobody fills the journal with refusals.
 *
 * There is at most one event a minute for each door, reason and source prefix
 * of strangers, for each client and reason, and for each administrator and
 * command.  The first is recorded at once, further ones together when the
 * minute is over.  When there are more than 256 such combinations in a minute,
 * the rest are counted together as strangers' under "other".  While the journal
 * has no room, the counts wait.
 */

#ifndef KEYS_KEYD_FAILURES_H
#define KEYS_KEYD_FAILURES_H

#include "keys/keyd/identity.h"
#include "lib/loop.h"
#include "protocol/messages.h"
#include "store/store.h"

/*
 * The most bytes that these events add to the journal in a day: 256 events at
 * once and 256 at the end of each minute.
 */
#define FAILURES_EVENT 768
#define FAILURES_DAY ((uint64_t)1440 * 512 * FAILURES_EVENT)

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
 * for IPv4 and /48 for IPv6.  Here and below: returns 0, or an error of the
 * journal.
 */
int failures_count(struct failures *f, const char *door, const char *reason,
    const char *peer, struct ht_error *e);

/*
 * Count what was refused to who, whose door is a static text: a login, a
 * request that gets no row of its own, or a command of an administrator, whose
 * role is one of identity_actor.
 */
int failures_login(struct failures *f, const struct identity *who,
    const struct protocol_refuse *why, struct ht_error *e);
int failures_request(struct failures *f, const struct identity *who,
    const struct protocol_refuse *why, struct ht_error *e);
int failures_command(struct failures *f, const struct identity *who,
    const char *role, const struct protocol_refuse *why, struct ht_error *e);

#endif
