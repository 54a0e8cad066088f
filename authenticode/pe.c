/*
 * Portable Executable: Windows programs, libraries and drivers, EFI images,
 * .NET assemblies.
 *
 * Microsoft PE and COFF Specification ("PE" below), and Windows Authenticode
 * Portable Executable Signature Format, "Calculating the PE Image Hash".  The
 * digest covers all but CheckSum, the directory entry of the certificate table
 * and that table, which ends the file; so it is made in one pass forward.
 */

#include "config.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "authenticode/format.h"
#include "authenticode/pe-header.h"
#include "authenticode/pe-pages.h"
#include "authenticode/spc-asn1.h"
#include "authenticode/spc-pages.h"

#define WIN_CERT_REVISION_2_0 0x0200
#define WIN_CERT_TYPE_PKCS_SIGNED_DATA 0x0002

/* What the digest leaves for the plan. */
struct pe {
	struct pe_header header;
	uint64_t content_end;   /* where the padding or the old table begins */
	uint64_t sum;           /* of 16-bit words, not folded; the fields that
	                         the plan sets count as zero */
	struct pe_pages *pages; /* while digesting, if they are asked for */
};

static unsigned int
padding_of(uint64_t n)
{
	return (unsigned int)(-n & 7);
}

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
	/* Further on the bytes must not be read before the digest's turn. */
	if (rc == 0 && lfanew + 4 <= INPUT_HEAD)
		rc = pe_header_signature(in, lfanew, e);
	return rc;
}

/*
 * The sum of little-endian 16-bit words, the first byte standing at offset in
 * the file.  Folding it at the end gives the same whether 16 or 32 bits were
 * added at a time: 2^16 is 1 modulo 2^16 - 1.  4 GiB of 32-bit words fit.
 */
static uint64_t
sum_words(uint64_t offset, const uint8_t *p, size_t n)
{
	uint64_t sum = 0;
	uint64_t word;

	if (n > 0 && offset % 2 != 0) {
		sum = (uint64_t)*p++ << 8;
		n--;
	}
	for (; n >= sizeof(word); p += sizeof(word), n -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		word = le64toh(word);
		sum += (word & UINT32_MAX) + (word >> 32);
	}
	for (; n >= 2; p += 2, n -= 2)
		sum += (uint64_t)p[1] << 8 | p[0];
	if (n > 0)
		sum += *p;
	return sum;
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
 * Digest and sum the input from *offset up to end, or to the end of the file,
 * and leave *offset where that was.
 */
static int
digest_range(struct input *in, EVP_MD_CTX *md, struct pe *pe, uint64_t *offset,
    uint64_t end, struct ht_error *e)
{
	const uint8_t *p;
	size_t want;
	size_t got;
	int rc;

	while (*offset < end) {
		/* Reads that end on multiples of the chunk need no copying. */
		want = INPUT_CHUNK - (size_t)(*offset % INPUT_CHUNK);
		if (want > end - *offset)
			want = (size_t)(end - *offset);
		rc = input_read(in, *offset, want, &p, &got, e);
		if (rc < 0)
			return rc;
		if (EVP_DigestUpdate(md, p, got) != 1)
			return spc_crypto_error(e, HT_ERR_INTERNAL,
			    "cannot digest");
		pe->sum += sum_words(*offset, p, got);
		if (pe->pages != NULL)
			rc = pe_pages_bytes(pe->pages, *offset, p, got, e);
		if (rc < 0)
			return rc;
		*offset += got;
		if (got < want)
			break;
	}
	return 0;
}

/*
 * The headers, without the two fields; *offset is behind the second.
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
 * After the content: everything must be where the headers say.
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
		    "the certificate table does not end the file: it ends at "
		    "%llu, the file at %llu (PE, Attribute Certificate Table)",
		    (unsigned long long)(header->table + header->table_size),
		    (unsigned long long)size);
	return 0;
}

/*
 * Past the old certificate table to the end of the file, or as far as it takes
 * to know that it does not end where it should.
 */
static int
skip_to_end(struct input *in, uint64_t offset, uint64_t expected,
    uint64_t *size, struct ht_error *e)
{
	const uint8_t *p;
	size_t got;
	int rc;

	do {
		rc = input_read(in, offset, INPUT_CHUNK, &p, &got, e);
		if (rc < 0)
			return rc;
		offset += got;
	} while (got > 0 && offset <= expected);
	*size = offset;
	return 0;
}

static int
digest_file(struct format_file *file, EVP_MD_CTX *md, struct pe *pe,
    struct ht_error *e)
{
	static const uint8_t zeros[8];
	struct input *in = file->in;
	uint64_t offset = 0;
	uint64_t end = UINT32_MAX;
	uint64_t size = UINT32_MAX;
	int rc;

	rc = digest_headers(file, md, pe, &offset, e);
	if (rc < 0)
		return rc;
	if (pe->header.table != 0) {
		end = pe->header.table;
		size = end + pe->header.table_size;
	}
	if (pe->pages != NULL && end > SPC_PAGED_FILE_MAX)
		end = SPC_PAGED_FILE_MAX + 1;
	rc = digest_range(in, md, pe, &offset, end, e);
	if (rc < 0)
		return rc;
	if (pe->pages != NULL && offset > SPC_PAGED_FILE_MAX)
		return ht_error_at(e, HT_ERR_REFUSED, SPC_PAGED_FILE_MAX,
		    "page hashes are of files of at most 1 GiB");
	pe->content_end = offset;
	if ((rc = skip_to_end(in, offset, size, &file->size, e)) < 0 ||
	    (rc = check_end(pe, file->size, e)) < 0)
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
	rc = digest_file(file, md, pe, e);
	if (rc < 0)
		goto out;
	file->was_signed = pe->header.table != 0;
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
 * The padding that the content needs, and the certificate table: one
 * WIN_CERTIFICATE, whose dwLength includes its padding.
 */
static void
put_table(struct buf *tail, const struct pe *pe, const void *p7, size_t n)
{
	unsigned int padding = padding_of(n);

	buf_zeros(tail, padding_of(pe->content_end));
	buf_u32le(tail, (uint32_t)(PE_WIN_CERT_HEADER + n + padding));
	buf_u16le(tail, WIN_CERT_REVISION_2_0);
	buf_u16le(tail, WIN_CERT_TYPE_PKCS_SIGNED_DATA);
	buf_bytes(tail, p7, n);
	buf_zeros(tail, padding);
}

static int
append_all(struct output *plan, const struct pe *pe, const struct buf *entry,
    const struct buf *tail, struct ht_error *e)
{
	uint64_t checksum = pe->header.checksum;
	uint64_t security = pe->header.security;
	uint64_t middle = checksum + 4;
	uint64_t rest = security + PE_DIRECTORY_ENTRY;
	struct buf field = BUF_INIT;
	uint64_t sum = pe->sum;
	int rc;

	sum += sum_words(security, entry->data, entry->len);
	sum += sum_words(pe->content_end, tail->data, tail->len);
	buf_u32le(&field, fold_sum(sum, pe->content_end + tail->len));
	if ((rc = buf_failed(&field)) < 0 ||
	    (rc = output_range(plan, 0, checksum, e)) < 0 ||
	    (rc = output_literal(plan, field.data, field.len, e)) < 0 ||
	    (rc = output_range(plan, middle, security - middle, e)) < 0 ||
	    (rc = output_literal(plan, entry->data, entry->len, e)) < 0 ||
	    (rc = output_range(plan, rest, pe->content_end - rest, e)) < 0)
		goto out;
	rc = output_literal(plan, tail->data, tail->len, e);
out:
	buf_free(&field);
	return rc;
}

static int
pe_plan(const struct format_file *file, const void *p7, size_t n,
    struct output *plan, struct ht_error *e)
{
	const struct pe *pe = file->state;
	uint64_t table = pe->content_end + padding_of(pe->content_end);
	struct buf entry = BUF_INIT;
	struct buf tail = BUF_INIT;
	int rc;

	if (n > PKCS7_MAX)
		return ht_error_set(e, HT_ERR_DATA, "PKCS#7: over %zu bytes",
		    PKCS7_MAX);
	if (p7 != NULL)
		put_table(&tail, pe, p7, n);
	if (pe->content_end + tail.len > UINT32_MAX) {
		rc = ht_error_set(e, HT_ERR_DATA,
		    "with its signature the file would be larger than 4 GiB");
		goto out;
	}
	buf_u32le(&entry, p7 == NULL ? 0 : (uint32_t)table);
	buf_u32le(&entry,
	    p7 == NULL ? 0 : (uint32_t)(pe->content_end + tail.len - table));
	if (buf_failed(&tail) < 0 || buf_failed(&entry) < 0) {
		rc = ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
		goto out;
	}
	rc = append_all(plan, pe, &entry, &tail, e);
out:
	buf_free(&entry);
	buf_free(&tail);
	return rc;
}

static bool
only_zeros(struct cursor bytes)
{
	for (; bytes.left > 0; bytes.p++, bytes.left--) {
		if (*bytes.p != 0)
			return false;
	}
	return true;
}

/*
 * The DER in a WIN_CERTIFICATE that fills the table: no other entry, and
 * nothing but zeros behind the DER, since no digest covers what is there.
 */
static int
find_der(struct cursor table, struct cursor *der)
{
	struct cursor body;
	const unsigned char *p;
	uint32_t length;
	uint16_t revision;
	uint16_t type;
	long n;
	int tag;
	int class;

	if (cursor_u32le(&table, &length) < 0 ||
	    cursor_u16le(&table, &revision) < 0 ||
	    cursor_u16le(&table, &type) < 0 || length < PE_WIN_CERT_HEADER ||
	    revision != WIN_CERT_REVISION_2_0 ||
	    type != WIN_CERT_TYPE_PKCS_SIGNED_DATA ||
	    cursor_bytes(&table, length - PE_WIN_CERT_HEADER, &body) < 0 ||
	    table.left != padding_of(length) || !only_zeros(table))
		return HT_ERR_DATA;
	p = body.p;
	if ((ASN1_get_object(&p, &n, &tag, &class, (long)body.left) & 0x80) !=
	    0)
		return HT_ERR_DATA;
	(void)cursor_bytes(&body, (size_t)(p - body.p) + (size_t)n, der);
	return only_zeros(body) ? 0 : HT_ERR_DATA;
}

static int
pe_signature(struct input *in, struct buf *p7, struct ht_error *e)
{
	struct pe_header header;
	struct cursor der;
	uint8_t *table = NULL;
	uint32_t lfanew;
	int rc;

	if ((rc = pe_header_lfanew(in, &lfanew, e)) < 0 ||
	    (rc = pe_header_read(in, lfanew, &header, e)) < 0)
		return rc;
	if (header.table == 0)
		return 0;
	if (header.table_size > PKCS7_MAX)
		return ht_error_at(e, HT_ERR_DATA, header.security,
		    "a certificate table of more than %zu bytes", PKCS7_MAX);
	table = malloc((size_t)header.table_size);
	if (table == NULL)
		return ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
	rc = input_copy(in, header.table, table, (size_t)header.table_size, e);
	if (rc < 0)
		goto out;
	if (find_der(cursor_over(table, (size_t)header.table_size), &der) < 0) {
		ERR_clear_error();
		rc = ht_error_at(e, HT_ERR_DATA, header.table,
		    "the certificate table is not one PKCS#7 (PE, Attribute "
		    "Certificate Table)");
		goto out;
	}
	buf_bytes(p7, der.p, der.left);
	if (buf_failed(p7) < 0)
		rc = ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
out:
	free(table);
	return rc;
}

const struct format format_pe = {
	.name = "pe",
	.title = "PE",
	.detect = pe_detect,
	.digest = pe_digest,
	.plan = pe_plan,
	.signature = pe_signature,
	.clear = pe_clear,
};
