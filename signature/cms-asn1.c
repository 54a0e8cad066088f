#include "config.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>

#include <limits.h>
#include <string.h>

#include "signature/cms-asn1.h"
#include "signature/spc-asn1.h"

/* clang-format off */
ASN1_SEQUENCE(CONTENT_INFO) = {
	ASN1_SIMPLE(CONTENT_INFO, type, ASN1_OBJECT),
	ASN1_EXP_OPT(CONTENT_INFO, content, ASN1_ANY, 0)
} ASN1_SEQUENCE_END(CONTENT_INFO)
IMPLEMENT_ASN1_FUNCTIONS(CONTENT_INFO)

ASN1_SEQUENCE(ISSUER_AND_SERIAL) = {
	ASN1_SIMPLE(ISSUER_AND_SERIAL, issuer, X509_NAME),
	ASN1_SIMPLE(ISSUER_AND_SERIAL, serial, ASN1_INTEGER)
} ASN1_SEQUENCE_END(ISSUER_AND_SERIAL)
IMPLEMENT_ASN1_FUNCTIONS(ISSUER_AND_SERIAL)

ASN1_SEQUENCE(SIGNER_INFO) = {
	ASN1_SIMPLE(SIGNER_INFO, version, ASN1_INTEGER),
	ASN1_SIMPLE(SIGNER_INFO, signer, ISSUER_AND_SERIAL),
	ASN1_SIMPLE(SIGNER_INFO, digest_algorithm, X509_ALGOR),
	ASN1_IMP_SET_OF_OPT(SIGNER_INFO, signed_attributes, X509_ATTRIBUTE, 0),
	ASN1_SIMPLE(SIGNER_INFO, signature_algorithm, X509_ALGOR),
	ASN1_SIMPLE(SIGNER_INFO, signature, ASN1_OCTET_STRING),
	ASN1_IMP_SET_OF_OPT(SIGNER_INFO, unsigned_attributes, X509_ATTRIBUTE, 1)
} ASN1_SEQUENCE_END(SIGNER_INFO)
IMPLEMENT_ASN1_FUNCTIONS(SIGNER_INFO)

ASN1_SEQUENCE(SIGNED_DATA) = {
	ASN1_SIMPLE(SIGNED_DATA, version, ASN1_INTEGER),
	ASN1_SET_OF(SIGNED_DATA, digest_algorithms, X509_ALGOR),
	ASN1_SIMPLE(SIGNED_DATA, content, CONTENT_INFO),
	ASN1_IMP_SET_OF_OPT(SIGNED_DATA, certificates, X509, 0),
	ASN1_IMP_SET_OF_OPT(SIGNED_DATA, crls, X509_CRL, 1),
	ASN1_SET_OF(SIGNED_DATA, signers, SIGNER_INFO)
} ASN1_SEQUENCE_END(SIGNED_DATA)
IMPLEMENT_ASN1_FUNCTIONS(SIGNED_DATA)

ASN1_SEQUENCE(SIGNED_DATA_INFO) = {
	ASN1_SIMPLE(SIGNED_DATA_INFO, type, ASN1_OBJECT),
	ASN1_EXP_OPT(SIGNED_DATA_INFO, data, SIGNED_DATA, 0)
} ASN1_SEQUENCE_END(SIGNED_DATA_INFO)
IMPLEMENT_ASN1_FUNCTIONS(SIGNED_DATA_INFO)

/* A SET OF as it is digested: sorted, or in its present order. */
ASN1_ITEM_TEMPLATE(ATTRIBUTES_SORTED) =
	ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SET_OF, 0, attributes, X509_ATTRIBUTE)
static_ASN1_ITEM_TEMPLATE_END(ATTRIBUTES_SORTED)

ASN1_ITEM_TEMPLATE(ATTRIBUTES_AS_THEY_ARE) =
	ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF | ASN1_TFLG_IMPTAG |
	    ASN1_TFLG_UNIVERSAL, V_ASN1_SET, attributes, X509_ATTRIBUTE)
static_ASN1_ITEM_TEMPLATE_END(ATTRIBUTES_AS_THEY_ARE)
/* clang-format on */

int
signed_data_set_content(SIGNED_DATA *data, const char *type,
    const void *content, size_t n)
{
	CONTENT_INFO *info = data->content;
	ASN1_STRING *octets = ASN1_STRING_type_new(V_ASN1_SEQUENCE);

	ASN1_OBJECT_free(info->type);
	info->type = OBJ_txt2obj(type, 1);
	info->content = ASN1_TYPE_new();
	if (octets == NULL || info->type == NULL || info->content == NULL ||
	    ASN1_STRING_set(octets, content, (int)n) != 1) {
		ASN1_STRING_free(octets);
		return -1;
	}
	ASN1_TYPE_set(info->content, V_ASN1_SEQUENCE, octets);
	return 0;
}

int
signed_data_encode(SIGNED_DATA *data, struct buf *der, struct ht_error *e)
{
	SIGNED_DATA_INFO *info = SIGNED_DATA_INFO_new();
	unsigned char *out = NULL;
	int rc = HT_ERR_INTERNAL;
	int n;

	if (info == NULL)
		goto out;
	ASN1_OBJECT_free(info->type);
	info->type = OBJ_nid2obj(NID_pkcs7_signed);
	info->data = data;
	n = i2d_SIGNED_DATA_INFO(info, NULL);
	info->data = NULL;
	if (n <= 0)
		goto out;
	buf_reserve(der, (size_t)n);
	out = buf_room(der, (size_t)n);
	if (out == NULL)
		goto out;
	info->data = data;
	if (i2d_SIGNED_DATA_INFO(info, &out) == n)
		rc = 0;
	else
		der->len -= (size_t)n;
	info->data = NULL;
out:
	if (rc < 0)
		(void)spc_crypto_error(e, rc, "cannot encode the SignedData");
	SIGNED_DATA_INFO_free(info);
	return rc;
}

static int
digest_of(const void *p, size_t n, const char *algorithm,
    struct spc_digest *digest, struct ht_error *e)
{
	if (EVP_Digest(p, n, digest->value, NULL, spc_md(algorithm), NULL) != 1)
		return spc_crypto_error(e, HT_ERR_INTERNAL, "cannot digest");
	digest->algorithm = spc_algorithm(algorithm, &digest->length);
	return 0;
}

int
attributes_digest(const STACK_OF(X509_ATTRIBUTE) *attributes,
    const char *algorithm, struct spc_digest *digest, struct ht_error *e)
{
	unsigned char *der = NULL;
	int rc;
	int n;

	n = ASN1_item_i2d((const ASN1_VALUE *)attributes, &der,
	    ASN1_ITEM_rptr(ATTRIBUTES_AS_THEY_ARE));
	if (n <= 0)
		return spc_crypto_error(e, HT_ERR_INTERNAL,
		    "cannot encode the signed attributes");
	rc = digest_of(der, (size_t)n, algorithm, digest, e);
	OPENSSL_free(der);
	return rc;
}

int
attributes_sort(STACK_OF(X509_ATTRIBUTE) **attributes, struct ht_error *e)
{
	STACK_OF(X509_ATTRIBUTE) *sorted = NULL;
	unsigned char *der = NULL;
	const unsigned char *p;
	int n;

	n = ASN1_item_i2d((const ASN1_VALUE *)*attributes, &der,
	    ASN1_ITEM_rptr(ATTRIBUTES_SORTED));
	if (n > 0) {
		p = der;
		sorted = (STACK_OF(X509_ATTRIBUTE) *)ASN1_item_d2i(NULL, &p, n,
		    ASN1_ITEM_rptr(ATTRIBUTES_SORTED));
	}
	OPENSSL_free(der);
	if (sorted == NULL)
		return spc_crypto_error(e, HT_ERR_INTERNAL,
		    "cannot encode the signed attributes");
	sk_X509_ATTRIBUTE_pop_free(*attributes, X509_ATTRIBUTE_free);
	*attributes = sorted;
	return 0;
}

int
content_digest(const void *der, size_t n, const char *algorithm,
    struct spc_digest *digest, struct ht_error *e)
{
	const unsigned char *p = der;
	long length;
	int tag;
	int class;
	int kind;

	if (n > LONG_MAX)
		return ht_error_set(e, HT_ERR_DATA, "content is too long");
	kind = ASN1_get_object(&p, &length, &tag, &class, (long)n);
	/* The error bit, and the bit for an indefinite BER length. */
	if ((kind & 0x81) != 0 || p + length != (const unsigned char *)der + n)
		return spc_crypto_error(e, HT_ERR_DATA,
		    "content is not one DER value (X.690)");
	return digest_of(p, (size_t)length, algorithm, digest, e);
}

int
signature_verify(X509 *certificate, const struct spc_digest *digest,
    const void *signature, size_t n, struct ht_error *e)
{
	EVP_PKEY *key = X509_get0_pubkey(certificate);
	EVP_PKEY_CTX *verify = NULL;
	int rc = HT_ERR_DATA;

	if (key != NULL)
		verify = EVP_PKEY_CTX_new(key, NULL);
	if (verify == NULL || EVP_PKEY_verify_init(verify) != 1 ||
	    EVP_PKEY_CTX_set_signature_md(verify, spc_md(digest->algorithm)) !=
	        1)
		goto out;
	if (EVP_PKEY_verify(verify, signature, n, digest->value,
	        digest->length) == 1)
		rc = 0;
out:
	if (rc < 0)
		(void)spc_crypto_error(e, rc,
		    "the signature does not verify with the certificate's "
		    "public key");
	EVP_PKEY_CTX_free(verify);
	return rc;
}
