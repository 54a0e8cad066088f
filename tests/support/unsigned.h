/*
 * What a signature has beside what it signs: only tests put that in anew.
 */

#ifndef TESTS_SUPPORT_UNSIGNED_H
#define TESTS_SUPPORT_UNSIGNED_H

#include <stddef.h>

#include "lib/buf.h"
#include "signature/cms-asn1.h"

/*
 * The SignedData of the PKCS#7 in der, which the caller frees; and der anew of
 * such a one.  These, too, end the test program if they cannot.
 */
SIGNED_DATA *unsigned_unpack(const struct buf *der);
void unsigned_pack(SIGNED_DATA *data, struct buf *der);

/*
 * Add an unsigned attribute to the PKCS#7 in der: one value of this ASN.1 type
 * (V_ASN1_SEQUENCE: with its tag and length), or without any if the type is
 * V_ASN1_UNDEF.
 */
void unsigned_add(struct buf *der, const char *oid, int type, const void *value,
    size_t n);

/*
 * Append the signature octets of the PKCS#7 in der to out.
 */
void unsigned_signature(const struct buf *der, struct buf *out);

#endif
