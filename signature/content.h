/*
 * The content of a signature: an SpcIndirectDataContent (signature/spc.h), or
 * the CTL of a catalog (signature/ctl.h).  A CTL names no digest of its own.
 * The digest of a catalog's file is therefore that of the CTL's contents
 * octets.
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
 * Parse content that is to be signed, n bytes of DER, with spc_parse or
 * ctl_parse, and fill *digest.  algorithm counts for catalogs only (NULL:
 * sha256).  Errors as those functions.
 */
int content_parse(const char *format, const void *der, size_t n,
    const char *algorithm, struct spc_digest *digest, struct ht_error *e);

/*
 * Fill *digest with what p7 says is the digest of a file of this format, for
 * verifying.  Errors as spc_read; HT_ERR_DATA also if the content is of another
 * type.
 */
int content_read(const char *format, const struct pkcs7 *p7,
    struct spc_digest *digest, struct ht_error *e);

#endif
