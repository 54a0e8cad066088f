#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keys/keyd/archive.h"
#include "keys/keyd/quota.h"
#include "keys/keyd/request/request-private.h"
#include "keys/keyd/request/rules.h"
#include "lib/log.h"

/* What the end of a request adds to the journal, in bytes. */
#define END 1024

/* --- BEGIN ------------------------------------------------------------- */

static struct request *
request_new(const struct request_peer *peer)
{
	struct keyd *k = peer->connection->keyd;
	struct request *r = calloc(1, sizeof(*r));
	struct ht_error e;

	if (r == NULL) {
		keyd_must(k, ht_error_memory(&e), &e);
		return NULL;
	}
	r->keyd = k;
	r->connection = peer->connection;
	r->tag = peer->tag;
	r->who = *peer->who;
	r->next = k->requests;
	r->at = &k->requests;
	if (r->next != NULL)
		r->next->at = &r->next;
	k->requests = r;
	return r;
}

/*
 * Record "asked".  A request pays for its end now, since that may come by
 * itself.  begin is NULL for a request that never said BEGIN.
 */
static void
record_asked(struct request *r, const struct protocol_begin *begin)
{
	struct journal_request asked = { .client = r->who.name,
		.door = r->who.door,
		.peer = r->who.peer,
		.port = r->who.port,
		.banner = r->who.banner,
		.serial = r->who.serial,
		.fingerprint = r->who.fingerprint,
		.version = PACKAGE_VERSION,
		.profile = r->profile };
	struct ht_error e;

	if (begin != NULL) {
		asked.reply =
		    begin->reply == PROTOCOL_REPLY_PKCS7 ? "pkcs7" : "full";
		asked.description = begin->description;
		asked.url = begin->url;
		asked.name = begin->name;
		asked.options = begin->options;
	}
	keyd_must(r->keyd,
	    journal_asked(r->keyd->store, &asked, &r->number, &e), &e);
	quota_charge(r->keyd->quota, r->who.name, 1, END);
}

void
request_failed_early(const struct request_peer *peer,
    const struct protocol_fail *fail)
{
	struct request *r = request_new(peer);
	struct protocol_refuse no;

	if (request_may_write(r, &no) < 0) {
		request_say_no(r, true, &no);
	} else {
		record_asked(r, NULL);
		request_note_fail(r, fail);
	}
	request_free(r);
}

unsigned int
request_open(const struct keyd *k, const char *client)
{
	const struct request *r;
	unsigned int n = 0;

	for (r = k->requests; r != NULL; r = r->next)
		if (r->phase != REQUEST_ENDED &&
		    (client == NULL || strcmp(r->who.name, client) == 0))
			n++;
	return n;
}

/* Check what can be checked before any upload. */
static int
check_begin(struct request *r, const struct conf_profile *profile,
    const struct protocol_begin *begin, struct protocol_refuse *no)
{
	struct ht_error e;

	if (r->keyd->ending) {
		keyd_refusal(no, HT_ERR_TEMPORARY, "ending",
		    "the endpoint is being stopped");
		no->retry = 10;
		return HT_ERR_TEMPORARY;
	}
	if (begin->sha256.left != 0 && !r->has_sha256) {
		keyd_refusal(no, HT_ERR_USAGE, "sha256",
		    "a SHA-256 has 32 bytes");
		return HT_ERR_USAGE;
	}
	if (rules_begin(profile, begin, no) < 0)
		return -(int)no->status;
	if (begin->size != PROTOCOL_SIZE_UNKNOWN &&
	    begin->size > profile->max_size) {
		keyd_refusal(no, HT_ERR_REFUSED, "size",
		    "%llu bytes are more than the %llu that profile %s allows",
		    (unsigned long long)begin->size,
		    (unsigned long long)profile->max_size, profile->name);
		return HT_ERR_REFUSED;
	}
	if (policy_can_scan(r->keyd, profile, no) < 0 ||
	    policy_can_stamp(r->keyd, profile, no) < 0)
		return HT_ERR_UNAVAILABLE;
	if (profile->archive != CONF_ARCHIVE_NONE &&
	    archive_room(r->keyd->archive, r->who.name,
	        begin->size == PROTOCOL_SIZE_UNKNOWN ? 0 : begin->size,
	        &e) < 0) {
		keyd_refusal(no, e.code, "archive", "%s", e.text);
		return e.code;
	}
	if (request_open(r->keyd, r->who.name) > profile->max_queue) {
		keyd_refusal(no, HT_ERR_TEMPORARY, "queue",
		    "%u requests of %s are open already", profile->max_queue,
		    r->who.name);
		no->retry = 5;
		return HT_ERR_TEMPORARY;
	}
	return request_check_profile(r, no);
}

struct request *
request_begin(const struct request_peer *peer,
    const struct protocol_begin *begin)
{
	const struct setup_certificate *certificate;
	const struct conf_profile *profile;
	struct request *r = request_new(peer);
	struct protocol_refuse no, unnamed;
	int rc, named;

	if (request_may_write(r, &no) < 0) {
		request_say_no(r, true, &no);
		return r;
	}
	named = policy_profile(r->keyd, &r->who, begin->profile, &profile,
	    &unnamed);
	(void)snprintf(r->profile, sizeof(r->profile), "%s",
	    named == 0 ? profile->name : begin->profile);
	memcpy(r->description, begin->description, sizeof(r->description));
	memcpy(r->url, begin->url, sizeof(r->url));
	r->reply = begin->reply;
	r->announced = begin->size;
	r->has_sha256 = begin->sha256.left == sizeof(r->announced_sha256);
	if (r->has_sha256)
		memcpy(r->announced_sha256, begin->sha256.p,
		    sizeof(r->announced_sha256));
	record_asked(r, begin);
	rc = identity_current(r->keyd, &r->who, &no);
	if (rc == 0)
		rc = request_check_client(r, &no);
	if (rc == 0 && named < 0) {
		no = unnamed;
		rc = named;
	}
	if (rc == 0)
		rc = request_verdict(r, &certificate, &no);
	if (rc == 0)
		rc = check_begin(r, profile, begin, &no);
	if (rc < 0) {
		request_say_no(r, true, &no);
	} else {
		request_let_in(r, certificate->conf->token->name);
		request_go(r, profile);
	}
	return r;
}

void
request_fail(struct request *r, const struct protocol_fail *fail)
{
	if (r->phase != REQUEST_HANDED &&
	    (r->phase != REQUEST_QUEUED || token_cancel(r->job))) {
		r->job = NULL;
		request_note_fail(r, fail);
	} else {
		/* A token has the request.  First its answer is recorded. */
		r->fail = *fail;
		if (r->fail.status == 0)
			r->fail.status = (uint32_t)-HT_ERR_INTERNAL;
	}
}
