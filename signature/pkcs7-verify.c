#include "config.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <string.h>

#include "signature/pkcs7-private.h"
#include "signature/x509.h"

/* No real chain of embedded certificates is longer. */
#define DEPTH_MAX 16

/*
 * The attributes must state the type of the content and its digest (RFC 2315
 * 9.2).
 */
static int
check_attributes(const struct pkcs7 *p7, struct ht_error *e)
{
	struct cursor content = pkcs7_content(p7);
	struct spc_digest digest;
	const ASN1_TYPE *value;
	const ASN1_STRING *said;
	int rc;

	value = pkcs7_signed_value(p7, OID_CONTENT_TYPE, V_ASN1_OBJECT);
	if (value == NULL || !spc_is_object(value->value.object, p7->type))
		return ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: no contentType attribute that says what the "
		    "content is (RFC 2315 9.2)");
	value = pkcs7_signed_value(p7, OID_MESSAGE_DIGEST, V_ASN1_OCTET_STRING);
	if (value == NULL)
		return ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: no messageDigest attribute (RFC 2315 9.2)");
	rc = content_digest(content.p, content.left, p7->algorithm, &digest, e);
	if (rc < 0)
		return rc;
	said = value->value.octet_string;
	if ((size_t)ASN1_STRING_length(said) != digest.length ||
	    memcmp(ASN1_STRING_get0_data(said), digest.value, digest.length) !=
	        0)
		return ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: messageDigest is not the digest of the content "
		    "(RFC 2315 9.3)");
	return 0;
}

static X509 *
find_issuer(const SIGNED_DATA *data, X509 *certificate)
{
	X509 *candidate;
	int i;

	for (i = 0; i < sk_X509_num(data->certificates); i++) {
		candidate = sk_X509_value(data->certificates, i);
		if (candidate != certificate &&
		    X509_check_issued(candidate, certificate) == X509_V_OK)
			return candidate;
	}
	return NULL;
}

/* Cross certificates can form a circle. */
static bool
is_among(X509 *const *path, int n, const X509 *certificate)
{
	while (n-- > 0) {
		if (path[n] == certificate)
			return true;
	}
	return false;
}

static int
check_embedded_chain(const struct pkcs7 *p7, struct ht_error *e)
{
	X509 *path[DEPTH_MAX];
	X509 *issuer;
	int depth;
	int rc;

	path[0] = p7->signer;
	for (depth = 0; depth < DEPTH_MAX; depth++) {
		if (x509_is_root(path[depth]))
			return 0;
		issuer = find_issuer(p7->data, path[depth]);
		if (issuer == NULL || is_among(path, depth + 1, issuer))
			return 0;
		rc = x509_check_issuer(path[depth], issuer, e);
		if (rc < 0)
			return rc;
		if (depth + 1 < DEPTH_MAX)
			path[depth + 1] = issuer;
	}
	return ht_error_set(e, HT_ERR_DATA,
	    "PKCS#7: a chain of more than %d certificates", DEPTH_MAX);
}

int
pkcs7_verify(const struct pkcs7 *p7, struct ht_error *e)
{
	struct spc_digest digest;
	const ASN1_STRING *signature = p7->info->signature;
	int rc;

	if (p7->problem_count > 0)
		return ht_error_set(e, HT_ERR_DATA, "PKCS#7: %s",
		    p7->problems[0]);
	if ((rc = check_attributes(p7, e)) < 0 ||
	    (rc = attributes_digest(p7->info->signed_attributes, p7->algorithm,
	         &digest, e)) < 0 ||
	    (rc = signature_verify(p7->signer, &digest,
	         ASN1_STRING_get0_data(signature),
	         (size_t)ASN1_STRING_length(signature), e)) < 0 ||
	    (rc = x509_check_code_signing(p7->signer, e)) < 0)
		return rc;
	return check_embedded_chain(p7, e);
}

int
pkcs7_postflight(const void *der, size_t size, const void *content, size_t n,
    struct ht_error *e)
{
	struct pkcs7 *p7;
	struct cursor found;
	int rc;

	rc = pkcs7_parse(der, size, &p7, e);
	if (rc < 0)
		return rc;
	found = pkcs7_content(p7);
	if (found.left != n || memcmp(found.p, content, n) != 0)
		rc = ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: it does not cover the content that was sent");
	else
		rc = pkcs7_verify(p7, e);
	pkcs7_free(p7);
	return rc;
}

int
pkcs7_verify_chain_at(const struct pkcs7 *p7, const void *pem, size_t n,
    int64_t when, struct ht_error *e)
{
	X509_STORE *roots;
	int rc;

	rc = x509_read_roots(pem, n, when, &roots, e);
	if (rc == 0)
		rc = x509_verify_path(p7->signer, p7->data->certificates, roots,
		    XKU_CODE_SIGN, NULL, e);
	X509_STORE_free(roots);
	return rc;
}

struct cursor
pkcs7_stamped(const struct pkcs7 *p7)
{
	const ASN1_OCTET_STRING *octets = p7->info->signature;

	return cursor_over(ASN1_STRING_get0_data(octets),
	    (size_t)ASN1_STRING_length(octets));
}

int
pkcs7_validity(const struct pkcs7 *p7, int64_t *not_before, int64_t *not_after,
    struct ht_error *e)
{
	if (x509_seconds(X509_get0_notBefore(p7->signer), not_before) < 0 ||
	    x509_seconds(X509_get0_notAfter(p7->signer), not_after) < 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "the signer's certificate has no validity");
	return 0;
}

bool
pkcs7_is_for_lifetime(const struct pkcs7 *p7)
{
	return x509_is_for_lifetime(p7->signer);
}
