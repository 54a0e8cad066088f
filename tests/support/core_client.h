/*
 * The shells' ends of connections to the keyd of tests/support/core_scratch.h.
 * All connections belong to the client "ci", who is granted all profiles except
 * one.
 */

#ifndef TESTS_SUPPORT_CORE_CLIENT_H
#define TESTS_SUPPORT_CORE_CLIENT_H

#include "keys/keyd/identity.h"
#include "protocol/keyd-client.h"
#include "store/journal/journal.h"
#include "tests/support/core_scratch.h"
#include "tests/support/signing.h"

/*
 * The profiles:
 *
 *	plain	files of at most 1000 bytes, at most 2 open requests
 *	keep	returns signed PE files unchanged
 *	lists	catalogs with CTLs of at most 1000 bytes, and SHA-384
 *	other	files of at most 1 MiB
 *	rich	SHA-384, and all optional parts of a signature
 *	secret	not granted
 */
extern const char core_client_configuration[];

/* The key of "good", the certificate of all profiles. */
extern struct signing core_client_key;

/* The identity of the client.  A test may change it before it connects. */
extern struct identity core_client_who;

/* The SHA-256 in the default CONTENT. */
extern const uint8_t core_client_sha256[JOURNAL_SHA256];

/*
 * Set up and tear down: enter and leave for cmocka's groups, set_up and
 * tear_down for each test.
 */
int core_client_enter(void **state);
int core_client_leave(void **state);
int core_client_set_up(void **state);
int core_client_tear_down(void **state);

/*
 * Connect and hear WELCOME; close the connection.  Here and below, a failure
 * fails the test.
 */
void core_client_open(struct keyd_client *a);
void core_client_close(struct keyd_client *a);

/*
 * Send a message and let keyd's loop take a turn.
 */
void core_client_say(struct keyd_client *a, enum protocol_type type,
    const void *body);

/*
 * Expect what keyd has sent:
 *
 *	hear		a message of this type; *body points into *m
 *	hear_nothing	no message
 *	hear_no		a REFUSE with code, word and text, then the end
 *	hear_end	the end of the connection, without a message
 *
 * The last two close a.
 */
void core_client_hear(struct keyd_client *a, enum protocol_type type,
    struct msg *m, union protocol_body *body);
void core_client_hear_nothing(struct keyd_client *a);
void core_client_hear_no(struct keyd_client *a, int code, const char *word,
    const char *text);
void core_client_hear_end(struct keyd_client *a);

/*
 * core_client_request returns a BEGIN with defaults for a profile.
 * core_client_begin connects, sends BEGIN and hears GO.
 */
struct protocol_begin core_client_request(const char *profile);
void core_client_begin(struct keyd_client *a,
    const struct protocol_begin *begin);

/*
 * core_client_content returns a CONTENT with defaults for this DER (NULL: for 100
 * bytes).  core_client_say_part sends a PART.  core_client_say_content sends
 * CONTENT, and the DER in one PART.
 */
struct protocol_content core_client_content(const struct buf *der);
void core_client_say_part(struct keyd_client *a, const void *p, size_t n);
void core_client_say_content(struct keyd_client *a,
    const struct protocol_content *content, const struct buf *der);

/*
 * Disable the client, as an administrator does.
 */
void core_client_disable(void);

#endif
