/*
 * Post-flight: what is about to leave, verified as if it had come from
 * elsewhere.  It guards against our own mistakes.
 */

#ifndef HTSIGN_SHELL_POSTFLIGHT_H
#define HTSIGN_SHELL_POSTFLIGHT_H

#include "formats/format.h"
#include "htsign-shell/tap.h"

/*
 * Verify the planned file, whose signature has to be over exactly this content,
 * and put the SHA-256 of the file into sha256.  HT_ERR_INTERNAL with what is
 * wrong: whoever is to blame, it is not the client.  HT_ERR_UNAVAILABLE if
 * there is no room.
 */
int postflight_file(const struct format *format, const struct output *plan,
    struct cursor content, uint8_t sha256[TAP_SHA256], struct ht_error *e);

/*
 * The same where the output is a PKCS#7.
 */
int postflight_pkcs7(const struct buf *pkcs7, struct cursor content,
    uint8_t sha256[TAP_SHA256], struct ht_error *e);

/*
 * Where those bytes stand in whole, so that they need not be had twice; or
 * bytes themselves, if they do not.
 */
struct cursor postflight_find(const struct buf *whole, struct cursor bytes);

/*
 * Whether merged is outer with inner nested in it, each a PKCS#7, and nothing
 * else: somewhere in merged stands inner, or the attribute that holds it, or
 * the first of all unsigned attributes that is that one; without it all bytes
 * are those of outer, but for the lengths around that place.
 */
bool postflight_is_nested(struct cursor outer, struct cursor inner,
    struct cursor merged);

#endif
