/*
 * SpcIndirectDataContent: what an Authenticode signature says about a file.
 *
 * Windows Authenticode Portable Executable Signature Format, "Authenticode-
 * Specific Structures".  The DER of this structure is what htsign-shell hands
 * to htsign-keyd; keyd takes nothing that spc_parse does not take, so the key
 * can only ever make Authenticode signatures.
 */

#ifndef SIGNATURE_SPC_H
#define SIGNATURE_SPC_H

#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"

/* The longest DER that spc_parse looks at, unless there are page hashes. */
#define SPC_MAX ((size_t)16 << 10)

/*
 * Page hashes are of pages of this size, whatever the processor's is, in PE
 * files of at most 1 GiB: 262,144 pages.  Each section can end within one, and
 * section headers of 40 bytes in the first page are at most 102; then there
 * are the headers and the end.  With 36 bytes each and what is around them that
 * makes 9,441,075 bytes.
 */
#define SPC_PAGE 4096
#define SPC_PAGED_FILE_MAX ((uint64_t)1 << 30)
#define SPC_PAGED_SECTIONS (SPC_PAGE / 40)
#define SPC_PAGES (SPC_PAGED_FILE_MAX / SPC_PAGE + SPC_PAGED_SECTIONS + 2)
#define SPC_PAGES_ENTRY (4 + 32)
#define SPC_PAGES_AROUND 147
#define SPC_PAGES_MAX ((size_t)SPC_PAGES * SPC_PAGES_ENTRY + SPC_PAGES_AROUND)

/* The longest digest: five of SHA-512 with their tags, of an APPX package. */
#define SPC_DIGEST_MAX (4 + 5 * (4 + 64))

struct spc_digest {
	const char *algorithm; /* "sha256", "sha384" or "sha512"; static */
	uint8_t value[SPC_DIGEST_MAX];
	size_t length;
};

/*
 * The static name that equals the digest algorithm `name` in any case, and its
 * length in bytes (length may be NULL).  NULL if it is none of the three: SHA-1
 * and MD5 are not for signing.
 */
const char *spc_algorithm(const char *name, size_t *length);

/*
 * Append to der the DER of SpcIndirectDataContent for a file of this format
 * ("pe"; the name of the struct format) with this digest.  Its SPC type and
 * data are fixed by the format.  HT_ERR_INTERNAL for a format or an algorithm
 * that is not known, or no memory.
 */
int spc_encode(const char *format, const struct spc_digest *digest,
    struct buf *der, struct ht_error *e);

/*
 * Take the n bytes at der only if they are exactly what spc_encode makes for
 * this format and the digest in them, or for a PE what spc-pages.h makes with
 * page hashes: the SPC type and data of the format, a
 * digest algorithm of the three with NULL parameters, a digest of its length,
 * DER with nothing left over.  Fills *digest.  HT_ERR_DATA (with the offset
 * where known, and what was wrong) for everything else, and for an unknown
 * format; digest->length is 0 then.
 */
int spc_parse(const char *format, const void *der, size_t n,
    struct spc_digest *digest, struct ht_error *e);

/*
 * For verifying what other signers made: read the digest out of an
 * SpcIndirectDataContent of the format's SPC type, whatever its data say; of an
 * SpcSipInfo only the GUID is looked at, which tells the formats apart, and
 * page hashes must be such as spc-pages.h reads.  HT_ERR_DATA if it is not one,
 * has bytes left over, or a digest that does not fit one of the three
 * algorithms.
 */
int spc_read(const char *format, const void *der, size_t n,
    struct spc_digest *digest, struct ht_error *e);

#endif
