/*
 * Timestamps (RFC 3161).
 *
 * An authority signs that a signature existed at a time.  Its token, the
 * ContentInfo of RFC 3161 2.4.2, is the value of an unsigned attribute of the
 * signature, 1.3.6.1.4.1.311.3.3.1.  Everything here is a function of bytes: it
 * looks at no clock, and at nothing outside.
 */

#ifndef SIGNATURE_TIMESTAMP_H
#define SIGNATURE_TIMESTAMP_H

#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

/*
 * The longest token that is looked at, and with how many values in it and in
 * its TSTInfo.
 */
#define TIMESTAMP_MAX ((size_t)1 << 20)
#define TIMESTAMP_VALUES_MAX 16384

struct timestamp {
	int64_t time;    /* genTime in seconds since 1970, rounded down */
	char *authority; /* the subject of the responder's certificate (RFC
	                    2253, UTF-8); outside bytes, so escape them where
	                    they are shown */
};

/*
 * Read the n bytes of DER at token.  Nothing is verified: what is in *out is
 * only what the token says.  0 and *out (timestamp_clear), or HT_ERR_DATA if
 * it is not a token with one signer, whose certificate is in it, or has bytes
 * left over; HT_ERR_INTERNAL without memory.  *out is all zeros on error.
 */
int timestamp_read(const void *token, size_t n, struct timestamp *out,
    struct ht_error *e);

/*
 * Read a token and verify that it is one for the length octets at stamped (of
 * a signature: the contents octets of encryptedDigest, RFC 2315 9.2): their
 * digest is the imprint; imprint and token are digested with SHA-256, SHA-384
 * or SHA-512; its signature, and the binding of the responder's certificate to
 * it, are good (RFC 3161 2.4.2); that certificate is for timestamps and for
 * nothing else (2.3), and at genTime had a valid chain (RFC 5280) up to one of
 * the roots in the size bytes of PEM.  Whether the signer's certificate was
 * valid at genTime is for the caller to see.
 *
 * Errors as timestamp_read, HT_ERR_DATA also for all of this, and HT_ERR_USAGE
 * if the PEM holds no certificate.
 */
int timestamp_verify(const void *token, size_t n, const void *stamped,
    size_t length, const void *pem, size_t size, struct timestamp *out,
    struct ht_error *e);

void timestamp_clear(struct timestamp *timestamp);

#endif
