#include "config.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pkcs7.h>
#include <openssl/ts.h>
#include <openssl/x509.h>

#include <stdlib.h>
#include <string.h>

#include "signature/der.h"
#include "signature/spc-asn1.h"
#include "signature/timestamp.h"
#include "signature/x509.h"

/* The same function: libcrypto 3.4 renamed it and deprecated the old name. */
#if OPENSSL_VERSION_NUMBER < 0x30400000L
#define TS_VERIFY_CTX_set0_store TS_VERIFY_CTX_set_store
#endif

/*
 * libcrypto's own PKCS#7 serves here.  A token's content is an OCTET STRING,
 * and its signature only needs to be verified.
 */
struct token {
	PKCS7 *p7;
	TS_TST_INFO *info;
	X509 *signer; /* inside p7 */
};

static void
close_token(struct token *token)
{
	TS_TST_INFO_free(token->info);
	PKCS7_free(token->p7);
}

/*
 * Find the certificate of the only signer.
 */
static int
find_signer(struct token *token, struct ht_error *e)
{
	STACK_OF(PKCS7_SIGNER_INFO) *infos = PKCS7_get_signer_info(token->p7);
	STACK_OF(X509) *signers = NULL;
	int rc = 0;

	if (sk_PKCS7_SIGNER_INFO_num(infos) == 1)
		signers = PKCS7_get0_signers(token->p7, NULL, 0);
	if (sk_X509_num(signers) == 1)
		token->signer = sk_X509_value(signers, 0);
	else
		rc = spc_crypto_error(e, HT_ERR_DATA,
		    "timestamp: it does not have one signer with its "
		    "certificate (RFC 3161 2.4.2)");
	sk_X509_free(signers);
	return rc;
}

/*
 * Count the values inside the content.  der_count sees it as one OCTET STRING.
 */
static int
count_content(const PKCS7 *p7, size_t *values, struct ht_error *e)
{
	const PKCS7 *contents = p7->d.sign->contents;
	const ASN1_TYPE *content;
	const ASN1_OCTET_STRING *octets;

	if (OBJ_obj2nid(contents->type) != NID_id_smime_ct_TSTInfo)
		return 0;
	content = contents->d.other;
	if (content == NULL || content->type != V_ASN1_OCTET_STRING)
		return 0;
	octets = content->value.octet_string;
	return der_count(cursor_over(ASN1_STRING_get0_data(octets),
	                     (size_t)ASN1_STRING_length(octets)),
	    TIMESTAMP_VALUES_MAX, values, e);
}

static int
open_token(const void *der, size_t n, struct token *token, struct ht_error *e)
{
	const unsigned char *p = der;
	size_t values = 0;
	int rc;

	memset(token, 0, sizeof(*token));
	if (n > TIMESTAMP_MAX)
		return ht_error_set(e, HT_ERR_DATA, "timestamp: over %zu bytes",
		    TIMESTAMP_MAX);
	rc = der_count(cursor_over(der, n), TIMESTAMP_VALUES_MAX, &values, e);
	if (rc < 0)
		return rc;
	token->p7 = d2i_PKCS7(NULL, &p, (long)n);
	if (token->p7 == NULL || !PKCS7_type_is_signed(token->p7) ||
	    token->p7->d.sign == NULL)
		return spc_crypto_error(e, HT_ERR_DATA,
		    "timestamp: not SignedData (RFC 3161 2.4.2)");
	if (p != (const unsigned char *)der + n)
		return ht_error_set(e, HT_ERR_DATA,
		    "timestamp: bytes left over behind the token");
	rc = count_content(token->p7, &values, e);
	if (rc < 0)
		return rc;
	token->info = PKCS7_to_TS_TST_INFO(token->p7);
	if (token->info == NULL)
		return spc_crypto_error(e, HT_ERR_DATA,
		    "timestamp: the content is not a TSTInfo (RFC 3161 2.4.2)");
	return find_signer(token, e);
}

static int
read_token(const struct token *token, struct timestamp *out, struct ht_error *e)
{
	const ASN1_GENERALIZEDTIME *when = TS_TST_INFO_get_time(token->info);

	if (x509_seconds(when, &out->time) < 0)
		return spc_crypto_error(e, HT_ERR_DATA,
		    "timestamp: no genTime that can be read");
	out->authority = x509_subject(token->signer);
	if (out->authority == NULL)
		return ht_error_memory(e);
	return 0;
}

int
timestamp_read(const void *der, size_t n, struct timestamp *out,
    struct ht_error *e)
{
	struct token token;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = open_token(der, n, &token, e);
	if (rc == 0)
		rc = read_token(&token, out, e);
	close_token(&token);
	return rc;
}

static int
check_algorithms(const struct token *token, struct ht_error *e)
{
	PKCS7_SIGNER_INFO *info =
	    sk_PKCS7_SIGNER_INFO_value(PKCS7_get_signer_info(token->p7), 0);

	if (spc_algorithm_of(info->digest_alg) == NULL)
		return ht_error_set(e, HT_ERR_DATA,
		    "timestamp: its digest algorithm is not SHA-256, SHA-384 "
		    "or SHA-512");
	return 0;
}

static int
check_imprint(const struct token *token, const void *stamped, size_t length,
    struct ht_error *e)
{
	TS_MSG_IMPRINT *imprint = TS_TST_INFO_get_msg_imprint(token->info);
	const ASN1_OCTET_STRING *said = TS_MSG_IMPRINT_get_msg(imprint);
	uint8_t digest[EVP_MAX_MD_SIZE];
	const char *algorithm;
	unsigned int n;

	algorithm = spc_algorithm_of(TS_MSG_IMPRINT_get_algo(imprint));
	if (algorithm == NULL)
		return ht_error_set(e, HT_ERR_DATA,
		    "timestamp: the imprint is not of SHA-256, SHA-384 or "
		    "SHA-512");
	if (EVP_Digest(stamped, length, digest, &n, spc_md(algorithm), NULL) !=
	    1)
		return spc_crypto_error(e, HT_ERR_INTERNAL, "cannot digest");
	if ((size_t)ASN1_STRING_length(said) != n ||
	    memcmp(ASN1_STRING_get0_data(said), digest, n) != 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "timestamp: it is for another signature (RFC 3161 2.4.2)");
	return 0;
}

/*
 * Verify the signature and the signing certificate attribute.  Consumes roots.
 */
static int
check_signature(const struct token *token, X509_STORE *roots,
    struct ht_error *e)
{
	TS_VERIFY_CTX *how = TS_VERIFY_CTX_new();
	int rc = 0;

	if (how == NULL) {
		X509_STORE_free(roots);
		return ht_error_memory(e);
	}
	(void)TS_VERIFY_CTX_set0_store(how, roots);
	(void)TS_VERIFY_CTX_set_flags(how,
	    TS_VFY_SIGNATURE | TS_VFY_VERSION | TS_VFY_SIGNER);
	if (TS_RESP_verify_token(how, token->p7) != 1)
		rc = spc_crypto_error(e, HT_ERR_DATA,
		    "timestamp: it does not verify (RFC 3161 2.4.2)");
	TS_VERIFY_CTX_free(how);
	ERR_clear_error();
	return rc;
}

static int
verify_token(const struct token *token, const void *pem, size_t size,
    int64_t when, struct ht_error *e)
{
	STACK_OF(X509) *others = token->p7->d.sign->cert;
	X509_STORE *roots;
	struct ht_error why;
	int rc;

	rc = x509_check_timestamping(token->signer, e);
	if (rc < 0)
		return rc;
	rc = x509_read_roots(pem, size, when, &roots, e);
	if (rc < 0)
		return rc;
	rc =
	    x509_verify_path(token->signer, others, roots, XKU_TIMESTAMP, &why);
	if (rc < 0) {
		X509_STORE_free(roots);
		return ht_error_set(e, rc, "timestamp: %s", why.text);
	}
	return check_signature(token, roots, e);
}

int
timestamp_verify(const void *der, size_t n, const void *stamped, size_t length,
    const void *pem, size_t size, struct timestamp *out, struct ht_error *e)
{
	struct token token;
	int rc;

	memset(out, 0, sizeof(*out));
	if ((rc = open_token(der, n, &token, e)) == 0 &&
	    (rc = read_token(&token, out, e)) == 0 &&
	    (rc = check_algorithms(&token, e)) == 0 &&
	    (rc = check_imprint(&token, stamped, length, e)) == 0)
		rc = verify_token(&token, pem, size, out->time, e);
	close_token(&token);
	if (rc < 0)
		timestamp_clear(out);
	return rc;
}

void
timestamp_clear(struct timestamp *timestamp)
{
	free(timestamp->authority);
	memset(timestamp, 0, sizeof(*timestamp));
}
