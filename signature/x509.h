/*
 * What chains and signatures both ask of certificates, for signature/ only.
 * Bare section numbers are of RFC 5280.
 */

#ifndef SIGNATURE_X509_H
#define SIGNATURE_X509_H

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "signature/chain.h"

/*
 * Read all certificates from n bytes of PEM, in order.  Text between the blocks
 * is ignored.  A certificate that occurs twice is an error if each must occur
 * once, and is left out if not.  The caller frees the stack and the
 * certificates in it.  On error *certificates is NULL.  HT_ERR_DATA for no
 * certificate, more than max, a damaged one, and a block that is something
 * else.  HT_ERR_INTERNAL without memory.
 */
int x509_read_pem(const void *pem, size_t n, int max, bool once,
    STACK_OF(X509) **certificates, struct ht_error *e);

/*
 * Whether a certificate names itself as issuer and its own key signed it.
 */
bool x509_is_root(X509 *certificate);

/*
 * Check that the certificate allows code signing: an extended key usage has it
 * (4.2.1.12), and a key usage, if present, has digitalSignature (4.2.1.3).
 * HT_ERR_DATA if not.
 */
int x509_check_code_signing(X509 *certificate, struct ht_error *e);

/*
 * Check that the certificate is for timestamps and nothing else: a critical
 * extended key usage has timeStamping alone (RFC 3161 2.3), and a key usage, if
 * present, has signatures alone.  HT_ERR_DATA if not.
 */
int x509_check_timestamping(X509 *certificate, struct ht_error *e);

/*
 * Whether signatures by this certificate expire with it even if they have a
 * timestamp: it has the extended key usage szOID_KP_LIFETIME_SIGNING.
 */
bool x509_is_for_lifetime(X509 *certificate);

/*
 * Check that issuer issued the certificate: names and key identifiers agree,
 * issuer is a CA (4.2.1.9) that may sign certificates, and its key signed the
 * certificate.  HT_ERR_DATA if not.
 */
int x509_check_issuer(X509 *certificate, X509 *issuer, struct ht_error *e);

/*
 * Read the roots in n bytes of PEM, for a validation as of `when`, in seconds
 * since 1970.  The caller frees them with X509_STORE_free.  On error *roots is
 * NULL.  HT_ERR_USAGE unless they are 1 to 1000 certificates and nothing else,
 * each one once.  HT_ERR_INTERNAL without memory.
 */
int x509_read_roots(const void *pem, size_t n, int64_t when, X509_STORE **roots,
    struct ht_error *e);

/*
 * Find and validate a path from the certificate up to one of the roots (RFC
 * 5280 6).  Certificates of others may be in between.
 *
 * Each one in between that narrows its extended key usage must allow use:
 * XKU_CODE_SIGN or XKU_TIMESTAMP.  Nothing below the root is signed with SHA-1
 * or MD5.  No RSA key has less than 1024 bits.
 *
 * If found is not NULL, it gets the path, from the certificate to the root,
 * which the caller frees with its certificates; NULL on error.
 *
 * HT_ERR_DATA if there is no such path.  HT_ERR_INTERNAL without memory.
 */
int x509_verify_path(X509 *certificate, STACK_OF(X509) *others,
    X509_STORE *roots, uint32_t use, STACK_OF(X509) **found,
    struct ht_error *e);

/*
 * Convert to seconds since 1970; a fraction is cut off.  Returns 0, or -1 if
 * time is not a time.
 */
int x509_seconds(const ASN1_TIME *time, int64_t *seconds);

/*
 * The subject, or the issuer, in UTF-8 (RFC 2253); NULL without memory.  The
 * caller frees it with free().
 */
char *x509_subject(X509 *certificate);
char *x509_issuer(X509 *certificate);

/*
 * The certificates of a chain, the signer's first; borrowed.
 */
STACK_OF(X509) *chain_certificates(const struct chain *chain);

#endif
