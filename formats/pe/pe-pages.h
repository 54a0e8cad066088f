/*
 * Page hashes of a PE: made, or compared with those of a signature, in the one
 * pass that the digest of the file takes; inside formats/pe/ only.
 *
 * What is hashed is the headers, without the two fields that the file's digest
 * leaves out, and each section's data, in pages of 4096 bytes, short ones
 * filled up with zeros.  The list (spc-pages.h) is in the order of the section
 * table, and ends with where the last section ends.
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
 * Begin with the headers, which have been read (pe_header_read).  If list is
 * empty the hashes are made, into content, which gets all that stands before
 * them and must be left alone until pe_pages_end; otherwise they are compared
 * with list, which must outlive this, and content is not used.
 *
 * HT_ERR_REFUSED for headers that are longer than a page, too many sections, or
 * an end beyond 1 GiB; HT_ERR_DATA if two sections, or one and the headers,
 * have bytes of the file in common, or list has not as many entries;
 * HT_ERR_INTERNAL.
 */
int pe_pages_new(struct input *in, uint64_t pe, const struct pe_header *header,
    struct cursor list, struct buf *content, struct pe_pages **pages,
    struct ht_error *e);
void pe_pages_free(struct pe_pages *pages); /* NULL is fine */

/*
 * The n bytes at offset of the file: every byte of it behind the headers, once,
 * in order.  HT_ERR_DATA if a page does not have the hash of the list.
 */
int pe_pages_bytes(struct pe_pages *pages, uint64_t offset, const uint8_t *p,
    size_t n, struct ht_error *e);

#endif
