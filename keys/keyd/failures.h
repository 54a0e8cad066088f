/*
 * Logins that failed, counted: strangers cannot fill the journal.  One event
 * a minute for each door, reason and source prefix.
 */

#ifndef KEYS_KEYD_FAILURES_H
#define KEYS_KEYD_FAILURES_H

#include "lib/loop.h"
#include "store/store.h"

struct failures;

/*
 * Events are written to s.  NULL if there is no memory.  failures_free writes
 * what was counted and not recorded yet.
 */
struct failures *failures_new(struct loop *l, struct store *s);
void failures_free(struct failures *f); /* NULL is fine */

/*
 * Count one: door and reason are static texts, peer is an address or "".  The
 * prefix is its /24, or /48 for IPv6.  The first of a kind is recorded at
 * once, the following ones together a minute later.  0, or as
 * journal_auth_failed.
 */
int failures_count(struct failures *f, const char *door, const char *reason,
    const char *peer, struct ht_error *e);

#endif
