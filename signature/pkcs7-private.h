/*
 * What the parts of signature/pkcs7.h share: pkcs7.c reads a SignedData,
 * pkcs7-attributes.c its signed attributes, pkcs7-unsigned.c the others, and
 * pkcs7-verify.c verifies it.
 */

#ifndef SIGNATURE_PKCS7_PRIVATE_H
#define SIGNATURE_PKCS7_PRIVATE_H

#include "signature/cms-asn1.h"
#include "signature/pkcs7.h"
#include "signature/spc-asn1.h"

struct pkcs7 {
	SIGNED_DATA *data;
	SIGNER_INFO *info;     /* the only signer; inside data */
	X509 *signer;          /* its certificate; inside data */
	const char *algorithm; /* its digest algorithm */
	const char *type;      /* of the content, dotted */
	char *subject;
	char *description;
	char *url;
	struct pkcs7_unsigned *attributes; /* the unsigned ones */
	size_t count;                      /* of those */
};

/*
 * The value of a signed attribute that is there once, with one value of this
 * type; or NULL.
 */
const ASN1_TYPE *pkcs7_signed_value(const struct pkcs7 *p7, const char *oid,
    int type);

/*
 * Fill in what there is to show to people.  Nothing depends on it, so an
 * SpcSpOpusInfo that cannot be read is the same as none.
 */
int pkcs7_read_texts(struct pkcs7 *p7, struct ht_error *e);

/*
 * Fill in the unsigned attributes.  HT_ERR_DATA if they are too many.
 */
int pkcs7_read_unsigned(struct pkcs7 *p7, struct ht_error *e);

#endif
