/*
 * One signature inside another, or a timestamp in one.
 *
 * A file that is signed twice carries one PKCS#7.  The other signatures are
 * values of an unsigned attribute in it, 1.3.6.1.4.1.311.2.4.1
 * (szOID_NESTED_SIGNATURE).  signature/pkcs7.h reads them.
 */

#ifndef SIGNATURE_PKCS7_NEST_H
#define SIGNATURE_PKCS7_NEST_H

#include <stddef.h>

#include "lib/buf.h"
#include "lib/error.h"

/*
 * Append outer to out, with inner nested in its first SignerInfo.  Both are the
 * DER of a signed ContentInfo, of n and m bytes.  Neither signature is
 * verified.
 *
 * inner becomes one more value of the attribute of nested signatures, which is
 * added if absent.  Nothing is encoded anew: of outer only the lengths that
 * enclose the attribute change.  The attribute goes before the first one that
 * DER puts after it (X.690 11.6); so does the value.  A sorted SET thus stays
 * sorted.
 *
 * Returns 0; on error out is unchanged.  HT_ERR_DATA if one of the two is not
 * SignedData with a signer and definite lengths, or has bytes left over; if
 * inner nests others; if inner, outer or the result is longer than
 * PKCS7_PAGED_MAX; if the result would nest more than PKCS7_NESTED_MAX.
 * HT_ERR_INTERNAL without memory.
 */
int pkcs7_nest(const void *outer, size_t n, const void *inner, size_t m,
    struct buf *out, struct ht_error *e);

/*
 * The same, but inner takes the place of old, a nested signature that outer has
 * with exactly these bytes.  HT_ERR_DATA also if it has none.
 */
int pkcs7_nest_instead(const void *outer, size_t n, struct cursor old,
    const void *inner, size_t m, struct buf *out, struct ht_error *e);

/*
 * Append the signature in the n bytes of DER at der to out, with a timestamp
 * token in its first SignerInfo: one more value of the unsigned attribute
 * 1.3.6.1.4.1.311.3.3.1.  Of the m bytes of the token only this is looked at,
 * that they are one SEQUENCE.  All else is as above.
 */
int pkcs7_stamp(const void *der, size_t n, const void *token, size_t m,
    struct buf *out, struct ht_error *e);

#endif
