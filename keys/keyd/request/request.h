/*
 * One request, from "asked" to its end: the order of DESIGN.md, "No signature
 * without a record".
 *
 *	OPEN ─► QUEUED ─► HANDED ─► SIGNED ─► FINISHED ─► RELEASED ─► ENDED
 *	  └────────────── a file is kept ───────┘
 *
 * Every step records its event; what it says to the shell leaves after the
 * commit.  A request whose connection is gone ends at once, unless a token has
 * it: then it ends on record when the token answers.
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
 * BEGIN, by somebody whose certificate is still valid: "asked" is recorded, and
 * GO said with a spool; or it is refused, on record, has ended, and the
 * connection closes.  Later on, too, a refusal closes the connection.  Never
 * NULL: without memory the process ends.
 */
struct request *request_begin(const struct request_peer *peer,
    const struct protocol_begin *begin);

/*
 * FAIL before any BEGIN: a request that made no sense gets its row too, and
 * NOTED.
 */
void request_failed_early(const struct request_peer *peer,
    const struct protocol_fail *fail);

/*
 * CONTENT and its PARTs; when all are there the request is queued.
 */
void request_content(struct request *r, const struct protocol_content *content);
void request_part(struct request *r, struct cursor bytes);

/*
 * All that was said to the shell has been sent: say what there is to say after
 * that, the next PART of a PKCS#7.  Whether there was anything.
 */
bool request_more(struct request *r);

/*
 * OUTPUT: "finished"; RELEASE is said if, after the commit, the client may
 * still have it.  KEPT, where GO said so, is "kept" and then the same.
 */
void request_output(struct request *r, const struct protocol_output *output);
void request_kept(struct request *r, const struct protocol_kept *kept);

/*
 * DELIVERED, and FAIL: they end the request.
 */
void request_delivered(struct request *r, uint64_t bytes);
void request_fail(struct request *r, const struct protocol_fail *fail);

/*
 * Whether it has ended.
 */
bool request_ended(const struct request *r);

/*
 * The connection is gone, or takes up the next request: r is not the
 * caller's any more.
 */
void request_abandon(struct request *r);

#endif
