/*
 * What becomes of a signature that a file has already: the profile's word
 * `existing`, which came with GO.
 */

#ifndef HTSIGN_SHELL_EXISTING_H
#define HTSIGN_SHELL_EXISTING_H

#include "formats/format.h"
#include "htsign-shell/tap.h"
#include "protocol/messages.h"

enum existing_action {
	EXISTING_SIGN, /* the file is signed; a signature in it is replaced */
	EXISTING_NEST, /* the new signature goes into the one that is there */
	EXISTING_KEEP  /* the file goes back as it came */
};

/*
 * Whether a new signature is nested in one that is there.  The file has to be
 * digested as_signed then, and existing_decide may read it once more: its input
 * has to be seekable.
 */
bool existing_nests(const struct protocol_go *go);

/*
 * Decide.  0 and *action, which is EXISTING_SIGN for a file that is not signed;
 * HT_ERR_REFUSED if the profile does not want such a file, HT_ERR_DATA if the
 * signature is damaged, or one of several that are not all ours; else as
 * format_verify.
 */
int existing_decide(const struct protocol_go *go,
    const struct format_file *file, enum existing_action *action,
    struct ht_error *e);

/*
 * For EXISTING_NEST: pkcs7, the new signature, which is over those bytes,
 * becomes the file's old one with the new one nested in it.  *over is then what
 * that is over, a part of pkcs7; and file->signature is empty.  HT_ERR_INTERNAL
 * if the new signature is not over the content, or anything else but the nested
 * one has changed; HT_ERR_DATA if there is no room for one more.
 */
int existing_nest(struct format_file *file, struct buf *pkcs7,
    struct cursor *over, struct ht_error *e);

/*
 * For EXISTING_KEEP: plan the output, which is the file or with reply
 * PROTOCOL_REPLY_PKCS7 its signature, and fill in *kept, which points to both
 * hashes then.  HT_ERR_INTERNAL.
 */
int existing_keep(const struct format_file *file, uint8_t reply,
    const uint8_t input_sha256[TAP_SHA256], struct output **out,
    struct protocol_kept *kept, uint8_t output_sha256[TAP_SHA256],
    struct ht_error *e);

/*
 * Who signed the file, for people: outside bytes, cut to fit size.
 */
void existing_signer(const struct format_file *file, char *out, size_t size);

#endif
