#include "config.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>

#include <string.h>

#include "signature/der.h"
#include "signature/ess.h"

/* ESSCertID, and ESSCertIDv2, which may have an algorithm. */
typedef struct {
	X509_ALGOR *algorithm;
	ASN1_OCTET_STRING *hash;
	ASN1_STRING *issuer_serial;
} CERTIFICATE_ID;

DEFINE_STACK_OF(CERTIFICATE_ID)

/* SigningCertificate, and SigningCertificateV2 */
typedef struct {
	STACK_OF(CERTIFICATE_ID) *ids;
	ASN1_STRING *policies;
} SIGNING_CERTIFICATE;

/* clang-format off */
ASN1_SEQUENCE(CERTIFICATE_ID) = {
	ASN1_OPT(CERTIFICATE_ID, algorithm, X509_ALGOR),
	ASN1_SIMPLE(CERTIFICATE_ID, hash, ASN1_OCTET_STRING),
	ASN1_OPT(CERTIFICATE_ID, issuer_serial, ASN1_SEQUENCE)
} static_ASN1_SEQUENCE_END(CERTIFICATE_ID)

ASN1_SEQUENCE(SIGNING_CERTIFICATE) = {
	ASN1_SEQUENCE_OF(SIGNING_CERTIFICATE, ids, CERTIFICATE_ID),
	ASN1_OPT(SIGNING_CERTIFICATE, policies, ASN1_SEQUENCE)
} static_ASN1_SEQUENCE_END(SIGNING_CERTIFICATE)
    /* clang-format on */

    static bool is_hash(const CERTIFICATE_ID *id, const uint8_t *digest,
        unsigned int n)
{
	return (unsigned int)ASN1_STRING_length(id->hash) == n &&
	    memcmp(ASN1_STRING_get0_data(id->hash), digest, n) == 0;
}

static bool
is_of_certificate(const CERTIFICATE_ID *id, const EVP_MD *md, X509 *certificate)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned int n;

	return X509_digest(certificate, md, digest, &n) == 1 &&
	    is_hash(id, digest, n);
}

static bool
is_of_other(const CERTIFICATE_ID *id, const EVP_MD *md, struct cursor others)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	struct der other;
	unsigned int n;

	while (der_expect(&others, DER_SEQUENCE, &other, NULL) == 0) {
		if (EVP_Digest(other.whole.p, other.whole.left, digest, &n, md,
		        NULL) == 1 &&
		    is_hash(id, digest, n))
			return true;
	}
	return false;
}

/*
 * Whether certificate i of the attribute is one that it may name.
 */
static bool
is_known(const SIGNING_CERTIFICATE *attribute, int i, const EVP_MD *md,
    STACK_OF(X509) *path, struct cursor others)
{
	const CERTIFICATE_ID *id = sk_CERTIFICATE_ID_value(attribute->ids, i);
	int n;

	if (id->algorithm != NULL)
		md = EVP_get_digestbyobj(id->algorithm->algorithm);
	if (md == NULL)
		return false;
	if (i == 0)
		return is_of_certificate(id, md, sk_X509_value(path, 0));
	for (n = 0; n < sk_X509_num(path); n++) {
		if (is_of_certificate(id, md, sk_X509_value(path, n)))
			return true;
	}
	return is_of_other(id, md, others);
}

/*
 * Check the attribute of this type.  md is the digest where an ID names none.
 * Sets *is_there.  Returns whether it is good, or not there.
 */
static bool
check(PKCS7_SIGNER_INFO *info, int nid, const EVP_MD *md, STACK_OF(X509) *path,
    struct cursor others, bool *is_there)
{
	const ASN1_TYPE *value = PKCS7_get_signed_attribute(info, nid);
	SIGNING_CERTIFICATE *attribute;
	bool good;
	int i;

	if (value == NULL)
		return true;
	*is_there = true;
	attribute = ASN1_TYPE_unpack_sequence(
	    ASN1_ITEM_rptr(SIGNING_CERTIFICATE), value);
	if (attribute == NULL)
		return false;
	good = sk_CERTIFICATE_ID_num(attribute->ids) > 0;
	for (i = 0; good && i < sk_CERTIFICATE_ID_num(attribute->ids); i++)
		good = is_known(attribute, i, md, path, others);
	ASN1_item_free((ASN1_VALUE *)attribute,
	    ASN1_ITEM_rptr(SIGNING_CERTIFICATE));
	return good;
}

int
ess_check(PKCS7_SIGNER_INFO *info, STACK_OF(X509) *path, struct cursor others,
    struct ht_error *e)
{
	bool is_there = false;
	bool good;

	good = check(info, NID_id_smime_aa_signingCertificateV2, EVP_sha256(),
	           path, others, &is_there) &&
	    check(info, NID_id_smime_aa_signingCertificate, EVP_sha1(), path,
	        others, &is_there);
	ERR_clear_error();
	if (good && is_there)
		return 0;
	return ht_error_set(e, HT_ERR_DATA,
	    "timestamp: no signing certificate attribute, or it names other "
	    "certificates (RFC 5035 5.4)");
}
