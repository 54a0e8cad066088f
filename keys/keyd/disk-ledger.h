/*
 * The ledger of what clients hold on one file system: spools, and later other
 * files that are kept for them.
 *
 * All clients together may hold what is free there, but for a part that is left
 * to others, the journal for one.  One client may hold half of what the others
 * leave.  Bytes count that are really written.
 */

#ifndef KEYS_KEYD_DISK_LEDGER_H
#define KEYS_KEYD_DISK_LEDGER_H

#include <stdint.h>

/*
 * What is left to others: an eighth of the file system, at most so many bytes.
 */
#define DISK_LEFT ((uint64_t)64 << 20)

struct disk_ledger;

/* What one client holds of one kind. */
struct disk_account;

/*
 * A ledger for the file system of the open folder, which is borrowed.  NULL if
 * there is no memory.  All accounts must be closed before disk_ledger_free.
 */
struct disk_ledger *disk_ledger_new(int folder);
void disk_ledger_free(struct disk_ledger *l); /* NULL is fine */

/*
 * The account of a client and a kind ("spool").  Each call must be followed by
 * a disk_account_close, which takes NULL, too.  NULL if there is no memory.
 */
struct disk_account *disk_account_open(struct disk_ledger *l,
    const char *client, const char *kind);
void disk_account_close(struct disk_account *a);

/*
 * Bytes were written for the account, or freed.
 */
void disk_charge(struct disk_account *a, uint64_t bytes);
void disk_release(struct disk_account *a, uint64_t bytes);

/*
 * What client holds of a kind; a NULL stands for all clients, or all kinds.
 */
uint64_t disk_held(const struct disk_ledger *l, const char *client,
    const char *kind);

/*
 * The bytes that are free on the file system.
 */
uint64_t disk_free(const struct disk_ledger *l);

/*
 * By how many bytes client holds more than its share, of all kinds together.
 * 0 if it does not.  disk_left is how many bytes it may still take.
 */
uint64_t disk_over(const struct disk_ledger *l, const char *client);
uint64_t disk_left(const struct disk_ledger *l, const char *client);

#endif
