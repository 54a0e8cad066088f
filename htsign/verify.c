/*
 * htsign verify: digest, signatures, timestamps and chains of a signed file.
 */

#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "formats/format.h"
#include "htsign/file.h"
#include "htsign/htsign.h"
#include "htsign/subject.h"
#include "lib/log.h"

/* A system's bundle of roots has about 250 KB. */
#define CA_MAX ((size_t)4 << 20)

/* "2026-11-23T09:30:00Z" */
#define TIME_SIZE 32

/* How far nested signatures are indented. */
#define INDENT 4

/* Whom to trust, in PEM. */
struct trust {
	struct buf ca;
	struct buf tsa_ca;
	bool with_timestamps; /* tsa_ca is given */
};

/* A verified signature.  p7 and digest belong to format_verify's result. */
struct checked {
	const struct pkcs7 *p7;
	const struct spc_digest *digest;
	struct timestamp timestamp;
};

/* The file's signature, and those nested in it. */
#define SIGNATURES_MAX (1 + PKCS7_NESTED_MAX)

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
 * Check all signatures of the file.  An error tells which nested one it is.
 */
static int
check_all(const struct format_verified *v, const struct trust *trust,
    struct checked *all, struct ht_error *e)
{
	struct ht_error why;
	size_t i;
	int rc;

	for (i = 0; i <= v->nested_count; i++) {
		all[i].p7 = i == 0 ? v->p7 : v->nested[i - 1].p7;
		all[i].digest = i == 0 ? &v->digest : &v->nested[i - 1].digest;
		rc = check_chain(&all[i], trust, &why);
		if (rc < 0 && i == 0)
			return ht_error_set(e, rc, "%s", why.text);
		if (rc < 0)
			return ht_error_set(e, rc, "nested signature %zu: %s",
			    i, why.text);
	}
	return 0;
}

/* --- saying what was verified --------------------------------------------- */

/*
 * Print a line of the summary.  The text may come from the file, so it is
 * escaped.
 */
static void __attribute__((format(printf, 3, 4)))
print_line(int indent, const char *label, const char *fmt, ...)
{
	char escaped[8192];
	char text[4096];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (text[0] == '\0')
		return;
	(void)log_escape(escaped, sizeof(escaped), text, strlen(text));
	(void)printf("%*s%-13s%s\n", indent, "", label, escaped);
}

static void
format_time(int64_t seconds, char out[TIME_SIZE])
{
	time_t when = (time_t)seconds;
	struct tm tm;

	out[0] = '\0';
	if (gmtime_r(&when, &tm) != NULL)
		(void)strftime(out, TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void
print_timestamp(const struct pkcs7_unsigned *a, int indent)
{
	static const char not_verified[] = "not verified (no --tsa-ca)";
	struct timestamp claimed;
	char when[TIME_SIZE];

	if (timestamp_read(a->value.p, a->value.left, &claimed, NULL) < 0) {
		print_line(indent, "timestamp:", "damaged, %s", not_verified);
		return;
	}
	format_time(claimed.time, when);
	print_line(indent, "timestamp:", "%s by %s, %s", when,
	    claimed.authority, not_verified);
	timestamp_clear(&claimed);
}

/*
 * Print the unsigned attributes that are not verified by themselves.
 */
static void
print_unsigned(const struct pkcs7 *p7, bool with_timestamps, int indent)
{
	const struct pkcs7_unsigned *a;
	size_t i;

	for (i = 0; i < pkcs7_unsigned_count(p7); i++) {
		a = pkcs7_unsigned(p7, i);
		if (a->kind == PKCS7_TIMESTAMP && !with_timestamps)
			print_timestamp(a, indent);
		else if (a->kind == PKCS7_COUNTERSIGNATURE)
			print_line(indent, "unsigned:",
			    "counter-signature of %zu bytes, not verified",
			    a->size);
		else if (a->kind == PKCS7_OTHER)
			print_line(indent, "unsigned:",
			    "attribute %s: %zu bytes, not verified", a->oid,
			    a->size);
	}
}

static void
print_signature(const struct checked *c, bool with_timestamps, int indent)
{
	char hex[2 * SPC_DIGEST_MAX + 1] = "";
	char label[16];
	char when[TIME_SIZE];
	size_t i;

	for (i = 0; i < c->digest->length; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", c->digest->value[i]);
	(void)snprintf(label, sizeof(label), "%s:", c->digest->algorithm);
	print_line(indent, label, "%s", hex);
	print_line(indent, "signer:", "%s", pkcs7_subject(c->p7));
	print_line(indent, "description:", "%s", pkcs7_description(c->p7));
	print_line(indent, "URL:", "%s", pkcs7_url(c->p7));
	if (c->timestamp.authority != NULL) {
		format_time(c->timestamp.time, when);
		print_line(indent, "timestamp:", "%s by %s", when,
		    c->timestamp.authority);
	}
	print_unsigned(c->p7, with_timestamps, indent);
}

static int
print_summary(const struct format *format, const struct checked *all,
    size_t nested, bool with_timestamps, struct ht_error *e)
{
	size_t i;

	print_line(0, "type:", "%s", format->title);
	print_signature(&all[0], with_timestamps, 0);
	for (i = 1; i <= nested; i++) {
		(void)printf("nested:\n");
		print_signature(&all[i], with_timestamps, INDENT);
	}
	if (fflush(stdout) != 0)
		return ht_error_errno(e, "cannot write the summary");
	return 0;
}

/* --- the command ---------------------------------------------------------- */

static int
verify(const char *path, const struct trust *trust, struct ht_error *e)
{
	struct checked all[SIGNATURES_MAX] = { { 0 } };
	struct format_verified verified = { 0 };
	struct subject subject;
	size_t i;
	int rc;

	if ((rc = subject_open(path, &subject, e)) == 0 &&
	    (rc = format_verify(subject.format, subject.in, NULL, 0, &verified,
	         e)) == 0 &&
	    (rc = check_all(&verified, trust, all, e)) == 0)
		rc = print_summary(subject.format, all, verified.nested_count,
		    trust->with_timestamps, e);
	for (i = 0; i < SIGNATURES_MAX; i++)
		timestamp_clear(&all[i].timestamp);
	format_verified_clear(&verified);
	subject_close(&subject);
	return rc;
}

int
verify_run(const struct htsign_arguments *a, struct ht_error *e)
{
	struct trust trust = { BUF_INIT, BUF_INIT, a->tsa_ca != NULL };
	int rc;

	if (a->ca == NULL)
		return ht_error_set(e, HT_ERR_USAGE,
		    "verify needs --ca PEM: the roots to trust");
	rc = file_read(a->ca, CA_MAX, &trust.ca, e);
	if (rc == 0 && a->tsa_ca != NULL)
		rc = file_read(a->tsa_ca, CA_MAX, &trust.tsa_ca, e);
	if (rc == 0)
		rc = verify(a->operand[0], &trust, e);
	buf_free(&trust.ca);
	buf_free(&trust.tsa_ca);
	return rc;
}
