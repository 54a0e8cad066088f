/*
 * The archive: the files that were signed, kept in STATE/archive by their
 * SHA-256.
 *
 * A child of htsign-pump writes a file without a name, within the shares of
 * disk-ledger.h, and makes it durable.  Then keyd gives it its name, once for
 * all requests that have the same bytes.  A file is kept for archive_days from
 * the last of them on, and is then pruned, on record.  All kept files together
 * may have archive_max bytes, of which one client may have half of what the
 * others leave.
 */

#ifndef KEYS_KEYD_ARCHIVE_H
#define KEYS_KEYD_ARCHIVE_H

#include "keys/keyd/core.h"
#include "keys/keyd/spools.h"
#include "store/journal/journal.h"

struct archive;

/*
 * The files are in the open folder, which archive_free closes.  NULL if there is
 * no memory; then the caller keeps folder.
 */
struct archive *archive_new(struct keyd *k, int folder);
void archive_free(struct archive *a); /* NULL is fine */

/*
 * The store is open: remove the files that it does not know, and prune from now
 * on.
 */
void archive_start(struct archive *a);

/*
 * Whether client may have so many bytes more kept.  HT_ERR_UNAVAILABLE if not.
 */
int archive_room(const struct archive *a, const char *client, uint64_t bytes,
    struct ht_error *e);

/*
 * Make a file for what client uploads.  As spool_new, but an error of the disk is
 * HT_ERR_UNAVAILABLE.
 */
struct spool *archive_file(struct archive *a, const char *client,
    spool_over_fn *over, void *cookie, int *fd, struct ht_error *e);

/*
 * The file has all its bytes, which are durable and have this SHA-256: keep it,
 * durably, unless those bytes are kept already.  Frees file, but not on error:
 * HT_ERR_UNAVAILABLE.
 */
int archive_keep(struct spool *file, const uint8_t sha256[JOURNAL_SHA256],
    struct ht_error *e);

/*
 * Open the file of this name, which is its SHA-256 in hexadecimal digits, for
 * reading.  The caller closes the result.  HT_ERR_UNAVAILABLE, and -1, if it is
 * not there.
 */
int archive_open(const struct archive *a, const char *name, struct ht_error *e);

/*
 * The bytes that are free in the file system of STATE.
 */
uint64_t archive_disk(const struct archive *a);

#endif
