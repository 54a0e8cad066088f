/*
 * What a shell reads, on its way through a child of htsign-pump.
 */

#ifndef PUMP_STREAM_H
#define PUMP_STREAM_H

#include "pump/child.h"

/*
 * Hash what comes through the pipe, and scan it, and keep it in the child's file
 * if that has one.  Reports PUMPED, when what is kept is durable, and VERDICT;
 * or UNKEPT.  HT_ERR_DATA if there is more than keyd allows.
 * HT_ERR_UNAVAILABLE if it could not be kept.  HT_ERR_INTERNAL.
 */
int stream_run(struct child *c, const struct protocol_pump *what,
    struct ht_error *e);

#endif
