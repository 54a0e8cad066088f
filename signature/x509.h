/*
 * What chains and signatures both ask of certificates (RFC 5280), inside
 * signature/ only.
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
 * Read all certificates of n bytes of PEM, in order, at most max of them; text
 * between the blocks is ignored.  HT_ERR_DATA for none or too many, for one
 * that is there twice, and for a block that is something else.  The caller
 * frees the stack and what is in it.
 */
int x509_read_pem(const void *pem, size_t n, int max,
    STACK_OF(X509) **certificates, struct ht_error *e);

/*
 * Whether a certificate names itself as issuer and its key made its signature.
 */
bool x509_is_root(X509 *certificate);

/*
 * 0 if the certificate allows code signing: an extended key usage that has it
 * (4.2.1.12), and digitalSignature unless there is no key usage (4.2.1.3).
 * HT_ERR_DATA if not.
 */
int x509_check_code_signing(X509 *certificate, struct ht_error *e);

/*
 * 0 if the certificate is for timestamps and nothing else: a critical extended
 * key usage with timeStamping alone (RFC 3161 2.3).  HT_ERR_DATA if not.
 */
int x509_check_timestamping(X509 *certificate, struct ht_error *e);

/*
 * Whether signatures of this certificate end with it, timestamp or not: the
 * extended key usage szOID_KP_LIFETIME_SIGNING.
 */
bool x509_is_for_lifetime(X509 *certificate);

/*
 * 0 if issuer issued the certificate: the names and key identifiers agree,
 * issuer is a CA (4.2.1.9) that may sign certificates, and its key made the
 * signature.  HT_ERR_DATA if not.
 */
int x509_check_issuer(X509 *certificate, X509 *issuer, struct ht_error *e);

/*
 * The roots in n bytes of PEM, for a validation as of `when`, in seconds since
 * 1970.  HT_ERR_USAGE if they are not certificates, each one once.  The caller
 * frees them with X509_STORE_free.
 */
int x509_read_roots(const void *pem, size_t n, int64_t when, X509_STORE **roots,
    struct ht_error *e);

/*
 * Find and validate a path from the certificate up to one of the roots (RFC
 * 5280 6), with others in between, of which each that narrows its extended key
 * usage allows use: XKU_CODE_SIGN or XKU_TIMESTAMP; none below the root is
 * signed with SHA-1 or MD5, and no RSA key has less than 1024 bits.
 * HT_ERR_DATA if there is none.
 */
int x509_verify_path(X509 *certificate, STACK_OF(X509) *others,
    X509_STORE *roots, uint32_t use, struct ht_error *e);

/*
 * Seconds since 1970, a fraction cut off.  0, or -1 for what is no time.
 */
int x509_seconds(const ASN1_TIME *time, int64_t *seconds);

/*
 * The subject, or the issuer, as UTF-8 (RFC 2253), or NULL without memory; the
 * caller frees it with free().
 */
char *x509_subject(X509 *certificate);
char *x509_issuer(X509 *certificate);

/*
 * The certificates of a chain, the signer's first; borrowed.
 */
STACK_OF(X509) *chain_certificates(const struct chain *chain);

#endif
