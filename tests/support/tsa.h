/*
 * A timestamp authority (RFC 3161) in this process.  A test chooses whether it
 * is good or bad.
 */

#ifndef TESTS_SUPPORT_TSA_H
#define TESTS_SUPPORT_TSA_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"

struct tsa {
	EVP_PKEY *key;
	X509 *certificate;
	X509 *issuer;    /* intermediate below the root */
	struct buf root; /* in PEM */
};

/*
 * Make an authority.  Its certificates are valid between two times, in seconds
 * since 1970.  Purposes are in the syntax of openssl's extendedKeyUsage.  A
 * failure ends the test program.
 */
struct tsa_how {
	int64_t not_before;
	int64_t not_after;
	const char *purposes;        /* NULL means "critical,timeStamping" */
	const char *issuer_purposes; /* NULL means any */
	const char *usage;           /* keyUsage, in the same syntax; NULL means
	                                "critical,digitalSignature" */
};
void tsa_make(const struct tsa_how *how, struct tsa *out);
void tsa_clear(struct tsa *tsa);

/*
 * Append a token for the n bytes at stamped to out.
 */
struct tsa_token {
	int64_t time;
	const char *imprint;   /* digest of the imprint; NULL means sha256 */
	const char *algorithm; /* digest of the signature; NULL means sha256 */
	bool without_binding;  /* no signing certificate attribute */
	const char *bound;     /* what that attribute names, a letter each: s
	                          signer, i issuer, a attribute certificate, x
	                          nothing that there is; NULL means "s" */
	const char *says;      /* a common name that the content has as its
	                          authority's; NULL means none */
	long version;          /* of the content; 0 means 1 */
	uint64_t nonce;        /* 0 means none */
	bool long_serial;      /* of more than 160 bits */
	bool without_certificates;
	unsigned int extensions; /* number of extensions without meaning */
	const char *attribute_certificates; /* the tag of each, a digit: 1 as
	                                       in Microsoft's tokens, or 2 */
};
void tsa_stamp(const struct tsa *tsa, const struct tsa_token *what,
    const void *stamped, size_t n, struct buf *out);

/*
 * Put an attribute certificate [tag] behind the certificates of the
 * SignedData in der.
 */
void tsa_add_attribute_certificate(struct buf *der, unsigned int tag);

/*
 * Stamp the PKCS#7 in der: it gets one more token.
 */
void tsa_stamp_pkcs7(const struct tsa *tsa, const struct tsa_token *what,
    struct buf *der);

#endif
