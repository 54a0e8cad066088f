/*
 * htsign info: what a file is, and what its signature says.
 */

#include "config.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "formats/format.h"
#include "htsign/htsign.h"
#include "htsign/subject.h"
#include "lib/json.h"
#include "lib/log.h"
#include "signature/content.h"
#include "signature/pkcs7-info.h"
#include "signature/pkcs7-nest.h"
#include "signature/spc-pages.h"

/* "2026-11-23T09:30:00Z" */
#define TIME_SIZE 32

/* The output: lines of a label and a text, or one JSON object. */
struct report {
	struct buf out;
	bool json;
	int indent;
};

/* --- items ---------------------------------------------------------------- */

/*
 * Put a text, unless it is empty.  In JSON it has a name, or is in an array.
 */
static void
put_text(struct report *r, const char *label, const char *name,
    const char *text)
{
	char escaped[4096];

	if (*text == '\0')
		return;
	if (r->json) {
		json_text(&r->out, name, text);
		return;
	}
	(void)log_escape(escaped, sizeof(escaped), text, strlen(text));
	buf_format(&r->out, "%*s%-13s%s\n", r->indent, "", label, escaped);
}

static void
put_open(struct report *r, const char *name, char bracket)
{
	if (r->json)
		json_open(&r->out, name, bracket);
}

static void
put_close(struct report *r, char bracket)
{
	if (r->json)
		json_close(&r->out, bracket);
}

static void
put_number(struct report *r, const char *label, const char *name,
    uint64_t value)
{
	if (r->json)
		json_number(&r->out, name, value);
	else
		buf_format(&r->out, "%*s%-13s%llu\n", r->indent, "", label,
		    (unsigned long long)value);
}

/* In text, only true values are printed. */
static void
put_bool(struct report *r, const char *label, const char *name, bool value)
{
	if (r->json)
		json_bool(&r->out, name, value);
	else if (value)
		buf_format(&r->out, "%*s%-13syes\n", r->indent, "", label);
}

static void
put_hex(struct report *r, const char *label, const char *name, const uint8_t *p,
    size_t n)
{
	char hex[2 * SPC_DIGEST_MAX + 1] = "";
	size_t i;

	for (i = 0; i < n; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", p[i]);
	put_text(r, label, name, hex);
}

static void
put_time(struct report *r, const char *label, const char *name, int64_t seconds)
{
	char text[TIME_SIZE] = "";
	time_t when = (time_t)seconds;
	struct tm tm;

	if (seconds != PKCS7_NO_TIME && gmtime_r(&when, &tm) != NULL)
		(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	put_text(r, label, name, text);
}

/* --- certificates --------------------------------------------------------- */

static void
put_certificate(struct report *r, const struct pkcs7_certificate *c, bool first)
{
	put_text(r, first ? "signer:" : "chain:", "subject", c->subject);
	if (!first && !r->json)
		return;
	put_text(r, "issuer:", "issuer", c->issuer);
	put_text(r, "serial:", "serial", c->serial);
	put_time(r, "valid from:", "not_before", c->not_before);
	put_time(r, "valid until:", "not_after", c->not_after);
	put_hex(r, "certificate:", "sha256", c->sha256, sizeof(c->sha256));
}

/*
 * Put the signer's certificate, and those above it in an array.
 */
static int
put_chain(struct report *r, const struct pkcs7 *p7, struct ht_error *e)
{
	struct pkcs7_certificate certificate;
	size_t i;
	int rc;

	put_open(r, "signer", '{');
	for (i = 0; (rc = pkcs7_certificate(p7, i, &certificate, e)) > 0; i++) {
		if (i > 0)
			put_open(r, NULL, '{');
		put_certificate(r, &certificate, i == 0);
		put_close(r, '}');
		if (i == 0)
			put_open(r, "chain", '[');
		pkcs7_certificate_clear(&certificate);
	}
	put_close(r, ']');
	return rc;
}

/* --- a signature ---------------------------------------------------------- */

/*
 * Put the digest of the file as it is, and the one that was signed.
 */
static int
put_digests(struct report *r, const struct subject *subject,
    const struct pkcs7 *p7, struct ht_error *e)
{
	struct format_options options = { .as_signed = true };
	struct format_file *file;
	struct spc_digest said;
	bool same;
	int rc;

	options.algorithm = pkcs7_algorithm(p7);
	rc = subject_digest(subject, &options, &file, e);
	if (rc < 0)
		return rc;
	rc = content_read(file->spc, p7, &said, e);
	if (rc == 0) {
		same = said.length == file->digest.length &&
		    memcmp(said.value, file->digest.value, said.length) == 0;
		put_text(r, "algorithm:", "algorithm", said.algorithm);
		put_hex(r, "digest:", "digest", file->digest.value,
		    file->digest.length);
		put_hex(r, "signed:", "signed_digest", said.value, said.length);
		put_bool(r, "same digest:", "digest_is_signed", same);
		if (!same && !r->json)
			put_text(r, "same digest:", NULL, "NO");
		put_bool(r, "with msi-ex:", "msi_ex", file->options.msi_ex);
	}
	format_file_free(file);
	return rc;
}

/*
 * Put what the timestamps say.
 */
static void
put_timestamps(struct report *r, const struct pkcs7 *p7)
{
	const struct pkcs7_unsigned *a;
	struct timestamp timestamp;
	struct ht_error e;
	size_t i;

	put_open(r, "timestamps", '[');
	for (i = 0; i < pkcs7_unsigned_count(p7); i++) {
		a = pkcs7_unsigned(p7, i);
		if (a->kind != PKCS7_TIMESTAMP)
			continue;
		put_open(r, NULL, '{');
		if (timestamp_read(a->value.p, a->value.left, &timestamp, &e) <
		    0) {
			put_text(r, "problem:", "problem", e.text);
		} else {
			put_time(r, "timestamp:", "time", timestamp.time);
			put_text(r, "authority:", "authority",
			    timestamp.authority);
		}
		put_close(r, '}');
		timestamp_clear(&timestamp);
	}
	put_close(r, ']');
}

/*
 * Put the types of the unsigned attributes, once for each value.  Nested
 * signatures are left out.
 */
static void
put_unsigned(struct report *r, const struct pkcs7 *p7)
{
	size_t i;

	put_open(r, "unsigned_attributes", '[');
	for (i = 0; i < pkcs7_unsigned_count(p7); i++) {
		if (pkcs7_unsigned(p7, i)->kind != PKCS7_NESTED)
			put_text(r, "unsigned:", NULL,
			    pkcs7_unsigned(p7, i)->oid);
	}
	put_close(r, ']');
}

static int
put_signature(struct report *r, const struct subject *subject,
    const struct pkcs7 *p7, struct ht_error *e)
{
	struct cursor content = pkcs7_content(p7);
	int rc;

	if ((rc = put_digests(r, subject, p7, e)) < 0 ||
	    (rc = put_chain(r, p7, e)) < 0)
		return rc;
	put_text(r, "description:", "description", pkcs7_description(p7));
	put_text(r, "URL:", "url", pkcs7_url(p7));
	put_time(r, "signed at:", "signing_time", pkcs7_signing_time(p7));
	put_bool(r, "page hashes:", "page_hashes",
	    spc_pages_is(content.p, content.left));
	put_timestamps(r, p7);
	put_unsigned(r, p7);
	return 0;
}

/*
 * Put a nested signature, or the problem if it cannot be shown.
 */
static void
put_nested(struct report *r, const struct subject *subject, struct cursor der)
{
	struct report inside = { BUF_INIT, r->json, r->indent + 4 };
	struct pkcs7 *p7 = NULL;
	struct ht_error e;
	int rc;

	ht_error_clear(&e);
	rc = pkcs7_parse(der.p, der.left, &p7, &e);
	if (rc == 0)
		rc = put_signature(&inside, subject, p7, &e);
	put_open(r, NULL, '{');
	if (!r->json)
		buf_format(&r->out, "nested:\n");
	if (rc < 0)
		put_text(r, "problem:", "problem", e.text);
	else
		buf_bytes(&r->out, inside.out.data, inside.out.len);
	put_close(r, '}');
	pkcs7_free(p7);
	buf_free(&inside.out);
}

static void
put_all_nested(struct report *r, const struct subject *subject,
    const struct pkcs7 *p7)
{
	size_t i;

	put_open(r, "nested", '[');
	for (i = 0; i < pkcs7_unsigned_count(p7); i++) {
		if (pkcs7_unsigned(p7, i)->kind == PKCS7_NESTED)
			put_nested(r, subject, pkcs7_unsigned(p7, i)->value);
	}
	put_close(r, ']');
}

/* --- the file ------------------------------------------------------------- */

static int
put_unsigned_file(struct report *r, const struct subject *subject,
    struct ht_error *e)
{
	const struct format_options options = { .algorithm = NULL };
	struct format_file *file;
	int rc;

	rc = subject_digest(subject, &options, &file, e);
	if (rc < 0)
		return rc;
	put_text(r, "algorithm:", "algorithm", file->digest.algorithm);
	put_hex(r, "digest:", "digest", file->digest.value,
	    file->digest.length);
	if (!r->json)
		put_text(r, "signature:", NULL, "not signed");
	format_file_free(file);
	return 0;
}

static int
put_signed_file(struct report *r, const struct subject *subject,
    const struct buf *der, struct ht_error *e)
{
	struct pkcs7 *p7;
	int rc;

	rc = pkcs7_parse(der->data, der->len, &p7, e);
	if (rc < 0)
		return rc;
	put_open(r, "signature", '{');
	rc = put_signature(r, subject, p7, e);
	if (rc == 0)
		put_all_nested(r, subject, p7);
	put_close(r, '}');
	pkcs7_free(p7);
	return rc;
}

static int
put_file(struct report *r, const struct subject *subject, struct ht_error *e)
{
	struct buf der = BUF_INIT;
	int rc;

	rc = format_signature(subject->format, subject->in, &der, e);
	if (rc < 0)
		goto out;
	put_open(r, NULL, '{');
	put_text(r, "type:", "type",
	    r->json ? subject->format->name : subject->format->title);
	put_number(r, "size:", "size", (uint64_t)subject->st.st_size);
	if (r->json)
		json_bool(&r->out, "signed", der.len > 0);
	rc = der.len == 0 ? put_unsigned_file(r, subject, e)
	                  : put_signed_file(r, subject, &der, e);
	put_close(r, '}');
	if (r->json)
		buf_u8(&r->out, '\n');
	if (rc == 0 && buf_failed(&r->out) < 0)
		rc = ht_error_memory(e);
out:
	buf_free(&der);
	return rc;
}

int
info_run(const struct htsign_arguments *a, struct ht_error *e)
{
	struct report r = { BUF_INIT, a->json, 0 };
	struct subject subject;
	int rc;

	rc = subject_open(a->operand[0], &subject, e);
	if (rc == 0)
		rc = put_file(&r, &subject, e);
	if (rc == 0 &&
	    (fwrite(r.out.data, 1, r.out.len, stdout) != r.out.len ||
	        fflush(stdout) != 0))
		rc = ht_error_errno(e, "cannot write what was found");
	subject_close(&subject);
	buf_free(&r.out);
	return rc;
}
