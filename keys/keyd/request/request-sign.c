#include "config.h"

#include <string.h>

#include "keys/keyd/quota.h"
#include "keys/keyd/request/request-private.h"
#include "lib/log.h"
#include "signature/publisher.h"

/* --- what is to be signed ---------------------------------------------- */

int
request_check_format(const struct request *r, const char *format,
    struct ht_error *e)
{
	const struct conf_profile *profile =
	    conf_profile(r->keyd->setup->conf, r->profile);

	if (profile == NULL || !conf_format_in(profile->formats, format))
		return ht_error_set(e, HT_ERR_REFUSED,
		    "profile %s does not sign %s files", r->profile, format);
	return 0;
}

/* Windows installs a package only if its publisher has signed it. */
static int
check_publisher(const struct request *r,
    const struct setup_certificate *certificate, struct ht_error *e)
{
	if (r->publisher[0] != '\0')
		return publisher_check(certificate->chain, r->publisher, e);
	if (strncmp(r->format, "appx", 4) == 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "the package does not name its publisher");
	return 0;
}

/* Make what is to be signed, under the profile as it is configured now. */
/*
 * Whether the profile's digest is the file's.  That of a package is its block
 * map's, and may be stronger.
 */
static bool
digest_fits(const struct conf_profile *profile, const char *format,
    const struct spc_digest *file)
{
	size_t least = 0;
	size_t length = 0;

	if (strncmp(format, "appx", 4) != 0)
		return strcmp(file->algorithm,
		           conf_digest_text(profile->digest)) == 0;
	(void)spc_algorithm(conf_digest_text(profile->digest), &least);
	(void)spc_algorithm(file->algorithm, &length);
	return length >= least;
}

static int
prepare(struct request *r, const struct setup_certificate *certificate,
    struct ht_error *e)
{
	const struct conf_profile *profile =
	    conf_profile(r->keyd->setup->conf, r->profile);
	struct cms_options options = { 0 };
	const struct spc_digest *file;
	int rc;

	rc = request_check_format(r, r->format, e);
	if (rc < 0)
		return rc;
	rc = check_publisher(r, certificate, e);
	if (rc < 0)
		return rc;
	options.description =
	    r->description[0] != '\0' ? r->description : profile->description;
	options.url = r->url[0] != '\0' ? r->url : profile->url;
	options.commercial = profile->statement == CONF_STATEMENT_COMMERCIAL;
	options.signing_time =
	    profile->signing_time ? journal_now() / 1000000 : CMS_NO_TIME;
	options.algorithm = conf_digest_text(profile->digest);
	rc = cms_signer_new(certificate->chain, r->format, r->der.data,
	    r->der.len, &options, &r->signer, e);
	buf_free(&r->der); /* the signer has a copy */
	if (rc < 0)
		return rc;
	if (r->decision.input.size > profile->max_size)
		return ht_error_set(e, HT_ERR_REFUSED,
		    "the file is larger than profile %s allows", r->profile);
	file = cms_signer_file(r->signer);
	if (!digest_fits(profile, r->format, file))
		return ht_error_set(e, HT_ERR_REFUSED,
		    "profile %s signs %s, not %s", r->profile,
		    conf_digest_text(profile->digest), file->algorithm);
	(void)snprintf(r->certificate, sizeof(r->certificate), "%s",
	    certificate->conf->name);
	(void)snprintf(r->token, sizeof(r->token), "%s",
	    token_name(certificate->token));
	rate_leave(&r->places[RATE_TOKEN]);
	rate_take(r->keyd->rates, RATE_TOKEN, r->token, r->decision.input.size,
	    &r->places[RATE_TOKEN]);
	chain_fingerprint(certificate->chain, r->fingerprint);
	chain_validity(certificate->chain, &r->from, &r->until);
	r->decision.algorithm = file->algorithm;
	r->decision.digest = file->value;
	r->decision.digest_len = file->length;
	r->decision.certificate = r->certificate;
	r->decision.fingerprint = r->fingerprint;
	r->decision.token = r->token;
	return 0;
}

/* --- the token's side -------------------------------------------------- */

/* Check that r may be signed now, with the certificate that it was made for. */
static int
verdict_again(struct request *r, struct ht_error *e)
{
	const struct setup_certificate *certificate;
	int rc;

	if (r->unrecorded)
		return ht_error_set(e, HT_ERR_UNAVAILABLE, "undone");
	if (r->refusal.status != 0)
		return ht_error_set(e, -(int)r->refusal.status, "%s",
		    r->refusal.text);
	rc = request_verdict(r, &certificate, &r->refusal);
	if (rc < 0)
		return ht_error_set(e, rc, "%s", r->refusal.text);
	return 0;
}

int
request_first_use(struct request *r, struct ht_error *e)
{
	struct store *s = r->keyd->store;
	int rc = journal_has_used(s, r->who.name, r->profile, e);

	return rc != 0
	    ? rc
	    : journal_first_use(s, r->number, r->who.name, r->profile, e);
}

static int
authorise(void *cookie, unsigned int attempt, struct ht_error *e)
{
	struct request *r = cookie;
	struct keyd *k = r->keyd;
	uint64_t before;
	int rc;

	rc = verdict_again(r, e);
	if (rc < 0)
		return rc;
	(void)attempt; /* r counts those of other tokens, too */
	r->decision.attempt++;
	if (!r->places[RATE_TOKEN].counted)
		rate_count_bytes(&r->places[RATE_TOKEN],
		    r->decision.input.size);
	rate_count_request(&r->places[RATE_TOKEN]);
	before = store_written(k->store);
	keyd_must(k, request_first_use(r, e), e);
	rc = journal_decided(k->store, r->number, &r->decision, e);
	keyd_must(k, rc, e);
	quota_charge(k->quota, r->who.name, 0,
	    store_written(k->store) - before);
	r->phase = REQUEST_HANDED;
	return 0;
}

static int
confirm(void *cookie, struct ht_error *e)
{
	return verdict_again(cookie, e);
}

static void
lost(void *cookie, const char *text)
{
	struct request *r = cookie;
	struct ht_error e;

	r->lost++;
	if (r->unrecorded)
		return;
	keyd_must(r->keyd,
	    journal_maybe_signed(r->keyd->store, r->number, text, &e), &e);
}

/* Check the signature, record it, and free what it was made from. */
static int
take_signature(struct request *r, const uint8_t *signature, size_t n,
    struct ht_error *e)
{
	struct keyd *k = r->keyd;
	uint64_t before;
	int rc;

	rc = cms_signer_signature(r->signer, signature, n, e);
	if (rc == 0)
		rc = cms_signer_finish(r->signer, &r->pkcs7, e);
	if (rc < 0)
		return rc;
	cms_signer_free(r->signer);
	r->signer = NULL;
	before = store_written(k->store);
	rc =
	    journal_signed(k->store, r->number, r->pkcs7.data, r->pkcs7.len, e);
	keyd_must(k, rc, e);
	quota_charge(k->quota, r->who.name, 0,
	    store_written(k->store) - before);
	r->phase = REQUEST_SIGNED;
	return 0;
}

static void submit(struct request *r,
    const struct setup_certificate *certificate);

/* Its token is in trouble: another certificate's signs the same content. */
static void
move(struct request *r, const struct setup_certificate *certificate)
{
	struct cursor content = cms_signer_content(r->signer);
	struct ht_error e;

	log_notice("request %ju goes from token %s to %s", (uintmax_t)r->number,
	    r->token, token_name(certificate->token));
	buf_bytes(&r->der, content.p, content.left);
	cms_signer_free(r->signer);
	r->signer = NULL;
	r->moves++;
	if (buf_failed(&r->der) < 0) {
		(void)ht_error_memory(&e);
		request_give_up(r, "content", &e);
	} else {
		submit(r, certificate);
	}
}

static bool
elsewhere(void *cookie)
{
	return request_other(cookie) != NULL;
}

static void
done(void *cookie, const uint8_t *signature, size_t n,
    const struct ht_error *why)
{
	const struct setup_certificate *other;
	struct request *r = cookie;
	struct ht_error e;

	r->job = NULL;
	loop_timer_remove(r->waiting);
	r->waiting = NULL;
	if (r->unrecorded)
		request_end(r);
	else if (signature == NULL && r->refusal.status != 0)
		request_say_no(r, true, &r->refusal);
	else if (signature == NULL && why->code == HT_ERR_UNAVAILABLE &&
	    (other = request_other(r)) != NULL)
		move(r, other);
	else if (signature == NULL)
		request_give_up(r, "token", why);
	else if (take_signature(r, signature, n, &e) < 0)
		request_give_up(r, "signature", &e);
	else if (r->connection == NULL)
		request_abandon(r);
	else if (r->fail.status != 0)
		request_note_fail(r, &r->fail);
	else if (r->refusal.status != 0)
		request_say_no(r, false, &r->refusal);
	else
		request_stamp(r, signature, n);
}

static const struct token_job_ops job_ops = { authorise, confirm, lost,
	elsewhere, done };

/* Make what is to be signed with the certificate, and queue it. */
static void
submit(struct request *r, const struct setup_certificate *certificate)
{
	const struct spc_digest *hash;
	struct token_work work;
	struct ht_error e;

	if (prepare(r, certificate, &e) < 0) {
		request_give_up(r, "content", &e);
		return;
	}
	hash = cms_signer_digest(r->signer);
	work.client = r->who.name;
	work.key = certificate->key;
	work.digest = hash->algorithm;
	work.hash = hash->value;
	work.n = hash->length;
	work.lost = r->lost;
	r->phase = REQUEST_QUEUED;
	request_start_waiting(r);
	if (token_submit(certificate->token, &work, &job_ops, r, &r->job, &e) <
	    0)
		request_give_up(r, "token", &e);
}

void
request_sign(struct request *r)
{
	const struct setup_certificate *certificate;
	struct protocol_refuse no;

	/* Another token may be better now. */
	rate_leave(&r->places[RATE_TOKEN]);
	if (request_verdict(r, &certificate, &no) < 0)
		request_say_no(r, true, &no);
	else
		submit(r, certificate);
}
