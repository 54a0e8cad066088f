/*
 * The ASN.1 of PKCS #7 v1.5 SignedData (RFC 2315) as libcrypto templates, for
 * signature/ only.
 *
 * libcrypto's own templates do not serve.  They expect content that is data or
 * an OCTET STRING, and a key in this process.
 */

#ifndef SIGNATURE_CMS_ASN1_H
#define SIGNATURE_CMS_ASN1_H

#include <openssl/asn1t.h>
#include <openssl/x509.h>

#include <stddef.h>

#include "lib/buf.h"
#include "lib/error.h"
#include "signature/spc.h"

/* RFC 2315 section 7, inside SignedData: what is signed. */
typedef struct {
	ASN1_OBJECT *type;
	ASN1_TYPE *content;
} CONTENT_INFO;

typedef struct {
	X509_NAME *issuer;
	ASN1_INTEGER *serial;
} ISSUER_AND_SERIAL;

/* RFC 2315 section 9.2 */
typedef struct {
	ASN1_INTEGER *version;
	ISSUER_AND_SERIAL *signer;
	X509_ALGOR *digest_algorithm;
	STACK_OF(X509_ATTRIBUTE) *signed_attributes;
	X509_ALGOR *signature_algorithm;
	ASN1_OCTET_STRING *signature;
	STACK_OF(X509_ATTRIBUTE) *unsigned_attributes;
} SIGNER_INFO;

DEFINE_STACK_OF(SIGNER_INFO)

/* RFC 2315 section 9.1 */
typedef struct {
	ASN1_INTEGER *version;
	STACK_OF(X509_ALGOR) *digest_algorithms;
	CONTENT_INFO *content;
	STACK_OF(X509) *certificates;
	STACK_OF(X509_CRL) *crls;
	STACK_OF(SIGNER_INFO) *signers;
} SIGNED_DATA;

/*
 * The ContentInfo around SignedData.  Content can have 9 MiB.  A type of its
 * own saves one more copy of it on the way in and out.
 */
typedef struct {
	ASN1_OBJECT *type;
	SIGNED_DATA *data;
} SIGNED_DATA_INFO;

DECLARE_ASN1_FUNCTIONS(CONTENT_INFO)
DECLARE_ASN1_FUNCTIONS(ISSUER_AND_SERIAL)
DECLARE_ASN1_FUNCTIONS(SIGNER_INFO)
DECLARE_ASN1_FUNCTIONS(SIGNED_DATA)
DECLARE_ASN1_FUNCTIONS(SIGNED_DATA_INFO)

/*
 * Set the content and its type.  The content is copied: n bytes of DER, a
 * SEQUENCE.  The type is an identifier in dotted form.  Returns 0, or -1
 * without memory.
 */
int signed_data_set_content(SIGNED_DATA *data, const char *type,
    const void *content, size_t n);

/*
 * Append the DER of the ContentInfo with this SignedData.  HT_ERR_INTERNAL if
 * it cannot be encoded; der is then unchanged.
 */
int signed_data_encode(SIGNED_DATA *data, struct buf *der, struct ht_error *e);

/*
 * Digest the attributes as a SET OF in their present order.  DER order is that
 * of attributes_sort.  The tag is that of SET OF, not the [0] of the stored
 * form (RFC 2315 9.3).  algorithm is a name that spc_algorithm returned.
 * HT_ERR_INTERNAL if libcrypto fails.
 */
int attributes_digest(const STACK_OF(X509_ATTRIBUTE) *attributes,
    const char *algorithm, struct spc_digest *digest, struct ht_error *e);

/*
 * Replace *attributes with the same ones in DER order (X.690 11.6), and free
 * the old ones.  HT_ERR_INTERNAL without memory; *attributes is then unchanged.
 */
int attributes_sort(STACK_OF(X509_ATTRIBUTE) **attributes, struct ht_error *e);

/*
 * Digest the contents octets of a DER value, without its tag and length (RFC
 * 2315 9.3).  HT_ERR_DATA if der is not exactly one value.  HT_ERR_INTERNAL if
 * libcrypto fails.
 */
int content_digest(const void *der, size_t n, const char *algorithm,
    struct spc_digest *digest, struct ht_error *e);

/*
 * Verify a signature over a digest with the public key of a certificate: RSA
 * with PKCS #1 v1.5, or ECDSA.  HT_ERR_DATA if it does not verify.
 */
int signature_verify(X509 *certificate, const struct spc_digest *digest,
    const void *signature, size_t n, struct ht_error *e);

#endif
