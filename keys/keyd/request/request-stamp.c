#include "config.h"

#include <string.h>

#include <openssl/evp.h>

#include "keys/keyd/quota.h"
#include "keys/keyd/request/request-private.h"
#include "lib/log.h"
#include "signature/pkcs7-nest.h"

/* --- handing out --------------------------------------------------------- */

/* Days before its end from which on each signature warns of it. */
#define LATE 7

/* What people should know of the signature. */
static void
put_note(const struct request *r, char note[PROTOCOL_TEXT])
{
	char expires[SETUP_EXPIRES];

	if (setup_expires(r->until, journal_now() / 1000000, LATE, expires))
		(void)snprintf(note, PROTOCOL_TEXT, "certificate %s %s%s%.140s",
		    r->certificate, expires, r->note[0] != '\0' ? "; " : "",
		    r->note);
	else
		memcpy(note, r->note, PROTOCOL_TEXT);
}

/* Announce the PKCS#7.  request_more sends it. */
static void
hand_out(struct request *r)
{
	const struct setup_server *server =
	    setup_server(r->keyd->setup, r->stamp_server);
	struct protocol_signed say = { 0 };

	memcpy(say.certificate, r->certificate, sizeof(say.certificate));
	put_note(r, say.note);
	say.length = (uint32_t)r->pkcs7.len;
	if (server != NULL)
		say.roots = buf_cursor(&server->roots);
	keyd_say(r->connection, PROTOCOL_SIGNED, r->tag, &say, NULL, 0);
	r->rest = buf_cursor(&r->pkcs7);
	request_start_transfer(r);
}

bool
request_more(struct request *r)
{
	struct ht_error e;

	if (r->phase != REQUEST_SIGNED || r->pkcs7.len == 0)
		return false;
	if (r->rest.left == 0) {
		request_let_go(r);
		return false;
	}
	if (protocol_part(&r->connection->link, r->tag, &r->rest, &e) == 0)
		return true;
	log_error("%s", e.text);
	keyd_close(r->connection);
	return false;
}

/* --- what htsign-fetch answers ------------------------------------------- */

static const struct conf_profile *
profile_of(const struct request *r)
{
	return conf_profile(r->keyd->setup->conf, r->profile);
}

/* The wait is over, with a timestamp or without. */
static void
go_on(struct request *r)
{
	r->stamp = NULL;
	loop_timer_remove(r->waiting);
	r->waiting = NULL;
}

static void
no_stamp(void *cookie, unsigned int tries, const char *text)
{
	struct request *r = cookie;
	struct keyd *k = r->keyd;
	const struct conf_profile *profile = profile_of(r);
	struct ht_error e;
	size_t n;

	go_on(r);
	if (profile == NULL || profile->timestamp != CONF_TIMESTAMP_ATTEMPT) {
		(void)ht_error_set(&e, HT_ERR_UNAVAILABLE, "no timestamp: %s",
		    text);
		request_give_up(r, "timestamp", &e);
		return;
	}
	keyd_must(k, journal_unstamped(k->store, r->number, tries, text, &e),
	    &e);
	n = strlen(r->note);
	(void)snprintf(r->note + n, sizeof(r->note) - n,
	    "%sno timestamp: %.200s", n > 0 ? "; " : "", text);
	r->phase = REQUEST_SIGNED;
	hand_out(r);
}

/* The timestamp is durable.  May the client still have the signature? */
static void
stamp_is_durable(void *cookie)
{
	struct request *r = cookie;
	const struct setup_certificate *certificate;
	struct protocol_refuse no;

	if (request_verdict(r, &certificate, &no) < 0)
		request_say_no(r, true, &no);
	else
		hand_out(r);
}

/* Put the token into the signature. */
static int
add_token(struct request *r, struct cursor token, struct ht_error *e)
{
	struct buf out = BUF_INIT;
	int rc;

	rc = pkcs7_stamp(r->pkcs7.data, r->pkcs7.len, token.p, token.left, &out,
	    e);
	if (rc == 0 && out.len > PROTOCOL_PKCS7_MAX)
		rc = ht_error_set(e, HT_ERR_INTERNAL,
		    "the signature is too long for its timestamp");
	if (rc < 0) {
		buf_free(&out);
		return rc;
	}
	buf_free(&r->pkcs7);
	r->pkcs7 = out;
	return 0;
}

static void
stamped(void *cookie, const struct protocol_stamped *s)
{
	struct request *r = cookie;
	struct keyd *k = r->keyd;
	const struct journal_timestamp record = { s->server, (int64_t)s->time,
		s->serial, s->tries, s->token.p, s->token.left };
	uint64_t before = store_written(k->store);
	struct ht_error e;

	if (setup_server(k->setup, s->server) == NULL) {
		no_stamp(r, s->tries, "its server is not in use any more");
		return;
	}
	go_on(r);
	if (add_token(r, s->token, &e) < 0) {
		request_give_up(r, "timestamp", &e);
		return;
	}
	keyd_must(k, journal_stamped(k->store, r->number, &record, &e), &e);
	quota_charge(k->quota, r->who.name, 0,
	    store_written(k->store) - before);
	memcpy(r->stamp_server, s->server, sizeof(r->stamp_server));
	r->phase = REQUEST_SIGNED;
	r->release.run = stamp_is_durable;
	r->release.cookie = r;
	commit_after(&k->commits, &r->release);
}

/* --- asking it ----------------------------------------------------------- */

/* "signed" is durable. */
static void
ask(void *cookie)
{
	static const struct fetch_ops ops = { stamped, no_stamp };
	struct request *r = cookie;
	const struct conf_profile *profile = profile_of(r);
	const struct fetch_work work = { r->who.name, r->imprint.algorithm,
		r->imprint.value, r->imprint.length, r->from, r->until,
		profile };
	struct ht_error e;

	if (profile == NULL)
		no_stamp(r, 0, "the profile is gone");
	else if (fetch_stamp(r->keyd->fetch, &work, &ops, r, &r->stamp, &e) < 0)
		no_stamp(r, 0, e.text);
	else
		request_start_waiting(r);
}

static int
make_imprint(struct request *r, const struct conf_profile *profile,
    const uint8_t *signature, size_t n, struct ht_error *e)
{
	struct spc_digest *imprint = &r->imprint;

	imprint->algorithm = conf_digest_text(profile->digest);
	(void)spc_algorithm(imprint->algorithm, &imprint->length);
	if (EVP_Q_digest(NULL, imprint->algorithm, NULL, signature, n,
	        imprint->value, NULL) == 1)
		return 0;
	return ht_error_set(e, HT_ERR_INTERNAL, "%s failed",
	    imprint->algorithm);
}

void
request_stamp(struct request *r, const uint8_t *signature, size_t n)
{
	const struct conf_profile *profile = profile_of(r);
	struct ht_error e;

	if (profile == NULL || profile->timestamp == CONF_TIMESTAMP_NONE) {
		hand_out(r);
		return;
	}
	if (make_imprint(r, profile, signature, n, &e) < 0) {
		request_give_up(r, "timestamp", &e);
		return;
	}
	r->phase = REQUEST_STAMPING;
	r->release.run = ask;
	r->release.cookie = r;
	commit_after(&r->keyd->commits, &r->release);
}
