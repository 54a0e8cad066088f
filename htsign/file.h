/*
 * Files as people name them: opened, and read whole.
 */

#ifndef HTSIGN_FILE_H
#define HTSIGN_FILE_H

#include <stddef.h>

#include "lib/buf.h"
#include "lib/error.h"

/*
 * Open a regular file for reading.  The descriptor, or HT_ERR_USAGE if there is
 * none that we may read, HT_ERR_INTERNAL.
 */
int file_open(const char *path, struct ht_error *e);

/*
 * Append the whole file to out; "-" is stdin.  HT_ERR_DATA if it is longer than
 * max bytes, else as file_open.
 */
int file_read(const char *path, size_t max, struct buf *out,
    struct ht_error *e);

/*
 * After a failed call on path, what errno says: HT_ERR_USAGE for a path that
 * makes no sense, which is the caller's mistake; else as ht_error_errno.
 */
int file_error(const char *path, struct ht_error *e);

#endif
