/*
 * What a signature is over: an SpcIndirectDataContent (signature/spc.h), or
 * for a catalog its CTL (signature/ctl.h), which has no digest of its own:
 * there the digest of the file is that of the CTL's contents octets.
 */

#ifndef SIGNATURE_CONTENT_H
#define SIGNATURE_CONTENT_H

#include <stddef.h>

#include "lib/error.h"
#include "signature/pkcs7.h"
#include "signature/spc.h"

/* The format whose content is a CTL. */
#define CONTENT_CAT "cat"

/*
 * The content type of this format's signatures, an identifier in dotted form.
 */
const char *content_type(const char *format);

/*
 * Take content that is to be signed, n bytes of DER, as spc_parse or ctl_parse
 * does, and fill *digest; algorithm is for catalogs only (NULL: sha256).
 * Errors as there.
 */
int content_parse(const char *format, const void *der, size_t n,
    const char *algorithm, struct spc_digest *digest, struct ht_error *e);

/*
 * For verifying: what p7 says is the digest of a file of this format.  As
 * spc_read, and HT_ERR_DATA if the content is of another type.
 */
int content_read(const char *format, const struct pkcs7 *p7,
    struct spc_digest *digest, struct ht_error *e);

#endif
