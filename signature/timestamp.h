/*
 * Timestamps (RFC 3161).
 *
 * An authority signs that a signature existed at a time.  Its token is the
 * ContentInfo of RFC 3161 2.4.2.  The token is the value of an unsigned
 * attribute of the signature, 1.3.6.1.4.1.311.3.3.1.  Every result here depends
 * on the arguments alone, on no clock and nothing else outside.
 */

#ifndef SIGNATURE_TIMESTAMP_H
#define SIGNATURE_TIMESTAMP_H

#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"

/*
 * The longest token in bytes, and the most ASN.1 values in it and its TSTInfo.
 */
#define TIMESTAMP_MAX ((size_t)1 << 20)
#define TIMESTAMP_VALUES_MAX 16384

/* A serial number in hexadecimal digits: 160 bits (RFC 3161 2.4.2), and a NUL. */
#define TIMESTAMP_SERIAL 41

struct timestamp {
	int64_t time;    /* genTime in seconds since 1970, rounded down */
	char *authority; /* the subject of the responder's certificate (RFC
	                    2253, UTF-8); outside bytes: escape them where
	                    they are shown */
	char serial[TIMESTAMP_SERIAL];
};

/*
 * Read the n bytes of DER at token and verify nothing: *out is only what the
 * token says.
 *
 * Returns 0 and *out, which the caller frees with timestamp_clear.  On error
 * *out is all zeros.  HT_ERR_DATA if it is not a token with one signer, or that
 * signer's certificate is not embedded.  HT_ERR_DATA also for bytes left over,
 * or over a limit above.  HT_ERR_INTERNAL without memory.  A serial number of
 * more than 160 bits is HT_ERR_DATA.
 */
int timestamp_read(const void *token, size_t n, struct timestamp *out,
    struct ht_error *e);

/*
 * Read a token as timestamp_read does, and verify that it is for the length
 * octets at stamped.  Of a signature these are the contents octets of
 * encryptedDigest (RFC 2315 9.2).
 *
 * These rules are checked:
 * - the imprint is the digest of the octets;
 * - imprint and token use SHA-256, SHA-384 or SHA-512;
 * - the signature verifies, and the responder's certificate is bound to it (RFC
 *   3161 2.4.2), together with none but its path's and attribute certificates;
 * - that certificate is for timestamps and nothing else (2.3);
 * - at genTime it had a valid chain (RFC 5280) up to one of the roots in the
 *   size bytes of PEM;
 * - if the token names its authority, that is the responder.
 *
 * The caller checks whether the signer's certificate was valid at genTime.
 *
 * Errors as timestamp_read; HT_ERR_DATA also if a rule is broken.  HT_ERR_USAGE
 * unless the PEM is 1 to 1000 certificates, each one once.
 */
int timestamp_verify(const void *token, size_t n, const void *stamped,
    size_t length, const void *pem, size_t size, struct timestamp *out,
    struct ht_error *e);

/*
 * What an authority was asked: the imprint is a digest by the algorithm of that
 * name.
 */
struct timestamp_query {
	const char *digest; /* sha256, sha384, sha512 */
	struct cursor imprint;
	uint64_t nonce;
};

/*
 * The same for whoever has asked and does not have the octets: the imprint and
 * the nonce must be those of the query.
 */
int timestamp_verify_reply(const void *token, size_t n,
    const struct timestamp_query *query, const void *pem, size_t size,
    struct timestamp *out, struct ht_error *e);

/*
 * Free what *timestamp holds, and set it to all zeros.
 */
void timestamp_clear(struct timestamp *timestamp);

#endif
