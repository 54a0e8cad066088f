#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "signature/cms-asn1.h"
#include "signature/der.h"
#include "signature/init.h"
#include "signature/pkcs7-nest.h"
#include "signature/pkcs7.h"
#include "signature/spc-asn1.h"
#include "tests/support/mutate.h"
#include "tests/support/signing.h"
#include "tests/support/unsigned.h"

#define OID_NESTED "1.3.6.1.4.1.311.2.4.1"

static struct signing rsa;
static struct signing p256;

/* A ContentInfo with a signer of which all is empty. */
#define SIGNED_DATA_OID "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
#define EMPTY_SIGNER "\x02\x01\x01\x30\x00\x30\x00\x30\x00\x04\x00"
#define SMALL                                                                  \
	"\x30\x25" SIGNED_DATA_OID "\xa0\x18\x30\x16\x02\x01\x01\x31\x00\x30"  \
	"\x00\x31\x0d\x30\x0b" EMPTY_SIGNER
#define NESTED_OID "\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x04\x01"

static void
put(struct buf *out, const char *bytes, size_t n)
{
	buf_bytes(out, bytes, n);
}
#define PUT(out, bytes) put(out, bytes, sizeof(bytes) - 1)

static void
nest(const struct buf *outer, const struct buf *inner, struct buf *out)
{
	struct ht_error e;

	assert_int_equal(pkcs7_nest(outer->data, outer->len, inner->data,
	                     inner->len, out, &e),
	    0);
}

static void
refused(const struct buf *outer, const struct buf *inner, const char *why)
{
	struct buf out = BUF_INIT;
	struct ht_error e;

	buf_u8(&out, 'x');
	assert_int_equal(pkcs7_nest(outer->data, outer->len, inner->data,
	                     inner->len, &out, &e),
	    HT_ERR_DATA);
	assert_int_equal(out.len, 1);
	if (strstr(e.text, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
	buf_free(&out);
}

static SIGNER_INFO *
signer_of(const SIGNED_DATA *data)
{
	return sk_SIGNER_INFO_value(data->signers, 0);
}

/* The unsigned attribute of nested signatures, the only one of its type. */
static X509_ATTRIBUTE *
nested_of(const SIGNED_DATA *data)
{
	STACK_OF(X509_ATTRIBUTE) *all = signer_of(data)->unsigned_attributes;
	X509_ATTRIBUTE *found = NULL;
	X509_ATTRIBUTE *one;
	int i;

	for (i = 0; i < sk_X509_ATTRIBUTE_num(all); i++) {
		one = sk_X509_ATTRIBUTE_value(all, i);
		if (!spc_is_object(X509_ATTRIBUTE_get0_object(one), OID_NESTED))
			continue;
		assert_null(found);
		found = one;
	}
	assert_non_null(found);
	return found;
}

static bool
holds(X509_ATTRIBUTE *attribute, const struct buf *value)
{
	const ASN1_STRING *string;
	int i;

	for (i = 0; i < X509_ATTRIBUTE_count(attribute); i++) {
		string = X509_ATTRIBUTE_get0_data(attribute, i, V_ASN1_SEQUENCE,
		    NULL);
		assert_non_null(string);
		if ((size_t)ASN1_STRING_length(string) == value->len &&
		    memcmp(ASN1_STRING_get0_data(string), value->data,
		        value->len) == 0)
			return true;
	}
	return false;
}

static void
same(const struct buf *a, const struct buf *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->data, b->data, a->len);
}

/*
 * An encoder that knows DER only makes the same bytes of it.
 */
static void
is_der(const struct buf *der)
{
	SIGNED_DATA *data = unsigned_unpack(der);
	struct buf again = BUF_INIT;

	unsigned_pack(data, &again);
	same(der, &again);
	SIGNED_DATA_free(data);
	buf_free(&again);
}

static void
test_known_bytes(void **state)
{
	struct buf small = BUF_INIT;
	struct buf wanted = BUF_INIT;
	struct buf out = BUF_INIT;

	(void)state;
	PUT(&small, SMALL);
	PUT(&wanted,
	    "\x30\x5e" SIGNED_DATA_OID "\xa0\x51\x30\x4f\x02\x01\x01\x31\x00"
	    "\x30\x00\x31\x46\x30\x44" EMPTY_SIGNER
	    "\xa1\x37\x30\x35" NESTED_OID "\x31\x27" SMALL);
	nest(&small, &small, &out);
	same(&out, &wanted);
	buf_free(&small);
	buf_free(&wanted);
	buf_free(&out);
}

/* Lengths longer than DER has them, an empty set, an attribute behind. */
static void
test_what_others_wrote_stays(void **state)
{
	struct buf outer = BUF_INIT;
	struct buf inner = BUF_INIT;
	struct buf wanted = BUF_INIT;
	struct buf out = BUF_INIT;

	(void)state;
	PUT(&inner, SMALL);
	/* Here the nested one comes first, for it is shorter. */
	PUT(&outer,
	    "\x30\x82\x00\x6e" SIGNED_DATA_OID "\xa0\x61\x30\x81\x5e"
	    "\x02\x81\x01\x01\x31\x81\x00\x30\x00\xa0\x81\x00\xa1\x00"
	    "\x31\x81\x4d\x30\x4b" EMPTY_SIGNER "\xa1\x82\x00\x3c"
	    "\x30\x81\x39\x06\x02\x2a\x03\x31\x82\x00\x31\x04\x81\x2e"
	    "0123456789012345678901234567890123456789012345");
	PUT(&wanted,
	    "\x30\x81\xa5" SIGNED_DATA_OID "\xa0\x81\x97\x30\x81\x94"
	    "\x02\x81\x01\x01\x31\x81\x00\x30\x00\xa0\x81\x00\xa1\x00"
	    "\x31\x81\x83\x30\x81\x80" EMPTY_SIGNER "\xa1\x73"
	    "\x30\x35" NESTED_OID "\x31\x27" SMALL
	    "\x30\x81\x39\x06\x02\x2a\x03\x31\x82\x00\x31\x04\x81\x2e"
	    "0123456789012345678901234567890123456789012345");
	nest(&outer, &inner, &out);
	same(&out, &wanted);
	buf_free(&outer);
	buf_free(&inner);
	buf_free(&wanted);
	buf_free(&out);
}

static void
test_outer_stays_as_it_was(void **state)
{
	struct buf outer = BUF_INIT;
	struct buf inner = BUF_INIT;
	struct buf out = BUF_INIT;
	struct buf again = BUF_INIT;
	struct pkcs7 *p7;
	SIGNED_DATA *data;
	struct ht_error e;

	(void)state;
	signing_pkcs7(&rsa, "sha256", NULL, &outer);
	signing_pkcs7(&p256, "sha384", NULL, &inner);
	nest(&outer, &inner, &out);
	is_der(&out);
	data = unsigned_unpack(&out);
	assert_int_equal(X509_ATTRIBUTE_count(nested_of(data)), 1);
	assert_true(holds(nested_of(data), &inner));
	sk_X509_ATTRIBUTE_pop_free(signer_of(data)->unsigned_attributes,
	    X509_ATTRIBUTE_free);
	signer_of(data)->unsigned_attributes = NULL;
	unsigned_pack(data, &again);
	same(&again, &outer);
	SIGNED_DATA_free(data);
	assert_int_equal(pkcs7_parse(out.data, out.len, &p7, &e), 0);
	assert_int_equal(pkcs7_verify(p7, &e), 0);
	pkcs7_free(p7);
	buf_free(&outer);
	buf_free(&inner);
	buf_free(&out);
	buf_free(&again);
}

/*
 * One after another until there are too many, among attributes that come
 * before and behind.
 */
static void
test_several(void **state)
{
	struct buf outer = BUF_INIT;
	struct buf inner[PKCS7_NESTED_MAX + 1] = { BUF_INIT };
	struct buf out = BUF_INIT;
	struct ht_error e;
	SIGNED_DATA *data;
	int i;
	int j;

	(void)state;
	signing_pkcs7(&rsa, "sha256", NULL, &outer);
	unsigned_add(&outer, "1.2.3", V_ASN1_OCTET_STRING, "short", 5);
	unsigned_add(&outer, "2.999.1", V_ASN1_OCTET_STRING,
	    SMALL SMALL SMALL SMALL, 156);
	for (i = 0; i < PKCS7_NESTED_MAX; i++) {
		signing_pkcs7(&p256, i % 2 == 0 ? "sha512" : "sha256", NULL,
		    &inner[i]);
		nest(&outer, &inner[i], &out);
		is_der(&out);
		data = unsigned_unpack(&out);
		assert_int_equal(
		    sk_X509_ATTRIBUTE_num(signer_of(data)->unsigned_attributes),
		    3);
		assert_int_equal(X509_ATTRIBUTE_count(nested_of(data)), i + 1);
		for (j = 0; j <= i; j++)
			assert_true(holds(nested_of(data), &inner[j]));
		SIGNED_DATA_free(data);
		buf_free(&outer);
		outer = out;
		out = (struct buf)BUF_INIT;
	}
	signing_pkcs7(&p256, "sha256", NULL, &inner[i]);
	refused(&outer, &inner[i], "16 signatures are nested already");
	refused(&inner[0], &outer, "nests others");
	assert_int_equal(pkcs7_nest_instead(outer.data, outer.len,
	                     buf_cursor(&inner[3]), inner[i].data, inner[i].len,
	                     &out, &e),
	    0);
	is_der(&out);
	data = unsigned_unpack(&out);
	assert_int_equal(X509_ATTRIBUTE_count(nested_of(data)), i);
	for (j = 0; j <= i; j++)
		assert_int_equal(holds(nested_of(data), &inner[j]), j != 3);
	SIGNED_DATA_free(data);
	outer.len = 0;
	assert_int_equal(pkcs7_nest_instead(out.data, out.len,
	                     buf_cursor(&inner[3]), inner[i].data, inner[i].len,
	                     &outer, &e),
	    HT_ERR_DATA);
	assert_int_equal(outer.len, 0);
	buf_free(&out);
	for (i = 0; i <= PKCS7_NESTED_MAX; i++)
		buf_free(&inner[i]);
	buf_free(&outer);
}

static void
refused_bytes(const char *bytes, size_t n, const char *why)
{
	struct buf small = BUF_INIT;
	struct buf other = BUF_INIT;

	PUT(&small, SMALL);
	put(&other, bytes, n);
	refused(&small, &other, why);
	refused(&other, &small, why);
	buf_free(&small);
	buf_free(&other);
}
#define REFUSED(bytes, why) refused_bytes(bytes, sizeof(bytes) - 1, why)

static void
test_refused(void **state)
{
	(void)state;
	REFUSED("", "0x30");
	REFUSED(SMALL "\0", "left over");
	/* Indefinite lengths, outside and inside. */
	REFUSED("\x30\x80" SIGNED_DATA_OID
	        "\xa0\x18\x30\x16\x02\x01\x01\x31\x00\x30\x00\x31\x0d\x30"
	        "\x0b" EMPTY_SIGNER "\0\0",
	    "indefinite");
	REFUSED("\x30\x27" SIGNED_DATA_OID
	        "\xa0\x1a\x30\x18\x02\x01\x01\x31\x00\x30\x80\x31\x0d\x30"
	        "\x0b" EMPTY_SIGNER "\0\0",
	    "indefinite");
	REFUSED("\x30\x85\0\0\0\0\x25", "indefinite or too large");
	REFUSED("\x30\x84\xff\xff\xff\xff", "indefinite or too large");
	/* No SignedData, no signer, no signature. */
	REFUSED("\x30\x25\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
	        "\xa0\x18\x30\x16\x02\x01\x01\x31\x00\x30\x00\x31\x0d\x30"
	        "\x0b" EMPTY_SIGNER,
	    "not SignedData");
	REFUSED("\x30\x18" SIGNED_DATA_OID
	        "\xa0\x0b\x30\x09\x02\x01\x01\x31\x00\x30\x00\x31\x00",
	    "0x30");
	REFUSED("\x30\x23" SIGNED_DATA_OID
	        "\xa0\x16\x30\x14\x02\x01\x01\x31\x00\x30\x00\x31\x0b\x30\x09"
	        "\x02\x01\x01\x30\x00\x30\x00\x30\x00",
	    "0x04");
}

static void
wrap(struct buf *b, const char *before, size_t n, uint8_t tag)
{
	struct buf wrapped = BUF_INIT;

	der_put_header(&wrapped, tag, n + b->len);
	buf_bytes(&wrapped, before, n);
	buf_bytes(&wrapped, b->data, b->len);
	buf_free(b);
	*b = wrapped;
}

/* With a signature of n octets. */
static void
make_large(size_t n, struct buf *out)
{
	buf_free(out);
	buf_zeros(out, n);
	wrap(out, "", 0, DER_OCTETS);
	wrap(out, EMPTY_SIGNER, 9, DER_SEQUENCE);
	wrap(out, "", 0, DER_SET);
	wrap(out, "\x02\x01\x01\x31\x00\x30\x00", 7, DER_SEQUENCE);
	wrap(out, "", 0, DER_CONTEXT(0));
	wrap(out, SIGNED_DATA_OID, 11, DER_SEQUENCE);
}

static void
test_too_large(void **state)
{
	struct buf small = BUF_INIT;
	struct buf large = BUF_INIT;
	struct buf out = BUF_INIT;
	size_t headers;

	(void)state;
	PUT(&small, SMALL);
	make_large(PKCS7_PAGED_MAX, &large);
	headers = large.len - PKCS7_PAGED_MAX;
	refused(&large, &small, "over 20971520 bytes");
	refused(&small, &large, "over 20971520 bytes");
	/* What nesting adds is 57 bytes. */
	make_large(PKCS7_PAGED_MAX - headers - 56, &large);
	refused(&large, &small, "over 20971520 bytes");
	make_large(PKCS7_PAGED_MAX - headers - 57, &large);
	nest(&large, &small, &out);
	assert_int_equal(out.len, PKCS7_PAGED_MAX);
	make_large(PKCS7_PAGED_MAX - headers, &large);
	refused(&small, &large, "over 20971520 bytes");
	buf_free(&small);
	buf_free(&large);
	buf_free(&out);
}

static void
try_both_ways(const struct buf *good, const uint8_t *p, size_t n)
{
	struct buf out = BUF_INIT;
	struct ht_error e;
	int rc;

	rc = pkcs7_nest(p, n, good->data, good->len, &out, &e);
	assert_true(rc == HT_ERR_DATA || rc == 0);
	assert_true((rc == 0) == (out.len > 0));
	buf_free(&out);
	rc = pkcs7_nest(good->data, good->len, p, n, &out, &e);
	assert_true(rc == HT_ERR_DATA || rc == 0);
	assert_true((rc == 0) == (out.len > 0));
	buf_free(&out);
}

static void
test_truncations_and_mutations(void **state)
{
	struct buf inner = BUF_INIT;
	struct buf outer = BUF_INIT;
	struct buf nested = BUF_INIT;
	struct buf cut = BUF_INIT;
	uint64_t seed = 29;
	size_t n;
	unsigned long i;

	(void)state;
	signing_pkcs7(&p256, "sha256", NULL, &inner);
	signing_pkcs7(&p256, "sha256", NULL, &outer);
	nest(&outer, &inner, &nested);
	for (n = 0; n < nested.len; n += mutate_step()) {
		buf_reset(&cut);
		buf_bytes(&cut, nested.data, n);
		refused(&cut, &inner, "DER");
		refused(&inner, &cut, "DER");
	}
	for (n = 0; n < 8 * nested.len; n += mutate_step()) {
		nested.data[n / 8] ^= (uint8_t)(1 << n % 8);
		try_both_ways(&inner, nested.data, nested.len);
		nested.data[n / 8] ^= (uint8_t)(1 << n % 8);
	}
	for (i = 0; i < mutate_count(); i++) {
		buf_reset(&cut);
		buf_bytes(&cut, nested.data, nested.len);
		n = mutate(&seed, cut.data, cut.len);
		try_both_ways(&inner, cut.data, n);
	}
	buf_free(&inner);
	buf_free(&outer);
	buf_free(&nested);
	buf_free(&cut);
}

static int
start(void **state)
{
	struct ht_error e;

	(void)state;
	if (authenticode_init(&e) < 0 || signing_make("RSA", &rsa, &e) < 0 ||
	    signing_make("P-256", &p256, &e) < 0)
		return -1;
	return 0;
}

static int
finish(void **state)
{
	(void)state;
	signing_clear(&rsa);
	signing_clear(&p256);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_bytes),
		cmocka_unit_test(test_what_others_wrote_stays),
		cmocka_unit_test(test_outer_stays_as_it_was),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_truncations_and_mutations),
	};

	return cmocka_run_group_tests(tests, start, finish);
}
