/*
 * What a stranger's PKCS#7 may cost: each limit is reached, and not exceeded.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "signature/der.h"
#include "signature/pkcs7.h"
#include "signature/spc-asn1.h"
#include "tests/support/signing.h"
#include "tests/support/unsigned.h"

static void
refuse(const struct buf *der, const char *text)
{
	struct buf ctl = BUF_INIT;
	struct pkcs7 *p7;
	struct ht_error e;
	bool is_signed;

	assert_int_equal(pkcs7_parse(der->data, der->len, &p7, &e),
	    HT_ERR_DATA);
	assert_null(p7);
	assert_string_equal(e.text, text);
	assert_int_equal(
	    pkcs7_open_ctl(der->data, der->len, &ctl, &is_signed, &e),
	    HT_ERR_DATA);
	assert_string_equal(e.text, text);
	buf_free(&ctl);
}

static void
accept(const struct buf *der)
{
	struct pkcs7 *p7;
	struct ht_error e;

	if (pkcs7_parse(der->data, der->len, &p7, &e) < 0)
		fail_msg("refused: %s", e.text);
	pkcs7_free(p7);
}

/* 4 MiB of certificates took 4 s and 110 MB. */
static void
test_certificates(void **state)
{
	struct buf der = BUF_INIT;
	SIGNED_DATA *data;
	X509 *certificate;

	(void)state;
	signing_pkcs7(&signing_p256, "sha256", NULL, &der);
	data = unsigned_unpack(&der);
	certificate = sk_X509_value(data->certificates, 0);
	while (sk_X509_num(data->certificates) < PKCS7_CERTIFICATES_MAX) {
		assert_int_equal(X509_up_ref(certificate), 1);
		assert_true(sk_X509_push(data->certificates, certificate) > 0);
	}
	unsigned_pack(data, &der);
	accept(&der);
	assert_int_equal(X509_up_ref(certificate), 1);
	assert_true(sk_X509_push(data->certificates, certificate) > 0);
	unsigned_pack(data, &der);
	refuse(&der, "PKCS#7: more than 128 certificates");
	SIGNED_DATA_free(data);
	buf_free(&der);
}

/* What is in extensions is taken apart, too, but later. */
static void
test_certificates_size(void **state)
{
	static const uint8_t value[PKCS7_CERTIFICATES_SIZE];
	struct buf der = BUF_INIT;
	ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
	X509 *large;
	X509_EXTENSION *extension;
	SIGNED_DATA *data;

	(void)state;
	signing_pkcs7(&signing_p256, "sha256", NULL, &der);
	data = unsigned_unpack(&der);
	assert_int_equal(ASN1_OCTET_STRING_set(octets, value, sizeof(value)),
	    1);
	extension =
	    X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, octets);
	large = X509_dup(sk_X509_value(data->certificates, 0));
	assert_int_equal(X509_add_ext(large, extension, -1), 1);
	assert_int_equal(i2d_re_X509_tbs(large, NULL) > 0, 1);
	assert_true(sk_X509_push(data->certificates, large) > 0);
	unsigned_pack(data, &der);
	refuse(&der, "PKCS#7: certificates of more than 262144 bytes");
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(octets);
	SIGNED_DATA_free(data);
	buf_free(&der);
}

/*
 * Have this part of SignedData, which begins with that tag, say that it is
 * primitive.
 */
static void
make_primitive(struct buf *der, unsigned int part, uint8_t tag)
{
	struct cursor c = cursor_over(der->data, der->len);
	struct ht_error e;
	struct der v;

	assert_int_equal(der_expect(&c, DER_SEQUENCE, &v, &e), 0);
	c = v.value;
	assert_int_equal(der_expect(&c, DER_OBJECT, &v, &e), 0);
	assert_int_equal(der_expect(&c, DER_CONTEXT(0), &v, &e), 0);
	c = v.value;
	assert_int_equal(der_expect(&c, DER_SEQUENCE, &v, &e), 0);
	c = v.value;
	while (part-- > 0)
		assert_int_equal(der_next(&c, &v, &e), 0);
	assert_int_equal(*c.p, tag);
	der->data[c.p - der->data] = tag & ~DER_CONSTRUCTED;
}

/*
 * libcrypto does not look at the bit that says "constructed", and would take
 * them all the same.
 */
static void
test_primitive(void **state)
{
	static const struct {
		unsigned int part;
		uint8_t tag;
	} parts[] = {
		{ 1, DER_SET },
		{ 2, DER_SEQUENCE },
		{ 3, DER_CONTEXT(0) },
		{ 4, DER_SET },
	};
	struct buf der = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		signing_pkcs7(&signing_p256, "sha256", NULL, &der);
		make_primitive(&der, parts[i].part, parts[i].tag);
		refuse(&der,
		    "PKCS#7: not a ContentInfo with SignedData (RFC 2315 7, "
		    "9.1)");
		buf_free(&der);
	}
}

/* 4 MiB of attributes took 150 MB. */
static void
test_values(void **state)
{
	static const size_t n = PKCS7_VALUES_MAX - 1000;
	struct buf der = BUF_INIT;
	struct buf values = BUF_INIT;
	size_t i;

	(void)state;
	der_put_header(&values, DER_SET, 2 * n);
	for (i = 0; i < n; i++)
		buf_bytes(&values, "\5", 2);
	signing_pkcs7(&signing_p256, "sha256", NULL, &der);
	unsigned_add(&der, "1.2.3.4", V_ASN1_OCTET_STRING, values.data,
	    values.len);
	unsigned_add(&der, "1.2.3.4", V_ASN1_SET, values.data, values.len);
	accept(&der);
	buf_reset(&values);
	der_put_header(&values, DER_SET, 2000);
	for (i = 0; i < 1000; i++)
		buf_bytes(&values, "\5", 2);
	unsigned_add(&der, "1.2.3.4", V_ASN1_SET, values.data, values.len);
	refuse(&der, "DER: more than 65536 values");
	buf_free(&values);
	buf_free(&der);
}

static void
count(const char *der, size_t n, size_t max, int rc, size_t expected)
{
	struct ht_error e;
	size_t found = 1;

	assert_int_equal(der_count(cursor_over(der, n), max, &found, &e), rc);
	assert_int_equal(found, expected);
}

static void
test_count(void **state)
{
	char deep[128], *last = malloc(1);
	struct ht_error e;
	size_t found = 0;
	int i;

	(void)state;
	for (i = 0; i < 64; i++) {
		deep[2 * i] = 0x30;
		deep[2 * i + 1] = (char)(126 - 2 * i);
	}
	count(deep, sizeof(deep), 99, HT_ERR_DATA, 65);
	deep[125] = 0;
	count(deep, 126, 99, HT_ERR_DATA, 1);
	deep[1] = 124;
	for (i = 1; i < 63; i++)
		deep[2 * i + 1] = (char)(124 - 2 * i);
	count(deep, 126, 99, 0, 64);
	count("", 0, 1, 0, 1);
	count("\5", 2, 2, 0, 2);
	count("\5", 2, 1, HT_ERR_DATA, 1);
	/* SEQUENCE { NULL, SEQUENCE { }, OCTET STRING that looks like two } */
	count("\x30\x08\5\0\x30\0\4\2\5", 10, 9, 0, 5);
	/* A length that is left open, and the end of that. */
	count("\x30\x80\5\0\0", 6, 9, 0, 4);
	count("\4\x80\5\0\0", 6, 9, HT_ERR_DATA, 1);
	count("\4\3\5", 4, 9, HT_ERR_DATA, 1);
	count("\x30\3\5", 4, 9, HT_ERR_DATA, 1);
	count("\x30", 1, 9, HT_ERR_DATA, 1);
	count("\x30\2\5\0", 4, 2, HT_ERR_DATA, 2);
	/* One that does not end in the one around it. */
	count("\x30\2\4\1\0", 5, 9, HT_ERR_DATA, 2);
	count("\x1f", 2, 9, HT_ERR_DATA, 1);
	/* What is primitive only by its own word. */
	count("\x10\2\5\0", 4, 9, HT_ERR_DATA, 2);
	count("\x11\2\5\0", 4, 9, HT_ERR_DATA, 2);
	count("\x81\5\5\0\5\0\0", 7, 4, 0, 4);
	count("\x81\5\5\0\5\0\0", 7, 3, HT_ERR_DATA, 2);
	count("\x81\5\5\0\5\0\0", 7, 2, HT_ERR_DATA, 2);
	count("\x81\6\5\0\5\0\5", 8, 2, HT_ERR_DATA, 2);
	assert_int_equal(der_count(cursor_over("\5", 2), 1, &found, &e), 0);
	assert_int_equal(found, 1);
	/* Nothing is read behind the end. */
	assert_non_null(last);
	*last = 0x30;
	count(last, 1, 9, HT_ERR_DATA, 1);
	free(last);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_certificates_size),
		cmocka_unit_test(test_primitive),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_count),
	};

	return cmocka_run_group_tests(tests, signing_start, signing_stop);
}
