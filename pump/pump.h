/*
 * htsign-pump: hashes and scans what shells read (DESIGN.md, section 2).
 *
 * For each question of keyd's it forks a child.  That connects to clamd, enters
 * its sandbox, and only then reads a byte.  It tells keyd the outcome over a
 * link of its own, and ends when keyd closes that.
 */

#ifndef PUMP_PUMP_H
#define PUMP_PUMP_H

#include "lib/error.h"

/* The link to keyd. */
#define PUMP_FD 3

/*
 * Serve keyd on fd, which is taken over, until keyd closes it.  In a child, does
 * not return.  Returns 0.  HT_ERR_INTERNAL if it cannot run here; HT_ERR_DATA if
 * keyd breaks the protocol.
 */
int pump_run(int fd, struct ht_error *e);

#endif
