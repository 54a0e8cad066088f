/*
 * SignedData without attribute certificates, for signature/ only.
 *
 * RFC 5652 10.2.2 allows attribute certificates beside a signer's certificates.
 * Microsoft's timestamps have them (X.509 1997, version 1).  RFC 2315, and the
 * templates of libcrypto and of cms-asn1.h for it, know X.509 certificates
 * alone.  Nobody signs the set, and no attribute certificate has a say here, so
 * they are left out before the rest is parsed.
 */

#ifndef SIGNATURE_X509_ONLY_H
#define SIGNATURE_X509_ONLY_H

#include "lib/buf.h"
#include "lib/error.h"

/*
 * Append to out the SignedData of der without its attribute certificates of
 * version 1 and 2; nothing else changes.  Append these to left_out, one after
 * the other, each a SEQUENCE.  Both stay empty if there are none, and if der is
 * no SignedData in definite lengths.  HT_ERR_INTERNAL without memory.
 */
int x509_only(struct cursor der, struct buf *out, struct buf *left_out,
    struct ht_error *e);

#endif
