/*
 * The certificate trust list (CTL) of a catalog.  The signature of a .cat file
 * is over a CTL, where all others are over an SpcIndirectDataContent.
 *
 * [MS-CAESO] 3.1.1.4.3.1 has the structure.  A catalog's subjects are the files
 * that it vouches for.
 */

#ifndef SIGNATURE_CTL_H
#define SIGNATURE_CTL_H

#include <stddef.h>

#include "lib/buf.h"
#include "lib/error.h"

/* The longest DER that ctl_parse accepts. */
#define CTL_MAX ((size_t)960 << 10)

/*
 * Check that the n bytes at der are the CTL of a catalog and nothing else.  Its
 * SubjectUsage is that of a catalog and no other.  Its SubjectAlgorithm is one
 * of the two that catalogs have.  It encodes to the same bytes again.  What it
 * vouches for is not looked into.  HT_ERR_DATA if not, or if it is longer than
 * CTL_MAX; HT_ERR_INTERNAL without memory.
 */
int ctl_parse(const void *der, size_t n, struct ht_error *e);

/*
 * Append the DER of an unsigned catalog: SignedData (RFC 2315 9.1) that holds
 * the n bytes of CTL and nothing else.  HT_ERR_INTERNAL without memory.
 */
int ctl_wrap(const void *der, size_t n, struct buf *out, struct ht_error *e);

#endif
