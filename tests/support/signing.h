/*
 * Signing with a key in this process: only tests do that.
 */

#ifndef TESTS_SUPPORT_SIGNING_H
#define TESTS_SUPPORT_SIGNING_H

#include <openssl/evp.h>

#include "signature/cms.h"

struct signing {
	struct chain *chain;
	EVP_PKEY *key;
	struct buf pem;  /* of signing_make: the chain */
	struct buf root; /* and the root above it, each as text with a NUL */
};

/*
 * From a private key and a chain in PEM files.
 */
int signing_load(const char *key, const char *chain, struct signing *out,
    struct ht_error *e);

/*
 * A new key of this kind ("RSA", which is of 3072 bits, "RSA-2048", "P-256",
 * "P-384") whose certificate comes below an intermediate, which is in the
 * chain, and a root, all made now and valid for a day.
 */
int signing_make(const char *kind, struct signing *out, struct ht_error *e);

/*
 * The same, all certificates valid at other times (seconds since 1970), and the
 * signer's for other purposes, as openssl's extendedKeyUsage writes them, and
 * signed with what is not good any more.
 */
struct signing_how {
	const char *kind;
	int64_t not_before;
	int64_t not_after;
	const char *purposes;
	bool sha1; /* what all are signed with, not SHA-256 */
};
int signing_make_how(const struct signing_how *how, struct signing *out,
    struct ht_error *e);

void signing_clear(struct signing *signing);

/*
 * For the tests of a program, by one "P-256" key: authenticode_init and
 * signing_make; signing_clear.  Both have the form of cmocka's group functions.
 */
extern struct signing signing_p256;
int signing_start(void **state);
int signing_stop(void **state);

/*
 * What the token does: sign a digest.
 */
int signing_raw(struct signing *signing, const struct spc_digest *digest,
    struct buf *signature, struct ht_error *e);

/*
 * All three steps of signature/cms.h: content in, ContentInfo out.
 */
int signing_sign(struct signing *signing, const char *format,
    const struct buf *content, const struct cms_options *options,
    struct buf *p7, struct ht_error *e);

/*
 * Append content "pe" with an invented digest of this algorithm; the same in a
 * ContentInfo, by these options (NULL: nothing but the signature).  They end
 * the test program if they cannot.
 */
void signing_content(const char *algorithm, struct buf *content);
void signing_pkcs7(struct signing *signing, const char *algorithm,
    const struct cms_options *options, struct buf *p7);

#endif
