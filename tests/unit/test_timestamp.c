#include "config.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "signature/der.h"
#include "signature/init.h"
#include "signature/timestamp.h"
#include "tests/support/mutate.h"
#include "tests/support/no_memory.h"
#include "tests/support/tsa.h"

/* Nothing here depends on when it runs. */
#define FROM 1000000000
#define TO 1100000000
#define WHEN 1050000000

static const char stamped[] = "a signature, or what stands for one";

static struct tsa good;

static int
verify_with(const struct tsa *tsa, const uint8_t *token, size_t n,
    struct timestamp *out, struct ht_error *e)
{
	int rc;

	ht_error_clear(e);
	rc = timestamp_verify(token, n, stamped, sizeof(stamped),
	    tsa->root.data, tsa->root.len, out, e);
	if (rc < 0) {
		assert_null(out->authority);
		assert_int_equal(out->time, 0);
		assert_int_equal(e->code, rc);
	}
	return rc;
}

static void
accepted(const struct tsa *tsa, const struct tsa_token *what)
{
	struct buf token = BUF_INIT;
	struct timestamp timestamp;
	struct ht_error e;

	tsa_stamp(tsa, what, stamped, sizeof(stamped), &token);
	if (verify_with(tsa, token.data, token.len, &timestamp, &e) < 0)
		fail_msg("refused: %s", e.text);
	assert_int_equal(timestamp.time, what->time);
	assert_string_equal(timestamp.authority, "CN=Test TSA");
	timestamp_clear(&timestamp);
	assert_null(timestamp.authority);
	buf_free(&token);
}

static void
refused(const struct tsa *tsa, const struct tsa_token *what, const char *why)
{
	struct buf token = BUF_INIT;
	struct timestamp timestamp;
	struct ht_error e;

	tsa_stamp(tsa, what, stamped, sizeof(stamped), &token);
	assert_int_equal(
	    verify_with(tsa, token.data, token.len, &timestamp, &e),
	    HT_ERR_DATA);
	if (strstr(e.text, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
	buf_free(&token);
}

static void
refused_bytes(const struct buf *token, const char *why)
{
	struct timestamp timestamp;
	struct ht_error e;

	assert_int_equal(
	    verify_with(&good, token->data, token->len, &timestamp, &e),
	    HT_ERR_DATA);
	if (strstr(e.text, why) == NULL)
		fail_msg("%s, not: %s", e.text, why);
}

static void
test_good(void **state)
{
	static const char *const algorithms[] = { "sha256", "sha384",
		"sha512" };
	struct tsa_token what = { .time = WHEN };
	size_t i;

	(void)state;
	accepted(&good, &what);
	for (i = 0; i < 3; i++) {
		what.imprint = algorithms[i];
		what.algorithm = algorithms[2 - i];
		accepted(&good, &what);
	}
	what.time = FROM;
	accepted(&good, &what);
	/* To libcrypto notAfter is the first second that is too late. */
	what.time = TO - 1;
	accepted(&good, &what);
}

static void
test_read_verifies_nothing(void **state)
{
	const struct tsa_token what = { .time = TO + 1, .imprint = "sha1" };
	struct buf token = BUF_INIT;
	struct timestamp timestamp;
	struct ht_error e;

	(void)state;
	tsa_stamp(&good, &what, "x", 1, &token);
	assert_int_equal(timestamp_read(token.data, token.len, &timestamp, &e),
	    0);
	assert_int_equal(timestamp.time, TO + 1);
	assert_string_equal(timestamp.authority, "CN=Test TSA");
	timestamp_clear(&timestamp);
	buf_free(&token);
}

static void
test_time(void **state)
{
	struct tsa_token what = { .time = FROM - 1 };

	(void)state;
	refused(&good, &what, "not yet valid");
	what.time = TO + 1;
	refused(&good, &what, "expired");
}

static void
test_weak_digests(void **state)
{
	struct tsa_token what = { .time = WHEN, .imprint = "sha1" };

	(void)state;
	refused(&good, &what, "imprint is not of SHA-256");
	what.imprint = NULL;
	what.algorithm = "sha1";
	refused(&good, &what, "digest algorithm is not SHA-256");
}

static void
test_structure(void **state)
{
	struct tsa_token what = { .time = WHEN, .without_binding = true };

	(void)state;
	refused(&good, &what, "no signing certificate attribute");
	what.without_binding = false;
	what.without_certificates = true;
	refused(&good, &what, "with its certificate");
}

/*
 * libcrypto makes hundreds of bytes of each value: those inside the OCTET
 * STRING that the TSTInfo is in count, too, 3 of an extension.
 */
static void
test_many_values_in_the_content(void **state)
{
	struct tsa_token what = { .time = WHEN, .extensions = 5000 };

	(void)state;
	accepted(&good, &what);
	what.extensions = TIMESTAMP_VALUES_MAX / 3;
	refused(&good, &what, "more than 16384 values");
}

/*
 * Microsoft's tokens have attribute certificates among their certificates.
 * Nothing else that RFC 5652 allows there is known.
 */
static void
test_attribute_certificates(void **state)
{
	struct tsa_token what = { .time = WHEN };
	struct buf token = BUF_INIT;
	struct timestamp timestamp;
	struct ht_error e;

	(void)state;
	what.attribute_certificates = "1";
	accepted(&good, &what);
	tsa_stamp(&good, &what, stamped, sizeof(stamped), &token);
	assert_int_equal(timestamp_read(token.data, token.len, &timestamp, &e),
	    0);
	assert_int_equal(timestamp.time, WHEN);
	timestamp_clear(&timestamp);
	buf_zeros(&token, 2);
	refused_bytes(&token, "not SignedData");
	buf_free(&token);
	what.attribute_certificates = "1212";
	accepted(&good, &what);
	what.attribute_certificates = "0";
	refused(&good, &what, "not SignedData");
	what.attribute_certificates = "13";
	refused(&good, &what, "not SignedData");
	what.attribute_certificates = "1";
	what.without_binding = true;
	refused(&good, &what, "no signing certificate attribute");
}

/*
 * The attribute names the signer's certificate first.  Others are of the path
 * or, in Microsoft's tokens, of an attribute certificate.
 */
static void
test_bound_certificates(void **state)
{
	static const struct {
		const char *bound;
		const char *attribute_certificates;
		bool good;
	} cases[] = {
		{ "s", NULL, true },
		{ "s", "1", true },
		{ "si", NULL, true },
		{ "sa", "1", true },
		{ "sia", "21", true },
		{ "sa", NULL, false },
		{ "sx", "1", false },
		{ "a", "1", false },
		{ "as", "1", false },
		{ "is", NULL, false },
		{ "", NULL, false },
	};
	struct tsa_token what = { .time = WHEN };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		what.bound = cases[i].bound;
		what.attribute_certificates = cases[i].attribute_certificates;
		if (cases[i].good)
			accepted(&good, &what);
		else
			refused(&good, &what,
			    "it names other certificates (RFC 5035 5.4)");
	}
}

static void
test_named_authority(void **state)
{
	struct tsa_token what = { .time = WHEN, .says = "Test TSA" };

	(void)state;
	accepted(&good, &what);
	what.says = "Best TSA";
	refused(&good, &what, "names another authority than its signer");
	what.says = NULL;
	what.version = 2;
	refused(&good, &what, "not version 1");
}

static void
test_purposes(void **state)
{
	static const struct {
		const char *purposes;
		const char *issuer_purposes;
		const char *why;
	} cases[] = {
		{ "timeStamping", NULL, "timeStamping alone" },
		{ "critical,timeStamping,codeSigning", NULL,
		    "timeStamping alone" },
		/* libcrypto has no bit for it, and would not see it. */
		{ "critical,timeStamping,1.2.3.4", NULL, "timeStamping alone" },
		{ "critical,codeSigning", NULL, "timeStamping alone" },
		{ NULL, "codeSigning", "does not allow timestamps" },
		{ NULL, "timeStamping", NULL },
		{ NULL, "codeSigning,timeStamping", NULL },
	};
	const struct tsa_token what = { .time = WHEN };
	struct tsa_how how = { FROM, TO, NULL, NULL, NULL };
	struct tsa tsa;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		how.purposes = cases[i].purposes;
		how.issuer_purposes = cases[i].issuer_purposes;
		tsa_make(&how, &tsa);
		if (cases[i].why == NULL)
			accepted(&tsa, &what);
		else
			refused(&tsa, &what, cases[i].why);
		tsa_clear(&tsa);
	}
	how.purposes = NULL;
	how.issuer_purposes = NULL;
	how.usage = "digitalSignature,nonRepudiation";
	tsa_make(&how, &tsa);
	accepted(&tsa, &what);
	tsa_clear(&tsa);
	how.usage = "digitalSignature,keyEncipherment";
	tsa_make(&how, &tsa);
	refused(&tsa, &what, "not for signatures alone");
	tsa_clear(&tsa);
}

static void
test_other_root_other_bytes(void **state)
{
	const struct tsa_how how = { FROM, TO, NULL, NULL, NULL };
	const struct tsa_token what = { .time = WHEN };
	struct buf token = BUF_INIT;
	struct timestamp timestamp;
	struct ht_error e;
	struct tsa tsa;

	(void)state;
	tsa_make(&how, &tsa);
	tsa_stamp(&good, &what, stamped, sizeof(stamped), &token);
	assert_int_equal(
	    verify_with(&tsa, token.data, token.len, &timestamp, &e),
	    HT_ERR_DATA);
	assert_non_null(strstr(e.text, "chain is not valid"));
	assert_int_equal(timestamp_verify(token.data, token.len, stamped,
	                     sizeof(stamped) - 1, good.root.data, good.root.len,
	                     &timestamp, &e),
	    HT_ERR_DATA);
	assert_non_null(strstr(e.text, "another signature"));
	assert_int_equal(timestamp_verify(token.data, token.len, stamped,
	                     sizeof(stamped), "none", 4, &timestamp, &e),
	    HT_ERR_USAGE);
	buf_zeros(&token, 2);
	assert_int_equal(
	    verify_with(&good, token.data, token.len, &timestamp, &e),
	    HT_ERR_DATA);
	assert_non_null(strstr(e.text, "left over"));
	buf_zeros(&token, TIMESTAMP_MAX);
	assert_int_equal(
	    verify_with(&good, token.data, token.len, &timestamp, &e),
	    HT_ERR_DATA);
	assert_non_null(strstr(e.text, "over 1048576 bytes"));
	tsa_clear(&tsa);
	buf_free(&token);
}

static void
test_sizes(void **state)
{
	const struct tsa_token what = { .time = WHEN };
	struct buf token = BUF_INIT;

	(void)state;
	buf_zeros(&token, TIMESTAMP_MAX);
	refused_bytes(&token, "more than 16384 values");
	buf_u8(&token, 0);
	refused_bytes(&token, "timestamp: over 1048576 bytes");
	buf_reset(&token);
	tsa_stamp(&good, &what, stamped, sizeof(stamped), &token);
	buf_zeros(&token, 2);
	refused_bytes(&token, "left over behind the token");
	buf_free(&token);
}

#define SIGNED_DATA "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
#define DATA "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
#define TST_INFO "\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x04"

/* SignedData without signers, whose content is of another kind. */
static void
test_other_content(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
	} contents[] = {
		{ DATA "\xa0\x06\x04\x04text", 19 },
		{ TST_INFO, 13 },
		{ TST_INFO "\xa0\x03\x01\x01\xff", 18 },
	};
	struct buf token = BUF_INIT;
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		n = contents[i].n;
		der_put_header(&token, DER_SEQUENCE, n + 24);
		buf_bytes(&token, SIGNED_DATA, 11);
		der_put_header(&token, 0xa0, n + 11);
		der_put_header(&token, DER_SEQUENCE, n + 9);
		buf_bytes(&token, "\x02\x01\x01\x31\x00", 5);
		der_put_header(&token, DER_SEQUENCE, n);
		buf_bytes(&token, contents[i].bytes, n);
		der_put_header(&token, DER_SET, 0);
		refused_bytes(&token, "the content is not a TSTInfo");
		buf_reset(&token);
	}
	/* And none at all; and what is not signed. */
	buf_bytes(&token, "\x30\x0b" SIGNED_DATA, 13);
	refused_bytes(&token, "not SignedData");
	buf_reset(&token);
	buf_bytes(&token, "\x30\x13" DATA "\xa0\x06\x04\x04text", 21);
	refused_bytes(&token, "not SignedData");
	buf_free(&token);
}

static uint8_t *
find(const struct buf *token, const char *bytes, size_t n)
{
	uint8_t *at = memmem(token->data, token->len, bytes, n);

	assert_non_null(at);
	return at;
}

/* What is found before anybody looks who signed it. */
static void
test_other_claims(void **state)
{
	struct tsa_token what = { .time = WHEN, .imprint = "sha512" };
	struct buf token = BUF_INIT;
	uint8_t *sha512;

	(void)state;
	tsa_stamp(&good, &what, stamped, sizeof(stamped), &token);
	sha512 = find(&token, "\x60\x86\x48\x01\x65\x03\x04\x02\x03", 9);
	sha512[8] = 1; /* SHA-256, and more bytes behind that */
	assert_int_equal(EVP_Digest(stamped, sizeof(stamped),
	                     find(&token, "\x04\x40", 2) + 2, NULL,
	                     EVP_sha256(), NULL),
	    1);
	refused_bytes(&token, "it is for another signature");
	memcpy(find(&token, "20030410184000Z", 15), "2003041018400xZ", 15);
	refused_bytes(&token, "no genTime that can be read");
	buf_free(&token);
}

static void
test_no_memory(void **state)
{
	const struct tsa_token what = { .time = WHEN };
	struct buf token = BUF_INIT;
	struct timestamp timestamp;
	struct ht_error e;

	(void)state;
	tsa_stamp(&good, &what, stamped, sizeof(stamped), &token);
	no_memory_at(1);
	assert_int_equal(timestamp_read(token.data, token.len, &timestamp, &e),
	    HT_ERR_INTERNAL);
	assert_true(no_memory_met());
	assert_null(timestamp.authority);
	no_memory_at(0);
	buf_free(&token);
}

/*
 * Whatever is verified says the time that was signed.
 */
static void
try_bytes(const uint8_t *p, size_t n, bool may_verify)
{
	struct timestamp timestamp;
	struct ht_error e;
	int rc;

	rc = timestamp_read(p, n, &timestamp, &e);
	assert_true(rc == 0 || rc == HT_ERR_DATA);
	timestamp_clear(&timestamp);
	rc = verify_with(&good, p, n, &timestamp, &e);
	if (rc < 0) {
		assert_int_equal(rc, HT_ERR_DATA);
		return;
	}
	assert_true(may_verify);
	assert_int_equal(timestamp.time, WHEN);
	timestamp_clear(&timestamp);
}

static void
test_truncations_and_mutations(void **state)
{
	const struct tsa_token what = { .time = WHEN,
		.attribute_certificates = "12" };
	struct buf token = BUF_INIT;
	uint64_t seed = 3161;
	uint8_t *copy;
	size_t n;
	unsigned long i;

	(void)state;
	tsa_stamp(&good, &what, stamped, sizeof(stamped), &token);
	for (n = 0; n < token.len; n += mutate_step()) {
		copy = malloc(n + 1);
		assert_non_null(copy);
		memcpy(copy, token.data, n);
		try_bytes(copy, n, false);
		free(copy);
	}
	/* Some bits say nothing: the SHA-256 that parameters are NULL, say. */
	for (n = 0; n < 8 * token.len; n += 5 * mutate_step()) {
		token.data[n / 8] ^= (uint8_t)(1 << n % 8);
		try_bytes(token.data, token.len, true);
		token.data[n / 8] ^= (uint8_t)(1 << n % 8);
	}
	copy = malloc(token.len);
	assert_non_null(copy);
	for (i = 0; i < mutate_count(); i++) {
		memcpy(copy, token.data, token.len);
		n = mutate(&seed, copy, token.len);
		try_bytes(copy, n, true);
	}
	free(copy);
	buf_free(&token);
}

static int
start(void **state)
{
	const struct tsa_how how = { FROM, TO, NULL, NULL, NULL };
	struct ht_error e;

	(void)state;
	if (authenticode_init(&e) < 0)
		return -1;
	tsa_make(&how, &good);
	return 0;
}

static int
finish(void **state)
{
	(void)state;
	tsa_clear(&good);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_read_verifies_nothing),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_weak_digests),
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_many_values_in_the_content),
		cmocka_unit_test(test_attribute_certificates),
		cmocka_unit_test(test_bound_certificates),
		cmocka_unit_test(test_named_authority),
		cmocka_unit_test(test_purposes),
		cmocka_unit_test(test_other_root_other_bytes),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_other_content),
		cmocka_unit_test(test_other_claims),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_truncations_and_mutations),
	};

	return cmocka_run_group_tests(tests, start, finish);
}
