/*
 * The store: the journal, and who may use this machine.  What engine lies
 * below (SQLite) is seen by nobody else.
 *
 * Every function that writes opens a transaction if none is open; everything
 * written since then becomes durable, with one fsync, in store_commit: that
 * is the group commit.  Nothing may be said or done outside on the strength
 * of a write before store_commit has returned 0.
 *
 * A write that the engine fails spoils the transaction: every later write and
 * store_commit fail with the same error until store_rollback.  htsign-keyd
 * ends instead.  Refusals that say so (HT_ERR_USAGE: there is no such client,
 * …) are made before anything is written and spoil nothing.
 *
 * Texts are UTF-8; what is not becomes U+FFFD.  Times are microseconds since
 * 1970-01-01 UTC unless their name says seconds.
 */

#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

struct store;

/*
 * Open the database at path for this process alone, creating it with mode
 * 0600; an older schema is brought up to date in one transaction.
 * HT_ERR_UNAVAILABLE if another process has it open or there is no room,
 * HT_ERR_USAGE if its schema is newer than this program, HT_ERR_DATA if it is
 * no store of ours or damaged, HT_ERR_INTERNAL for all else.  Whoever signs
 * calls journal_recover next.
 */
struct store *store_open(const char *path, struct ht_error *e);

/*
 * What is not committed is gone.  NULL is fine.
 */
void store_close(struct store *s);

/*
 * Whether there is something to commit.
 */
bool store_dirty(const struct store *s);

/*
 * Make everything written since the last commit durable: one fsync.  0 also
 * if there is nothing.  HT_ERR_UNAVAILABLE (no room) or HT_ERR_INTERNAL: it is
 * unknown whether the writes will be there after a restart; the caller claims
 * nothing, does not try again and ends.
 */
int store_commit(struct store *s, struct ht_error *e);

/*
 * Forget everything written since the last commit, and a failure with it.
 */
void store_rollback(struct store *s);

/*
 * Who changes something, as it stands in the journal.  Any may be NULL.
 */
struct store_actor {
	const char *name; /* an administrator's, or "root", "htsign-keyd" */
	const char *role; /* "admin", "approver", "auditor", "local" */
	const char *peer; /* address of the connection */
};

#endif
