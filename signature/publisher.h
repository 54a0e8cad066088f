/*
 * The Publisher of an APPX package: the subject of the certificate that has to
 * sign it, as text.
 *
 * The text is ST_Publisher of the package manifest schema: attributes
 * TYPE=VALUE with commas between them, in the reverse order of the certificate.
 * Each has one value.  A value may be in double quotes; double quotes inside
 * are then doubled.  A type is one of the schema's names, or "OID." and an
 * identifier.
 */

#ifndef SIGNATURE_PUBLISHER_H
#define SIGNATURE_PUBLISHER_H

#include "lib/error.h"
#include "signature/chain.h"

/*
 * Check that publisher (UTF-8) is the subject of the signer's certificate: the
 * same attributes in the same order, with the same values to the byte.
 * HT_ERR_REFUSED if not; the text ends with the publisher that it must be.
 * HT_ERR_DATA if publisher is not in the form above.  HT_ERR_INTERNAL without
 * memory.
 */
int publisher_check(const struct chain *chain, const char *publisher,
    struct ht_error *e);

#endif
