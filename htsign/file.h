/*
 * Files as people name them: opened, read whole, replaced as a whole.
 */

#ifndef HTSIGN_FILE_H
#define HTSIGN_FILE_H

#include <stddef.h>

#include "lib/buf.h"
#include "lib/error.h"
#include "lib/output.h"

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
 * Write a plan to path, in one step: the name has the old file or the whole
 * new one, whatever happens, with the permissions of the file open at like.  A
 * path that is no regular file (a device, a pipe) is written to as it is.
 * HT_ERR_UNAVAILABLE if there is no room, HT_ERR_USAGE if the place cannot be
 * written to, else as output_write.
 */
int file_replace(const char *path, int like, const struct output *plan,
    struct ht_error *e);

#endif
