/*
 * Signatures that are shown although they are not accepted.
 */

#include "config.h"

#include <openssl/objects.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "signature/content.h"
#include "signature/der.h"
#include "signature/pkcs7-info.h"
#include "signature/pkcs7.h"
#include "tests/support/signing.h"
#include "tests/support/tsa.h"
#include "tests/support/unsigned.h"

/* A digest of 20 bytes by SHA-1, of SPC type 1.3.6.1.4.1.311.2.1.28. */
static const uint8_t sha1_content[] = { 0x30, 0x33, 0x30, 0x0e, 0x06, 0x0a,
	0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01, 0x1c, 0x30, 0x00,
	0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05,
	0x00, 0x04, 0x14, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
	17, 18, 19, 20 };

static void
set_algorithm(X509_ALGOR *algorithm, int nid)
{
	assert_int_equal(
	    X509_ALGOR_set0(algorithm, OBJ_nid2obj(nid), V_ASN1_NULL, NULL), 1);
}

static void
drop_content(SIGNED_DATA *data)
{
	ASN1_TYPE_free(data->content->content);
	data->content->content = NULL;
}

static void
use_sha1(SIGNED_DATA *data)
{
	SIGNER_INFO *info = sk_SIGNER_INFO_value(data->signers, 0);

	set_algorithm(info->digest_algorithm, NID_sha1);
	set_algorithm(sk_X509_ALGOR_value(data->digest_algorithms, 0),
	    NID_sha1);
	drop_content(data);
	assert_int_equal(signed_data_set_content(data, "1.3.6.1.4.1.311.2.1.4",
	                     sha1_content, sizeof(sha1_content)),
	    0);
}

static void
use_unknown_digest(SIGNED_DATA *data)
{
	SIGNER_INFO *info = sk_SIGNER_INFO_value(data->signers, 0);

	X509_ALGOR_set0(info->digest_algorithm, OBJ_txt2obj("1.2.3.4", 1),
	    V_ASN1_UNDEF, NULL);
}

static void
use_md5(SIGNED_DATA *data)
{
	use_sha1(data);
	set_algorithm(sk_SIGNER_INFO_value(data->signers, 0)->digest_algorithm,
	    NID_md5);
}

static void
add_algorithm(SIGNED_DATA *data)
{
	X509_ALGOR *algorithm = X509_ALGOR_new();

	set_algorithm(algorithm, NID_sha1);
	assert_true(sk_X509_ALGOR_push(data->digest_algorithms, algorithm) > 0);
}

static void
add_signer(SIGNED_DATA *data)
{
	SIGNER_INFO *info = ASN1_item_dup(ASN1_ITEM_rptr(SIGNER_INFO),
	    sk_SIGNER_INFO_value(data->signers, 0));

	assert_true(sk_SIGNER_INFO_push(data->signers, info) > 0);
}

static void
drop_certificates(SIGNED_DATA *data)
{
	sk_X509_pop_free(data->certificates, X509_free);
	data->certificates = NULL;
}

static void
use_other_key(SIGNED_DATA *data)
{
	set_algorithm(
	    sk_SIGNER_INFO_value(data->signers, 0)->signature_algorithm,
	    NID_rsaEncryption);
}

static void
use_version_3(SIGNED_DATA *data)
{
	assert_int_equal(ASN1_INTEGER_set(data->version, 3), 1);
}

static void
use_octets(SIGNED_DATA *data)
{
	drop_content(data);
	data->content->content = ASN1_TYPE_new();
	ASN1_TYPE_set(data->content->content, V_ASN1_OCTET_STRING,
	    ASN1_OCTET_STRING_new());
}

static void
use_everything(SIGNED_DATA *data)
{
	use_octets(data);
	add_signer(data);
	use_unknown_digest(data);
	drop_certificates(data);
	use_version_3(data);
}

static const struct {
	void (*change)(SIGNED_DATA *data);
	const char *problems[6];
} broken[] = {
	{ use_sha1, { "digest: SHA-1, not accepted" } },
	{ use_md5, { "digest: md5, not accepted" } },
	{ use_unknown_digest, { "digest: 1.2.3.4, not accepted" } },
	{ add_algorithm,
	    { "digestAlgorithms are not the signer's (RFC 2315 9.1)" } },
	{ add_signer, { "2 signers instead of one" } },
	{ drop_certificates, { "the signer's certificate is not in it" } },
	{ use_other_key,
	    { "the signature algorithm is not that of the signer's key (RFC "
	      "2315 9.2)" } },
	{ use_version_3, { "not version 1 (RFC 2315 9.1)" } },
	{ drop_content,
	    { "the content is neither SpcIndirectData nor a CTL" } },
	{ use_octets, { "the content is neither SpcIndirectData nor a CTL" } },
	{ use_everything,
	    { "the content is neither SpcIndirectData nor a CTL",
	        "2 signers instead of one", "digest: 1.2.3.4, not accepted",
	        "the signer's certificate is not in it",
	        "not version 1 (RFC 2315 9.1)" } },
};

/*
 * Take out of p7 all that info shows, whatever is missing in it.
 */
static void
show(const struct pkcs7 *p7)
{
	struct pkcs7_certificate certificate;
	struct spc_digest said;
	struct ht_error e;
	size_t i;

	(void)content_read("pe", p7, &said, &e);
	(void)content_read("cat", p7, &said, &e);
	for (i = 0; pkcs7_certificate(p7, i, &certificate, &e) > 0; i++)
		pkcs7_certificate_clear(&certificate);
	(void)pkcs7_signing_time(p7);
	assert_non_null(pkcs7_subject(p7));
	assert_string_equal(pkcs7_description(p7), "");
}

static void
test_problems(void **state)
{
	const char *const *problem;
	struct buf der = BUF_INIT;
	SIGNED_DATA *data;
	struct pkcs7 *p7;
	struct ht_error e;
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		buf_reset(&der);
		signing_pkcs7(&signing_p256, "sha256", NULL, &der);
		data = unsigned_unpack(&der);
		broken[i].change(data);
		unsigned_pack(data, &der);
		SIGNED_DATA_free(data);
		problem = broken[i].problems;
		assert_int_equal(pkcs7_parse(der.data, der.len, &p7, &e),
		    HT_ERR_DATA);
		assert_null(p7);
		assert_int_equal(strncmp(e.text, "PKCS#7: ", 8), 0);
		assert_string_equal(e.text + 8, problem[0]);
		assert_int_equal(pkcs7_read(der.data, der.len, &p7, &e), 0);
		for (j = 0; problem[j] != NULL; j++) {
			assert_non_null(pkcs7_problem(p7, j));
			assert_string_equal(pkcs7_problem(p7, j), problem[j]);
		}
		assert_null(pkcs7_problem(p7, j));
		assert_int_equal(pkcs7_verify(p7, &e), HT_ERR_DATA);
		assert_string_equal(e.text + 8, problem[0]);
		show(p7);
		pkcs7_free(p7);
	}
	buf_free(&der);
}

static void
test_sha1_is_shown(void **state)
{
	struct buf der = BUF_INIT;
	struct spc_digest said;
	struct cursor content;
	SIGNED_DATA *data;
	struct pkcs7 *p7;
	struct ht_error e;

	(void)state;
	signing_pkcs7(&signing_p256, "sha256", NULL, &der);
	data = unsigned_unpack(&der);
	use_sha1(data);
	unsigned_pack(data, &der);
	SIGNED_DATA_free(data);
	assert_int_equal(pkcs7_read(der.data, der.len, &p7, &e), 0);
	assert_string_equal(pkcs7_subject(p7), "CN=Test Signer");
	assert_null(pkcs7_algorithm(p7));
	assert_int_equal(content_read("pe", p7, &said, &e), HT_ERR_DATA);
	assert_string_equal(e.text,
	    "SpcIndirectData: SPC type 1.3.6.1.4.1.311.2.1.28 is not that of "
	    "format pe");
	content = pkcs7_content(p7);
	assert_int_equal(spc_show(content.p, content.left, &said, &e), 0);
	assert_null(said.algorithm);
	assert_int_equal(said.length, 20);
	assert_memory_equal(said.value,
	    sha1_content + sizeof(sha1_content) - 20, 20);
	assert_int_equal(spc_show(content.p, content.left - 1, &said, &e),
	    HT_ERR_DATA);
	assert_int_equal(said.length, 0);
	assert_int_equal(spc_show(NULL, 0, &said, &e), HT_ERR_DATA);
	pkcs7_free(p7);
	buf_free(&der);
}

/* Without a signer there is nothing to show. */
static void
test_no_signer(void **state)
{
	struct buf der = BUF_INIT;
	SIGNED_DATA *data;
	struct pkcs7 *p7;
	struct ht_error e;

	(void)state;
	signing_pkcs7(&signing_p256, "sha256", NULL, &der);
	data = unsigned_unpack(&der);
	SIGNER_INFO_free(sk_SIGNER_INFO_pop(data->signers));
	unsigned_pack(data, &der);
	SIGNED_DATA_free(data);
	assert_int_equal(pkcs7_read(der.data, der.len, &p7, &e), HT_ERR_DATA);
	assert_null(p7);
	assert_string_equal(e.text, "PKCS#7: no signer");
	buf_free(&der);
}

/*
 * Attribute certificates in a signature itself are left out as well.  Nobody
 * signed them.  What is nested in it is nested in all of it.
 */
static void
test_attribute_certificates(void **state)
{
	struct buf der = BUF_INIT;
	struct pkcs7 *p7;
	struct ht_error e;

	(void)state;
	signing_pkcs7(&signing_p256, "sha256", NULL, &der);
	tsa_add_attribute_certificate(&der, 1);
	tsa_add_attribute_certificate(&der, 2);
	assert_int_equal(pkcs7_parse(der.data, der.len, &p7, &e), 0);
	assert_int_equal(pkcs7_verify(p7, &e), 0);
	assert_int_equal(pkcs7_verify_chain_at(p7, signing_p256.root.data,
	                     signing_p256.root.len - 1, time(NULL), &e),
	    0);
	pkcs7_free(p7);
	buf_zeros(&der, 2);
	assert_int_equal(pkcs7_parse(der.data, der.len, &p7, &e), HT_ERR_DATA);
	der.len -= 2;
	tsa_add_attribute_certificate(&der, 0);
	assert_int_equal(pkcs7_parse(der.data, der.len, &p7, &e), HT_ERR_DATA);
	buf_free(&der);
}

/*
 * A counter-signature, which here is the signature of another time again.
 */
static void
test_countersignature(void **state)
{
	const struct cms_options options = { .signing_time = 1234567890 };
	struct timestamp timestamp;
	struct buf der = BUF_INIT;
	struct buf counter = BUF_INIT;
	unsigned char *out = NULL;
	SIGNED_DATA *data;
	struct pkcs7 *p7;
	struct ht_error e;
	int n;

	(void)state;
	signing_pkcs7(&signing_p256, "sha256", &options, &counter);
	data = unsigned_unpack(&counter);
	n = i2d_SIGNER_INFO(sk_SIGNER_INFO_value(data->signers, 0), &out);
	assert_true(n > 0);
	SIGNED_DATA_free(data);
	signing_pkcs7(&signing_p256, "sha256", NULL, &der);
	unsigned_add(&der, "1.2.840.113549.1.9.6", V_ASN1_SEQUENCE, out,
	    (size_t)n);
	/* And one of no SEQUENCE. */
	unsigned_add(&der, "1.2.840.113549.1.9.6", V_ASN1_OCTET_STRING, out,
	    (size_t)n);
	assert_int_equal(pkcs7_parse(der.data, der.len, &p7, &e), 0);
	assert_int_equal(
	    pkcs7_countersignature(p7, pkcs7_unsigned(p7, 0), &timestamp, &e),
	    0);
	assert_int_equal(timestamp.time, 1234567890);
	assert_string_equal(timestamp.authority, "CN=Test Signer");
	timestamp_clear(&timestamp);
	assert_int_equal(
	    pkcs7_countersignature(p7, pkcs7_unsigned(p7, 1), &timestamp, &e),
	    HT_ERR_DATA);
	assert_null(timestamp.authority);
	pkcs7_free(p7);

	/* Nobody's, and of no time. */
	data = unsigned_unpack(&der);
	drop_certificates(data);
	unsigned_pack(data, &der);
	SIGNED_DATA_free(data);
	assert_int_equal(pkcs7_read(der.data, der.len, &p7, &e), 0);
	assert_int_equal(
	    pkcs7_countersignature(p7, pkcs7_unsigned(p7, 0), &timestamp, &e),
	    HT_ERR_DATA);
	assert_int_equal(timestamp.time, 0);
	pkcs7_free(p7);
	buf_free(&der);
	buf_free(&counter);
	OPENSSL_free(out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_problems),
		cmocka_unit_test(test_sha1_is_shown),
		cmocka_unit_test(test_no_signer),
		cmocka_unit_test(test_attribute_certificates),
		cmocka_unit_test(test_countersignature),
	};

	return cmocka_run_group_tests(tests, signing_start, signing_stop);
}
