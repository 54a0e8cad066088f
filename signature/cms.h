/*
 * Making the PKCS#7 SignedData of an Authenticode signature, in three steps,
 * because the key is in another process:
 *
 *	cms_signer_new()      content, certificates, options: what to sign
 *	cms_signer_signature() the raw signature comes back, and is verified
 *	cms_signer_finish()   the finished ContentInfo
 *
 * PKCS #7 v1.5 (RFC 2315) as Windows Authenticode Portable Executable Signature
 * Format narrows it.  Reading SignedData is signature/pkcs7.h.
 */

#ifndef SIGNATURE_CMS_H
#define SIGNATURE_CMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"
#include "signature/chain.h"
#include "signature/spc.h"

/* No signing time. */
#define CMS_NO_TIME INT64_MIN

/* The longest description and URL, in bytes. */
#define CMS_TEXT_MAX 1024

struct cms_options {
	const char *description; /* UTF-8; NULL or "" for none */
	const char *url;         /* ASCII; NULL or "" for none */
	bool commercial;         /* SpcStatementType: commercial, not
	                            individual */
	int64_t signing_time;    /* seconds since 1970, or CMS_NO_TIME */
	const char *algorithm;   /* the digest algorithm for a catalog, whose
	                            content has none; NULL: sha256 */
};

struct cms_signer;

/*
 * Start a signature over content, the n bytes of DER that content_parse accepts
 * for this format; the signed attributes use the content's own digest
 * algorithm.  Everything that is needed later is copied, so that chain, content
 * and options may go away.
 *
 * 0 and *signer, or *signer NULL and HT_ERR_DATA (content as content_parse),
 * HT_ERR_USAGE (description that is not UTF-8 or holds control characters, URL
 * that is not printable ASCII, either too long; a time before 1950 or after
 * 9999), HT_ERR_INTERNAL (no memory).
 */
int cms_signer_new(const struct chain *chain, const char *format,
    const void *content, size_t n, const struct cms_options *options,
    struct cms_signer **signer, struct ht_error *e);
void cms_signer_free(struct cms_signer *signer); /* NULL is fine */

/*
 * Whether it is chain's own certificate that the signature will be of.
 */
bool cms_signer_is_of(const struct cms_signer *signer,
    const struct chain *chain);

/*
 * What the token signs: the digest over the DER of the signed attributes.  For
 * RSA the token signs its DigestInfo with PKCS #1 v1.5 padding, for ECDSA the
 * digest itself.
 */
const struct spc_digest *cms_signer_digest(const struct cms_signer *signer);

/*
 * The digest of the file, as the content says it.
 */
const struct spc_digest *cms_signer_file(const struct cms_signer *signer);

/*
 * Take the token's signature: for RSA as long as the modulus, for ECDSA the
 * DER of ECDSA-Sig-Value (RFC 3279 2.2.3).  HT_ERR_INTERNAL, and it is not
 * taken, unless it verifies with the public key of the certificate.
 */
int cms_signer_signature(struct cms_signer *signer, const void *signature,
    size_t n, struct ht_error *e);

/*
 * Append the DER of the ContentInfo to der.  HT_ERR_INTERNAL if no signature
 * was taken before, or no memory.  It may be called again.
 */
int cms_signer_finish(const struct cms_signer *signer, struct buf *der,
    struct ht_error *e);

#endif
