/*
 * Reports to a person: results on stdout, messages on stderr, an exit status.
 */

#ifndef HTSIGN_SHELL_REPORT_H
#define HTSIGN_SHELL_REPORT_H

#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"

/*
 * Log on stderr, in one escaped line, why the program ends.  The line has the
 * number of the request, unless number is 0.  It says to try again in retry
 * seconds, unless retry is 0.
 *
 * Returns the exit status for why, from 64 to 78.  It is 70 for a code outside
 * that range.
 */
int report_failure(uint64_t number, const struct ht_error *why,
    unsigned int retry);

/*
 * Write all n bytes to fd.  Waits without limit while fd is full.
 * HT_ERR_UNAVAILABLE if a write fails, as when the reader is gone.
 */
int report_write(int fd, const void *p, size_t n, struct ht_error *e);

/*
 * Append the n bytes at p to out, escaped as by log_escape.
 */
void report_escaped(struct buf *out, const void *p, size_t n);

#endif
