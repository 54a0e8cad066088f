/*
 * Files as people name them: opened, and read whole.
 */

#ifndef HTSIGN_FILE_H
#define HTSIGN_FILE_H

#include <stddef.h>

#include "lib/buf.h"
#include "lib/error.h"

/*
 * Open a regular file for reading.  Returns the descriptor, which the caller
 * closes.  HT_ERR_USAGE if path is no regular file, or we may not read it.
 * Other errors as file_error.
 */
int file_open(const char *path, struct ht_error *e);

/*
 * The same for stdin.  If that is no regular file, or not at its beginning, all
 * that is left of it is copied to a temporary file, which has no name.
 * HT_ERR_UNAVAILABLE if there is no room.
 */
int file_stdin(struct ht_error *e);

/*
 * Append the whole file to out; "-" is stdin.  Any type of file will do.
 * HT_ERR_DATA if it is longer than max bytes, HT_ERR_INTERNAL without memory.
 * Other errors as file_error.
 */
int file_read(const char *path, size_t max, struct buf *out,
    struct ht_error *e);

/*
 * Report errno after a failed call on path.  HT_ERR_USAGE if path is the
 * caller's mistake: no such file, no permission, a directory and the like.
 * Otherwise as ht_error_errno.
 */
int file_error(const char *path, struct ht_error *e);

#endif
