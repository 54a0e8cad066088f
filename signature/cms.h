/*
 * Making the PKCS#7 SignedData of an Authenticode signature.  It takes three
 * steps, because the key is in another process:
 *
 *	cms_signer_new()        take content, certificates and options
 *	cms_signer_signature()  verify and take the raw signature
 *	cms_signer_finish()     encode the finished ContentInfo
 *
 * PKCS #7 v1.5 (RFC 2315), as Windows Authenticode Portable Executable
 * Signature Format narrows it.  signature/pkcs7.h reads SignedData.
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

/* The longest description, and the longest URL, in bytes. */
#define CMS_TEXT_MAX 1024

struct cms_options {
	const char *description; /* UTF-8; NULL or "" for none */
	const char *url;         /* ASCII; NULL or "" for none */
	bool commercial;         /* SpcStatementType: commercial, or else
	                            individual */
	int64_t signing_time;    /* seconds since 1970, or CMS_NO_TIME */
	const char *algorithm;   /* the digest algorithm for a catalog, whose
	                            content names none; NULL: sha256 */
};

struct cms_signer;

/*
 * Start a signature over content: n bytes of DER that content_parse accepts for
 * this format.  The signed attributes use the content's own digest algorithm.
 * Everything is copied: chain, content and options may be freed afterwards.
 *
 * Returns 0 and *signer, which the caller frees with cms_signer_free.  On error
 * *signer is NULL.  HT_ERR_DATA as content_parse.  HT_ERR_INTERNAL without
 * memory.  HT_ERR_USAGE for a description that is not UTF-8 or holds control
 * characters; a URL that is not printable ASCII or holds a space; either one
 * longer than CMS_TEXT_MAX; a time before 1950 or after 9999.
 */
int cms_signer_new(const struct chain *chain, const char *format,
    const void *content, size_t n, const struct cms_options *options,
    struct cms_signer **signer, struct ht_error *e);
void cms_signer_free(struct cms_signer *signer); /* NULL is fine */

/*
 * The content, as cms_signer_new got it.  Valid as long as the signer.
 */
struct cursor cms_signer_content(const struct cms_signer *signer);

/*
 * What the token signs: the digest of the DER of the signed attributes.  For
 * RSA the token signs the DigestInfo with PKCS #1 v1.5 padding, for ECDSA the
 * digest itself.  Valid as long as the signer.
 */
const struct spc_digest *cms_signer_digest(const struct cms_signer *signer);

/*
 * The digest of the file, as the content states it.  Valid as long as the
 * signer.
 */
const struct spc_digest *cms_signer_file(const struct cms_signer *signer);

/*
 * Take the token's signature and copy it.  For RSA it is as long as the
 * modulus, for ECDSA it is the DER of ECDSA-Sig-Value (RFC 3279 2.2.3).
 * HT_ERR_INTERNAL if it does not verify with the certificate's public key; it
 * is then not taken.
 */
int cms_signer_signature(struct cms_signer *signer, const void *signature,
    size_t n, struct ht_error *e);

/*
 * Append the DER of the ContentInfo to der.  It may be called again.
 * HT_ERR_INTERNAL without memory, or if no signature was taken.
 */
int cms_signer_finish(const struct cms_signer *signer, struct buf *der,
    struct ht_error *e);

#endif
