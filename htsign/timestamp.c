/*
 * htsign timestamp: have a signed file's signatures timestamped.
 */

#include "config.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <time.h>

#include "formats/format.h"
#include "formats/several.h"
#include "htsign/htsign.h"
#include "htsign/http.h"
#include "htsign/result.h"
#include "htsign/roots.h"
#include "htsign/subject.h"
#include "signature/pkcs7-nest.h"
#include "signature/spc-asn1.h"
#include "signature/tsa.h"

/* Whom to trust without --tsa-ca: ca-certificates has it there. */
#define SYSTEM_ROOTS "/etc/ssl/certs/ca-certificates.crt"

/* Whom to ask, and whom to trust. */
struct authority {
	const char *url;
	struct buf roots; /* PEM */
};

/* --- one signature --------------------------------------------------------- */

/* Ask for a token and check it.  It points into reply. */
static int
ask(const struct authority *authority, const struct timestamp_query *query,
    struct tsa_rules *rules, struct buf *reply, struct cursor *token,
    struct ht_error *e)
{
	static const struct http_types types = { TSA_QUERY_TYPE,
		TSA_REPLY_TYPE };
	struct timestamp timestamp;
	struct buf request = BUF_INIT;
	struct ht_error why;
	int rc;

	rc = tsa_query(query, &request, e);
	if (rc == 0)
		rc = http_post(authority->url, &types, &request, TSA_REPLY_MAX,
		    reply, e);
	buf_free(&request);
	if (rc < 0)
		return rc;
	rules->now = time(NULL);
	rc =
	    tsa_reply(buf_cursor(reply), query, rules, token, &timestamp, &why);
	timestamp_clear(&timestamp);
	/* Whatever is wrong with a reply, the file is not. */
	if (rc == HT_ERR_DATA)
		rc = HT_ERR_UNAVAILABLE;
	return rc < 0 ? ht_error_set(e, rc, "%s: %s", authority->url, why.text)
	              : 0;
}

/*
 * Append the signature in der, which p7 is of, with a timestamp by its own
 * digest algorithm.
 */
static int
stamp(const struct authority *authority, const struct pkcs7 *p7,
    struct cursor der, struct buf *out, struct ht_error *e)
{
	struct tsa_rules rules = { .roots = buf_cursor(&authority->roots) };
	struct timestamp_query query = { .digest = pkcs7_algorithm(p7) };
	struct cursor octets = pkcs7_stamped(p7);
	uint8_t imprint[EVP_MAX_MD_SIZE];
	unsigned int n = 0;
	struct buf reply = BUF_INIT;
	struct cursor token;
	int rc;

	rc = pkcs7_validity(p7, &rules.not_before, &rules.not_after, e);
	if (rc < 0)
		return rc;
	if (EVP_Digest(octets.p, octets.left, imprint, &n, spc_md(query.digest),
	        NULL) != 1 ||
	    RAND_bytes((uint8_t *)&query.nonce, sizeof(query.nonce)) != 1)
		return spc_crypto_error(e, HT_ERR_INTERNAL,
		    "cannot digest a signature");
	query.imprint = cursor_over(imprint, n);
	rc = ask(authority, &query, &rules, &reply, &token, e);
	if (rc == 0)
		rc = pkcs7_stamp(der.p, der.left, token.p, token.left, out, e);
	buf_free(&reply);
	return rc;
}

/* --- all of a file ---------------------------------------------------------- */

/* Replace nested signature i of those in p7, which der has, by a stamped one. */
static int
stamp_nested(const struct authority *authority, const struct pkcs7 *p7,
    size_t i, struct cursor old, struct buf *der, struct ht_error *e)
{
	struct buf stamped = BUF_INIT;
	struct buf changed = BUF_INIT;
	struct pkcs7 *nested = NULL;
	int rc;

	if ((rc = pkcs7_nested(p7, i, &nested, e)) == 0 &&
	    (rc = stamp(authority, nested, old, &stamped, e)) == 0 &&
	    (rc = pkcs7_nest_instead(der->data, der->len, old, stamped.data,
	         stamped.len, &changed, e)) == 0) {
		buf_free(der);
		*der = changed;
		changed = (struct buf)BUF_INIT;
	}
	buf_free(&changed);
	buf_free(&stamped);
	pkcs7_free(nested);
	return rc;
}

/* Append one signature of the file, it and those nested in it stamped. */
static int
stamp_outer(const struct authority *authority, struct cursor der,
    struct buf *out, struct ht_error *e)
{
	const struct pkcs7_unsigned *attribute;
	struct buf changed = BUF_INIT;
	struct pkcs7 *p7;
	size_t nested = 0;
	size_t i;
	int rc;

	rc = pkcs7_parse(der.p, der.left, &p7, e);
	if (rc == 0)
		rc = stamp(authority, p7, der, &changed, e);
	for (i = 0; rc == 0 && i < pkcs7_unsigned_count(p7); i++) {
		attribute = pkcs7_unsigned(p7, i);
		if (attribute->kind == PKCS7_NESTED)
			rc = stamp_nested(authority, p7, nested++,
			    attribute->value, &changed, e);
	}
	if (rc == 0)
		buf_bytes(out, changed.data, changed.len);
	buf_free(&changed);
	pkcs7_free(p7);
	return rc;
}

static int
stamp_all(const struct authority *authority, const struct buf *old,
    struct buf *out, struct ht_error *e)
{
	unsigned int n = several_count(old->data, old->len);
	unsigned int i;
	int rc = 0;

	for (i = 0; rc == 0 && i < n; i++)
		rc = stamp_outer(authority, several_nth(old->data, old->len, i),
		    out, e);
	return rc == 0 && buf_failed(out) < 0 ? ht_error_memory(e) : rc;
}

/* --- the command ------------------------------------------------------------ */

/* Read the signatures, and digest the file as the first one says. */
static int
read_file(const struct subject *subject, struct buf *old,
    struct format_file **file, struct ht_error *e)
{
	struct format_remains ignored = { 0 };
	struct pkcs7 *p7 = NULL;
	struct cursor first;
	int rc;

	rc = format_signature(subject->format, subject->in, old, &ignored, e);
	if (rc == 0 && several_count(old->data, old->len) == 0)
		rc = ht_error_set(e, HT_ERR_DATA, "the file is not signed");
	if (rc < 0)
		return rc;
	first = several_nth(old->data, old->len, 0);
	rc = pkcs7_parse(first.p, first.left, &p7, e);
	if (rc == 0)
		rc = format_digest_for(subject->format, subject->in, p7, file,
		    e);
	pkcs7_free(p7);
	return rc;
}

/* Verify the planned file as `htsign verify` does, but for the roots. */
static int
check(const struct format *format, const struct output *plan,
    struct ht_error *e)
{
	struct format_verified verified = { 0 };
	struct input *again = output_as_input(plan, e);
	int rc;

	if (again == NULL)
		return HT_ERR_INTERNAL;
	rc = format_verify(format, again, NULL, &verified, e);
	format_verified_clear(&verified);
	input_free(again);
	return rc;
}

static int
change(const struct htsign_arguments *a, const struct authority *authority,
    struct ht_error *e)
{
	struct subject subject;
	struct format_file *file = NULL;
	struct output *plan = NULL;
	struct buf old = BUF_INIT;
	struct buf all = BUF_INIT;
	int rc;

	if ((rc = subject_open(a->operand[0], &subject, e)) == 0 &&
	    (rc = read_file(&subject, &old, &file, e)) == 0 &&
	    (rc = stamp_all(authority, &old, &all, e)) == 0 &&
	    (rc = format_plan(file, all.data, all.len, &plan, e)) == 0 &&
	    (rc = check(subject.format, plan, e)) == 0)
		rc = result_write(a, &subject, plan, e);
	if (rc == 0)
		subject_say("taken out", &file->remains);
	output_free(plan);
	buf_free(&all);
	buf_free(&old);
	format_file_free(file);
	subject_close(&subject);
	return rc;
}

int
timestamp_run(const struct htsign_arguments *a, struct ht_error *e)
{
	struct authority authority = { a->url, BUF_INIT };
	int rc;

	if (a->url == NULL)
		return ht_error_set(e, HT_ERR_USAGE,
		    "timestamp needs --url=URL: the authority");
	rc = roots_read(a->tsa_ca != NULL ? a->tsa_ca : SYSTEM_ROOTS, ROOTS_MAX,
	    &authority.roots, e);
	if (rc == 0)
		rc = change(a, &authority, e);
	buf_free(&authority.roots);
	return rc;
}
