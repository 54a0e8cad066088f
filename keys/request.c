#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authenticode/cms.h"
#include "authenticode/content.h"
#include "authenticode/publisher.h"
#include "keys/policy.h"
#include "keys/request.h"
#include "lib/log.h"
#include "store/journal.h"

/* A shell that waits hears of it after 2 s, then often enough to stay. */
#define WAIT_FIRST 2000
#define WAIT_AGAIN 20000

enum phase { OPEN, QUEUED, HANDED, SIGNED, FINISHED, RELEASED, ENDED };

struct request {
	struct keyd *keyd;
	struct keyd_connection *connection; /* NULL once it is gone */
	uint32_t tag;
	struct identity who;
	uint64_t number;
	enum phase phase;
	char profile[NAMES_SIZE];
	char description[PROTOCOL_DESCRIPTION];
	char url[PROTOCOL_DESCRIPTION];
	uint64_t announced; /* the input's size, or PROTOCOL_SIZE_UNKNOWN */
	uint8_t announced_sha256[JOURNAL_SHA256];
	bool has_sha256;
	struct journal_decision decision; /* what goes to the token */
	char format[PROTOCOL_WORD];
	char certificate[NAMES_SIZE];
	char token[NAMES_SIZE];
	struct buf der; /* the content, as it comes in PARTs */
	char publisher[PROTOCOL_PUBLISHER]; /* whom the file names, or "" */
	uint32_t length;
	struct cms_signer *signer;
	struct token_job *job;
	struct loop_timer *waiting;
	struct commit_step release;
	uint64_t output;                /* its size, once it is finished */
	struct protocol_refuse refusal; /* status 0: none */
	struct protocol_fail fail;      /* status 0: none; said while a token
	                                   had the request */
	struct request *next, **at;     /* of those that are open */
};

/* --- endings ----------------------------------------------------------- */

static void
request_free(struct request *r)
{
	commit_forget(&r->release);
	loop_timer_remove(r->waiting);
	cms_signer_free(r->signer);
	buf_free(&r->der);
	if (r->at != NULL) {
		*r->at = r->next;
		if (r->next != NULL)
			r->next->at = r->at;
	}
	free(r);
}

/* Nothing more happens; a request without a connection is freed. */
static void
end(struct request *r)
{
	r->phase = ENDED;
	commit_forget(&r->release);
	loop_timer_remove(r->waiting);
	r->waiting = NULL;
	if (r->connection == NULL)
		request_free(r);
}

static void
record_end(struct request *r, bool refused, int status, const char *code,
    uint64_t offset, const char *text)
{
	struct journal_end why = { status, code, offset, text };
	struct keyd *k = r->keyd;
	struct ht_error e;

	if (refused)
		keyd_must(k, journal_refused(k->store, r->number, &why, &e),
		    &e);
	else
		keyd_must(k, journal_failed(k->store, r->number, &why, &e), &e);
}

/*
 * keyd's own no: on record, said to the shell, and the connection ends.
 * refused tells policy's word from a failure.
 */
static void
say_no(struct request *r, bool refused, struct protocol_refuse *why)
{
	why->number = r->number;
	record_end(r, refused, (int)why->status, why->code, HT_NO_OFFSET,
	    why->text);
	if (r->connection != NULL) {
		keyd_say(r->connection, PROTOCOL_REFUSE, r->tag, why, NULL, 0);
		keyd_close(r->connection);
	}
	end(r);
}

static void
give_up(struct request *r, const char *word, const struct ht_error *e)
{
	struct protocol_refuse why;

	keyd_refusal(&why, e->code, word, "%s", e->text);
	say_no(r, false, &why);
}

/* The shell's own word that it cannot go on. */
static void
note_fail(struct request *r, const struct protocol_fail *fail)
{
	struct protocol_number number = { r->number };
	int status = fail->status >= 64 && fail->status <= 78
	    ? (int)fail->status
	    : -HT_ERR_INTERNAL;
	uint64_t offset =
	    fail->offset <= JOURNAL_SIZE_MAX ? fail->offset : HT_NO_OFFSET;

	record_end(r, false, status, fail->code, offset, fail->text);
	if (r->connection != NULL)
		keyd_say(r->connection, PROTOCOL_NOTED, r->tag, &number, NULL,
		    0);
	end(r);
}

bool
request_ended(const struct request *r)
{
	return r->phase == ENDED;
}

void
request_abandon(struct request *r)
{
	struct store *s = r->keyd->store;
	struct ht_error e;

	r->connection = NULL;
	if (r->phase == QUEUED)
		(void)token_cancel(r->job);
	switch (r->phase) {
	case OPEN:
	case QUEUED:
	case SIGNED:
		keyd_must(r->keyd,
		    journal_aborted(s, r->number, "the connection was cut", &e),
		    &e);
		break;
	case FINISHED:
	case RELEASED:
		keyd_must(r->keyd,
		    journal_undelivered(s, r->number, "the connection was cut",
		        &e),
		    &e);
		break;
	case HANDED: /* the token has it: it ends on record in done() */
		return;
	case ENDED:
		break;
	}
	request_free(r);
}

/* --- BEGIN ------------------------------------------------------------- */

static struct request *
request_new(const struct request_peer *peer)
{
	struct keyd *k = peer->connection->keyd;
	struct request *r = calloc(1, sizeof(*r));
	struct ht_error e;

	if (r == NULL) {
		(void)ht_error_set(&e, HT_ERR_INTERNAL, "out of memory");
		keyd_must(k, HT_ERR_INTERNAL, &e);
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

/* "asked"; begin is NULL for a request that never came to one. */
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
	}
	keyd_must(r->keyd,
	    journal_asked(r->keyd->store, &asked, &r->number, &e), &e);
}

void
request_failed_early(const struct request_peer *peer,
    const struct protocol_fail *fail)
{
	struct request *r = request_new(peer);

	record_asked(r, NULL);
	note_fail(r, fail);
	request_free(r);
}

static unsigned int
open_requests(const struct keyd *k, const char *client)
{
	const struct request *r;
	unsigned int n = 0;

	for (r = k->requests; r != NULL; r = r->next)
		if (r->phase != ENDED && strcmp(r->who.name, client) == 0)
			n++;
	return n;
}

/* What the request itself allows to be said before any upload. */
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
		    "%llu bytes are more than the %llu of profile %s",
		    (unsigned long long)begin->size,
		    (unsigned long long)profile->max_size, profile->name);
		return HT_ERR_REFUSED;
	}
	if (open_requests(r->keyd, r->who.name) > profile->max_queue) {
		keyd_refusal(no, HT_ERR_TEMPORARY, "queue",
		    "%u requests of %s are open already", profile->max_queue,
		    r->who.name);
		no->retry = 5;
		return HT_ERR_TEMPORARY;
	}
	return 0;
}

static void
go(struct request *r, const struct conf_profile *profile)
{
	struct protocol_go say;
	struct ht_error e;
	int spool;

	spool = openat(r->keyd->spool, ".",
	    O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	if (spool < 0) {
		(void)ht_error_errno(&e, "no spool");
		give_up(r, "spool", &e);
		return;
	}
	memset(&say, 0, sizeof(say));
	say.number = r->number;
	say.max_size = profile->max_size;
	say.max_ctl = profile->max_ctl;
	(void)snprintf(say.profile, sizeof(say.profile), "%s", profile->name);
	(void)snprintf(say.digest, sizeof(say.digest), "%s",
	    conf_digest_text(profile->digest));
	conf_formats_text(profile->formats, say.formats, sizeof(say.formats));
	(void)snprintf(say.existing, sizeof(say.existing), "replace");
	keyd_say(r->connection, PROTOCOL_GO, r->tag, &say, &spool, 1);
	(void)close(spool);
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

	rc = policy_profile(r->keyd, &r->who, begin->profile, &profile, &no);
	(void)snprintf(r->profile, sizeof(r->profile), "%s",
	    rc == 0 ? profile->name : begin->profile);
	memcpy(r->description, begin->description, sizeof(r->description));
	memcpy(r->url, begin->url, sizeof(r->url));
	r->announced = begin->size;
	r->has_sha256 = begin->sha256.left == sizeof(r->announced_sha256);
	if (r->has_sha256)
		memcpy(r->announced_sha256, begin->sha256.p,
		    sizeof(r->announced_sha256));
	record_asked(r, begin);
	if (rc == 0)
		rc = identity_current(r->keyd, &r->who, &no);
	if (rc == 0)
		rc = policy_verdict(r->keyd, &r->who, r->profile, &certificate,
		    &no);
	if (rc == 0)
		rc = check_begin(r, profile, begin, &no);
	if (rc < 0)
		say_no(r, true, &no);
	else
		go(r, profile);
	return r;
}

/* --- CONTENT ----------------------------------------------------------- */

static void content_complete(struct request *r);

/*
 * What was announced stands: it was said before the shell saw the first byte
 * of the file, and a parser that the file took over cannot change it.
 */
static bool
is_announced(const struct request *r, const struct protocol_content *content)
{
	if (r->announced != PROTOCOL_SIZE_UNKNOWN &&
	    r->announced != content->size)
		return false;
	return !r->has_sha256 ||
	    memcmp(r->announced_sha256, content->sha256.p,
	        sizeof(r->announced_sha256)) == 0;
}

/* Catalogs send a CTL, of a size that the profile allows; nothing else does. */
static uint64_t
content_max(const struct request *r, const struct protocol_content *content)
{
	const struct conf_profile *profile =
	    conf_profile(r->keyd->setup->conf, r->profile);
	bool ctl = strcmp(content->format, CONTENT_CAT) == 0;

	if (content->kind != (ctl ? PROTOCOL_KIND_CTL : PROTOCOL_KIND_SPC))
		return 0;
	if (!ctl)
		return PROTOCOL_CONTENT_MAX;
	return profile == NULL ? 0 : profile->max_ctl;
}

void
request_content(struct request *r, const struct protocol_content *content)
{
	struct ht_error e;

	if (content->length == 0 || content->length > content_max(r, content) ||
	    content->sha256.left != sizeof(r->decision.sha256)) {
		(void)ht_error_set(&e, HT_ERR_INTERNAL,
		    "content of a kind or a size that is not signed");
		give_up(r, "content", &e);
		return;
	}
	if (!is_announced(r, content)) {
		(void)ht_error_set(&e, HT_ERR_DATA,
		    "the file is not the one that was announced");
		give_up(r, "cut", &e);
		return;
	}
	memcpy(r->format, content->format, sizeof(r->format));
	memcpy(r->publisher, content->publisher, sizeof(r->publisher));
	r->decision.size = content->size;
	memcpy(r->decision.sha256, content->sha256.p, content->sha256.left);
	r->decision.old_signature = content->existing != 0;
	r->length = content->length;
}

void
request_part(struct request *r, struct cursor bytes)
{
	struct ht_error e;

	if (r->phase != OPEN || bytes.left == 0 ||
	    bytes.left > r->length - r->der.len) {
		(void)ht_error_set(&e, HT_ERR_INTERNAL,
		    "more content than was announced");
		if (r->phase == OPEN)
			give_up(r, "content", &e);
		else
			keyd_close(r->connection);
		return;
	}
	buf_bytes(&r->der, bytes.p, bytes.left);
	if (r->der.len == r->length)
		content_complete(r);
}

/* A long wait is said to the shell, so that it knows we are there. */
static void
still_waiting(void *cookie)
{
	struct request *r = cookie;
	struct protocol_wait wait;

	memset(&wait, 0, sizeof(wait));
	(void)snprintf(wait.reason, sizeof(wait.reason), "queue");
	(void)snprintf(wait.text, sizeof(wait.text), "waiting for token %s",
	    r->token);
	r->waiting =
	    loop_timer_add(r->keyd->loop, WAIT_AGAIN, still_waiting, r);
	/* Who said FAIL waits for NOTED alone. */
	if (r->connection != NULL && r->fail.status == 0)
		keyd_say(r->connection, PROTOCOL_WAIT, r->tag, &wait, NULL, 0);
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

/* Make what is to be signed, under the profile as it is now. */
static int
prepare(struct request *r, const struct setup_certificate *certificate,
    struct ht_error *e)
{
	const struct conf_profile *profile =
	    conf_profile(r->keyd->setup->conf, r->profile);
	struct cms_options options;
	const struct spc_digest *file;
	int rc;

	if (!conf_format_in(profile->formats, r->format))
		return ht_error_set(e, HT_ERR_REFUSED,
		    "profile %s does not sign %s files", r->profile, r->format);
	rc = check_publisher(r, certificate, e);
	if (rc < 0)
		return rc;
	memset(&options, 0, sizeof(options));
	options.description =
	    r->description[0] != '\0' ? r->description : profile->description;
	options.url = r->url[0] != '\0' ? r->url : profile->url;
	options.commercial = profile->statement == CONF_STATEMENT_COMMERCIAL;
	options.signing_time =
	    profile->signing_time ? journal_now() / 1000000 : CMS_NO_TIME;
	options.algorithm = conf_digest_text(profile->digest);
	rc = cms_signer_new(certificate->chain, r->format, r->der.data,
	    r->der.len, &options, &r->signer, e);
	if (rc < 0)
		return rc;
	if (r->decision.size > profile->max_size)
		return ht_error_set(e, HT_ERR_REFUSED,
		    "the file is larger than profile %s allows", r->profile);
	file = cms_signer_file(r->signer);
	if (strcmp(file->algorithm, conf_digest_text(profile->digest)) != 0)
		return ht_error_set(e, HT_ERR_REFUSED,
		    "profile %s signs %s, not %s", r->profile,
		    conf_digest_text(profile->digest), file->algorithm);
	(void)snprintf(r->certificate, sizeof(r->certificate), "%s",
	    certificate->conf->name);
	(void)snprintf(r->token, sizeof(r->token), "%s",
	    token_name(certificate->token));
	r->decision.format = r->format;
	r->decision.algorithm = file->algorithm;
	r->decision.digest = file->value;
	r->decision.digest_len = file->length;
	r->decision.certificate = r->certificate;
	r->decision.token = r->token;
	return 0;
}

/* --- the token's side -------------------------------------------------- */

/* May it be signed now, with the certificate that it was made for? */
static int
verdict_again(struct request *r, struct ht_error *e)
{
	const struct setup_certificate *certificate;
	int rc;

	rc = policy_verdict(r->keyd, &r->who, r->profile, &certificate,
	    &r->refusal);
	if (rc == 0 &&
	    (strcmp(certificate->conf->name, r->certificate) != 0 ||
	        !cms_signer_is_of(r->signer, certificate->chain))) {
		rc = HT_ERR_UNAVAILABLE;
		keyd_refusal(&r->refusal, rc, "certificate",
		    "certificate %s is not in use any more", r->certificate);
	}
	if (rc < 0)
		return ht_error_set(e, rc, "%s", r->refusal.text);
	return 0;
}

static int
authorise(void *cookie, unsigned int attempt, struct ht_error *e)
{
	struct request *r = cookie;
	struct keyd *k = r->keyd;
	int rc;

	rc = verdict_again(r, e);
	if (rc < 0)
		return rc;
	r->decision.attempt = attempt;
	rc = journal_decided(k->store, r->number, &r->decision, e);
	keyd_must(k, rc, e);
	r->phase = HANDED;
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

	keyd_must(r->keyd,
	    journal_maybe_signed(r->keyd->store, r->number, text, &e), &e);
}

/* The signature came: check it, keep it, and say so. */
static int
take_signature(struct request *r, const uint8_t *signature, size_t n,
    struct buf *pkcs7, struct ht_error *e)
{
	int rc;

	rc = cms_signer_signature(r->signer, signature, n, e);
	if (rc == 0)
		rc = cms_signer_finish(r->signer, pkcs7, e);
	if (rc < 0)
		return rc;
	rc = journal_signed(r->keyd->store, r->number, pkcs7->data, pkcs7->len,
	    e);
	keyd_must(r->keyd, rc, e);
	r->phase = SIGNED;
	return 0;
}

static void
say_signed(struct request *r, const struct buf *pkcs7)
{
	struct protocol_signed say;
	struct ht_error e;

	memset(&say, 0, sizeof(say));
	memcpy(say.certificate, r->certificate, sizeof(say.certificate));
	say.length = (uint32_t)pkcs7->len;
	keyd_say(r->connection, PROTOCOL_SIGNED, r->tag, &say, NULL, 0);
	if (protocol_parts(&r->connection->link, r->tag, pkcs7->data,
	        pkcs7->len, &e) < 0)
		keyd_close(r->connection);
}

static void
done(void *cookie, const uint8_t *signature, size_t n,
    const struct ht_error *why)
{
	struct request *r = cookie;
	struct buf pkcs7 = BUF_INIT;
	struct ht_error e;

	r->job = NULL;
	loop_timer_remove(r->waiting);
	r->waiting = NULL;
	if (signature == NULL && r->refusal.status != 0)
		say_no(r, true, &r->refusal);
	else if (signature == NULL)
		give_up(r, "token", why);
	else if (take_signature(r, signature, n, &pkcs7, &e) < 0)
		give_up(r, "signature", &e);
	else if (r->connection == NULL)
		request_abandon(r);
	else if (r->fail.status != 0)
		note_fail(r, &r->fail);
	else
		say_signed(r, &pkcs7);
	buf_free(&pkcs7);
}

static const struct token_job_ops job_ops = { authorise, confirm, lost, done };

static void
content_complete(struct request *r)
{
	const struct setup_certificate *certificate;
	const struct spc_digest *hash;
	struct protocol_refuse no;
	struct token_work work;
	struct ht_error e;

	if (policy_verdict(r->keyd, &r->who, r->profile, &certificate, &no) <
	    0) {
		say_no(r, true, &no);
		return;
	}
	if (prepare(r, certificate, &e) < 0) {
		give_up(r, "content", &e);
		return;
	}
	hash = cms_signer_digest(r->signer);
	work.client = r->who.name;
	work.key = certificate->key;
	work.digest = hash->algorithm;
	work.hash = hash->value;
	work.n = hash->length;
	r->phase = QUEUED;
	r->waiting =
	    loop_timer_add(r->keyd->loop, WAIT_FIRST, still_waiting, r);
	if (token_submit(certificate->token, &work, &job_ops, r, &r->job, &e) <
	    0)
		give_up(r, "token", &e);
}

/* --- the end ----------------------------------------------------------- */

/* "finished" is on disk: may the client still have it? */
static void
release(void *cookie)
{
	struct request *r = cookie;
	const struct setup_certificate *certificate;
	struct protocol_number number = { r->number };
	struct protocol_refuse no;

	if (policy_verdict(r->keyd, &r->who, r->profile, &certificate, &no) <
	    0) {
		say_no(r, false, &no);
		return;
	}
	keyd_say(r->connection, PROTOCOL_RELEASE, r->tag, &number, NULL, 0);
	r->phase = RELEASED;
}

void
request_output(struct request *r, const struct protocol_output *output)
{
	struct keyd *k = r->keyd;
	struct ht_error e;

	if (r->phase != SIGNED || output->sha256.left != JOURNAL_SHA256 ||
	    output->size > JOURNAL_SIZE_MAX) {
		keyd_close(r->connection);
		return;
	}
	r->output = output->size;
	keyd_must(k,
	    journal_finished(k->store, r->number, output->size,
	        output->sha256.p, &e),
	    &e);
	r->phase = FINISHED;
	r->release.run = release;
	r->release.cookie = r;
	commit_after(&k->commits, &r->release);
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
	end(r);
}

void
request_fail(struct request *r, const struct protocol_fail *fail)
{
	if (r->phase != HANDED &&
	    (r->phase != QUEUED || token_cancel(r->job))) {
		r->job = NULL;
		note_fail(r, fail);
		return;
	}
	/* A token has it: its answer is on record first. */
	r->fail = *fail;
	if (r->fail.status == 0)
		r->fail.status = (uint32_t)-HT_ERR_INTERNAL;
}
