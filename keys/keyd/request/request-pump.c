#include "config.h"

#include <string.h>
#include <unistd.h>

#include "keys/keyd/archive.h"
#include "keys/keyd/quota.h"
#include "keys/keyd/request/request-private.h"
#include "keys/keyd/request/rules.h"

static const struct conf_profile *
profile_of(const struct request *r)
{
	return conf_profile(r->keyd->setup->conf, r->profile);
}

static void
stop_waiting(struct request *r)
{
	loop_timer_remove(r->waiting);
	r->waiting = NULL;
}

/* --- GO ------------------------------------------------------------------ */

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

/* GO, with a spool and, unless pipe is -1, the pipe, which the caller keeps. */
static void
say_go(struct request *r, int pipe)
{
	const struct conf_profile *profile =
	    conf_profile(r->keyd->setup->conf, r->profile);
	struct buf own = BUF_INIT;
	struct protocol_go say = { 0 };
	struct ht_error e;
	int fds[2];

	ht_error_clear(&e);
	if (profile == NULL)
		(void)ht_error_set(&e, HT_ERR_UNAVAILABLE, "profile %s is gone",
		    r->profile);
	else
		r->spool = spool_new(r->keyd->spools, r->who.name, request_over,
		    r, &fds[0], &e);
	if (r->spool == NULL) {
		request_give_up(r, "spool", &e);
		return;
	}
	say.number = r->number;
	say.max_size = request_max_size(r, profile);
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
	say.recipe = r->both;
	say.version = rules_want_version(profile);
	fds[1] = pipe;
	keyd_say(r->connection, PROTOCOL_GO, r->tag, &say, fds,
	    pipe < 0 ? 1 : 2);
	(void)close(fds[0]);
	buf_free(&own);
}

/* --- what goes on when all is there -------------------------------------- */

/*
 * The file must be the one that was announced.  The announcement came before
 * the shell saw the first byte of the file.  So a file that takes over its
 * parser cannot change the announcement.
 */
bool
request_is_announced(const struct request *r, uint64_t size,
    const uint8_t *sha256)
{
	if (r->announced != PROTOCOL_SIZE_UNKNOWN && r->announced != size)
		return false;
	return !r->has_sha256 ||
	    memcmp(r->announced_sha256, sha256, sizeof(r->announced_sha256)) ==
	    0;
}

/* What htsign-pump has seen is what the shell and the client speak of. */
static int
check_bytes(const struct request *r, const char **word, struct ht_error *e)
{
	*word = "cut";
	if (!request_is_announced(r, r->pumped_size, r->pumped_sha256))
		return ht_error_set(e, HT_ERR_DATA,
		    "the file is not the one that was announced");
	*word = "pump";
	if (r->decision.input.size != r->pumped_size ||
	    (r->keeps &&
	        memcmp(r->kept.sha256.p, r->pumped_sha256, JOURNAL_SHA256) !=
	            0))
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "htsign-shell has read another file than it passed on");
	return 0;
}

/* A virus is refused, whatever the profile says by now. */
static int
judge(struct request *r, struct protocol_refuse *no)
{
	const struct conf_profile *profile = profile_of(r);
	const struct protocol_verdict *v = &r->verdict;

	if (strcmp(v->verdict, PROTOCOL_VERDICT_VIRUS) == 0) {
		keyd_refusal(no, HT_ERR_REFUSED, "virus",
		    "the file has a virus: %.200s", v->text);
		return HT_ERR_REFUSED;
	}
	if (strcmp(v->verdict, PROTOCOL_VERDICT_CLEAN) == 0 ||
	    (profile != NULL && profile->clamav == CONF_SCAN_NONE))
		return 0;
	if (profile == NULL || profile->clamav == CONF_SCAN_REQUIRED) {
		keyd_refusal(no, HT_ERR_UNAVAILABLE, "scan",
		    "the file was not scanned: %.200s", v->text);
		return HT_ERR_UNAVAILABLE;
	}
	(void)snprintf(r->note, sizeof(r->note), "not scanned: %.200s",
	    v->text);
	return 0;
}

static void
record(struct request *r)
{
	const struct journal_pumped pumped = { r->pumped_size, r->pumped_sha256,
		r->verdict.verdict, r->verdict.text, r->verdict.database };
	struct store *s = r->keyd->store;
	uint64_t before = store_written(s);
	struct ht_error e;

	keyd_must(r->keyd, journal_pumped(s, r->number, &pumped, &e), &e);
	quota_charge(r->keyd->quota, r->who.name, 0, store_written(s) - before);
}

/* What is to be signed is kept before, and that is on record. */
static int
archive(struct request *r, struct ht_error *e)
{
	const struct journal_archived kept = { r->pumped_size, r->pumped_sha256,
		r->both, r->who.name };
	struct keyd *k = r->keyd;
	uint64_t before = store_written(k->store);
	int rc;

	if (r->archive == NULL)
		return 0;
	rc = archive_room(k->archive, r->who.name, r->pumped_size, e);
	if (rc == 0)
		rc = archive_keep(r->archive, r->pumped_sha256, e);
	if (rc < 0)
		return rc;
	r->archive = NULL;
	rc = journal_archived(k->store, r->number, &kept, e);
	keyd_must(k, rc, e);
	quota_charge(k->quota, r->who.name, 0,
	    store_written(k->store) - before);
	return 0;
}

static void
decide(struct request *r)
{
	struct protocol_refuse no;
	struct ht_error e;
	const char *word;
	int rc;

	if (!r->whole || !r->judged)
		return;
	stop_waiting(r);
	if (check_bytes(r, &word, &e) < 0) {
		request_give_up(r, word, &e);
		return;
	}
	record(r);
	rc = judge(r, &no);
	if (rc < 0) {
		request_say_no(r, rc == HT_ERR_REFUSED, &no);
		return;
	}
	if (archive(r, &e) < 0) {
		request_give_up(r, "archive", &e);
		return;
	}
	r->decision.input.sha256 = r->pumped_sha256;
	request_check(r);
}

void
request_whole(struct request *r)
{
	const struct conf_profile *profile = profile_of(r);
	struct ht_error e;

	r->whole = true;
	request_stop_transfer(r);
	if (r->pumps) {
		request_start_waiting(r);
		decide(r);
	} else if (profile != NULL && conf_profile_pumps(profile)) {
		(void)ht_error_set(&e, HT_ERR_UNAVAILABLE,
		    "profile %s has been changed meanwhile: try again",
		    r->profile);
		request_give_up(r, "pump", &e);
	} else {
		request_check(r);
	}
}

/* --- what htsign-pump says ----------------------------------------------- */

static void
begun(void *cookie, int pipe)
{
	struct request *r = cookie;

	stop_waiting(r);
	loop_timer_remove(r->deadline);
	r->deadline = NULL;
	say_go(r, pipe);
	(void)close(pipe);
}

static void
pumped(void *cookie, uint64_t size, const uint8_t *sha256)
{
	struct request *r = cookie;

	r->pumped = true;
	r->pumped_size = size;
	memcpy(r->pumped_sha256, sha256, JOURNAL_SHA256);
	request_stop_transfer(r);
}

static void
got_verdict(void *cookie, const struct protocol_verdict *v)
{
	struct request *r = cookie;

	r->pump = NULL;
	r->judged = true;
	r->verdict = *v;
	decide(r);
}

static void
failed(void *cookie, const char *text)
{
	struct request *r = cookie;
	struct ht_error e;

	r->pump = NULL;
	(void)ht_error_set(&e, HT_ERR_UNAVAILABLE, "%s", text);
	request_give_up(r, "pump", &e);
}

void
request_go(struct request *r, const struct conf_profile *profile)
{
	static const struct pump_ops ops = { begun, pumped, got_verdict,
		failed };
	struct ht_error e;
	int file = -1;

	r->pumps = conf_profile_pumps(profile);
	if (!r->pumps) {
		say_go(r, -1);
		return;
	}
	if (profile->archive != CONF_ARCHIVE_NONE) {
		r->archive = archive_file(r->keyd->archive, r->who.name,
		    request_over, r, &file, &e);
		if (r->archive == NULL) {
			request_give_up(r, "archive", &e);
			return;
		}
	}
	r->both = profile->archive == CONF_ARCHIVE_BOTH;
	request_start_waiting(r);
	request_start_deadline(r, profile->deadline);
	if (pump_begin(r->keyd->pump, r->who.name, profile, file, &ops, r,
	        &r->pump, &e) < 0)
		request_give_up(r, "pump", &e);
}
