/*
 * What else a signature says, for people.  Nothing here is verified, and all of
 * it is outside bytes: escape texts where they are shown.
 */

#ifndef SIGNATURE_PKCS7_INFO_H
#define SIGNATURE_PKCS7_INFO_H

#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "signature/pkcs7.h"

/* No chain that is shown is longer. */
#define PKCS7_INFO_CHAIN 16

/* No time is said. */
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
 * Certificate i of the chain as it is embedded: 0 is the signer's, 1 is one
 * that calls itself the issuer of that, and so on.  1 and *out
 * (pkcs7_certificate_clear), 0 behind the last one, or HT_ERR_INTERNAL.
 */
int pkcs7_certificate(const struct pkcs7 *p7, size_t i,
    struct pkcs7_certificate *out, struct ht_error *e);
void pkcs7_certificate_clear(struct pkcs7_certificate *certificate);

/*
 * The signingTime attribute (RFC 2985 5.3.3), which the signer can set as he
 * likes; or PKCS7_NO_TIME.
 */
int64_t pkcs7_signing_time(const struct pkcs7 *p7);

#endif
