/*
 * The certificate trust list of a catalog: what a signature of a .cat file is
 * over, as an SpcIndirectDataContent is what all others are over.
 *
 * [MS-CAESO] 3.1.1.4.3.1 has the structure; a catalog's subjects are the files
 * that it vouches for.
 */

#ifndef SIGNATURE_CTL_H
#define SIGNATURE_CTL_H

#include <stddef.h>

#include "lib/buf.h"
#include "lib/error.h"

/* The longest DER that ctl_parse looks at. */
#define CTL_MAX ((size_t)960 << 10)

/*
 * Take the n bytes at der only if they are the CTL of a catalog and nothing
 * else: its SubjectUsage is a catalog's alone, its SubjectAlgorithm one of the
 * two that catalogs have, and it encodes to the same bytes again.  What it
 * vouches for is not looked into.  HT_ERR_DATA, and HT_ERR_INTERNAL without
 * memory.
 */
int ctl_parse(const void *der, size_t n, struct ht_error *e);

/*
 * Append the DER of a catalog that nobody signed: SignedData (RFC 2315 9.1)
 * over the n bytes of CTL, and nothing else in it.  HT_ERR_INTERNAL.
 */
int ctl_wrap(const void *der, size_t n, struct buf *out, struct ht_error *e);

#endif
