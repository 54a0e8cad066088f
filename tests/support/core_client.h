/*
 * Connections of shells to the keyd of tests/support/core_scratch.h, from the
 * shells' end: all of the client "ci", who is granted every profile but one.
 */

#ifndef TESTS_SUPPORT_CORE_CLIENT_H
#define TESTS_SUPPORT_CORE_CLIENT_H

#include "keys/keyd/identity.h"
#include "protocol/keyd-client.h"
#include "tests/support/core_scratch.h"
#include "tests/support/signing.h"

/*
 * The profiles: "plain" (files of 1000 bytes at most, 2 requests open at once),
 * "keep" (what is signed stays), "lists" (catalogs with CTLs of 1000 bytes),
 * "other" (files of 1 MiB), "rich" (SHA-384, and all that a signature can say),
 * and "secret", which is not granted.
 */
extern const char core_client_configuration[];

/* The key of the one certificate, "good", that they sign with. */
extern struct signing core_client_key;

/* Who the client is; it can be changed before a connection is made. */
extern struct identity core_client_who;

/*
 * Begin and end for all tests, and for each.  They have the form of cmocka's
 * functions for groups and for tests.
 */
int core_client_enter(void **state);
int core_client_leave(void **state);
int core_client_set_up(void **state);
int core_client_tear_down(void **state);

/*
 * Connect and be welcomed; let go.  Failing fails the test, here and below.
 */
void core_client_open(struct keyd_client *a);
void core_client_close(struct keyd_client *a);

/*
 * Say something, and let keyd take a turn.
 */
void core_client_say(struct keyd_client *a, enum protocol_type type,
    const void *body);

/*
 * What keyd has said, is this; *body points into *m.  It has said nothing.  It
 * has refused so, and closed the connection; it has closed it without a word.
 */
void core_client_hear(struct keyd_client *a, enum protocol_type type,
    struct msg *m, union protocol_body *body);
void core_client_hear_nothing(struct keyd_client *a);
void core_client_hear_no(struct keyd_client *a, int code, const char *word,
    const char *text);
void core_client_hear_end(struct keyd_client *a);

/*
 * What a BEGIN says if nothing is special about it; open a connection, say
 * BEGIN and hear GO.
 */
struct protocol_begin core_client_request(const char *profile);
void core_client_begin(struct keyd_client *a,
    const struct protocol_begin *begin);

#endif
