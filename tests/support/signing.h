/*
 * Signs with a key in this process, which only tests do.
 */

#ifndef TESTS_SUPPORT_SIGNING_H
#define TESTS_SUPPORT_SIGNING_H

#include <openssl/evp.h>

#include "signature/cms.h"

struct signing {
	struct chain *chain;
	EVP_PKEY *key;
	struct buf pem;  /* the chain, NUL-terminated; only of signing_make */
	struct buf root; /* the root above it, in the same form */
};

/*
 * Load a private key and a chain from PEM files.
 */
int signing_load(const char *key, const char *chain, struct signing *out,
    struct ht_error *e);

/*
 * Make a key of kind "RSA" (3072 bits), "RSA-2048", "P-256" or "P-384".  Its
 * certificate is issued by an intermediate, which is in the chain, and that by
 * a root.  All certificates are valid for a day.
 */
int signing_make(const char *kind, struct signing *out, struct ht_error *e);

/*
 * The same with other certificates.  Times are seconds since 1970 and apply to
 * all certificates.  purposes are those of the signer, in the syntax of
 * openssl's extendedKeyUsage.
 */
struct signing_how {
	const char *kind;
	int64_t not_before;
	int64_t not_after;
	const char *purposes;
	bool sha1;        /* sign all certificates with SHA-1, not SHA-256 */
	const char *name; /* the signer's CN, or NULL for that of most tests */
};
int signing_make_how(const struct signing_how *how, struct signing *out,
    struct ht_error *e);

void signing_clear(struct signing *signing);

/*
 * One "P-256" key for all tests of a program.  signing_start calls
 * authenticode_init and signing_make; signing_stop calls signing_clear.  Both
 * are group functions of cmocka.
 */
extern struct signing signing_p256;
int signing_start(void **state);
int signing_stop(void **state);

/*
 * Sign a digest, as the token does.
 */
int signing_raw(struct signing *signing, const struct spc_digest *digest,
    struct buf *signature, struct ht_error *e);

/*
 * Do all three steps of signature/cms.h: from content to ContentInfo.
 */
int signing_sign(struct signing *signing, const char *format,
    const struct buf *content, const struct cms_options *options,
    struct buf *p7, struct ht_error *e);

/*
 * signing_content appends content "pe" with an invented digest of this
 * algorithm.  signing_pkcs7 appends a ContentInfo with such content; options
 * NULL means a plain signature.  A failure ends the test program.
 */
void signing_content(const char *algorithm, struct buf *content);
void signing_pkcs7(struct signing *signing, const char *algorithm,
    const struct cms_options *options, struct buf *p7);

#endif
