/*
 * The Publisher of an APPX package: the subject of the certificate that has to
 * sign it, as text.
 *
 * ST_Publisher of the package manifest schema: attributes of one value each,
 * the last one of the certificate first, TYPE=VALUE, with commas between them;
 * a value may stand in double quotes, with those in it doubled.  A type is one
 * of the schema's names, or OID. and an identifier.
 */

#ifndef SIGNATURE_PUBLISHER_H
#define SIGNATURE_PUBLISHER_H

#include "lib/error.h"
#include "signature/chain.h"

/*
 * 0 if publisher (UTF-8) is the subject of the signer's certificate: the same
 * attributes in the same order, with the same values to the byte.  HT_ERR_
 * REFUSED if not, with the Publisher that the certificate has; HT_ERR_DATA if
 * it is no such text; HT_ERR_INTERNAL without memory.
 */
int publisher_check(const struct chain *chain, const char *publisher,
    struct ht_error *e);

#endif
