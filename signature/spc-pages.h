/*
 * SpcIndirectDataContent of a PE file with page hashes.  spc.h serves all other
 * content.
 *
 *	SpcPeImageData.file [0] is the SpcLink moniker [1], an
 *	SpcSerializedObject {
 *		classId OCTET STRING,  a6b586d5-b4a1-2466-ae05-a217da8e60d6
 *		serializedData OCTET STRING holding SET {
 *			SpcAttributeTypeAndOptionalValue {
 *				SpcPageHashes-v2, SET { OCTET STRING } } } }
 *
 * The last OCTET STRING is the list.  It has an entry for each page: a 32-bit
 * little-endian offset in the file and the SHA-256 of what is there.  The first
 * entry is for offset 0.  The last entry ends the list, and its digest is
 * zeros.  Windows Authenticode Portable Executable Signature Format has the
 * outer half; the inner half is as Windows writes it.
 *
 * A list can have 9 MiB, so nothing here copies it.
 */

#ifndef SIGNATURE_SPC_PAGES_H
#define SIGNATURE_SPC_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"
#include "signature/spc.h"

/* The only digest algorithm of page hashes here. */
#define SPC_PAGES_ALGORITHM "sha256"

/*
 * Start content with a list of n bytes in der, which must be empty: append all
 * that comes before the list, and room for the list.  *list points to that
 * room, inside der.  The caller fills it, before or after spc_pages_finish.
 * HT_ERR_INTERNAL without memory, or if n is not a possible length of a list.
 */
int spc_pages_start(size_t n, struct buf *der, uint8_t **list,
    struct ht_error *e);

/*
 * Append what follows the list: the digest of the file, a SHA-256.
 * HT_ERR_INTERNAL for another digest, or without memory.
 */
int spc_pages_finish(const struct spc_digest *digest, struct buf *der,
    struct ht_error *e);

/*
 * Whether the n bytes at der look like content with page hashes: the link is a
 * moniker.
 */
bool spc_pages_is(const void *der, size_t n);

/*
 * spc_parse and spc_read for content that spc_pages_is recognises.  *list
 * points to the list inside der; it is empty on error.
 */
int spc_pages_parse(const void *der, size_t n, struct spc_digest *digest,
    struct cursor *list, struct ht_error *e);
int spc_pages_read(const void *der, size_t n, struct spc_digest *digest,
    struct cursor *list, struct ht_error *e);

#endif
