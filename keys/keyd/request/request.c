#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keys/keyd/quota.h"
#include "keys/keyd/request/request-private.h"
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
		.banner = r->who.banner,
		.serial = r->who.serial,
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

static unsigned int
open_requests(const struct keyd *k, const char *client)
{
	const struct request *r;
	unsigned int n = 0;

	for (r = k->requests; r != NULL; r = r->next)
		if (r->phase != REQUEST_ENDED &&
		    strcmp(r->who.name, client) == 0)
			n++;
	return n;
}

/* Check what can be checked before any upload. */
static int
check_begin(struct request *r, const struct conf_profile *profile,
    const struct protocol_begin *begin, struct protocol_refuse *no)
{
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
	if (begin->size != PROTOCOL_SIZE_UNKNOWN &&
	    begin->size > profile->max_size) {
		keyd_refusal(no, HT_ERR_REFUSED, "size",
		    "%llu bytes are more than the %llu that profile %s allows",
		    (unsigned long long)begin->size,
		    (unsigned long long)profile->max_size, profile->name);
		return HT_ERR_REFUSED;
	}
	if (policy_can_stamp(r->keyd, profile, no) < 0)
		return HT_ERR_UNAVAILABLE;
	if (open_requests(r->keyd, r->who.name) > profile->max_queue) {
		keyd_refusal(no, HT_ERR_TEMPORARY, "queue",
		    "%u requests of %s are open already", profile->max_queue,
		    r->who.name);
		no->retry = 5;
		return HT_ERR_TEMPORARY;
	}
	return 0;
}

/* Append the fingerprints of all certificates that could be read. */
static void
put_own(const struct setup *setup, struct buf *own)
{
	uint8_t fingerprint[PROTOCOL_FINGERPRINT];
	size_t i;

	_Static_assert(CONF_LIST_MAX * PROTOCOL_FINGERPRINT <= PROTOCOL_OWN_MAX,
	    "GO has room for every certificate");
	for (i = 0; i < setup->ncertificates; i++) {
		if (setup->certificates[i].chain == NULL)
			continue;
		chain_fingerprint(setup->certificates[i].chain, fingerprint);
		buf_bytes(own, fingerprint, sizeof(fingerprint));
	}
}

static void
go(struct request *r, const struct conf_profile *profile)
{
	struct buf own = BUF_INIT;
	struct protocol_go say = { 0 };
	struct ht_error e;
	int spool;

	r->spool = spool_new(r->keyd->spools, r->who.name, request_over, r,
	    &spool, &e);
	if (r->spool == NULL) {
		request_give_up(r, "spool", &e);
		return;
	}
	say.number = r->number;
	say.max_size = profile->max_size;
	say.max_ctl = profile->max_ctl;
	(void)snprintf(say.profile, sizeof(say.profile), "%s", profile->name);
	(void)snprintf(say.digest, sizeof(say.digest), "%s",
	    conf_digest_text(profile->digest));
	conf_formats_text(profile->formats, say.formats, sizeof(say.formats));
	(void)snprintf(say.existing, sizeof(say.existing), "%s",
	    conf_existing_text(profile->existing));
	if (profile->existing == CONF_EXISTING_OWN)
		put_own(r->keyd->setup, &own);
	say.own = buf_cursor(&own);
	r->may_keep = profile->existing == CONF_EXISTING_KEEP;
	keyd_say(r->connection, PROTOCOL_GO, r->tag, &say, &spool, 1);
	(void)close(spool);
	buf_free(&own);
}

struct request *
request_begin(const struct request_peer *peer,
    const struct protocol_begin *begin)
{
	const struct setup_certificate *certificate;
	const struct conf_profile *profile;
	struct request *r = request_new(peer);
	struct protocol_refuse no;
	int rc;

	if (request_may_write(r, &no) < 0) {
		request_say_no(r, true, &no);
		return r;
	}
	rc = policy_profile(r->keyd, &r->who, begin->profile, &profile, &no);
	(void)snprintf(r->profile, sizeof(r->profile), "%s",
	    rc == 0 ? profile->name : begin->profile);
	memcpy(r->description, begin->description, sizeof(r->description));
	memcpy(r->url, begin->url, sizeof(r->url));
	r->reply = begin->reply;
	r->announced = begin->size;
	r->has_sha256 = begin->sha256.left == sizeof(r->announced_sha256);
	if (r->has_sha256)
		memcpy(r->announced_sha256, begin->sha256.p,
		    sizeof(r->announced_sha256));
	record_asked(r, begin);
	if (rc == 0)
		rc = identity_current(r->keyd, &r->who, &no);
	if (rc == 0)
		rc = request_verdict(r, &certificate, &no);
	if (rc == 0)
		rc = check_begin(r, profile, begin, &no);
	if (rc < 0)
		request_say_no(r, true, &no);
	else
		go(r, profile);
	return r;
}

/* --- the end ----------------------------------------------------------- */

/* "finished" is durable.  May the client still have the result? */
static void
release(void *cookie)
{
	struct request *r = cookie;
	const struct setup_certificate *certificate;
	struct protocol_number number = { r->number };
	struct protocol_refuse no;

	if (request_verdict(r, &certificate, &no) < 0) {
		request_say_no(r, false, &no);
		return;
	}
	spool_keep(r->spool);
	keyd_say(r->connection, PROTOCOL_RELEASE, r->tag, &number, NULL, 0);
}

/* The end is recorded.  release() follows after the commit. */
static void
finish(struct request *r, uint64_t output)
{
	r->output = output;
	r->phase = REQUEST_FINISHED;
	loop_timer_remove(r->deadline);
	r->deadline = NULL;
	r->release.run = release;
	r->release.cookie = r;
	commit_after(&r->keyd->commits, &r->release);
}

void
request_output(struct request *r, const struct protocol_output *output)
{
	struct keyd *k = r->keyd;
	struct ht_error e;

	if (r->phase != REQUEST_SIGNED || r->pkcs7.len > 0 ||
	    output->sha256.left != JOURNAL_SHA256 ||
	    output->size > JOURNAL_SIZE_MAX) {
		keyd_close(r->connection);
		return;
	}
	keyd_must(k,
	    journal_finished(k->store, r->number, output->size,
	        output->sha256.p, &e),
	    &e);
	finish(r, output->size);
}

/* True if the output is the unchanged file, or a part of it for a PKCS#7. */
static bool
is_as_it_came(const struct request *r, const struct protocol_kept *kept)
{
	if (r->reply == PROTOCOL_REPLY_PKCS7)
		return kept->output_size <= kept->size;
	return kept->output_size == kept->size &&
	    memcmp(kept->output_sha256.p, kept->sha256.p, JOURNAL_SHA256) == 0;
}

/* Check a kept file: the profile must take its format and its size. */
static int
check_kept(const struct request *r, const struct protocol_kept *kept,
    struct ht_error *e)
{
	const struct conf_profile *profile =
	    conf_profile(r->keyd->setup->conf, r->profile);

	if (!request_is_announced(r, kept->size, kept->sha256.p))
		return ht_error_set(e, HT_ERR_DATA,
		    "the file is not the one that was announced");
	if (profile == NULL ||
	    !conf_format_in(profile->formats, kept->format) ||
	    kept->size > profile->max_size)
		return ht_error_set(e, HT_ERR_REFUSED,
		    "profile %s does not take such a file", r->profile);
	return 0;
}

void
request_kept(struct request *r, const struct protocol_kept *kept)
{
	const struct journal_kept record = { kept->format, kept->size,
		kept->sha256.p, kept->output_size, kept->output_sha256.p };
	struct ht_error e;

	if (r->phase != REQUEST_OPEN || !r->may_keep ||
	    kept->sha256.left != JOURNAL_SHA256 ||
	    kept->output_sha256.left != JOURNAL_SHA256 ||
	    !is_as_it_came(r, kept)) {
		keyd_close(r->connection);
		return;
	}
	if (check_kept(r, kept, &e) < 0) {
		request_give_up(r, "kept", &e);
		return;
	}
	keyd_must(r->keyd, journal_kept(r->keyd->store, r->number, &record, &e),
	    &e);
	finish(r, kept->output_size);
}

void
request_delivered(struct request *r, uint64_t bytes)
{
	struct ht_error e;

	if (bytes != r->output) {
		keyd_close(r->connection);
		return;
	}
	keyd_must(r->keyd,
	    journal_delivered(r->keyd->store, r->number, bytes, &e), &e);
	request_end(r);
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
