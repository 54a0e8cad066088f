#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "signature/init.h"
#include "signature/pkcs7-nest.h"
#include "signature/pkcs7.h"
#include "signature/spc-asn1.h"
#include "tests/support/mutate.h"
#include "tests/support/signing.h"
#include "tests/support/tsa.h"
#include "tests/support/unsigned.h"

/* A signer whose certificate is long gone, and the time when it was not. */
#define FROM 1000000000
#define TO 1100000000
#define WHEN 1050000000

static struct signing signer;
static struct signing expired;
static struct tsa tsa;

static struct pkcs7 *
parse(const struct buf *der)
{
	struct pkcs7 *p7;
	struct ht_error e;

	if (pkcs7_parse(der->data, der->len, &p7, &e) < 0)
		fail_msg("refused: %s", e.text);
	return p7;
}

static void
nest(struct buf *outer, const struct buf *inner)
{
	struct buf out = BUF_INIT;
	struct ht_error e;

	assert_int_equal(pkcs7_nest(outer->data, outer->len, inner->data,
	                     inner->len, &out, &e),
	    0);
	buf_free(outer);
	*outer = out;
}

static void
test_none(void **state)
{
	struct buf der = BUF_INIT;
	struct timestamp timestamp;
	struct pkcs7 *nested;
	struct pkcs7 *p7;
	struct ht_error e;

	(void)state;
	signing_pkcs7(&signer, "sha256", NULL, &der);
	p7 = parse(&der);
	assert_int_equal(pkcs7_unsigned_count(p7), 0);
	assert_int_equal(pkcs7_count(p7, PKCS7_OTHER), 0);
	assert_int_equal(pkcs7_nested(p7, 0, &nested, &e), HT_ERR_INTERNAL);
	assert_null(nested);
	assert_int_equal(pkcs7_verify_timestamps(p7, tsa.root.data,
	                     tsa.root.len, &timestamp, &e),
	    0);
	assert_null(timestamp.authority);
	pkcs7_free(p7);
	buf_free(&der);
}

static void
is_unsigned(const struct pkcs7 *p7, const char *oid,
    enum pkcs7_unsigned_kind kind, size_t size, size_t sequence)
{
	const struct pkcs7_unsigned *a;
	size_t i;

	for (i = 0; i < pkcs7_unsigned_count(p7); i++) {
		a = pkcs7_unsigned(p7, i);
		if (strcmp(a->oid, oid) == 0 && a->kind == kind &&
		    a->size == size && a->value.left == sequence)
			return;
	}
	fail_msg("no attribute %s of %zu bytes", oid, size);
}

static void
test_kinds_and_sizes(void **state)
{
	/* More than there is room for: 2.999. and 63 digits, each a byte. */
	static const char long_oid[] =
	    "2.999.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1";
	static const char cut_oid[] =
	    "2.999.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1....";
	struct buf der = BUF_INIT;
	struct buf inner = BUF_INIT;
	struct pkcs7 *p7;

	(void)state;
	signing_pkcs7(&signer, "sha256", NULL, &der);
	signing_pkcs7(&signer, "sha384", NULL, &inner);
	unsigned_add(&der, "1.2.3.4", V_ASN1_OCTET_STRING, "hello", 5);
	unsigned_add(&der, "1.2.3.5", V_ASN1_SEQUENCE, "\x30\x03\x02\x01\x05",
	    5);
	unsigned_add(&der, "1.2.3.6", V_ASN1_UNDEF, NULL, 0);
	unsigned_add(&der, long_oid, V_ASN1_UTF8STRING, "", 0);
	unsigned_add(&der, "1.2.840.113549.1.9.6", V_ASN1_SEQUENCE, "\x30\x00",
	    2);
	unsigned_add(&der, "1.3.6.1.4.1.311.3.3.1", V_ASN1_OCTET_STRING, "x",
	    1);
	nest(&der, &inner);
	p7 = parse(&der);
	assert_int_equal(pkcs7_unsigned_count(p7), 7);
	assert_int_equal(pkcs7_count(p7, PKCS7_OTHER), 4);
	is_unsigned(p7, "1.2.3.4", PKCS7_OTHER, 7, 0);
	is_unsigned(p7, "1.2.3.5", PKCS7_OTHER, 5, 5);
	is_unsigned(p7, "1.2.3.6", PKCS7_OTHER, 0, 0);
	assert_int_equal(strlen(cut_oid), 63);
	is_unsigned(p7, cut_oid, PKCS7_OTHER, 2, 0);
	is_unsigned(p7, "1.2.840.113549.1.9.6", PKCS7_COUNTERSIGNATURE, 2, 2);
	is_unsigned(p7, "1.3.6.1.4.1.311.3.3.1", PKCS7_TIMESTAMP, 3, 0);
	is_unsigned(p7, "1.3.6.1.4.1.311.2.4.1", PKCS7_NESTED, inner.len,
	    inner.len);
	pkcs7_free(p7);
	buf_free(&der);
	buf_free(&inner);
}

static void
refused(const struct buf *der, const char *why)
{
	struct pkcs7 *p7;
	struct ht_error e;

	assert_int_equal(pkcs7_parse(der->data, der->len, &p7, &e),
	    HT_ERR_DATA);
	assert_null(p7);
	if (strstr(e.text, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
}

static void
test_too_many(void **state)
{
	struct buf der = BUF_INIT;
	struct buf inner = BUF_INIT;
	int i;

	(void)state;
	signing_pkcs7(&signer, "sha256", NULL, &inner);
	buf_bytes(&der, inner.data, inner.len);
	for (i = 0; i < PKCS7_UNSIGNED_MAX; i++)
		unsigned_add(&der, "1.2.3.4", V_ASN1_INTEGER, "\5", 1);
	pkcs7_free(parse(&der));
	unsigned_add(&der, "1.2.3.4", V_ASN1_UNDEF, NULL, 0);
	refused(&der, "more than 64 unsigned attributes");
	buf_reset(&der);
	buf_bytes(&der, inner.data, inner.len);
	for (i = 0; i < PKCS7_NESTED_MAX; i++)
		nest(&der, &inner);
	pkcs7_free(parse(&der));
	unsigned_add(&der, "1.3.6.1.4.1.311.2.4.1", V_ASN1_SEQUENCE, inner.data,
	    inner.len);
	refused(&der, "more than 16 nested signatures");
	buf_free(&der);
	buf_free(&inner);
}

static void
test_nested(void **state)
{
	static const char *const algorithms[] = { "sha384", "sha512" };
	struct buf der = BUF_INIT;
	struct buf inner[2] = { BUF_INIT, BUF_INIT };
	struct pkcs7 *nested;
	struct pkcs7 *p7;
	struct ht_error e;
	size_t i;
	int seen = 0;

	(void)state;
	signing_pkcs7(&signer, "sha256", NULL, &der);
	for (i = 0; i < 2; i++) {
		signing_pkcs7(&signer, algorithms[i], NULL, &inner[i]);
		nest(&der, &inner[i]);
	}
	p7 = parse(&der);
	assert_int_equal(pkcs7_verify(p7, &e), 0);
	assert_int_equal(pkcs7_count(p7, PKCS7_NESTED), 2);
	for (i = 0; i < 2; i++) {
		assert_int_equal(pkcs7_nested(p7, i, &nested, &e), 0);
		assert_int_equal(pkcs7_verify(nested, &e), 0);
		seen += strcmp(pkcs7_algorithm(nested), "sha384") == 0 ? 1 : 10;
		pkcs7_free(nested);
	}
	assert_int_equal(seen, 11);
	assert_int_equal(pkcs7_nested(p7, 2, &nested, &e), HT_ERR_INTERNAL);
	pkcs7_free(p7);
	buf_free(&der);
	buf_free(&inner[0]);
	buf_free(&inner[1]);
}

static void
nested_refused(const struct buf *der, const char *why)
{
	struct pkcs7 *p7 = parse(der);
	struct pkcs7 *nested;
	struct ht_error e;

	assert_int_equal(pkcs7_nested(p7, 0, &nested, &e), HT_ERR_DATA);
	assert_null(nested);
	if (strstr(e.text, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
	pkcs7_free(p7);
}

static void
test_nested_refused(void **state)
{
	struct buf der = BUF_INIT;
	struct buf inner = BUF_INIT;
	struct buf deep = BUF_INIT;

	(void)state;
	signing_pkcs7(&signer, "sha256", NULL, &der);
	signing_pkcs7(&signer, "sha256", NULL, &inner);
	signing_pkcs7(&signer, "sha256", NULL, &deep);
	nest(&inner, &deep);
	unsigned_add(&der, "1.3.6.1.4.1.311.2.4.1", V_ASN1_SEQUENCE, inner.data,
	    inner.len);
	nested_refused(&der, "nests others");
	buf_reset(&der);
	signing_pkcs7(&signer, "sha256", NULL, &der);
	unsigned_add(&der, "1.3.6.1.4.1.311.2.4.1", V_ASN1_OCTET_STRING, "no",
	    2);
	nested_refused(&der, "not a ContentInfo");
	buf_free(&der);
	buf_free(&inner);
	buf_free(&deep);
}

static int
verify_timestamps(const struct buf *der, struct timestamp *timestamp,
    struct ht_error *e)
{
	struct pkcs7 *p7 = parse(der);
	int rc;

	ht_error_clear(e);
	rc = pkcs7_verify_timestamps(p7, tsa.root.data, tsa.root.len, timestamp,
	    e);
	if (rc < 0)
		assert_null(timestamp->authority);
	pkcs7_free(p7);
	return rc;
}

static void
test_earliest_timestamp_counts(void **state)
{
	struct tsa_token what = { .time = WHEN };
	struct buf der = BUF_INIT;
	struct timestamp timestamp;
	struct ht_error e;

	(void)state;
	signing_pkcs7(&signer, "sha256", NULL, &der);
	tsa_stamp_pkcs7(&tsa, &what, &der);
	what.time = WHEN - 1000;
	tsa_stamp_pkcs7(&tsa, &what, &der);
	what.time = WHEN + 1000;
	tsa_stamp_pkcs7(&tsa, &what, &der);
	assert_int_equal(verify_timestamps(&der, &timestamp, &e), 0);
	assert_int_equal(timestamp.time, WHEN - 1000);
	assert_string_equal(timestamp.authority, "CN=Test TSA");
	timestamp_clear(&timestamp);
	/* A single bad one spoils it. */
	what.time = TO + 1;
	tsa_stamp_pkcs7(&tsa, &what, &der);
	assert_int_equal(verify_timestamps(&der, &timestamp, &e), HT_ERR_DATA);
	assert_non_null(strstr(e.text, "expired"));
	buf_free(&der);
}

static void
test_replayed_timestamp(void **state)
{
	const struct tsa_token what = { .time = WHEN };
	struct buf der = BUF_INIT;
	struct buf token = BUF_INIT;
	struct timestamp timestamp;
	struct ht_error e;

	(void)state;
	signing_pkcs7(&signer, "sha256", NULL, &der);
	tsa_stamp(&tsa, &what, "another signature", 17, &token);
	unsigned_add(&der, "1.3.6.1.4.1.311.3.3.1", V_ASN1_SEQUENCE, token.data,
	    token.len);
	assert_int_equal(verify_timestamps(&der, &timestamp, &e), HT_ERR_DATA);
	assert_non_null(strstr(e.text, "another signature"));
	buf_reset(&der);
	signing_pkcs7(&signer, "sha256", NULL, &der);
	unsigned_add(&der, "1.3.6.1.4.1.311.3.3.1", V_ASN1_UNDEF, NULL, 0);
	assert_int_equal(verify_timestamps(&der, &timestamp, &e), HT_ERR_DATA);
	assert_non_null(strstr(e.text, "not SignedData"));
	buf_free(&der);
	buf_free(&token);
}

static void
chain_at(const struct pkcs7 *p7, int64_t when, const char *why)
{
	struct ht_error e;
	int rc;

	rc = pkcs7_verify_chain_at(p7, expired.root.data, expired.root.len - 1,
	    when, &e);
	assert_int_equal(rc, why == NULL ? 0 : HT_ERR_DATA);
	if (why != NULL)
		assert_non_null(strstr(e.text, why));
}

static void
test_expired_signer(void **state)
{
	const struct tsa_token what = { .time = WHEN };
	struct buf der = BUF_INIT;
	struct timestamp timestamp;
	struct pkcs7 *p7;
	struct ht_error e;

	(void)state;
	signing_pkcs7(&expired, "sha256", NULL, &der);
	tsa_stamp_pkcs7(&tsa, &what, &der);
	p7 = parse(&der);
	assert_int_equal(pkcs7_verify(p7, &e), 0);
	assert_int_equal(pkcs7_verify_chain_at(p7, expired.root.data,
	                     expired.root.len - 1, time(NULL), &e),
	    HT_ERR_DATA);
	assert_non_null(strstr(e.text, "expired"));
	assert_int_equal(pkcs7_verify_timestamps(p7, tsa.root.data,
	                     tsa.root.len, &timestamp, &e),
	    0);
	chain_at(p7, timestamp.time, NULL);
	chain_at(p7, FROM, NULL);
	chain_at(p7, TO - 1, NULL);
	chain_at(p7, FROM - 1, "not yet valid");
	chain_at(p7, TO + 1, "expired");
	assert_false(pkcs7_is_for_lifetime(p7));
	timestamp_clear(&timestamp);
	pkcs7_free(p7);
	buf_free(&der);
}

static void
test_lifetime_signing(void **state)
{
	const struct signing_how how = { "P-256", FROM, TO,
		"codeSigning,1.3.6.1.4.1.311.10.3.13", false, NULL };
	struct signing signing;
	struct buf der = BUF_INIT;
	struct pkcs7 *p7;
	struct ht_error e;

	(void)state;
	assert_int_equal(signing_make_how(&how, &signing, &e), 0);
	signing_pkcs7(&signing, "sha256", NULL, &der);
	p7 = parse(&der);
	assert_true(pkcs7_is_for_lifetime(p7));
	pkcs7_free(p7);
	buf_free(&der);
	signing_clear(&signing);
}

/* Somebody may have made two certificates with one digest of theirs. */
static void
test_weak_chain(void **state)
{
	const struct signing_how how = { "P-256", FROM, TO, "codeSigning", true,
		NULL };
	struct signing signing;
	struct buf der = BUF_INIT;
	struct pkcs7 *p7;
	struct ht_error e;

	(void)state;
	assert_int_equal(signing_make_how(&how, &signing, &e), 0);
	signing_pkcs7(&signing, "sha256", NULL, &der);
	p7 = parse(&der);
	assert_int_equal(pkcs7_verify_chain_at(p7, signing.root.data,
	                     signing.root.len - 1, WHEN, &e),
	    HT_ERR_DATA);
	assert_non_null(strstr(e.text, "too weak"));
	pkcs7_free(p7);
	buf_free(&der);
	signing_clear(&signing);
}

static void
try_bytes(const uint8_t *p, size_t n)
{
	struct timestamp timestamp;
	struct pkcs7 *nested;
	struct pkcs7 *p7;
	struct ht_error e;
	size_t i;
	int rc;

	rc = pkcs7_parse(p, n, &p7, &e);
	assert_true(rc == 0 || rc == HT_ERR_DATA);
	if (rc < 0)
		return;
	rc = pkcs7_verify_timestamps(p7, tsa.root.data, tsa.root.len,
	    &timestamp, &e);
	assert_true(rc == 0 || rc == HT_ERR_DATA);
	timestamp_clear(&timestamp);
	for (i = 0; i < pkcs7_count(p7, PKCS7_NESTED); i++) {
		rc = pkcs7_nested(p7, i, &nested, &e);
		assert_true(rc == 0 || rc == HT_ERR_DATA);
		pkcs7_free(nested);
	}
	pkcs7_free(p7);
}

static void
test_truncations_and_mutations(void **state)
{
	const struct tsa_token what = { .time = WHEN };
	struct buf der = BUF_INIT;
	struct buf inner = BUF_INIT;
	struct pkcs7 *p7;
	struct ht_error e;
	uint64_t seed = 31;
	uint8_t *copy;
	size_t n;
	unsigned long i;

	(void)state;
	signing_pkcs7(&signer, "sha256", NULL, &der);
	signing_pkcs7(&signer, "sha384", NULL, &inner);
	tsa_stamp_pkcs7(&tsa, &what, &der);
	unsigned_add(&der, "1.2.3.4", V_ASN1_OCTET_STRING, "hello", 5);
	nest(&der, &inner);
	for (n = 0; n < der.len; n += mutate_step()) {
		copy = malloc(n + 1);
		assert_non_null(copy);
		memcpy(copy, der.data, n);
		assert_int_equal(pkcs7_parse(copy, n, &p7, &e), HT_ERR_DATA);
		free(copy);
	}
	for (n = 0; n < 8 * der.len; n += 13 * mutate_step()) {
		der.data[n / 8] ^= (uint8_t)(1 << n % 8);
		try_bytes(der.data, der.len);
		der.data[n / 8] ^= (uint8_t)(1 << n % 8);
	}
	copy = malloc(der.len);
	assert_non_null(copy);
	for (i = 0; i < mutate_count(); i++) {
		memcpy(copy, der.data, der.len);
		n = mutate(&seed, copy, der.len);
		try_bytes(copy, n);
	}
	free(copy);
	buf_free(&der);
	buf_free(&inner);
}

static int
start(void **state)
{
	const struct signing_how past = { "P-256", FROM, TO, "codeSigning",
		false, NULL };
	const struct tsa_how how = { FROM, TO, NULL, NULL, NULL };
	struct ht_error e;

	(void)state;
	if (authenticode_init(&e) < 0 ||
	    signing_make("P-256", &signer, &e) < 0 ||
	    signing_make_how(&past, &expired, &e) < 0)
		return -1;
	tsa_make(&how, &tsa);
	return 0;
}

static int
finish(void **state)
{
	(void)state;
	signing_clear(&signer);
	signing_clear(&expired);
	tsa_clear(&tsa);
	return 0;
}

/* A token goes where libcrypto puts it; the second one beside the first. */
static void
test_stamp(void **state)
{
	const struct tsa_token what = { .time = WHEN };
	struct buf der = BUF_INIT, reference = BUF_INIT, signature = BUF_INIT;
	struct buf token = BUF_INIT, out = BUF_INIT;
	struct timestamp timestamp;
	struct ht_error e;
	struct pkcs7 *p7;

	(void)state;
	signing_pkcs7(&signer, "sha256", NULL, &der);
	unsigned_signature(&der, &signature);
	tsa_stamp(&tsa, &what, signature.data, signature.len, &token);
	buf_bytes(&reference, der.data, der.len);
	unsigned_add(&reference, OID_TIMESTAMP, V_ASN1_SEQUENCE, token.data,
	    token.len);
	assert_int_equal(
	    pkcs7_stamp(der.data, der.len, token.data, token.len, &out, &e), 0);
	assert_int_equal(out.len, reference.len);
	assert_memory_equal(out.data, reference.data, out.len);
	p7 = parse(&out);
	assert_int_equal(pkcs7_verify(p7, &e), 0);
	assert_int_equal(pkcs7_verify_timestamps(p7, tsa.root.data,
	                     tsa.root.len, &timestamp, &e),
	    0);
	assert_int_equal(timestamp.time, WHEN);
	timestamp_clear(&timestamp);
	pkcs7_free(p7);
	buf_reset(&reference);
	assert_int_equal(pkcs7_stamp(out.data, out.len, token.data, token.len,
	                     &reference, &e),
	    0);
	p7 = parse(&reference);
	assert_int_equal(pkcs7_count(p7, PKCS7_TIMESTAMP), 2);
	pkcs7_free(p7);
	out.len = 1;
	assert_int_equal(
	    pkcs7_stamp(der.data, der.len, token.data, token.len - 1, &out, &e),
	    HT_ERR_DATA);
	buf_u8(&token, 0);
	assert_int_equal(
	    pkcs7_stamp(der.data, der.len, token.data, token.len, &out, &e),
	    HT_ERR_DATA);
	assert_int_equal(
	    pkcs7_stamp(der.data, der.len, "\x04\x01x", 3, &out, &e),
	    HT_ERR_DATA);
	assert_int_equal(out.len, 1);
	buf_free(&der);
	buf_free(&reference);
	buf_free(&signature);
	buf_free(&token);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_kinds_and_sizes),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_nested_refused),
		cmocka_unit_test(test_earliest_timestamp_counts),
		cmocka_unit_test(test_replayed_timestamp),
		cmocka_unit_test(test_stamp),
		cmocka_unit_test(test_expired_signer),
		cmocka_unit_test(test_lifetime_signing),
		cmocka_unit_test(test_weak_chain),
		cmocka_unit_test(test_truncations_and_mutations),
	};

	return cmocka_run_group_tests(tests, start, finish);
}
