/*
 * The spools: unlinked files that shells keep uploads in, within the shares of
 * disk-ledger.h.
 *
 * A shell writes its spool by itself, so what it announced counts for nothing.
 * While there are spools, keyd looks at them each second, or more often if what
 * is free could be full sooner.  If a client holds more than its share, its
 * largest spools are emptied, and their requests end.
 */

#ifndef KEYS_KEYD_SPOOLS_H
#define KEYS_KEYD_SPOOLS_H

#include <stdbool.h>

#include "lib/error.h"
#include "lib/loop.h"

struct spools;
struct spool;

/*
 * Called before a spool is emptied: its owner ends what needs it.  Returns
 * false if that cannot be ended now; then the spool stays as it is.
 */
typedef bool spool_over_fn(void *cookie);

/*
 * The spools are made in the open folder, which spools_free closes.  NULL if
 * there is no memory; then the caller keeps folder.
 */
struct spools *spools_new(struct loop *l, int folder);
void spools_free(struct spools *s); /* NULL is fine */

/*
 * Make an empty spool for client.  *fd is its descriptor for the shell, which
 * the caller closes.  The owner gives the result back with spool_leave.  NULL
 * on error, and *fd is -1: HT_ERR_TEMPORARY if the client holds its share;
 * HT_ERR_UNAVAILABLE if there is no room; HT_ERR_INTERNAL.
 */
struct spool *spool_new(struct spools *s, const char *client,
    spool_over_fn *over, void *cookie, int *fd, struct ht_error *e);

/*
 * The bytes that are free in their folder's file system.
 */
uint64_t spools_room(const struct spools *s);

/*
 * Never empty this spool: what is released is read from it.
 */
void spool_keep(struct spool *p);

/*
 * Give the spool a name in its folder, durably, unless there is such a file.
 * Its bytes are durable already.  Frees the spool, but not on error:
 * HT_ERR_UNAVAILABLE if there is no room, HT_ERR_INTERNAL.
 */
int spool_link(struct spool *p, const char *name, struct ht_error *e);

/*
 * The owner is gone.  The spool counts until no shell has it open.  NULL is
 * fine.
 */
void spool_leave(struct spool *p);

#endif
