/*
 * A code-signing certificate and its chain, read from PEM.
 */

#ifndef SIGNATURE_CHAIN_H
#define SIGNATURE_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"

/* The most certificates in a chain, and the largest PEM in bytes. */
#define CHAIN_CERTIFICATES 8
#define CHAIN_PEM_MAX ((size_t)256 << 10)

enum chain_key {
	CHAIN_RSA,  /* 1024 to 8192 bits; but see chain_weak */
	CHAIN_P256, /* ECDSA over NIST P-256 */
	CHAIN_P384  /* ECDSA over NIST P-384 */
};

struct chain;

/*
 * Read a chain from n bytes of PEM: the signer's certificate first, then the
 * issuer of each.  The root is optional.  Text between the blocks is ignored.
 *
 * These rules are checked:
 * - each certificate names the next one as its issuer, and the next one's key
 *   signed it;
 * - issuers are CA certificates;
 * - the issuer of the signer's certificate is there, unless that is a root;
 * - no certificate occurs twice;
 * - the signer's certificate allows code signing: its extended key usage says
 *   so, and its key usage, if present, has digitalSignature;
 * - the signer's key is of an enum chain_key kind.
 *
 * The caller checks validity in time, trust in a root and weakness.
 *
 * Returns 0 and *chain, which the caller frees with chain_free.  On error
 * *chain is NULL.  HT_ERR_DATA names the broken rule and the certificate: also
 * for a block that is not a certificate (a private key, say), more than
 * CHAIN_CERTIFICATES or more than CHAIN_PEM_MAX bytes.  HT_ERR_INTERNAL without
 * memory.
 */
int chain_load(const void *pem, size_t n, struct chain **chain,
    struct ht_error *e);
void chain_free(struct chain *chain); /* NULL is fine */

/*
 * The kind of the signer's key.
 */
enum chain_key chain_key(const struct chain *chain);

/*
 * Why production signing should refuse this chain, in a few words ("certificate
 * 2 is signed with SHA-1"); NULL if it need not.  It should refuse an RSA key
 * of the signer that has neither 3072 nor 4096 bits.  It should refuse a SHA-1
 * or MD5 signature on a certificate below the root.  The text is valid as long
 * as the chain.
 */
const char *chain_weak(const struct chain *chain);

/*
 * The signer's subject (RFC 2253, UTF-8).  It may hold any characters: escape it
 * where it is shown.  Valid as long as the chain.
 */
const char *chain_subject(const struct chain *chain);

/*
 * The SHA-256 of the signer's certificate.
 */
void chain_fingerprint(const struct chain *chain, uint8_t out[32]);

/*
 * Append the DER of certificate i to out, 0 for the signer's.  HT_ERR_DATA if
 * the chain has no such certificate; HT_ERR_INTERNAL without memory.
 */
int chain_der(const struct chain *chain, int i, struct buf *out,
    struct ht_error *e);

/*
 * The time in which all certificates of the chain are valid, in seconds since
 * 1970: from *not_before to *not_after, both inclusive.
 */
void chain_validity(const struct chain *chain, int64_t *not_before,
    int64_t *not_after);

/*
 * Append the DER of the signer's SubjectPublicKeyInfo (RFC 5280) to out.
 * HT_ERR_INTERNAL without memory.
 */
int chain_spki(const struct chain *chain, struct buf *out, struct ht_error *e);

#endif
