/*
 * A code-signing certificate with its chain, as configured in a PEM file.
 */

#ifndef SIGNATURE_CHAIN_H
#define SIGNATURE_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"

/* No configured chain is longer; no PEM file larger. */
#define CHAIN_CERTIFICATES 8
#define CHAIN_PEM_MAX ((size_t)256 << 10)

enum chain_key {
	CHAIN_RSA,  /* 3072 or 4096 bits; 1024 to 8192 load, see chain_weak */
	CHAIN_P256, /* ECDSA over NIST P-256 */
	CHAIN_P384  /* ECDSA over NIST P-384 */
};

struct chain;

/*
 * Read certificates from n bytes of PEM: the signer's first, then each one's
 * issuer; the root may be there or not.  Text between the blocks is ignored; a
 * block that is not a certificate (a private key, say) is an error.  Checked:
 * every certificate is signed by the next and names it as issuer, issuers are
 * CA certificates, none occurs twice, the first allows code signing (extended
 * key usage, and digitalSignature if it has a key usage), and its key is of a
 * kind above.  Not checked: validity in time, any root, weakness.
 *
 * 0 and *chain, or HT_ERR_DATA with what is wrong and which certificate,
 * HT_ERR_INTERNAL without memory; *chain is NULL then.
 */
int chain_load(const void *pem, size_t n, struct chain **chain,
    struct ht_error *e);
void chain_free(struct chain *chain); /* NULL is fine */

/*
 * The signer's key: kind, and size in bits.
 */
enum chain_key chain_key(const struct chain *chain);
unsigned int chain_key_bits(const struct chain *chain);

/*
 * NULL, or why production signing should refuse this chain, in a few words
 * ("RSA key of 2048 bits", "certificate 2 is signed with SHA-1"): an RSA key
 * below 3072 bits, or other than 3072 or 4096, or a SHA-1 or MD5 signature on
 * a certificate below the root.  Valid as long as the chain.
 */
const char *chain_weak(const struct chain *chain);

/*
 * The signer's subject (RFC 2253, UTF-8; may hold any characters, escape it
 * where it is shown), and the serial number in lower-case hexadecimal.  Valid
 * as long as the chain.
 */
const char *chain_subject(const struct chain *chain);
const char *chain_serial(const struct chain *chain);

/*
 * SHA-256 over the signer's certificate.
 */
void chain_fingerprint(const struct chain *chain, uint8_t out[32]);

/*
 * When all certificates of the chain are valid: seconds since 1970, from
 * *not_before to *not_after, both inclusive.
 */
void chain_validity(const struct chain *chain, int64_t *not_before,
    int64_t *not_after);

/*
 * Append the DER of the signer's SubjectPublicKeyInfo (RFC 5280) to out.
 */
int chain_spki(const struct chain *chain, struct buf *out, struct ht_error *e);

#endif
