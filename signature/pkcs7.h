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
 * Limits of pkcs7_parse, and PKCS7_MAX of formats without page hashes.  Page
 * hashes of a PE take 9 MiB, and one such signature may be nested in another.
 */
#define PKCS7_PAGED_MAX ((size_t)20 << 20) /* bytes */
#define PKCS7_MAX ((size_t)4 << 20)        /* bytes */
#define PKCS7_CERTIFICATES_MAX 128
#define PKCS7_CERTIFICATES_SIZE ((size_t)256 << 10) /* bytes of all of them */
#define PKCS7_VALUES_MAX 65536 /* ASN.1 values outside the content */
#define PKCS7_UNSIGNED_MAX 64  /* values of unsigned attributes */
#define PKCS7_NESTED_MAX 16    /* nested signatures among them */

struct pkcs7;

/*
 * Parse a DER ContentInfo of n bytes.  Nothing is verified yet.
 *
 * It must follow these rules:
 * - it is SignedData of version 1, with nothing after it;
 * - the content is embedded, and is an SpcIndirectDataContent or a CTL;
 * - there is one signer, whose certificate is embedded;
 * - the digest algorithm is SHA-256, SHA-384 or SHA-512, and digestAlgorithms
 *   has no other;
 * - the signature algorithm is that of the signer's key;
 * - it exceeds no limit above.
 *
 * Returns 0 and *p7, which the caller frees with pkcs7_free; der is copied.  On
 * error *p7 is NULL.  HT_ERR_DATA for a broken rule, HT_ERR_INTERNAL without
 * memory.
 */
int pkcs7_parse(const void *der, size_t n, struct pkcs7 **p7,
    struct ht_error *e);
void pkcs7_free(struct pkcs7 *p7); /* NULL is fine */

/*
 * Read a ContentInfo to show it, even if it breaks rules of pkcs7_parse.  Each
 * broken rule is a problem, unless nothing can be shown without it: SignedData
 * with a signer, nothing after it, no limit exceeded.  pkcs7_verify refuses
 * what has a problem.
 *
 * Returns 0 and *p7, which the caller frees with pkcs7_free; *p7 is NULL on
 * error.  Then pkcs7_algorithm and pkcs7_type are NULL and pkcs7_content is
 * empty for those that break a rule; pkcs7_subject is "" if the signer's
 * certificate is not embedded.  Of several signers it is the first.  Errors as
 * pkcs7_parse.
 */
int pkcs7_read(const void *der, size_t n, struct pkcs7 **p7,
    struct ht_error *e);

/*
 * Problem i, in words, such as "digest: SHA-1, not accepted".  NULL past the
 * last one.  Valid as long as p7.
 */
const char *pkcs7_problem(const struct pkcs7 *p7, size_t i);

/*
 * Open n bytes of SignedData over a catalog's CTL, which may have no signer
 * yet.  Append the DER of the CTL to ctl, and set *is_signed if there is a
 * signer.  HT_ERR_DATA if it is something else, has bytes left over, or has too
 * many certificates or values.  HT_ERR_INTERNAL without memory.
 */
int pkcs7_open_ctl(const void *der, size_t n, struct buf *ctl, bool *is_signed,
    struct ht_error *e);

/*
 * The DER of the embedded content (SpcIndirectDataContent or CTL), with tag and
 * length; and its type, an identifier in dotted form.  Valid as long as p7.
 */
struct cursor pkcs7_content(const struct pkcs7 *p7);
const char *pkcs7_type(const struct pkcs7 *p7);

/*
 * The digest algorithm of the signer, a name of spc_algorithm; static.
 */
const char *pkcs7_algorithm(const struct pkcs7 *p7);

/*
 * Verify what needs no root:
 * - the contentType and messageDigest attributes agree with the content;
 * - the signer's key signed the attributes;
 * - the signer's certificate allows code signing;
 * - each embedded issuer signed the certificate below it.
 *
 * HT_ERR_DATA if not, or if that chain has more than 16 certificates.
 * HT_ERR_INTERNAL without memory.
 */
int pkcs7_verify(const struct pkcs7 *p7, struct ht_error *e);

/*
 * After pkcs7_verify: verify the chain up to one of the roots in n bytes of
 * PEM, for code signing (X.509 path validation, RFC 5280).  It must be valid at
 * `when`, in seconds since 1970.  HT_ERR_DATA if there is no valid
 * chain.  HT_ERR_USAGE unless the PEM is 1 to 1000 certificates, each one once.
 * HT_ERR_INTERNAL without memory.
 */
int pkcs7_verify_chain_at(const struct pkcs7 *p7, const void *pem, size_t n,
    int64_t when, struct ht_error *e);

/*
 * The unsigned attributes, one entry for each value, in the order of the file.
 * Nobody signed the attributes.  Some values carry a signature of their own;
 * the others prove nothing.  Valid as long as p7.
 */
enum pkcs7_unsigned_kind {
	PKCS7_TIMESTAMP,        /* 1.3.6.1.4.1.311.3.3.1: timestamp.h */
	PKCS7_COUNTERSIGNATURE, /* 1.2.840.113549.1.9.6: an older form of
	                           timestamps */
	PKCS7_NESTED,           /* 1.3.6.1.4.1.311.2.4.1: a ContentInfo */
	PKCS7_OTHER
};

struct pkcs7_unsigned {
	enum pkcs7_unsigned_kind kind;
	char oid[64];        /* in dotted form; a longer one ends in "..." */
	size_t size;         /* of the value's DER, in bytes; 0 for an
	                        attribute without a value */
	struct cursor value; /* that DER if it is a SEQUENCE, else empty */
};

size_t pkcs7_unsigned_count(const struct pkcs7 *p7);
const struct pkcs7_unsigned *pkcs7_unsigned(const struct pkcs7 *p7, size_t i);

/*
 * How many unsigned attributes are of this kind.
 */
size_t pkcs7_count(const struct pkcs7 *p7, enum pkcs7_unsigned_kind kind);

/*
 * Parse nested signature i, counted from 0, below pkcs7_count(p7,
 * PKCS7_NESTED).  The caller frees *nested, which is NULL on error.  Errors as
 * pkcs7_parse; HT_ERR_DATA also if it nests others; HT_ERR_INTERNAL if i is too
 * large.
 */
int pkcs7_nested(const struct pkcs7 *p7, size_t i, struct pkcs7 **nested,
    struct ht_error *e);

/*
 * Verify all timestamps up to one of the roots in n bytes of PEM, and fill *out
 * with the earliest.  The caller frees it with timestamp_clear.  If there is
 * none, it returns 0 and *out is all zeros (authority is NULL).  Errors as
 * timestamp_verify; *out is then all zeros, too.
 */
int pkcs7_verify_timestamps(const struct pkcs7 *p7, const void *pem, size_t n,
    struct timestamp *out, struct ht_error *e);

/*
 * Whether the signature expires with the signer's certificate even if it has a
 * timestamp.  An extended key usage says so (szOID_KP_LIFETIME_SIGNING).
 */
bool pkcs7_is_for_lifetime(const struct pkcs7 *p7);

/*
 * Check a PKCS#7 of size bytes that keyd sent to the shell: it parses, its
 * content is exactly the n bytes that the shell sent, and it passes
 * pkcs7_verify.  Errors as those functions; HT_ERR_DATA also for other content.
 */
int pkcs7_postflight(const void *der, size_t size, const void *content,
    size_t n, struct ht_error *e);

/*
 * What a timestamp of the signature is for: the contents octets of
 * encryptedDigest (RFC 2315 9.2).  Valid as long as p7.
 */
struct cursor pkcs7_stamped(const struct pkcs7 *p7);

/*
 * When the signer's certificate is valid, in seconds since 1970.  HT_ERR_DATA
 * if it does not say.
 */
int pkcs7_validity(const struct pkcs7 *p7, int64_t *not_before,
    int64_t *not_after, struct ht_error *e);

/*
 * For people: the signer's subject (RFC 2253, UTF-8), and description and URL
 * of SpcSpOpusInfo (UTF-8; "" if absent).  They are outside bytes: escape them
 * where they are shown.  Valid as long as p7.
 */
const char *pkcs7_subject(const struct pkcs7 *p7);
const char *pkcs7_description(const struct pkcs7 *p7);
const char *pkcs7_url(const struct pkcs7 *p7);

#endif
