#include "config.h"

#include <string.h>

#include "keys/keyd/failures.h"
#include "keys/keyd/quota.h"
#include "keys/keyd/request/request-private.h"
#include "lib/log.h"

/* Seconds after which there may be room again. */
#define ROOM_RETRY 10

/* The record of requests whose commit was undone, or that keyd left open. */
static int
catch_up(struct keyd *k, struct ht_error *e)
{
	int rc;

	if (!k->behind)
		return 0;
	rc = journal_close_open(k->store, "no room on the disk", NULL, e);
	if (rc == 0)
		k->behind = false;
	return rc;
}

int
request_room(struct keyd *k, uint64_t bytes, struct protocol_refuse *no)
{
	const struct request *r;
	struct ht_error e;
	int rc;

	bytes += KEYD_RESERVE;
	for (r = k->requests; r != NULL; r = r->next)
		bytes += KEYD_ENDING;
	rc = store_reserve(k->store, bytes, &e);
	if (rc == 0)
		rc = catch_up(k, &e);
	keyd_must(k, rc, &e);
	if (rc == 0)
		return 0;
	keyd_refusal(no, rc, "full", "%s", e.text);
	no->retry = ROOM_RETRY;
	return rc;
}

int
request_may_write(struct request *r, struct protocol_refuse *no)
{
	struct keyd *k = r->keyd;
	uint32_t wait = quota_wait(k->quota, r->who.name);
	struct ht_error e;
	int rc;

	if (wait == 0) {
		rc = request_room(k, 0, no);
	} else {
		rc = HT_ERR_TEMPORARY;
		keyd_refusal(no, rc, "quota",
		    "%s has made too many requests: wait %u seconds",
		    r->who.name, (unsigned int)wait);
		no->retry = wait;
	}
	if (rc == 0)
		return 0;
	r->unrecorded = true;
	keyd_must(k, failures_request(k->failures, &r->who, no, &e), &e);
	return rc;
}

void
request_undo(struct keyd *k, const struct ht_error *why)
{
	struct request *r;

	log_error("%s: what was asked meanwhile is undone", why->text);
	k->behind = true;
	for (r = k->requests; r != NULL; r = r->next) {
		r->unrecorded = true;
		commit_forget(&r->release);
	}
	if (k->tokens != NULL)
		tokens_undo(k->tokens);
	keyd_cut(k);
}

/* --- the room for content ------------------------------------------------ */

/* Return the bytes that requests of client hold; NULL: those of all clients. */
static size_t
held(const struct keyd *k, const char *client)
{
	const struct request *r;
	size_t n = 0;

	for (r = k->requests; r != NULL; r = r->next)
		if (client == NULL || strcmp(r->who.name, client) == 0)
			n += r->held;
	return n;
}

/*
 * A client may hold half of what the others leave.  So there is always some room
 * left, even if requests hold theirs and do nothing.  Small content is not
 * counted.
 */
int
request_take(struct request *r, size_t n, struct protocol_refuse *no)
{
	size_t own, others, most;

	if (n <= PROTOCOL_CONTENT_MAX)
		return 0;
	own = held(r->keyd, r->who.name);
	others = held(r->keyd, NULL) - own;
	most = (KEYD_CONTENT - others) / 2;
	if (n > most || own > most - n) {
		keyd_refusal(no, HT_ERR_TEMPORARY, "room",
		    "%s has no room for more large content now",
		    own > 0 ? r->who.name : "the endpoint");
		no->retry = ROOM_RETRY;
		return HT_ERR_TEMPORARY;
	}
	r->held = n;
	return 0;
}
