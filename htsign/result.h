/*
 * Where a command's result goes: to stdout, or to a file, which is replaced in
 * one step.
 */

#ifndef HTSIGN_RESULT_H
#define HTSIGN_RESULT_H

#include <stdbool.h>

#include "htsign/htsign.h"
#include "htsign/subject.h"
#include "lib/error.h"
#include "lib/output.h"

/*
 * Write the changed subject to the place that the arguments name:
 * - with -i to its own path, with its mode, its times and, if we may set it,
 *   its owner;
 * - with -o to that path, with the subject's permissions;
 * - otherwise to stdout, which must not be a terminal.
 *
 * At any time the path has either the old file or the whole new one.  Data go
 * to an unnamed file until they are on the disk.  If the file system has no
 * unnamed files, or /proc is missing, data go to a temporary file beside path.
 * A signal that can be caught removes that file.
 *
 * A symbolic link stays one.  A path that is no regular file (a device, a pipe)
 * is written to directly.
 *
 * HT_ERR_UNAVAILABLE if there is no room or the reader is gone.  HT_ERR_USAGE
 * if the place cannot be written to.  Other errors as output_write.
 */
int result_write(const struct htsign_arguments *a,
    const struct subject *subject, const struct output *plan,
    struct ht_error *e);

/*
 * The same for a result that is not the changed subject, such as its signature:
 * n bytes at p.  A file gets the permissions of a new one.
 */
int result_write_bytes(const struct htsign_arguments *a,
    const struct subject *subject, const void *p, size_t n, struct ht_error *e);

#endif
