/*
 * Portable Executable: Windows programs, libraries and drivers, EFI images,
 * .NET assemblies.
 *
 * Microsoft PE and COFF Specification ("PE" below); Windows Authenticode
 * Portable Executable Signature Format, "Calculating the PE Image Hash".  The
 * digest covers everything but CheckSum, the certificate table and its
 * directory entry.  The table ends the file, so one forward pass is enough.
 */

#include "config.h"

#include <openssl/evp.h>

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "formats/format.h"
#include "formats/forward.h"
#include "formats/padding.h"
#include "formats/pe/pe-header.h"
#include "formats/pe/pe-pages.h"
#include "formats/pe/pe-table.h"
#include "signature/spc-asn1.h"
#include "signature/spc-pages.h"

/* What the digest leaves for the plan. */
struct pe {
	struct pe_header header;
	uint64_t content_end;   /* where the padding or the old table begins */
	bool sums;              /* a plan may follow, and needs sum */
	uint64_t sum;           /* of 16-bit words, not folded; the fields
	                           that the plan sets count as zero */
	struct pe_pages *pages; /* while digesting, if asked for */
};

static int
pe_detect(struct input *in, const char *file_name, bool *is, struct ht_error *e)
{
	const uint8_t *p;
	uint32_t lfanew;
	size_t got;
	int rc;

	(void)file_name;
	*is = false;
	rc = input_read(in, 0, 2, &p, &got, e);
	if (rc < 0)
		return rc;
	if (got < 2 || memcmp(p, "MZ", 2) != 0)
		return 0;
	*is = true;
	rc = pe_header_lfanew(in, &lfanew, e);
	/* The digest must be the first to read later bytes. */
	if (rc == 0 && lfanew + 4 <= INPUT_HEAD)
		rc = pe_header_signature(in, lfanew, e);
	return rc;
}

/*
 * The sum of little-endian 16-bit words.  offset is that of the first byte in
 * the file.  The loop adds wider words.  Folding gives the same in the end, as
 * 2^16 is 1 modulo 2^16 - 1 (RFC 1071, section 2); so a carry out of 64 bits
 * counts as 1.
 */
static uint64_t
sum_words(uint64_t offset, const uint8_t *p, size_t n)
{
	uint64_t sum = 0;
	uint64_t carries = 0;
	uint64_t wide = 0;
	uint64_t word;

	if (n > 0 && offset % 2 != 0) {
		sum = (uint64_t)*p++ << 8;
		n--;
	}
	for (; n >= sizeof(word); p += sizeof(word), n -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		wide += le64toh(word);
		carries += wide < le64toh(word);
	}
	for (; n >= 2; p += 2, n -= 2)
		sum += (uint64_t)p[1] << 8 | p[0];
	if (n > 0)
		sum += *p;
	return sum + carries + (wide & UINT32_MAX) + (wide >> 32);
}

/*
 * CheckSum as ImageHlp computes it: the folded sum and the file's length.
 */
static uint32_t
fold_sum(uint64_t sum, uint64_t size)
{
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)(sum + size);
}

/*
 * Digest and sum the input from *offset up to end, or to the end of the file.
 * Leaves *offset there.
 */
static int
digest_range(struct input *in, EVP_MD_CTX *md, struct pe *pe, uint64_t *offset,
    uint64_t end, struct ht_error *e)
{
	const uint8_t *p;
	size_t n;
	int rc;

	while ((rc = forward_next(in, offset, end, &p, &n, e)) == 0 && n > 0) {
		if (EVP_DigestUpdate(md, p, n) != 1)
			return spc_crypto_error(e, HT_ERR_INTERNAL,
			    "cannot digest");
		if (pe->sums)
			pe->sum += sum_words(*offset - n, p, n);
		if (pe->pages != NULL)
			rc = pe_pages_bytes(pe->pages, *offset - n, p, n, e);
		if (rc < 0)
			return rc;
	}
	return rc;
}

/*
 * Digest the headers without the two fields.  Leaves *offset after the second.
 */
static int
digest_headers(struct format_file *file, EVP_MD_CTX *md, struct pe *pe,
    uint64_t *offset, struct ht_error *e)
{
	struct pe_header *header = &pe->header;
	struct input *in = file->in;
	uint32_t lfanew;
	int rc;

	if ((rc = pe_header_lfanew(in, &lfanew, e)) < 0 ||
	    (rc = digest_range(in, md, pe, offset, lfanew, e)) < 0 ||
	    (rc = pe_header_read(in, lfanew, header, e)) < 0)
		return rc;
	if (file->options.page_hashes)
		rc = pe_pages_new(in, lfanew, header, file->page_hashes,
		    &file->content, &pe->pages, e);
	if (rc < 0 ||
	    (rc = digest_range(in, md, pe, offset, header->checksum, e)) < 0)
		return rc;
	*offset += 4;
	rc = digest_range(in, md, pe, offset, header->security, e);
	*offset += PE_DIRECTORY_ENTRY;
	return rc;
}

/*
 * Check, after the content, that everything is where the headers say.
 */
static int
check_end(const struct pe *pe, uint64_t size, struct ht_error *e)
{
	const struct pe_header *header = &pe->header;

	if (size > UINT32_MAX)
		return ht_error_at(e, HT_ERR_DATA, UINT32_MAX,
		    "a PE file cannot be larger than 4 GiB");
	if (pe->content_end < header->sections_end)
		return ht_error_at(e, HT_ERR_DATA, size,
		    "the file ends before its last section does, at %llu (PE, "
		    "Section Table)",
		    (unsigned long long)header->sections_end);
	if (header->table != 0 && header->table + header->table_size != size)
		return ht_error_at(e, HT_ERR_DATA, header->security,
		    "the certificate table ends at %llu, but the file at %llu "
		    "(PE, Attribute Certificate Table)",
		    (unsigned long long)(header->table + header->table_size),
		    (unsigned long long)size);
	return 0;
}

/*
 * Read the old certificate table to the end of the file.  Stops early if the
 * file goes on after the table.
 */
static int
read_old_table(struct format_file *file, const struct pe *pe,
    struct ht_error *e)
{
	const struct pe_header *header = &pe->header;
	uint64_t end = pe->content_end;
	unsigned int count;
	int rc;

	if (header->table != 0)
		end = header->table + header->table_size;
	rc = forward_keep(file->in, pe->content_end, end, PKCS7_PAGED_MAX,
	    &file->signature, &file->size, e);
	if (rc == 0)
		rc = check_end(pe, file->size, e);
	if (rc == 0 && header->table != 0)
		rc =
		    pe_table_unpack(&file->signature, header->table, &count, e);
	file->was_signed = header->table != 0;
	return rc;
}

static int
digest_file(struct format_file *file, EVP_MD_CTX *md, struct pe *pe,
    struct ht_error *e)
{
	static const uint8_t zeros[8];
	struct input *in = file->in;
	uint64_t offset = 0;
	uint64_t end = UINT32_MAX;
	int rc;

	if ((rc = digest_headers(file, md, pe, &offset, e)) < 0)
		return rc;
	if (pe->header.table != 0)
		end = pe->header.table;
	if (pe->pages != NULL && end > SPC_PAGED_FILE_MAX)
		end = SPC_PAGED_FILE_MAX + 1;
	rc = digest_range(in, md, pe, &offset, end, e);
	if (rc < 0)
		return rc;
	if (pe->pages != NULL && offset > SPC_PAGED_FILE_MAX)
		return ht_error_at(e, HT_ERR_REFUSED, SPC_PAGED_FILE_MAX,
		    "page hashes are only for files of at most 1 GiB");
	pe->content_end = offset;
	rc = read_old_table(file, pe, e);
	if (rc < 0)
		return rc;
	if (EVP_DigestUpdate(md, zeros, padding_of(offset)) != 1 ||
	    EVP_DigestFinal_ex(md, file->digest.value, NULL) != 1)
		return spc_crypto_error(e, HT_ERR_INTERNAL, "cannot digest");
	return 0;
}

static int
pe_digest(struct format_file *file, struct ht_error *e)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	struct pe *pe = calloc(1, sizeof(*pe));
	int rc;

	file->state = pe;
	if (md == NULL || pe == NULL ||
	    EVP_DigestInit_ex(md, spc_md(file->digest.algorithm), NULL) != 1) {
		rc = spc_crypto_error(e, HT_ERR_INTERNAL, "cannot digest");
		goto out;
	}
	pe->sums = !file->options.no_plan;
	rc = digest_file(file, md, pe, e);
	if (rc < 0)
		goto out;
	if (pe->pages == NULL)
		rc = spc_encode(file->format->name, &file->digest,
		    &file->content, e);
	else if (file->page_hashes.left == 0)
		rc = spc_pages_finish(&file->digest, &file->content, e);
out:
	if (pe != NULL) {
		pe_pages_free(pe->pages);
		pe->pages = NULL;
	}
	EVP_MD_CTX_free(md);
	return rc;
}

static void
pe_clear(struct format_file *file)
{
	free(file->state);
	file->state = NULL;
}

/*
 * What the plan puts after the content: padding, and a certificate table of one
 * entry.  It begins on a multiple of 8 bytes, so the offsets are known to the
 * digest and the checksum.
 */
struct tail {
	struct buf before; /* padding and header, before the signature */
	const void *p7;    /* or NULL, and everything is empty */
	size_t n;
	unsigned int after; /* zeros */
	uint64_t size;
};

static int
make_tail(const struct pe *pe, const void *p7, size_t n, struct tail *tail,
    struct ht_error *e)
{
	memset(tail, 0, sizeof(*tail));
	if (p7 == NULL)
		return 0;
	tail->p7 = p7;
	tail->n = n;
	buf_zeros(&tail->before, padding_of(pe->content_end));
	pe_table_header(&tail->before, n);
	tail->after = padding_of(n);
	tail->size = tail->before.len + n + tail->after;
	if (buf_failed(&tail->before) < 0)
		return ht_error_memory(e);
	if (pe->content_end + tail->size > UINT32_MAX)
		return ht_error_set(e, HT_ERR_REFUSED,
		    "with its signature the file would be larger than 4 GiB");
	return 0;
}

/*
 * Make the two fields of the headers that a signature changes.
 */
static int
make_fields(const struct pe *pe, const struct tail *tail, struct buf *checksum,
    struct buf *entry, struct ht_error *e)
{
	uint64_t table = pe->content_end + padding_of(pe->content_end);
	uint64_t end = pe->content_end + tail->size;
	uint64_t sum = pe->sum;

	buf_u32le(entry, tail->p7 == NULL ? 0 : (uint32_t)table);
	buf_u32le(entry, tail->p7 == NULL ? 0 : (uint32_t)(end - table));
	if (buf_failed(entry) < 0)
		return ht_error_memory(e);
	sum += sum_words(pe->header.security, entry->data, entry->len);
	sum += sum_words(pe->content_end, tail->before.data, tail->before.len);
	sum += sum_words(pe->content_end + tail->before.len, tail->p7, tail->n);
	buf_u32le(checksum, fold_sum(sum, end));
	if (buf_failed(checksum) < 0)
		return ht_error_memory(e);
	return 0;
}

static int
append_all(struct output *plan, const struct pe *pe, const struct tail *tail,
    struct ht_error *e)
{
	static const uint8_t zeros[8];
	uint64_t security = pe->header.security;
	uint64_t middle = (uint64_t)pe->header.checksum + 4;
	uint64_t rest = security + PE_DIRECTORY_ENTRY;
	struct buf checksum = BUF_INIT;
	struct buf entry = BUF_INIT;
	int rc;

	rc = make_fields(pe, tail, &checksum, &entry, e);
	if (rc < 0 ||
	    (rc = output_range(plan, 0, pe->header.checksum, e)) < 0 ||
	    (rc = output_literal(plan, checksum.data, checksum.len, e)) < 0 ||
	    (rc = output_range(plan, middle, security - middle, e)) < 0 ||
	    (rc = output_literal(plan, entry.data, entry.len, e)) < 0 ||
	    (rc = output_range(plan, rest, pe->content_end - rest, e)) < 0 ||
	    (rc = output_literal(plan, tail->before.data, tail->before.len,
	         e)) < 0 ||
	    (rc = output_borrowed(plan, tail->p7, tail->n, e)) < 0)
		goto out;
	rc = output_literal(plan, zeros, tail->after, e);
out:
	buf_free(&checksum);
	buf_free(&entry);
	return rc;
}

static int
pe_plan(const struct format_file *file, const void *p7, size_t n,
    struct output *plan, struct ht_error *e)
{
	const struct pe *pe = file->state;
	struct tail tail;
	int rc;

	if (n > PKCS7_PAGED_MAX)
		return ht_error_set(e, HT_ERR_DATA, "PKCS#7: over %zu bytes",
		    PKCS7_PAGED_MAX);
	rc = make_tail(pe, p7, n, &tail, e);
	if (rc == 0)
		rc = append_all(plan, pe, &tail, e);
	buf_free(&tail.before);
	return rc;
}

/*
 * Unpack a table that must have one WIN_CERTIFICATE.  Windows verifies only the
 * first and gives the others to whoever asks.  So it is unclear who signed a
 * file with several.
 */
static int
only_signature(struct buf *table, uint64_t at, struct ht_error *e)
{
	unsigned int count;
	int rc;

	rc = pe_table_unpack(table, at, &count, e);
	if (rc == 0 && count > 1)
		rc = ht_error_at(e, HT_ERR_DATA, at,
		    "the certificate table has %u WIN_CERTIFICATEs instead of "
		    "one (PE, Attribute Certificate Table)",
		    count);
	return rc;
}

static int
pe_signature(struct input *in, struct buf *p7, struct ht_error *e)
{
	struct pe_header header;
	uint32_t lfanew;
	size_t n;
	uint8_t *p;
	int rc;

	if ((rc = pe_header_lfanew(in, &lfanew, e)) < 0 ||
	    (rc = pe_header_read(in, lfanew, &header, e)) < 0)
		return rc;
	if (header.table == 0)
		return 0;
	if (header.table_size > PKCS7_PAGED_MAX)
		return ht_error_at(e, HT_ERR_DATA, header.security,
		    "a certificate table of more than %zu bytes",
		    PKCS7_PAGED_MAX);
	n = (size_t)header.table_size;
	buf_reserve(p7, n);
	p = buf_room(p7, n);
	if (p == NULL)
		return ht_error_memory(e);
	rc = input_copy(in, header.table, p, n, e);
	if (rc == HT_ERR_DATA)
		rc = ht_error_at(e, rc, header.security,
		    "the file ends inside the certificate table (PE, Attribute "
		    "Certificate Table)");
	if (rc == 0)
		rc = only_signature(p7, header.table, e);
	if (rc < 0)
		buf_reset(p7);
	return rc;
}

const struct format format_pe = {
	.name = "pe",
	.title = "PE",
	.nests = true,
	.size_max = UINT32_MAX,
	.detect = pe_detect,
	.digest = pe_digest,
	.plan = pe_plan,
	.signature = pe_signature,
	.clear = pe_clear,
};
