/*
 * A child of htsign-pump: one request, or one self-test.
 */

#ifndef PUMP_CHILD_H
#define PUMP_CHILD_H

#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "protocol/messages.h"

struct child {
	struct protocol_link report; /* to keyd */
	int pipe;                    /* what the shell reads; or -1 */
	int file;                    /* to keep it in; or -1 */
};

/*
 * Enter the sandbox, for good.
 */
int child_confine(struct ht_error *e);

/*
 * Wait until fd is ready for events (poll.h), at most ms milliseconds, or for
 * ever if that is -1.  Ends the process if keyd does not want a report any more.
 * HT_ERR_UNAVAILABLE if the time is over.
 */
int child_wait(const struct child *c, int fd, short events, int ms,
    struct ht_error *e);

/*
 * Send a report, and wait until it is sent.  Ends the process if keyd does not
 * want it any more.  HT_ERR_INTERNAL.
 */
int child_report(struct child *c, enum protocol_type type, const void *body,
    struct ht_error *e);

#endif
