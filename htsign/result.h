/*
 * Where a command's result goes: stdout, or a file, replaced in one step.
 */

#ifndef HTSIGN_RESULT_H
#define HTSIGN_RESULT_H

#include <stdbool.h>

#include "htsign/htsign.h"
#include "htsign/subject.h"
#include "lib/error.h"
#include "lib/output.h"

/*
 * Write the changed subject where the arguments say: with -i in its own place,
 * with its mode, its times, and, where we may, its owner; with -o to that path,
 * with its permissions; else to stdout, which must not be a terminal.
 *
 * A path has the old file or the whole new one, whatever happens: until it is
 * on the disk, what is written has no name, or where the file system knows no
 * such files (or there is no /proc) one of its own beside the path's, which a
 * signal that can be caught takes away.  A symbolic link stays one.  A path
 * that is no regular file (a device, a pipe) is written to as it is.
 * HT_ERR_UNAVAILABLE if there is no room or the reader is gone, HT_ERR_USAGE if
 * the place cannot be written to, else as output_write.
 */
int result_write(const struct htsign_arguments *a,
    const struct subject *subject, const struct output *plan,
    struct ht_error *e);

/*
 * The same for what is no changed subject, such as its signature: n bytes at
 * p, into a file with the permissions of a new one.
 */
int result_write_bytes(const struct htsign_arguments *a,
    const struct subject *subject, const void *p, size_t n, struct ht_error *e);

#endif
