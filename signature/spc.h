/*
 * SpcIndirectDataContent: what an Authenticode signature says about a file.
 *
 * Windows Authenticode Portable Executable Signature Format, "Authenticode-
 * Specific Structures".  htsign-shell sends the DER of this structure to
 * htsign-keyd.  keyd accepts only what spc_parse accepts, so the key can make
 * only Authenticode signatures.
 */

#ifndef SIGNATURE_SPC_H
#define SIGNATURE_SPC_H

#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"

/* The longest DER that spc_parse accepts without page hashes. */
#define SPC_MAX ((size_t)16 << 10)

/*
 * Page hashes are of pages of this size, whatever the processor's is, in PE
 * files of at most 1 GiB: 262,144 pages.  Each section can end inside a page,
 * which makes one more entry.  The first page has room for at most 102 section
 * headers of 40 bytes.  The headers and the end of the list make two more
 * entries.  With 36 bytes an entry and the bytes around the list, that is at
 * most 9,441,075 bytes.
 */
#define SPC_PAGE 4096
#define SPC_PAGED_FILE_MAX ((uint64_t)1 << 30)
#define SPC_PAGED_SECTIONS (SPC_PAGE / 40)
#define SPC_PAGES (SPC_PAGED_FILE_MAX / SPC_PAGE + SPC_PAGED_SECTIONS + 2)
#define SPC_PAGES_ENTRY (4 + 32)
#define SPC_PAGES_AROUND 147
#define SPC_PAGES_MAX ((size_t)SPC_PAGES * SPC_PAGES_ENTRY + SPC_PAGES_AROUND)

/*
 * The longest digest: that of an APPX package, five SHA-512 digests with tags.
 */
#define SPC_DIGEST_MAX (4 + 5 * (4 + 64))

struct spc_digest {
	const char *algorithm; /* "sha256", "sha384" or "sha512"; static */
	uint8_t value[SPC_DIGEST_MAX];
	size_t length;
};

/*
 * The static name of the digest algorithm `name`, compared without case, and
 * its digest's length in bytes (length may be NULL).  NULL if name is none of
 * the three: SHA-1 and MD5 are not for signing.
 */
const char *spc_algorithm(const char *name, size_t *length);

/*
 * Append to der the DER of SpcIndirectDataContent with this digest, for a file
 * of this format ("pe"; the name of the struct format).  The format decides SPC
 * type and data.  HT_ERR_INTERNAL for an unknown format or algorithm, a digest
 * of the wrong form, or without memory.
 */
int spc_encode(const char *format, const struct spc_digest *digest,
    struct buf *der, struct ht_error *e);

/*
 * Read a digest that is to be signed from the n bytes at der.  They must be
 * exactly what spc_encode makes for this format and this digest.  For a PE they
 * may also be what spc-pages.h makes with page hashes.  The rules are:
 * - the SPC type and data are those of the format;
 * - the algorithm is one of the three, with NULL parameters;
 * - the digest has the algorithm's length;
 * - it is DER with nothing left over.
 *
 * Returns 0 and *digest; on error digest->length is 0.  HT_ERR_DATA for all
 * else and for an unknown format, with the offset where known.  HT_ERR_INTERNAL
 * without memory.
 */
int spc_parse(const char *format, const void *der, size_t n,
    struct spc_digest *digest, struct ht_error *e);

/*
 * Read the digest from an SpcIndirectDataContent that another signer made, for
 * verifying.  Its SPC type must be that of the format.  For a PE it may also be
 * 1.3.6.1.4.1.311.2.1.21 with SpcPeImageData, which pesign writes, and nobody
 * for another format.  Its data may be anything, with two exceptions.  An
 * SpcSipInfo must have the format's GUID, which tells formats apart.  Page
 * hashes must be such as spc-pages.h reads.
 *
 * Returns 0 and *digest; on error digest->length is 0.  HT_ERR_DATA for other
 * content, bytes left over, and a digest that does not fit one of the three
 * algorithms.  HT_ERR_DATA also over SPC_MAX without page hashes.
 */
int spc_read(const char *format, const void *der, size_t n,
    struct spc_digest *digest, struct ht_error *e);

/*
 * Read the digest from any SpcIndirectDataContent, to show it: of whatever SPC
 * type, and by whatever algorithm.  digest->algorithm is NULL if it is none of
 * the three.  Returns 0; HT_ERR_DATA, and digest->length is 0, if it cannot be
 * read.
 */
int spc_show(const void *der, size_t n, struct spc_digest *digest,
    struct ht_error *e);

#endif
