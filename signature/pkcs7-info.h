/*
 * What else a signature says, for people.  Nothing here is verified.  All texts
 * are outside bytes: escape them where they are shown.
 */

#ifndef SIGNATURE_PKCS7_INFO_H
#define SIGNATURE_PKCS7_INFO_H

#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "signature/pkcs7.h"

/* The most certificates of a chain that are shown. */
#define PKCS7_INFO_CHAIN 16

/* No time is stated. */
#define PKCS7_NO_TIME INT64_MIN

struct pkcs7_certificate {
	char *subject; /* RFC 2253, UTF-8 */
	char *issuer;
	char *serial;       /* lower-case hexadecimal */
	int64_t not_before; /* seconds since 1970, or PKCS7_NO_TIME */
	int64_t not_after;
	uint8_t sha256[32]; /* of the certificate's DER */
};

/*
 * Read certificate i of the embedded chain.  Certificate 0 is the signer's.
 * Each following one calls itself the issuer of the one before.  Returns 1 and
 * *out, which the caller frees with pkcs7_certificate_clear; 0 past the last
 * one; HT_ERR_INTERNAL without memory.  Unless it returns 1, *out is all zeros.
 */
int pkcs7_certificate(const struct pkcs7 *p7, size_t i,
    struct pkcs7_certificate *out, struct ht_error *e);
void pkcs7_certificate_clear(struct pkcs7_certificate *certificate);

/*
 * Read a counter-signature (RFC 2985 5.3.6), by which authorities stamped before
 * RFC 3161: when it says that it was made, and whose certificate of p7 it names.
 * a is an unsigned attribute of p7.  Returns 0 and *out, which the caller frees
 * with timestamp_clear.  On error *out is all zeros.  HT_ERR_DATA if it has no
 * signer among the certificates, or no time.  HT_ERR_INTERNAL without memory.
 */
int pkcs7_countersignature(const struct pkcs7 *p7,
    const struct pkcs7_unsigned *a, struct timestamp *out, struct ht_error *e);

/*
 * The signingTime attribute (RFC 2985 5.3.3) in seconds since 1970, or
 * PKCS7_NO_TIME.  The signer can set it to any time.
 */
int64_t pkcs7_signing_time(const struct pkcs7 *p7);

#endif
