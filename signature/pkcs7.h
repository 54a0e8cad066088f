/*
 * Reading and verifying the PKCS#7 SignedData of an Authenticode signature.
 */

#ifndef SIGNATURE_PKCS7_H
#define SIGNATURE_PKCS7_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"
#include "signature/timestamp.h"

/*
 * The longest that pkcs7_parse looks at, since page hashes of a PE take 9 MiB,
 * and one such signature may be nested in another; the longest in any other
 * format; how many certificates, and how many bytes of them; how many values of
 * any kind outside the content; and how many unsigned attributes (their values)
 * and among them nested signatures are taken.
 */
#define PKCS7_PAGED_MAX ((size_t)20 << 20)
#define PKCS7_MAX ((size_t)4 << 20)
#define PKCS7_CERTIFICATES_MAX 128
#define PKCS7_CERTIFICATES_SIZE ((size_t)256 << 10)
#define PKCS7_VALUES_MAX 65536
#define PKCS7_UNSIGNED_MAX 64
#define PKCS7_NESTED_MAX 16

struct pkcs7;

/*
 * Parse n bytes, a DER ContentInfo with nothing behind it.  HT_ERR_DATA if it
 * is not SignedData with one signer, whose certificate is in it, over embedded
 * content, with SHA-256, SHA-384 or SHA-512; or has too many of what is limited
 * above.  Nothing is verified yet.  *p7 is NULL on error.
 */
int pkcs7_parse(const void *der, size_t n, struct pkcs7 **p7,
    struct ht_error *e);
void pkcs7_free(struct pkcs7 *p7); /* NULL is fine */

/*
 * Of n bytes of SignedData over a catalog's CTL that may have no signer yet:
 * append the DER of the CTL to ctl, and say whether it is signed.  HT_ERR_DATA
 * if it is something else, or has bytes left over, or too many certificates or
 * values.
 */
int pkcs7_open_ctl(const void *der, size_t n, struct buf *ctl, bool *is_signed,
    struct ht_error *e);

/*
 * The DER of the content (the SpcIndirectDataContent or CTL, tag and length
 * included), as embedded; and its type, an identifier in dotted form.  Valid
 * as long as p7.
 */
struct cursor pkcs7_content(const struct pkcs7 *p7);
const char *pkcs7_type(const struct pkcs7 *p7);

/*
 * The digest algorithm of the signer, as spc_algorithm names it.
 */
const char *pkcs7_algorithm(const struct pkcs7 *p7);

/*
 * Verify what needs no root: the contentType and messageDigest attributes
 * agree with the content, the signature over the attributes is the signer's,
 * the signer's certificate allows code signing, and each issuer that is
 * embedded really signed the certificate below it.  HT_ERR_DATA, or HT_ERR_
 * INTERNAL without memory.
 */
int pkcs7_verify(const struct pkcs7 *p7, struct ht_error *e);

/*
 * After pkcs7_verify: the chain up to one of the roots in n bytes of PEM,
 * valid for code signing at the time `when`, in seconds since 1970, or now
 * (X.509 path validation, RFC 5280).  HT_ERR_USAGE if the PEM holds no
 * certificate, HT_ERR_DATA if there is no valid chain.
 */
int pkcs7_verify_chain_at(const struct pkcs7 *p7, const void *pem, size_t n,
    int64_t when, struct ht_error *e);
int pkcs7_verify_chain(const struct pkcs7 *p7, const void *pem, size_t n,
    struct ht_error *e);

/*
 * The unsigned attributes, one for each value, in the order in which they are
 * there.  Nobody signed them: some are signed by themselves, the others say
 * nothing that can be believed.  Valid as long as p7.
 */
enum pkcs7_unsigned_kind {
	PKCS7_TIMESTAMP,        /* 1.3.6.1.4.1.311.3.3.1: timestamp.h */
	PKCS7_COUNTERSIGNATURE, /* 1.2.840.113549.1.9.6, as timestamps were */
	PKCS7_NESTED,           /* 1.3.6.1.4.1.311.2.4.1: a ContentInfo */
	PKCS7_OTHER
};

struct pkcs7_unsigned {
	enum pkcs7_unsigned_kind kind;
	char oid[64];        /* in dotted form; a longer one ends in "..." */
	size_t size;         /* of the value's DER, in bytes; 0 for an
	                         attribute that has no value */
	struct cursor value; /* that DER, if it is a SEQUENCE, or empty */
};

size_t pkcs7_unsigned_count(const struct pkcs7 *p7);
const struct pkcs7_unsigned *pkcs7_unsigned(const struct pkcs7 *p7, size_t i);

/*
 * How many of them are of this kind.
 */
size_t pkcs7_count(const struct pkcs7 *p7, enum pkcs7_unsigned_kind kind);

/*
 * Parse the nested signature i, counted from 0, which is less than
 * pkcs7_count(p7, PKCS7_NESTED); the caller frees it.  Errors as pkcs7_parse,
 * and HT_ERR_DATA if it nests others itself.
 */
int pkcs7_nested(const struct pkcs7 *p7, size_t i, struct pkcs7 **nested,
    struct ht_error *e);

/*
 * Verify all timestamps (timestamp_verify) up to one of the roots in n bytes of
 * PEM, and fill *out with the earliest; without any, out->authority is NULL and
 * all is zero.  Errors as timestamp_verify; *out is all zeros then, too.
 */
int pkcs7_verify_timestamps(const struct pkcs7 *p7, const void *pem, size_t n,
    struct timestamp *out, struct ht_error *e);

/*
 * Whether the signature ends with the signer's certificate even if it has a
 * timestamp: an extended key usage says so (szOID_KP_LIFETIME_SIGNING).
 */
bool pkcs7_is_for_lifetime(const struct pkcs7 *p7);

/*
 * What the shell asks of a PKCS#7 that keyd sent: it parses, its content is
 * exactly the n bytes that were sent, and pkcs7_verify is content.  Same
 * errors.
 */
int pkcs7_postflight(const void *der, size_t size, const void *content,
    size_t n, struct ht_error *e);

/*
 * For people: the signer's subject (RFC 2253, UTF-8), the description and the
 * URL of SpcSpOpusInfo (UTF-8; "" if there is none).  They are outside bytes:
 * escape them where they are shown.  Valid as long as p7.
 */
const char *pkcs7_subject(const struct pkcs7 *p7);
const char *pkcs7_description(const struct pkcs7 *p7);
const char *pkcs7_url(const struct pkcs7 *p7);

#endif
