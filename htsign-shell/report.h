/*
 * What a person is told: results on stdout, words on stderr, an exit status.
 */

#ifndef HTSIGN_SHELL_REPORT_H
#define HTSIGN_SHELL_REPORT_H

#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"

/*
 * Say in one escaped line on stderr why it ended: with the number of the
 * request (0: there is none), and the seconds after which to try again (0: do
 * not say).  Returns the exit status for why, never 0 or 255.
 */
int report_failure(uint64_t number, const struct ht_error *why,
    unsigned int retry);

/*
 * Write all of n bytes to fd.  HT_ERR_UNAVAILABLE if nobody reads them.
 */
int report_write(int fd, const void *p, size_t n, struct ht_error *e);

/*
 * Append the n bytes at p to out, escaped as by log_escape.
 */
void report_escaped(struct buf *out, const void *p, size_t n);

#endif
