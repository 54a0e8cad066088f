#include "config.h"

#include <openssl/evp.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "formats/pe/pe-pages.h"
#include "signature/spc-asn1.h"
#include "signature/spc-pages.h"

#define ENTRY SPC_PAGES_ENTRY
#define SHA256_LENGTH 32

/* A section, and the index of its first entry in the list. */
struct run {
	uint32_t offset;
	uint32_t size;
	size_t entry;
};

struct pe_pages {
	EVP_MD *sha256;
	EVP_MD_CTX *md;                      /* of the current page */
	struct run runs[SPC_PAGED_SECTIONS]; /* in the order of the file */
	size_t count;
	size_t current;     /* the current run, or the next one */
	uint32_t done;      /* bytes of it that are done */
	struct cursor list; /* to compare with, or empty */
	uint8_t *made;      /* or where the list goes; inside content */
	uint64_t last;      /* where the last section of the table ends */
	size_t entries;     /* of the list, with the last one */
};

void
pe_pages_free(struct pe_pages *pages)
{
	if (pages == NULL)
		return;
	EVP_MD_CTX_free(pages->md);
	EVP_MD_free(pages->sha256);
	free(pages);
}

/* --- the list ------------------------------------------------------------ */

static int
put_entry(struct pe_pages *pages, size_t i, uint32_t offset,
    const uint8_t digest[SHA256_LENGTH], struct ht_error *e)
{
	uint8_t entry[ENTRY];
	size_t j;

	for (j = 0; j < 4; j++)
		entry[j] = (uint8_t)(offset >> 8 * j);
	memcpy(entry + 4, digest, SHA256_LENGTH);
	if (pages->made != NULL)
		memcpy(pages->made + i * ENTRY, entry, ENTRY);
	else if (memcmp(pages->list.p + i * ENTRY, entry, ENTRY) != 0)
		return ht_error_at(e, HT_ERR_DATA, offset,
		    "the file is not what was signed: the hash of the page "
		    "here differs");
	return 0;
}

static int
crypto_failed(struct ht_error *e)
{
	return spc_crypto_error(e, HT_ERR_INTERNAL, "cannot digest a page");
}

/*
 * Fill up the current page, of which n bytes have been digested, with zeros,
 * and put its entry.
 */
static int
end_page(struct pe_pages *pages, size_t n, size_t entry, uint32_t offset,
    struct ht_error *e)
{
	static const uint8_t zeros[SPC_PAGE];
	uint8_t digest[SHA256_LENGTH];

	if (EVP_DigestUpdate(pages->md, zeros, SPC_PAGE - n) != 1 ||
	    EVP_DigestFinal_ex(pages->md, digest, NULL) != 1 ||
	    EVP_DigestInit_ex(pages->md, pages->sha256, NULL) != 1)
		return crypto_failed(e);
	return put_entry(pages, entry, offset, digest, e);
}

/* --- the start ----------------------------------------------------------- */

static int
by_offset(const void *a, const void *b)
{
	const struct run *left = a;
	const struct run *right = b;

	return (left->offset > right->offset) - (left->offset < right->offset);
}

/*
 * Sort the sections in the order of the file.  Their entries stay in the order
 * of the table.
 */
static int
plan_runs(struct pe_pages *pages, const struct pe_section *sections,
    uint32_t headers_size, struct ht_error *e)
{
	const struct run *run;
	uint64_t end = headers_size;
	size_t i;

	pages->entries = 1;
	for (i = 0; i < pages->count; i++) {
		pages->runs[i] = (struct run){ sections[i].offset,
			sections[i].size, pages->entries };
		pages->entries +=
		    ((size_t)sections[i].size + SPC_PAGE - 1) / SPC_PAGE;
		pages->last = (uint64_t)sections[i].offset + sections[i].size;
	}
	pages->entries++;
	qsort(pages->runs, pages->count, sizeof(*run), by_offset);
	for (i = 0; i < pages->count; i++) {
		run = &pages->runs[i];
		if (run->offset < end)
			return ht_error_at(e, HT_ERR_DATA, run->offset,
			    "a section overlaps the headers or another "
			    "section, so it cannot have page hashes (PE, "
			    "Section Table)");
		end = (uint64_t)run->offset + run->size;
	}
	if (end > SPC_PAGED_FILE_MAX)
		return ht_error_at(e, HT_ERR_REFUSED, SPC_PAGED_FILE_MAX,
		    "page hashes are only for files of at most 1 GiB");
	return 0;
}

/*
 * Hash the first page: the headers without the two fields.
 */
static int
hash_headers(struct pe_pages *pages, struct input *in,
    const struct pe_header *header, size_t size, struct ht_error *e)
{
	size_t middle = (size_t)header->checksum + 4;
	size_t rest = (size_t)header->security + PE_DIRECTORY_ENTRY;
	const uint8_t *p;
	size_t got;
	int rc;

	rc = input_read(in, 0, size, &p, &got, e);
	if (rc < 0)
		return rc;
	if (got < size)
		return ht_error_at(e, HT_ERR_DATA, got,
		    "the file ends inside the headers (PE, SizeOfHeaders)");
	if (EVP_DigestInit_ex(pages->md, pages->sha256, NULL) != 1 ||
	    EVP_DigestUpdate(pages->md, p, (size_t)header->checksum) != 1 ||
	    EVP_DigestUpdate(pages->md, p + middle,
	        (size_t)header->security - middle) != 1 ||
	    EVP_DigestUpdate(pages->md, p + rest, size - rest) != 1)
		return crypto_failed(e);
	return end_page(pages, size, 0, 0, e);
}

static int
start_list(struct pe_pages *pages, struct cursor list, struct buf *content,
    struct ht_error *e)
{
	static const uint8_t zeros[SHA256_LENGTH];
	int rc = 0;

	pages->list = list;
	if (list.left == 0)
		rc = spc_pages_start(pages->entries * ENTRY, content,
		    &pages->made, e);
	else if (list.left != pages->entries * ENTRY)
		rc = ht_error_set(e, HT_ERR_DATA,
		    "the signature has %zu page hashes, and the file %zu "
		    "pages",
		    list.left / ENTRY, pages->entries);
	if (rc == 0)
		rc = put_entry(pages, pages->entries - 1, (uint32_t)pages->last,
		    zeros, e);
	return rc;
}

int
pe_pages_new(struct input *in, uint64_t pe, const struct pe_header *header,
    struct cursor list, struct buf *content, struct pe_pages **pages,
    struct ht_error *e)
{
	struct pe_section sections[SPC_PAGED_SECTIONS];
	struct pe_pages *made = calloc(1, sizeof(*made));
	uint32_t size;
	int rc;

	*pages = NULL;
	if (made == NULL)
		return ht_error_memory(e);
	made->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	made->md = EVP_MD_CTX_new();
	if (made->sha256 == NULL || made->md == NULL) {
		rc = crypto_failed(e);
		goto out;
	}
	rc = pe_header_sections(in, pe, &size, sections, SPC_PAGED_SECTIONS,
	    &made->count, e);
	if (rc < 0)
		goto out;
	if (size > SPC_PAGE)
		rc = ht_error_at(e, HT_ERR_REFUSED, pe,
		    "headers of %lu bytes do not fit into a page, so they "
		    "cannot have a page hash",
		    (unsigned long)size);
	else if (size < header->headers_end)
		rc = ht_error_at(e, HT_ERR_DATA, pe,
		    "headers longer than they say (PE, SizeOfHeaders)");
	if (rc < 0 || (rc = plan_runs(made, sections, size, e)) < 0 ||
	    (rc = start_list(made, list, content, e)) < 0 ||
	    (rc = hash_headers(made, in, header, size, e)) < 0)
		goto out;
	*pages = made;
	made = NULL;
out:
	pe_pages_free(made);
	return rc;
}

/* --- the bytes ----------------------------------------------------------- */

/*
 * Take n bytes of the current run, at most as many as its page needs.
 */
static int
run_bytes(struct pe_pages *pages, const uint8_t *p, size_t n,
    struct ht_error *e)
{
	const struct run *run = &pages->runs[pages->current];
	uint32_t page = pages->done / SPC_PAGE;
	uint32_t start = page * SPC_PAGE;
	int rc = 0;

	if (EVP_DigestUpdate(pages->md, p, n) != 1)
		return crypto_failed(e);
	pages->done += (uint32_t)n;
	if (pages->done - start == SPC_PAGE || pages->done == run->size)
		rc = end_page(pages, pages->done - start, run->entry + page,
		    run->offset + start, e);
	if (pages->done == run->size) {
		pages->current++;
		pages->done = 0;
	}
	return rc;
}

int
pe_pages_bytes(struct pe_pages *pages, uint64_t offset, const uint8_t *p,
    size_t n, struct ht_error *e)
{
	const struct run *run;
	uint64_t take;
	int rc;

	for (; n > 0 && pages->current < pages->count;
	     offset += take, p += take, n -= (size_t)take) {
		run = &pages->runs[pages->current];
		if (offset < run->offset) {
			take =
			    run->offset - offset < n ? run->offset - offset : n;
			continue;
		}
		take = SPC_PAGE - pages->done % SPC_PAGE;
		if (take > run->size - pages->done)
			take = run->size - pages->done;
		if (take > n)
			take = n;
		rc = run_bytes(pages, p, (size_t)take, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}
