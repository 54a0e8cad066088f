#include "config.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pkcs7.h>
#include <openssl/ts.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signature/der.h"
#include "signature/ess.h"
#include "signature/spc-asn1.h"
#include "signature/timestamp.h"
#include "signature/x509-only.h"
#include "signature/x509.h"

/*
 * libcrypto's own PKCS#7 serves here.  A token's content is an OCTET STRING,
 * and its signature only needs to be verified.
 */
struct token {
	PKCS7 *p7;
	TS_TST_INFO *content;
	PKCS7_SIGNER_INFO *info;           /* inside p7 */
	X509 *signer;                      /* inside p7 */
	struct buf attribute_certificates; /* as of x509_only */
};

static void
close_token(struct token *token)
{
	TS_TST_INFO_free(token->content);
	PKCS7_free(token->p7);
	buf_free(&token->attribute_certificates);
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
	if (sk_X509_num(signers) == 1) {
		token->info = sk_PKCS7_SIGNER_INFO_value(infos, 0);
		token->signer = sk_X509_value(signers, 0);
	} else {
		rc = spc_crypto_error(e, HT_ERR_DATA,
		    "timestamp: it does not have one signer with its "
		    "certificate (RFC 3161 2.4.2)");
	}
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
unpack(struct cursor der, PKCS7 **p7, struct ht_error *e)
{
	const unsigned char *p = der.p;

	*p7 = d2i_PKCS7(NULL, &p, (long)der.left);
	if (*p7 == NULL || !PKCS7_type_is_signed(*p7) || (*p7)->d.sign == NULL)
		return spc_crypto_error(e, HT_ERR_DATA,
		    "timestamp: not SignedData (RFC 3161 2.4.2)");
	if (p != der.p + der.left)
		return ht_error_set(e, HT_ERR_DATA,
		    "timestamp: bytes left over behind the token");
	return 0;
}

static int
open_token(const void *der, size_t n, struct token *token, struct ht_error *e)
{
	struct cursor c = cursor_over(der, n);
	struct buf without = BUF_INIT;
	size_t values = 0;
	int rc;

	memset(token, 0, sizeof(*token));
	if (n > TIMESTAMP_MAX)
		return ht_error_set(e, HT_ERR_DATA, "timestamp: over %zu bytes",
		    TIMESTAMP_MAX);
	rc = der_count(c, TIMESTAMP_VALUES_MAX, &values, e);
	if (rc == 0)
		rc = x509_only(c, &without, &token->attribute_certificates, e);
	if (rc == 0)
		rc = unpack(without.len > 0 ? buf_cursor(&without) : c,
		    &token->p7, e);
	buf_free(&without);
	if (rc < 0)
		return rc;
	rc = count_content(token->p7, &values, e);
	if (rc < 0)
		return rc;
	token->content = PKCS7_to_TS_TST_INFO(token->p7);
	if (token->content == NULL)
		return spc_crypto_error(e, HT_ERR_DATA,
		    "timestamp: the content is not a TSTInfo (RFC 3161 2.4.2)");
	return find_signer(token, e);
}

/*
 * The digits of a serial number, without its sign.
 */
static int
read_serial(const struct token *token, struct timestamp *out,
    struct ht_error *e)
{
	const ASN1_INTEGER *serial = TS_TST_INFO_get_serial(token->content);
	const uint8_t *p = ASN1_STRING_get0_data(serial);
	int n = ASN1_STRING_length(serial);
	int i;

	if (n > (TIMESTAMP_SERIAL - 1) / 2)
		return ht_error_set(e, HT_ERR_DATA,
		    "timestamp: a serial number of more than 160 bits (RFC "
		    "3161 "
		    "2.4.2)");
	for (i = 0; i < n; i++)
		(void)snprintf(out->serial + 2 * i, 3, "%02x", p[i]);
	return 0;
}

static int
read_token(const struct token *token, struct timestamp *out, struct ht_error *e)
{
	const ASN1_GENERALIZEDTIME *when = TS_TST_INFO_get_time(token->content);

	if (x509_seconds(when, &out->time) < 0)
		return spc_crypto_error(e, HT_ERR_DATA,
		    "timestamp: no genTime that can be read");
	out->authority = x509_subject(token->signer);
	if (out->authority == NULL)
		return ht_error_memory(e);
	return read_serial(token, out, e);
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
	if (spc_algorithm_of(token->info->digest_alg) == NULL)
		return ht_error_set(e, HT_ERR_DATA,
		    "timestamp: its digest algorithm is not SHA-256, SHA-384 "
		    "or SHA-512");
	return 0;
}

/*
 * The algorithm of the imprint: its name, or NULL.
 */
static const char *
imprint_algorithm(const struct token *token, struct ht_error *e)
{
	TS_MSG_IMPRINT *imprint = TS_TST_INFO_get_msg_imprint(token->content);
	const char *algorithm =
	    spc_algorithm_of(TS_MSG_IMPRINT_get_algo(imprint));

	if (algorithm == NULL)
		(void)ht_error_set(e, HT_ERR_DATA,
		    "timestamp: the imprint is not of SHA-256, SHA-384 or "
		    "SHA-512");
	return algorithm;
}

static int
check_imprint(const struct token *token, const void *digest, size_t n,
    struct ht_error *e)
{
	TS_MSG_IMPRINT *imprint = TS_TST_INFO_get_msg_imprint(token->content);
	const ASN1_OCTET_STRING *said = TS_MSG_IMPRINT_get_msg(imprint);

	if ((size_t)ASN1_STRING_length(said) != n ||
	    memcmp(ASN1_STRING_get0_data(said), digest, n) != 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "timestamp: it is for another signature (RFC 3161 2.4.2)");
	return 0;
}

static int
check_stamped(const struct token *token, const void *stamped, size_t length,
    struct ht_error *e)
{
	const char *algorithm = imprint_algorithm(token, e);
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned int n;

	if (algorithm == NULL)
		return HT_ERR_DATA;
	if (EVP_Digest(stamped, length, digest, &n, spc_md(algorithm), NULL) !=
	    1)
		return spc_crypto_error(e, HT_ERR_INTERNAL, "cannot digest");
	return check_imprint(token, digest, n, e);
}

static int
check_query(const struct token *token, const struct timestamp_query *query,
    struct ht_error *e)
{
	const ASN1_INTEGER *nonce = TS_TST_INFO_get_nonce(token->content);
	const char *algorithm = imprint_algorithm(token, e);
	uint64_t said;

	if (algorithm == NULL)
		return HT_ERR_DATA;
	if (strcmp(algorithm, query->digest) != 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "timestamp: the imprint is of %s instead of %s (RFC 3161 "
		    "2.4.2)",
		    algorithm, query->digest);
	if (nonce == NULL || ASN1_INTEGER_get_uint64(&said, nonce) != 1 ||
	    said != query->nonce) {
		ERR_clear_error();
		return ht_error_set(e, HT_ERR_DATA,
		    "timestamp: its nonce is another (RFC 3161 2.4.2)");
	}
	return check_imprint(token, query->imprint.p, query->imprint.left, e);
}

/*
 * Check that the signer signed the content.
 */
static int
check_signature(const struct token *token, struct ht_error *e)
{
	BIO *content = PKCS7_dataInit(token->p7, NULL);
	char chunk[1024];
	int rc = HT_ERR_DATA;

	if (content != NULL) {
		while (BIO_read(content, chunk, sizeof(chunk)) > 0)
			continue;
		if (PKCS7_signatureVerify(content, token->p7, token->info,
		        token->signer) == 1)
			rc = 0;
	}
	if (rc < 0)
		(void)spc_crypto_error(e, rc,
		    "timestamp: its signature does not verify");
	BIO_free_all(content);
	ERR_clear_error();
	return rc;
}

/*
 * Check that the authority that the content names, if it does, is the signer:
 * its subject, or one of its alternative names (RFC 3161 2.4.2).
 */
static int
check_name(const struct token *token, struct ht_error *e)
{
	GENERAL_NAME *said = TS_TST_INFO_get_tsa(token->content);
	GENERAL_NAMES *names;
	bool is;
	int i;

	if (said == NULL)
		return 0;
	is = said->type == GEN_DIRNAME &&
	    X509_NAME_cmp(said->d.dirn, X509_get_subject_name(token->signer)) ==
	        0;
	names =
	    X509_get_ext_d2i(token->signer, NID_subject_alt_name, NULL, NULL);
	for (i = 0; i < sk_GENERAL_NAME_num(names); i++)
		is = is ||
		    GENERAL_NAME_cmp(sk_GENERAL_NAME_value(names, i), said) ==
		        0;
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	if (!is)
		return ht_error_set(e, HT_ERR_DATA,
		    "timestamp: it names another authority than its signer "
		    "(RFC 3161 2.4.2)");
	return 0;
}

static int
verify_token(const struct token *token, const void *pem, size_t size,
    int64_t when, struct ht_error *e)
{
	STACK_OF(X509) *others = token->p7->d.sign->cert;
	STACK_OF(X509) *path = NULL;
	X509_STORE *roots;
	struct ht_error why;
	int rc;

	if (TS_TST_INFO_get_version(token->content) != 1)
		return ht_error_set(e, HT_ERR_DATA,
		    "timestamp: not version 1 (RFC 3161 2.4.2)");
	rc = x509_check_timestamping(token->signer, e);
	if (rc < 0)
		return rc;
	rc = x509_read_roots(pem, size, when, &roots, e);
	if (rc < 0)
		return rc;
	rc = x509_verify_path(token->signer, others, roots, XKU_TIMESTAMP,
	    &path, &why);
	if (rc < 0)
		rc = ht_error_set(e, rc, "timestamp: %s", why.text);
	if (rc == 0)
		rc = check_signature(token, e);
	if (rc == 0)
		rc = ess_check(token->info, path,
		    buf_cursor(&token->attribute_certificates), e);
	if (rc == 0)
		rc = check_name(token, e);
	sk_X509_pop_free(path, X509_free);
	X509_STORE_free(roots);
	return rc;
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
	    (rc = check_stamped(&token, stamped, length, e)) == 0)
		rc = verify_token(&token, pem, size, out->time, e);
	close_token(&token);
	if (rc < 0)
		timestamp_clear(out);
	return rc;
}

int
timestamp_verify_reply(const void *der, size_t n,
    const struct timestamp_query *query, const void *pem, size_t size,
    struct timestamp *out, struct ht_error *e)
{
	struct token token;
	int rc;

	memset(out, 0, sizeof(*out));
	if ((rc = open_token(der, n, &token, e)) == 0 &&
	    (rc = read_token(&token, out, e)) == 0 &&
	    (rc = check_algorithms(&token, e)) == 0 &&
	    (rc = check_query(&token, query, e)) == 0)
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
