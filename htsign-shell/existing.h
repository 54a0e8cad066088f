/*
 * What to do with the old signature of a file that is signed already.  The
 * profile's key `existing` decides this; keyd sends its value in GO.
 */

#ifndef HTSIGN_SHELL_EXISTING_H
#define HTSIGN_SHELL_EXISTING_H

#include "formats/format.h"
#include "htsign-shell/tap.h"
#include "protocol/messages.h"

enum existing_action {
	EXISTING_SIGN, /* sign; the new signature replaces an old one */
	EXISTING_NEST, /* sign, and nest the new signature in the old one, or
	                  put it beside the old ones that stay */
	EXISTING_KEEP  /* return the file unchanged */
};

/*
 * Whether the profile nests new signatures in old ones.  If so, the file must
 * be digested with the option as_signed.  Its input must be seekable, since
 * existing_decide may read the file again.
 */
bool existing_nests(const struct protocol_go *go);

/*
 * Whether the profile gives back as it came what is signed already.
 */
bool existing_keeps(const struct protocol_go *go);

/*
 * Decide what to do with file, which was digested with the option remains.
 * Returns 0 and *action; for a file that is not signed this is EXISTING_SIGN.
 * For EXISTING_NEST only the old signatures that stay are left in
 * file->signature.
 *
 * HT_ERR_REFUSED if the profile does not allow such a file: among others, one
 * with remains of a signature, unless the profile replaces all.  HT_ERR_DATA
 * if the profile needs sound signatures and the old ones are damaged.
 * HT_ERR_INTERNAL if keyd sent an unknown value.  Otherwise as format_verify.
 */
int existing_decide(const struct protocol_go *go, struct format_file *file,
    enum existing_action *action, struct ht_error *e);

/*
 * For EXISTING_NEST.  Nest the new signature, *pkcs7, in file->signature, the
 * old one.  *over must be the content that the new signature signs.
 *
 * Returns 0; *pkcs7 is then the old signature with the new one in it,
 * file->signature is empty, and *over is the content that the old signature
 * signs, borrowed from *pkcs7.  All three are unchanged on error.
 *
 * If file->beside is set, *pkcs7 is then all old signatures and behind them the
 * new one, and *over is still what that signs.  HT_ERR_REFUSED if they are more
 * than FORMAT_BESIDE_MAX.
 *
 * HT_ERR_DATA if the old signature has no room for one more, or nothing can be
 * nested in it (pkcs7_nest).  HT_ERR_INTERNAL if the new signature is not over
 * *over, or if anything but the nested signature has changed.
 */
int existing_nest(struct format_file *file, struct buf *pkcs7,
    struct cursor *over, struct ht_error *e);

/*
 * For EXISTING_KEEP.  Plan the output: the file, or only its signature if
 * reply is PROTOCOL_REPLY_PKCS7.  Put the output's SHA-256 into output_sha256
 * and fill in *kept, which points to both hashes.
 *
 * Returns 0, or HT_ERR_INTERNAL without memory.  The caller frees *out with
 * output_free, also after an error.  The plan borrows file->in and
 * file->signature.
 */
int existing_keep(const struct format_file *file, uint8_t reply,
    const uint8_t input_sha256[TAP_SHA256], struct output **out,
    struct protocol_kept *kept, uint8_t output_sha256[TAP_SHA256],
    struct ht_error *e);

/*
 * Write to out who signed the file, for a person to read.  The text has bytes
 * from outside and must be escaped.  It is NUL-terminated and cut to size.
 */
void existing_signer(const struct format_file *file, char *out, size_t size);

#endif
