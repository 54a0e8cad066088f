/*
 * A timestamp authority (RFC 3161) in this process, good or bad as a test
 * wants it.
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
	X509 *issuer;    /* below the root */
	struct buf root; /* in PEM */
};

/*
 * Certificates valid from and to these seconds since 1970; purposes and the
 * issuer's (NULL: any) as openssl's extendedKeyUsage writes them.  It ends the
 * test program if it cannot.
 */
struct tsa_how {
	int64_t not_before;
	int64_t not_after;
	const char *purposes; /* NULL: "critical,timeStamping" */
	const char *issuer_purposes;
};
void tsa_make(const struct tsa_how *how, struct tsa *out);
void tsa_clear(struct tsa *tsa);

/*
 * Append a token for n octets to out.
 */
struct tsa_token {
	int64_t time;
	const char *imprint;   /* its digest algorithm; NULL: sha256 */
	const char *algorithm; /* the signature's; NULL: sha256 */
	bool without_binding;  /* no signing certificate attribute */
	bool without_certificates;
	unsigned int extensions; /* so many in TSTInfo that say nothing */
};
void tsa_stamp(const struct tsa *tsa, const struct tsa_token *what,
    const void *stamped, size_t n, struct buf *out);

/*
 * Stamp the PKCS#7 in der, so that it has a token more.
 */
void tsa_stamp_pkcs7(const struct tsa *tsa, const struct tsa_token *what,
    struct buf *der);

#endif
