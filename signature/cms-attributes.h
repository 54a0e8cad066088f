/*
 * The signed attributes of an Authenticode signature, inside signature/
 * only.  PKCS #9 (RFC 2985 5.3), Windows Authenticode Portable Executable
 * Signature Format, "Authenticated Attributes".
 */

#ifndef SIGNATURE_CMS_ATTRIBUTES_H
#define SIGNATURE_CMS_ATTRIBUTES_H

#include "signature/cms-asn1.h"
#include "signature/cms.h"

/*
 * HT_ERR_USAGE, as cms_signer_new has it, for options that cannot be signed.
 */
int cms_options_check(const struct cms_options *options, struct ht_error *e);

/*
 * Give info its signed attributes: contentType (dotted), messageDigest (the
 * digest of the content's octets), signingTime if there is one,
 * SpcStatementType, and SpcSpOpusInfo if there is a description or a URL; in no
 * order yet.  -1 without memory.
 */
int cms_attributes_add(SIGNER_INFO *info, const struct cms_options *options,
    const char *type, const struct spc_digest *content);

#endif
