/*
 * htsign info: what a file is, and what its signatures say.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "formats/format.h"
#include "htsign/each.h"
#include "signature/content.h"
#include "signature/der.h"
#include "signature/pkcs7-info.h"
#include "signature/spc-pages.h"

/* How far nested signatures are indented, and those beside the first. */
#define INDENT 4

/* No time is the same for both. */
_Static_assert(PKCS7_NO_TIME == REPORT_NO_TIME, "two kinds of no time");

/* A file, and its digests by the algorithms of its signatures. */
struct view {
	const struct subject *subject;
	struct format_file *files[3];
	size_t count;
	char *signer; /* of the first signature, or NULL */
};

/*
 * Digest the file.  algorithm is a name of spc_algorithm, or NULL for the
 * format's own.  *file belongs to v.  Errors as format_digest.
 */
static int
digest_as(struct view *v, const char *algorithm,
    const struct format_file **file, struct ht_error *e)
{
	const struct format_options options = { .algorithm = algorithm,
		.as_signed = true,
		.no_plan = true };
	size_t i;
	int rc;

	for (i = 0; i < v->count; i++) {
		*file = v->files[i];
		if (algorithm == NULL || (*file)->digest.algorithm == algorithm)
			return 0;
	}
	rc = subject_digest(v->subject, &options, &v->files[i], e);
	if (rc == 0)
		v->count++;
	*file = v->files[i];
	return rc;
}

/* --- certificates --------------------------------------------------------- */

static void
put_certificate(struct report *r, const struct pkcs7_certificate *c, bool first)
{
	report_text(r, first ? "signer:" : "chain:", "subject", c->subject);
	if (!first && !r->json)
		return;
	report_text(r, "issuer:", "issuer", c->issuer);
	report_text(r, "serial:", "serial", c->serial);
	report_time(r, "valid from:", "not_before", c->not_before);
	report_time(r, "valid until:", "not_after", c->not_after);
	report_hex(r, "certificate:", "sha256", c->sha256, sizeof(c->sha256));
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

	report_open(r, "signer", '{');
	for (i = 0; (rc = pkcs7_certificate(p7, i, &certificate, e)) > 0; i++) {
		if (i > 0)
			report_open(r, NULL, '{');
		put_certificate(r, &certificate, i == 0);
		report_close(r, '}');
		if (i == 0)
			report_open(r, "chain", '[');
		pkcs7_certificate_clear(&certificate);
	}
	report_close(r, ']');
	return rc;
}

/* --- a signature ---------------------------------------------------------- */

/*
 * Put what is wrong with the file.  Returns 0, or the error if it is not the
 * file's fault.
 */
static int
put_error(struct report *r, int rc, const struct ht_error *why,
    struct ht_error *e)
{
	if (rc != HT_ERR_DATA && rc != HT_ERR_REFUSED)
		return ht_error_set(e, rc, "%s", why->text);
	report_error(r, why);
	return 0;
}

/*
 * Put the digest of the file as it is, by the signature's algorithm.  *file is
 * NULL if there is none.
 */
static int
put_digest(struct report *r, struct view *v, const struct pkcs7 *p7,
    const struct format_file **file, struct ht_error *e)
{
	const char *algorithm = pkcs7_algorithm(p7);
	struct ht_error why;
	int rc;

	*file = NULL;
	if (algorithm == NULL)
		return 0;
	rc = digest_as(v, algorithm, file, &why);
	if (rc < 0)
		return put_error(r, rc, &why, e);
	/* The lines of the file have it. */
	if (!r->json && *file == v->files[0])
		return 0;
	report_text(r, "algorithm:", "algorithm", algorithm);
	report_hex(r, "digest:", "digest", (*file)->digest.value,
	    (*file)->digest.length);
	return 0;
}

/*
 * Put the digest that was signed, even one that is not accepted, and whether
 * it is the file's.
 */
static void
put_signed_digest(struct report *r, const struct pkcs7 *p7, const char *spc,
    const struct format_file *file)
{
	struct cursor content = pkcs7_content(p7);
	struct spc_digest said;
	struct ht_error why;
	bool same;

	ht_error_clear(&why);
	if (content_read(spc, p7, &said, &why) < 0) {
		report_error(r, &why);
		(void)spc_show(content.p, content.left, &said, NULL);
	}
	report_hex(r, "signed:", "signed_digest", said.value, said.length);
	if (file == NULL || said.algorithm != file->digest.algorithm)
		return;
	same = said.length == file->digest.length &&
	    memcmp(said.value, file->digest.value, said.length) == 0;
	report_bool(r, "same digest:", "digest_is_signed", same);
	if (!same && !r->json)
		report_text(r, "same digest:", "", "NO");
	report_bool(r, "with msi-ex:", "msi_ex", file->options.msi_ex);
}

/*
 * Put what the timestamps say, also those of before RFC 3161.
 */
static void
put_timestamps(struct report *r, const struct pkcs7 *p7)
{
	const struct pkcs7_unsigned *a;
	struct timestamp timestamp;
	struct ht_error e;
	size_t i;
	int rc;

	report_open(r, "timestamps", '[');
	for (i = 0; i < pkcs7_unsigned_count(p7); i++) {
		a = pkcs7_unsigned(p7, i);
		if (a->kind == PKCS7_TIMESTAMP)
			rc = timestamp_read(a->value.p, a->value.left,
			    &timestamp, &e);
		else if (a->kind == PKCS7_COUNTERSIGNATURE)
			rc = pkcs7_countersignature(p7, a, &timestamp, &e);
		else
			continue;
		report_open(r, NULL, '{');
		if (rc < 0) {
			report_text(r, "problem:", "problem", e.text);
		} else {
			report_time(r, "timestamp:", "time", timestamp.time);
			report_text(r, "authority:", "authority",
			    timestamp.authority);
		}
		report_close(r, '}');
		timestamp_clear(&timestamp);
	}
	report_close(r, ']');
}

/*
 * Put the types of the unsigned attributes, once for each value.  Nested
 * signatures are left out.
 */
static void
put_unsigned(struct report *r, const struct pkcs7 *p7)
{
	size_t i;

	report_open(r, "unsigned_attributes", '[');
	for (i = 0; i < pkcs7_unsigned_count(p7); i++) {
		if (pkcs7_unsigned(p7, i)->kind != PKCS7_NESTED)
			report_text(r, "unsigned:", NULL,
			    pkcs7_unsigned(p7, i)->oid);
	}
	report_close(r, ']');
}

static int
put_signature(struct report *r, struct view *v, const struct pkcs7 *p7,
    struct ht_error *e)
{
	struct cursor content = pkcs7_content(p7);
	const struct format_file *file;
	const char *problem;
	size_t i;
	int rc;

	if (v->signer == NULL)
		v->signer = strdup(pkcs7_subject(p7));
	for (i = 0; (problem = pkcs7_problem(p7, i)) != NULL; i++)
		report_problem(r, problem);
	rc = put_digest(r, v, p7, &file, e);
	if (rc < 0)
		return rc;
	put_signed_digest(r, p7,
	    v->count > 0 ? v->files[0]->spc : v->subject->format->name, file);
	rc = put_chain(r, p7, e);
	if (rc < 0)
		return rc;
	report_text(r, "description:", "description", pkcs7_description(p7));
	report_text(r, "URL:", "url", pkcs7_url(p7));
	report_time(r, "signed at:", "signing_time", pkcs7_signing_time(p7));
	report_bool(r, "page hashes:", "page_hashes",
	    spc_pages_is(content.p, content.left));
	put_timestamps(r, p7);
	put_unsigned(r, p7);
	return 0;
}

static int put_signature_of(struct report *r, struct view *v, struct cursor der,
    bool nested, struct ht_error *e);

static int
put_all_nested(struct report *r, struct view *v, const struct pkcs7 *p7,
    struct ht_error *e)
{
	const struct pkcs7_unsigned *a;
	size_t i;
	int rc = 0;

	report_open(r, "nested", '[');
	for (i = 0; rc == 0 && i < pkcs7_unsigned_count(p7); i++) {
		a = pkcs7_unsigned(p7, i);
		if (a->kind != PKCS7_NESTED)
			continue;
		report_open(r, NULL, '{');
		if (!r->json)
			buf_format(&r->out, "%*snested:\n", r->indent, "");
		r->indent += INDENT;
		rc = put_signature_of(r, v, a->value, true, e);
		r->indent -= INDENT;
		report_close(r, '}');
	}
	report_close(r, ']');
	return rc;
}

/*
 * Put the signature with this DER, or the problem if it cannot be read.
 */
static int
put_signature_of(struct report *r, struct view *v, struct cursor der,
    bool nested, struct ht_error *e)
{
	struct buf outer = r->problems;
	struct pkcs7 *p7;
	struct ht_error why;
	int rc;

	r->problems = (struct buf)BUF_INIT;
	ht_error_clear(&why);
	rc = pkcs7_read(der.p, der.left, &p7, &why);
	if (rc < 0) {
		rc = put_error(r, rc, &why, e);
		report_problems(r);
	} else {
		rc = put_signature(r, v, p7, e);
		if (nested && pkcs7_count(p7, PKCS7_NESTED) > 0)
			report_problem(r,
			    "a nested signature that nests others");
		report_problems(r);
		if (rc == 0 && !nested)
			rc = put_all_nested(r, v, p7, e);
	}
	pkcs7_free(p7);
	buf_free(&r->problems);
	r->problems = outer;
	return rc;
}

/* --- the file ------------------------------------------------------------- */

/*
 * Put the signatures in all, which follow each other.  Those after the first
 * stand beside it.
 */
static int
put_signatures(struct report *r, struct view *v, struct cursor all,
    struct ht_error *e)
{
	struct ht_error why;
	struct der der;
	size_t i;
	int rc = 0;

	ht_error_clear(&why);
	for (i = 0; rc == 0 && all.left > 0; i++) {
		if (der_next(&all, &der, &why) < 0) {
			report_error(r, &why);
			break;
		}
		if (i == 1)
			report_open(r, "beside", '[');
		if (i > 0 && !r->json)
			buf_format(&r->out, "beside:\n");
		report_open(r, i == 0 ? "signature" : NULL, '{');
		r->indent = i == 0 ? 0 : INDENT;
		rc = put_signature_of(r, v, der.whole, false, e);
		r->indent = 0;
		report_close(r, '}');
	}
	if (i > 1)
		report_close(r, ']');
	return rc;
}

/*
 * Put what there is to say of the file.  HT_ERR_DATA or HT_ERR_REFUSED, with
 * the same in the report, if it cannot be digested.
 */
static int
put_file(struct report *r, struct view *v, bool *is_signed, struct ht_error *e)
{
	const struct format *format = v->subject->format;
	const struct format_file *file;
	struct format_remains remains = { 0 };
	struct buf der = BUF_INIT;
	struct ht_error why;
	int digested;
	int rc;

	report_text(r, "type:", "type", r->json ? format->name : format->title);
	report_number(r, "size:", "size", (uint64_t)v->subject->st.st_size);
	digested = digest_as(v, NULL, &file, e);
	if (digested < 0) {
		report_error(r, e);
	} else {
		report_text(r, "algorithm:", "algorithm",
		    file->digest.algorithm);
		report_hex(r, "digest:", "digest", file->digest.value,
		    file->digest.length);
	}
	ht_error_clear(&why);
	rc = format_signature(format, v->subject->in, &der, &remains, &why);
	*is_signed = rc < 0 || der.len > 0;
	if (remains.what[0] != '\0') {
		report_problem(r, remains.what);
		report_number(r, "uncovered:", "uncovered_bytes",
		    remains.bytes);
	}
	if (r->json)
		report_bool(r, NULL, "signed", *is_signed);
	else if (!*is_signed)
		report_text(r, "signature:", "", "not signed");
	rc = rc < 0 ? put_error(r, rc, &why, e)
	            : put_signatures(r, v, buf_cursor(&der), e);
	report_problems(r);
	buf_free(&der);
	return rc < 0 ? rc : digested;
}

static int
look(void *context, const struct subject *subject, struct verdict *verdict,
    struct ht_error *e)
{
	struct view v = { .subject = subject };
	const char *problem = verdict->report.problem;
	bool is_signed;
	int rc;

	(void)context;
	rc = put_file(&verdict->report, &v, &is_signed, e);
	verdict->kind = is_signed ? VERDICT_GOOD : VERDICT_UNSIGNED;
	if (rc < 0 || problem[0] != '\0')
		verdict->kind = VERDICT_BAD;
	buf_format(&verdict->line, "%s, %llu bytes%s%s%s%s",
	    subject->format->title, (unsigned long long)subject->st.st_size,
	    v.signer != NULL ? ", " : "", v.signer != NULL ? v.signer : "",
	    problem[0] != '\0' ? ": " : "", problem);
	buf_u8(&verdict->line, '\0');
	free(v.signer);
	while (v.count > 0)
		format_file_free(v.files[--v.count]);
	return rc;
}

int
info_run(const struct htsign_arguments *a, struct ht_error *e)
{
	const struct each each = { .look = look,
		.words = { "error", "problem", "unsigned", "signed" } };

	return each_run(a, &each, e);
}
