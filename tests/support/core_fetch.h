/*
 * htsign-fetch of the keyd of tests/support/core_scratch.h, played by the test.
 * A failure fails the test.
 */

#ifndef TESTS_SUPPORT_CORE_FETCH_H
#define TESTS_SUPPORT_CORE_FETCH_H

#include "protocol/messages.h"

/* The one that is connected.  The test closes it in the end. */
extern struct protocol_link core_fetch;

/*
 * Connect and greet; core_fetch_leave cuts the connection of core_fetch.
 */
void core_fetch_connect(struct protocol_link *link);
void core_fetch_leave(void);

/*
 * Send a message of core_fetch.
 */
void core_fetch_say(enum protocol_type type, uint32_t tag, const void *body);

/*
 * Expect a message of this type, and return its tag; or expect none.
 */
uint32_t core_fetch_hear(enum protocol_type type, union protocol_body *body);
void core_fetch_hear_nothing(void);

#endif
