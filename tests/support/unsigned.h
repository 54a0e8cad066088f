/*
 * Changes the unsigned attributes of a signature, which only tests encode anew.
 */

#ifndef TESTS_SUPPORT_UNSIGNED_H
#define TESTS_SUPPORT_UNSIGNED_H

#include <stddef.h>

#include "lib/buf.h"
#include "signature/cms-asn1.h"

/*
 * unsigned_unpack returns the SignedData of the PKCS#7 in der.  The caller
 * frees it.  unsigned_pack replaces der with a PKCS#7 of data.  A failure ends
 * the test program.
 */
SIGNED_DATA *unsigned_unpack(const struct buf *der);
void unsigned_pack(SIGNED_DATA *data, struct buf *der);

/*
 * Add an unsigned attribute to the PKCS#7 in der.  It gets one value of this
 * ASN.1 type, the n bytes at value.  With V_ASN1_SEQUENCE these include tag and
 * length.  With V_ASN1_UNDEF the attribute has no value.
 */
void unsigned_add(struct buf *der, const char *oid, int type, const void *value,
    size_t n);

/*
 * Append the signature value of the PKCS#7 in der to out.
 */
void unsigned_signature(const struct buf *der, struct buf *out);

#endif
