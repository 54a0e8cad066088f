/*
 * The signing certificate attribute of a timestamp, which binds the signature to
 * certificates: version 2 (RFC 5035 5.4), version 1 (RFC 2634 5.4) or both; for
 * signature/ only.
 *
 * libcrypto has this, too.  It wants each certificate that the attribute names
 * in the path, but Microsoft's timestamps also name an attribute certificate.
 * RFC 5035 allows that.
 */

#ifndef SIGNATURE_ESS_H
#define SIGNATURE_ESS_H

#include <openssl/pkcs7.h>
#include <openssl/x509.h>

#include "lib/buf.h"
#include "lib/error.h"

/*
 * Check that info has at least one attribute.  Of each that it has, the first
 * hash must be that of the first certificate of path, which is the signer's.
 * The others must be of certificates of path, or of those in others: attribute
 * certificates, one after the other, each a SEQUENCE.  Only hashes are
 * compared, since they tell which certificate is meant.
 *
 * HT_ERR_DATA if not.
 */
int ess_check(PKCS7_SIGNER_INFO *info, STACK_OF(X509) *path,
    struct cursor others, struct ht_error *e);

#endif
