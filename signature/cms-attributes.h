/*
 * The signed attributes of an Authenticode signature, for signature/ only.
 *
 * PKCS #9 (RFC 2985 5.3); Windows Authenticode Portable Executable Signature
 * Format, "Authenticated Attributes".
 */

#ifndef SIGNATURE_CMS_ATTRIBUTES_H
#define SIGNATURE_CMS_ATTRIBUTES_H

#include "signature/cms-asn1.h"
#include "signature/cms.h"

/*
 * Check that the options can be signed.  HT_ERR_USAGE if not, in the cases that
 * cms_signer_new lists.
 */
int cms_options_check(const struct cms_options *options, struct ht_error *e);

/*
 * Give info its signed attributes, in no order yet:
 * - contentType: type, in dotted form;
 * - messageDigest: content, the digest of the content's contents octets;
 * - signingTime, if the options have a time;
 * - SpcStatementType;
 * - SpcSpOpusInfo, if the options have a description or a URL.
 *
 * Returns 0, or -1 without memory.
 */
int cms_attributes_add(SIGNER_INFO *info, const struct cms_options *options,
    const char *type, const struct spc_digest *content);

#endif
