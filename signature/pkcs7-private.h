/*
 * What the parts of signature/pkcs7.h share.  pkcs7.c reads a SignedData,
 * pkcs7-attributes.c its signed attributes, pkcs7-unsigned.c its unsigned ones.
 * pkcs7-verify.c verifies it.
 */

#ifndef SIGNATURE_PKCS7_PRIVATE_H
#define SIGNATURE_PKCS7_PRIVATE_H

#include "signature/cms-asn1.h"
#include "signature/pkcs7.h"
#include "signature/spc-asn1.h"

/* One for each rule that pkcs7_read looks at by itself. */
#define PKCS7_PROBLEMS_MAX 8

/* Without problems, nothing is NULL but empty attributes. */
struct pkcs7 {
	SIGNED_DATA *data;
	SIGNER_INFO *info;     /* the only signer; inside data */
	X509 *signer;          /* its certificate; inside data */
	const char *algorithm; /* its digest algorithm */
	const char *type;      /* the content type, in dotted form; static */
	char problems[PKCS7_PROBLEMS_MAX][80];
	size_t problem_count;
	char *subject;
	char *description;
	char *url;
	struct pkcs7_unsigned *attributes; /* the unsigned attributes */
	size_t count;                      /* how many */
};

/*
 * The certificate of data with this issuer and serial, or NULL.
 */
X509 *pkcs7_find_signer(const SIGNED_DATA *data,
    const ISSUER_AND_SERIAL *wanted);

/*
 * The value of a signed attribute, or NULL.  NULL unless the attribute occurs
 * once and has one value, of this ASN.1 type.  Valid as long as p7.
 */
const ASN1_TYPE *pkcs7_signed_value(const struct pkcs7 *p7, const char *oid,
    int type);

/*
 * Fill in subject, description and URL, which are for people.  Nothing depends
 * on them, so an SpcSpOpusInfo that cannot be read counts as none.
 * HT_ERR_INTERNAL without memory.
 */
int pkcs7_read_texts(struct pkcs7 *p7, struct ht_error *e);

/*
 * Fill in the unsigned attributes.  HT_ERR_DATA if they or the nested
 * signatures among them are too many; HT_ERR_INTERNAL without memory.
 */
int pkcs7_read_unsigned(struct pkcs7 *p7, struct ht_error *e);

#endif
