/*
 * One signature inside another.
 *
 * A file that is signed twice carries one PKCS#7, which has the others as
 * values of an unsigned attribute, 1.3.6.1.4.1.311.2.4.1 (szOID_NESTED_
 * SIGNATURE).  Reading them is signature/pkcs7.h.
 */

#ifndef SIGNATURE_PKCS7_NEST_H
#define SIGNATURE_PKCS7_NEST_H

#include <stddef.h>

#include "lib/buf.h"
#include "lib/error.h"

/*
 * Append to out the n bytes at outer, the DER of a signed ContentInfo, with
 * the m bytes at inner, another one, nested in its first SignerInfo: as one
 * more value of the attribute if there is one.  Nothing is encoded anew: of
 * outer only the lengths that enclose the attribute change, and the attribute
 * (and the value in it) comes before the first one that DER puts behind it
 * (X.690 11.6), so that what was in order stays so.  Neither signature is
 * verified.
 *
 * HT_ERR_DATA if one of the two is not SignedData with a signer and definite
 * lengths, or has bytes left over; if inner nests others; if outer then had
 * more than PKCS7_NESTED_MAX or were longer than PKCS7_PAGED_MAX.
 * HT_ERR_INTERNAL without memory.  out is as before on error.
 */
int pkcs7_nest(const void *outer, size_t n, const void *inner, size_t m,
    struct buf *out, struct ht_error *e);

#endif
