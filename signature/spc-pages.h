/*
 * SpcIndirectDataContent of a PE file with page hashes; what spc.h does for
 * all others.
 *
 *	SpcPeImageData.file [0] is the SpcLink moniker [1], an
 *	SpcSerializedObject {
 *		classId OCTET STRING,	a6b586d5-b4a1-2466-ae05-a217da8e60d6
 *		serializedData OCTET STRING holding SET {
 *			SpcAttributeTypeAndOptionalValue {
 *				SpcPageHashes-v2, SET { OCTET STRING } } } }
 *
 * and the last OCTET STRING is the list: an entry for each page, a 32-bit
 * little-endian offset in the file and the SHA-256 of what is there, the first
 * one for offset 0, and an end whose digest is zeros.  (Windows Authenticode
 * Portable Executable Signature Format has the outer half; the inner one is as
 * Windows writes it.)
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

/* The only digest algorithm that page hashes have here. */
#define SPC_PAGES_ALGORITHM "sha256"

/*
 * Start content with a list of n bytes: put all that comes before it, and room
 * for it at *list, which the caller fills before or after spc_pages_finish.
 * der must be empty.  HT_ERR_INTERNAL without memory, or if n is no length of
 * a list.
 */
int spc_pages_start(size_t n, struct buf *der, uint8_t **list,
    struct ht_error *e);

/*
 * Put what comes behind the list: the digest of the file, a SHA-256.
 */
int spc_pages_finish(const struct spc_digest *digest, struct buf *der,
    struct ht_error *e);

/*
 * Whether the n bytes at der look like content with page hashes: what it links
 * to is a moniker.
 */
bool spc_pages_is(const void *der, size_t n);

/*
 * For content of which spc_pages_is says yes: as spc_parse and as spc_read.
 * *list is where the list is in der.
 */
int spc_pages_parse(const void *der, size_t n, struct spc_digest *digest,
    struct cursor *list, struct ht_error *e);
int spc_pages_read(const void *der, size_t n, struct spc_digest *digest,
    struct cursor *list, struct ht_error *e);

#endif
