/*
 * One request, from "asked" to its end.  The order is that of DESIGN.md,
 * section 6.
 *
 *	                    +-> STAMPING -+
 *	                    |             v
 *	OPEN -> QUEUED -> HANDED -----> SIGNED -> FINISHED -> ENDED
 *	  |                                          ^
 *	  +------------ a file is kept --------------+
 *
 * Every step records its event.  Its message to the shell leaves after the
 * commit.  A request whose connection is gone ends at once, unless a token has
 * it.  Then it is recorded and ends when the token answers.
 */

#ifndef KEYS_KEYD_REQUEST_REQUEST_H
#define KEYS_KEYD_REQUEST_REQUEST_H

#include "keys/keyd/identity.h"

struct request;

/* Whose request it is, and where its answers go. */
struct request_peer {
	struct keyd_connection *connection;
	const struct identity *who; /* copied */
	uint32_t tag;
};

/*
 * BEGIN.  Records "asked" and answers GO with a spool, if the verdict allows
 * it.  Otherwise records the refusal, ends the request and closes the
 * connection.  A later refusal closes the connection, too.  The caller gives
 * the result back with request_abandon.  Never NULL: keyd ends if there is no
 * memory.
 */
struct request *request_begin(const struct request_peer *peer,
    const struct protocol_begin *begin);

/*
 * FAIL before any BEGIN, for a request that makes no sense.  Records it as a
 * request of its own and answers NOTED.
 */
void request_failed_early(const struct request_peer *peer,
    const struct protocol_fail *fail);

/*
 * CONTENT and its PARTs.  When all parts have arrived, the request is queued.
 */
void request_content(struct request *r, const struct protocol_content *content);
void request_part(struct request *r, struct cursor bytes);

/*
 * All that was queued for the shell is sent.  Queue the next PART of the
 * PKCS#7.  Returns false if there is none.
 */
bool request_more(struct request *r);

/*
 * request_output handles OUTPUT and records "finished".  request_kept handles
 * KEPT, which GO must have allowed, and records "kept".  After the commit both
 * answer RELEASE, if the client may still have the result.
 */
void request_output(struct request *r, const struct protocol_output *output);
void request_kept(struct request *r, const struct protocol_kept *kept);

/*
 * DELIVERED and FAIL.  Both end the request.  If a token has the request, FAIL
 * ends it when the token answers.
 */
void request_delivered(struct request *r, uint64_t bytes);
void request_fail(struct request *r, const struct protocol_fail *fail);

/*
 * A commit was undone, as *why says: nothing of what was asked since the last
 * one has happened.  Drops all open requests and cuts their connections.  Their
 * ends are recorded when there is room again.  A token that has the content of
 * one goes on, and its answer is dropped.
 */
void request_undo(struct keyd *k, const struct ht_error *why);

/*
 * The client may not go on, as *no says.  Ends the request with this refusal.
 * One that a token has, or that has its result on record, ends later, in the
 * same way.  One whose result is released goes on.
 */
void request_revoke(struct request *r, struct protocol_refuse *no);

/*
 * What may be signed has changed: request_revoke for each request that policy
 * refuses now.
 */
void request_revoke_refused(struct keyd *k);

/*
 * How many requests of client are open; NULL: of all clients.
 */
unsigned int request_open(const struct keyd *k, const char *client);

/*
 * True if the request has ended.
 */
bool request_ended(const struct request *r);

/*
 * The connection is gone, or begins its next request.  The caller must not use
 * r any more.  Records the end of a request that was open.
 */
void request_abandon(struct request *r);

#endif
