/*
 * Whether clamd finds what it should: EICAR's test file, and the same as the
 * last file of a zip that is as large as what is scanned at all.
 */

#ifndef PUMP_SELFTEST_H
#define PUMP_SELFTEST_H

#include "pump/child.h"

/*
 * Report TESTED.  HT_ERR_INTERNAL.
 */
int selftest_run(struct child *c, const struct protocol_test *what,
    struct ht_error *e);

#endif
