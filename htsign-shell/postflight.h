/*
 * Post-flight: verifies our own output as if it had come from elsewhere,
 * before it leaves.  It guards against our own mistakes.
 */

#ifndef HTSIGN_SHELL_POSTFLIGHT_H
#define HTSIGN_SHELL_POSTFLIGHT_H

#include "formats/format.h"
#include "htsign-shell/tap.h"

/*
 * Verify the planned file and put its SHA-256 into sha256.  The signature must
 * be over exactly content.  If pkcs7 is several signatures, which stand side by
 * side, this is the last of them, and the file must have all.
 *
 * HT_ERR_INTERNAL if the file does not verify; the text says why.  This is
 * never the client's fault.  HT_ERR_UNAVAILABLE if there is no room.
 */
int postflight_file(const struct format *format, const struct output *plan,
    const struct buf *pkcs7, struct cursor content, uint8_t sha256[TAP_SHA256],
    struct ht_error *e);

/*
 * The same for an output that is only a PKCS#7, or several.
 */
int postflight_pkcs7(const struct buf *pkcs7, struct cursor content,
    uint8_t sha256[TAP_SHA256], struct ht_error *e);

/*
 * Verify the timestamp of a new signature: it must have one, by one of the
 * roots in the PEM, for which the signer's chain counts, and of now, within
 * POSTFLIGHT_CLOCK seconds.  HT_ERR_INTERNAL if not.
 */
#define POSTFLIGHT_CLOCK 300
int postflight_stamp(const struct buf *pkcs7, struct cursor roots,
    struct ht_error *e);

/*
 * Find bytes in whole.  Returns a cursor into whole, so that the caller can
 * free its own copy.  Returns bytes if whole does not contain them.
 */
struct cursor postflight_find(const struct buf *whole, struct cursor bytes);

/*
 * Whether merged is outer with inner nested in it, and nothing else has
 * changed.  All three are the DER of a PKCS#7.
 *
 * Exactly one thing may be added to outer: inner itself, or the attribute that
 * holds it, or an unsignedAttrs field with this attribute alone.  The lengths
 * around that place may change.  All other bytes must be those of outer.
 */
bool postflight_is_nested(struct cursor outer, struct cursor inner,
    struct cursor merged);

#endif
