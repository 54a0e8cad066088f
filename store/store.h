/*
 * The store: the journal, and who may use this machine.  Only store/ knows
 * that the engine is SQLite.
 *
 * Every function that writes opens a transaction if none is open.  store_commit
 * makes all its writes durable with one fsync: that is the group commit.
 * Before store_commit returns 0, the process must not answer anybody or act
 * because of a write.
 *
 * A write that fails in the engine spoils the transaction: every later write
 * and store_commit fail with the same error.  If the reason is that there is no
 * room (HT_ERR_UNAVAILABLE), store_commit undoes the transaction, and the store
 * can be used again.  After any other error htsign-keyd exits.  HT_ERR_USAGE
 * and the like (there is no such client, …) come before anything is written and
 * spoil nothing.
 *
 * An error of the engine is HT_ERR_UNAVAILABLE (no room), HT_ERR_DATA (the
 * file is damaged) or HT_ERR_INTERNAL.  Any function with a struct ht_error can
 * return one.
 *
 * Texts are UTF-8; a byte that is not becomes U+FFFD.  Times are microseconds
 * since 1970-01-01 UTC unless a comment says seconds.
 */

#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/error.h"

struct store;

/*
 * Open the database at path to write.  Only one process can, as the lock on
 * PATH-lock says.  Creates both with mode 0600 if they do not exist.  Upgrades an older schema in one transaction.  A
 * process that signs calls journal_recover next.
 *
 * The caller frees the store with store_close.  Returns NULL and *e on error.
 * HT_ERR_UNAVAILABLE if another process has the database open or there is no
 * room.  HT_ERR_USAGE if its schema is newer than this program.  HT_ERR_DATA if
 * it is damaged or no store of ours.  HT_ERR_INTERNAL for anything else.
 */
struct store *store_open(const char *path, struct ht_error *e);

/*
 * Open the database at path to read, while another process writes.  Needs no
 * right to write, neither to the file nor to those of the WAL.  Functions that
 * write fail.  Each that reads sees one state of the database, and is in the way
 * of the WAL's next beginning for as long as it takes: it should be short.
 *
 * Errors as store_open's, and HT_ERR_USAGE for an older schema.
 */
struct store *store_open_reader(const char *path, struct ht_error *e);

/*
 * Let the group read the database, with all that belongs to it, which gets mode
 * 0640.  It cannot write.  HT_ERR_INTERNAL if this process may not do that.
 */
int store_share(struct store *s, gid_t readers, struct ht_error *e);

/*
 * Whether somebody who reads was in the way since the last call: a write found
 * the database locked, or the WAL has grown to 64 MiB since nobody let it begin
 * anew.
 */
bool store_hindered(struct store *s);

/*
 * Close the store without a commit, and free it.  NULL is fine.
 */
void store_close(struct store *s);

/*
 * Whether there is something to commit, or a failure that store_commit would
 * report.
 */
bool store_dirty(const struct store *s);

/*
 * Make everything written since the last commit durable with one fsync.
 * Returns 0 also if there is nothing.
 *
 * HT_ERR_UNAVAILABLE if there was no room: nothing that was written since the
 * last commit is or will be there, and the store is as good as before.  After
 * any other error nobody knows whether the writes will be there after a
 * restart: the caller claims nothing, does not try again, and exits.
 */
int store_commit(struct store *s, struct ht_error *e);

/*
 * Make sure that so many bytes of further writes find room, whatever else fills
 * the disk.  A write takes what store_written counts, and 8 KiB for the pages
 * that it touches; a commit takes 64 KiB.  HT_ERR_UNAVAILABLE if there is no
 * such room.  On a file system that copies what is overwritten nothing is sure;
 * there store_commit may still fail.
 */
int store_reserve(struct store *s, uint64_t bytes, struct ht_error *e);

/*
 * By how many bytes all writes of this process have made the store grow, at
 * most.  Those that were undone count, too.
 */
uint64_t store_written(const struct store *s);

/*
 * Who changes something, for the journal.  Any field may be NULL.
 */
struct store_actor {
	const char *name; /* an administrator's, or "root", "htsign-keyd" */
	const char *role; /* "admin", "approver", "auditor", "local" */
	const char *peer; /* address of the connection */
};

#endif
