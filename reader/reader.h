/*
 * htsign-reader: answers what administrators look at, from the store, which it
 * may only read.  htsign-keyd has checked who asks, and what for.
 */

#ifndef READER_READER_H
#define READER_READER_H

#include "lib/error.h"

/* The link to htsign-keyd. */
#define READER_FD 3

/*
 * Take over fd, open the store that keyd names, give up all rights, and answer
 * until keyd goes away, which is 0.  Errors of the link, of store_open_reader and
 * of the sandbox.
 */
int reader_run(int fd, struct ht_error *e);

#endif
