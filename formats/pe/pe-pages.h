/*
 * Page hashes of a PE, made or compared with those of a signature in the same
 * pass as the file's digest; for formats/pe/ only.
 *
 * The hashes cover the headers and each section's data, in pages of 4096 bytes.
 * The headers lack the two fields that the file's digest leaves out.  A short
 * page is filled up with zeros.  The list (spc-pages.h) is in the order of the
 * section table.  Its last entry has the offset at which the last section ends.
 */

#ifndef FORMATS_PE_PE_PAGES_H
#define FORMATS_PE_PE_PAGES_H

#include <stddef.h>
#include <stdint.h>

#include "formats/pe/pe-header.h"
#include "lib/buf.h"
#include "lib/error.h"
#include "lib/input.h"

struct pe_pages;

/*
 * Start the page hashes of a file whose headers pe_header_read has read, and
 * hash the headers.
 *
 * If list is empty, the hashes are made in content, which first gets everything
 * that precedes the list (spc_pages_start).  The caller must leave content
 * alone until all pages are done.  Otherwise the hashes are compared with list,
 * which must outlive *pages; content is then unused.
 *
 * Returns 0 and *pages, which the caller frees with pe_pages_free; *pages is
 * NULL on error.  HT_ERR_REFUSED for headers longer than a page, too many
 * sections, or an end beyond 1 GiB.  HT_ERR_DATA if two sections, or a section
 * and the headers, overlap; if the headers are longer than SizeOfHeaders, or
 * are cut; or if list has another number of entries.  HT_ERR_INTERNAL without
 * memory.  Other errors as input_read.
 */
int pe_pages_new(struct input *in, uint64_t pe, const struct pe_header *header,
    struct cursor list, struct buf *content, struct pe_pages **pages,
    struct ht_error *e);
void pe_pages_free(struct pe_pages *pages); /* NULL is fine */

/*
 * Take the n bytes at offset of the file.  The caller passes every byte after
 * the headers once, in order; bytes outside the sections are skipped.
 * HT_ERR_DATA if a page does not have the hash in the list.  HT_ERR_INTERNAL if
 * libcrypto fails.
 */
int pe_pages_bytes(struct pe_pages *pages, uint64_t offset, const uint8_t *p,
    size_t n, struct ht_error *e);

#endif
