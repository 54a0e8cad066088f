/*
 * htsign verify: digest, signatures, timestamps and chains of a signed file.
 */

#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "formats/format.h"
#include "htsign/each.h"
#include "htsign/roots.h"

/* How far nested signatures are indented. */
#define INDENT 4

/* Whom to trust, in PEM. */
struct trust {
	struct buf ca;
	struct buf tsa_ca;
	bool with_timestamps; /* tsa_ca is given */
	struct format_wanted wanted;
};

/* A verified signature.  p7 and digest belong to format_verify's result. */
struct checked {
	const struct pkcs7 *p7;
	const struct spc_digest *digest;
	struct timestamp timestamp;
};

/* --- verifying ------------------------------------------------------------ */

/*
 * Pass on the error.  For a PEM without certificates, name the option.
 */
static int
failed(const char *option, int rc, const struct ht_error *why,
    struct ht_error *e)
{
	if (rc == HT_ERR_USAGE)
		return ht_error_set(e, rc, "%s: %s", option, why->text);
	return ht_error_set(e, rc, "%s", why->text);
}

/*
 * Check the chain as of the time that a timestamp proves, or else as of now.
 */
static int
check_chain(struct checked *c, const struct trust *trust, struct ht_error *e)
{
	int64_t when = time(NULL);
	struct ht_error why;
	int rc;

	if (trust->with_timestamps) {
		rc = pkcs7_verify_timestamps(c->p7, trust->tsa_ca.data,
		    trust->tsa_ca.len, &c->timestamp, &why);
		if (rc < 0)
			return failed("--tsa-ca", rc, &why, e);
	}
	if (c->timestamp.authority != NULL && !pkcs7_is_for_lifetime(c->p7))
		when = c->timestamp.time;
	rc = pkcs7_verify_chain_at(c->p7, trust->ca.data, trust->ca.len, when,
	    &why);
	if (rc == HT_ERR_DATA && !trust->with_timestamps &&
	    pkcs7_count(c->p7, PKCS7_TIMESTAMP) > 0)
		return ht_error_set(e, rc,
		    "%s (timestamps count with --tsa-ca only)", why.text);
	return rc < 0 ? failed("--ca", rc, &why, e) : 0;
}

/*
 * Check all signatures of the file.  An error tells which one it is.
 */
static int
check_all(const struct format_verified *v, const struct trust *trust,
    struct checked *all, struct ht_error *e)
{
	struct ht_error why;
	unsigned int i;
	int rc;

	for (i = 0; i < v->count; i++) {
		all[i].p7 = v->all[i].p7;
		all[i].digest = &v->all[i].digest;
		rc = check_chain(&all[i], trust, &why);
		if (rc < 0)
			return format_failed(v, i, rc, &why, e);
	}
	return 0;
}

/* --- saying what was verified --------------------------------------------- */

static const char not_verified[] = "not verified (no --tsa-ca)";

static void __attribute__((format(printf, 4, 5))) put_line(struct report *r,
    const char *label, const char *name, const char *fmt, ...)
{
	char text[4096];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	report_text(r, label, name, text);
}

static void
put_timestamp(struct report *r, const struct timestamp *t, bool verified)
{
	char when[REPORT_TIME_SIZE];

	if (!r->json) {
		put_line(r, "timestamp:", "", "%s by %s%s%s",
		    report_time_text(t->time, when), t->authority,
		    verified ? "" : ", ", verified ? "" : not_verified);
		return;
	}
	report_open(r, NULL, '{');
	report_time(r, NULL, "time", t->time);
	report_text(r, NULL, "authority", t->authority);
	report_bool(r, NULL, "verified", verified);
	report_close(r, '}');
}

static void
put_claimed(struct report *r, const struct pkcs7_unsigned *a)
{
	struct timestamp claimed;

	if (timestamp_read(a->value.p, a->value.left, &claimed, NULL) == 0)
		put_timestamp(r, &claimed, false);
	else
		put_line(r, "timestamp:", NULL, "damaged, %s", not_verified);
	timestamp_clear(&claimed);
}

/*
 * Put the timestamp that counts.  Without --tsa-ca, put all.
 */
static void
put_timestamps(struct report *r, const struct checked *c, bool with_timestamps)
{
	const struct pkcs7_unsigned *a;
	size_t i;

	report_open(r, "timestamps", '[');
	if (c->timestamp.authority != NULL)
		put_timestamp(r, &c->timestamp, true);
	for (i = 0; !with_timestamps && i < pkcs7_unsigned_count(c->p7); i++) {
		a = pkcs7_unsigned(c->p7, i);
		if (a->kind == PKCS7_TIMESTAMP)
			put_claimed(r, a);
	}
	report_close(r, ']');
}

/*
 * Put the unsigned attributes that are not verified by themselves.
 */
static void
put_unsigned(struct report *r, const struct pkcs7 *p7)
{
	const struct pkcs7_unsigned *a;
	size_t i;

	report_open(r, "unsigned", '[');
	for (i = 0; i < pkcs7_unsigned_count(p7); i++) {
		a = pkcs7_unsigned(p7, i);
		if (a->kind == PKCS7_COUNTERSIGNATURE)
			put_line(r, "unsigned:", NULL,
			    "counter-signature of %zu bytes, not verified",
			    a->size);
		else if (a->kind == PKCS7_OTHER)
			put_line(r, "unsigned:", NULL,
			    "attribute %s: %zu bytes, not verified", a->oid,
			    a->size);
	}
	report_close(r, ']');
}

static void
put_signature(struct report *r, const struct checked *c, bool with_timestamps)
{
	char label[16];

	(void)snprintf(label, sizeof(label), "%s:", c->digest->algorithm);
	if (r->json)
		report_text(r, NULL, "algorithm", c->digest->algorithm);
	report_hex(r, label, "digest", c->digest->value, c->digest->length);
	report_text(r, "signer:", "signer", pkcs7_subject(c->p7));
	report_text(r, "description:", "description", pkcs7_description(c->p7));
	report_text(r, "URL:", "url", pkcs7_url(c->p7));
	put_timestamps(r, c, with_timestamps);
	put_unsigned(r, c->p7);
}

/*
 * Put one of the signatures side by side, and those nested in it.
 */
static void
put_outer(struct report *r, const struct format_verified *v,
    const struct checked *all, unsigned int outer, bool with_timestamps)
{
	int indent = r->indent;
	unsigned int i;

	put_signature(r, &all[outer], with_timestamps);
	report_open(r, "nested", '[');
	for (i = v->beside; i < v->count; i++) {
		if (v->all[i].outer != outer)
			continue;
		if (!r->json)
			buf_format(&r->out, "%*snested:\n", indent, "");
		r->indent = indent + INDENT;
		report_open(r, NULL, '{');
		put_signature(r, &all[i], with_timestamps);
		report_close(r, '}');
	}
	r->indent = indent;
	report_close(r, ']');
}

/*
 * Put the signatures, all of which are good.
 */
static void
put_signatures(struct report *r, const struct format_verified *v,
    const struct checked *all, bool with_timestamps)
{
	unsigned int i;

	report_open(r, "signature", '{');
	put_outer(r, v, all, 0, with_timestamps);
	report_close(r, '}');
	if (v->beside == 1)
		return;
	report_open(r, "beside", '[');
	r->indent = INDENT;
	for (i = 1; i < v->beside; i++) {
		if (!r->json)
			buf_format(&r->out, "beside:\n");
		report_open(r, NULL, '{');
		put_outer(r, v, all, i, with_timestamps);
		report_close(r, '}');
	}
	r->indent = 0;
	report_close(r, ']');
}

static void
put_remains(struct report *r, const struct format_remains *remains)
{
	if (remains->what[0] == '\0')
		return;
	if (r->json) {
		report_number(r, NULL, "uncovered_bytes", remains->bytes);
		report_text(r, NULL, "uncovered", remains->what);
	} else {
		put_line(r, "uncovered:", "", "%llu bytes: %s",
		    (unsigned long long)remains->bytes, remains->what);
	}
}

/* --- the command ---------------------------------------------------------- */

/*
 * Put what was found wrong, which a person reads elsewhere, and find out
 * whether there is a signature at all.
 */
static void
put_failed(struct verdict *verdict, const struct subject *subject,
    const struct ht_error *why)
{
	struct format_remains ignored = { 0 };
	struct buf der = BUF_INIT;

	verdict->kind = VERDICT_BAD;
	if (format_signature(subject->format, subject->in, &der, &ignored,
	        NULL) == 0 &&
	    ignored.what[0] == '\0' && der.len == 0)
		verdict->kind = VERDICT_UNSIGNED;
	buf_free(&der);
	if (!verdict->report.json)
		return;
	report_error(&verdict->report, why);
	report_problems(&verdict->report);
}

static int
look(void *context, const struct subject *subject, struct verdict *verdict,
    struct ht_error *e)
{
	const struct trust *trust = context;
	const struct format *format = subject->format;
	struct checked all[FORMAT_SIGNATURES_MAX] = { { 0 } };
	struct format_verified verified = { 0 };
	struct report *r = &verdict->report;
	size_t i;
	int rc;

	rc = format_verify(format, subject->in, &trust->wanted, &verified, e);
	if (rc == 0)
		rc = check_all(&verified, trust, all, e);
	if (r->json) {
		report_text(r, NULL, "type", format->name);
		report_number(r, NULL, "size", (uint64_t)subject->st.st_size);
		report_bool(r, NULL, "verified", rc == 0);
	}
	if (rc < 0) {
		put_failed(verdict, subject, e);
	} else {
		verdict->kind = VERDICT_GOOD;
		if (!r->json)
			report_text(r, "type:", "", format->title);
		put_remains(r, &verified.remains);
		put_signatures(r, &verified, all, trust->with_timestamps);
		buf_format(&verdict->line, "%s, %s", format->title,
		    pkcs7_subject(verified.all[0].p7));
		buf_u8(&verdict->line, '\0');
	}
	for (i = 0; i < FORMAT_SIGNATURES_MAX; i++)
		timestamp_clear(&all[i].timestamp);
	format_verified_clear(&verified);
	return rc;
}

int
verify_run(const struct htsign_arguments *a, struct ht_error *e)
{
	struct trust trust = { BUF_INIT, BUF_INIT, a->tsa_ca != NULL,
		{ .remains = a->allow_uncovered } };
	const struct each each = { .look = look,
		.context = &trust,
		.words = { "error", "bad", "unsigned", "good" },
		.needs_good = true };
	int rc;

	if (a->ca == NULL)
		return ht_error_set(e, HT_ERR_USAGE,
		    "verify needs --ca PEM: the roots to trust");
	rc = roots_read(a->ca, ROOTS_MAX, &trust.ca, e);
	if (rc == 0 && a->tsa_ca != NULL)
		rc = roots_read(a->tsa_ca, ROOTS_MAX, &trust.tsa_ca, e);
	if (rc == 0)
		rc = each_run(a, &each, e);
	buf_free(&trust.ca);
	buf_free(&trust.tsa_ca);
	return rc;
}
