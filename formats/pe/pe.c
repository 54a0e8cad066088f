/*
 * Portable Executable: Windows programs, libraries and drivers, EFI images,
 * .NET assemblies.
 *
 * Microsoft PE and COFF Specification ("PE" below); Windows Authenticode
 * Portable Executable Signature Format, "Calculating the PE Image Hash".  The
 * digest covers everything but CheckSum, the certificate table and its
 * directory entry.  The table ends the file, so one forward pass is enough.
 *
 * Signatures of UEFI images stand side by side in the table, since firmware
 * knows no nested ones (UEFI Specification, Secure Boot and Driver Signing).
 */

#include "config.h"

#include <openssl/evp.h>

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "formats/format.h"
#include "formats/forward.h"
#include "formats/padding.h"
#include "formats/pe/pe-burn.h"
#include "formats/pe/pe-header.h"
#include "formats/pe/pe-pages.h"
#include "formats/pe/pe-table.h"
#include "formats/pe/pe-version.h"
#include "formats/remains.h"
#include "formats/several.h"
#include "signature/spc-asn1.h"
#include "signature/spc-pages.h"

/* What the digest leaves for the plan. */
struct pe {
	struct pe_header header;
	uint64_t container_end; /* pe_burn_read; UINT64_MAX if no bundle */
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
 * Digest up to the section of a WiX bundle, and read that.  Nobody can read one
 * within the headers.
 */
static int
digest_to_burn(struct input *in, EVP_MD_CTX *md, struct pe *pe,
    uint64_t *offset, struct ht_error *e)
{
	int rc;

	pe->container_end = UINT64_MAX;
	if (pe->header.burn < *offset)
		return 0;
	rc = digest_range(in, md, pe, offset, pe->header.burn, e);
	if (rc == 0)
		rc = pe_burn_read(in, *offset, &pe->container_end, e);
	return rc;
}

/*
 * Set *at to where the old certificate table begins, as far as the headers
 * tell; UINT32_MAX if there is none.
 */
static int
find_table(const struct pe_header *header, uint64_t *at,
    struct format_remains *remains, struct ht_error *e)
{
	*at = UINT32_MAX;
	/* Verifiers disagree on the meaning of half an entry. */
	if ((header->table == 0) != (header->table_size == 0))
		return remains_of_signature(remains, 0, e, header->security,
		    "half an entry for a certificate table: an offset and no "
		    "size, or a size and no offset (PE, Attribute Certificate "
		    "Table)");
	if (header->table == 0)
		return 0;
	if (header->table < header->sections_end)
		return remains_of_signature(remains, 0, e, header->security,
		    "an entry for a certificate table within the sections (PE, "
		    "Attribute Certificate Table)");
	*at = header->table;
	if (header->table % 8 == 0)
		return 0;
	return remains_of_signature(remains, 0, e, header->security,
	    "a certificate table that is not aligned to 8 (PE, Attribute "
	    "Certificate Table)");
}

/*
 * After the content, set *is to whether a table begins here.  It need not:
 * what copies or changes a signed program may leave its headers as they were.
 */
static int
is_table(struct input *in, const struct pe_header *header, uint64_t at,
    bool *is, struct format_remains *remains, struct ht_error *e)
{
	const uint8_t *p;
	size_t got;
	int rc;

	*is = false;
	rc = input_read(in, at, PE_WIN_CERT_HEADER, &p, &got, e);
	if (rc < 0)
		return rc;
	*is =
	    at == header->table && (remains == NULL || pe_table_is_one(p, got));
	if (*is)
		return 0;
	return remains_of_signature(remains, 0, e, header->security,
	    "an entry for a certificate table at %llu, where there is none "
	    "(PE, Attribute Certificate Table)",
	    (unsigned long long)header->table);
}

/*
 * Read the table, which begins here, to the end of the file.  Stops early if
 * the file goes on behind it.
 */
static int
read_table(struct input *in, const struct pe_header *header, struct buf *table,
    uint64_t *size, struct format_remains *remains, struct ht_error *e)
{
	uint64_t end = header->table + header->table_size;
	int rc;

	rc = forward_keep(in, header->table, end, REMAINS_BEHIND_MAX,
	    PKCS7_PAGED_MAX, table, size, e);
	if (rc == 0 && *size > end)
		rc = remains_behind(remains, *size - end, end, e);
	if (rc == 0 && *size >= end) {
		rc = pe_table_unpack(table, header->table, remains, e);
	} else if (rc == 0) {
		rc = remains_of_signature(remains, table->len, e,
		    header->security,
		    "%zu of the %llu bytes of a certificate table that is cut "
		    "off (PE, Attribute Certificate Table)",
		    table->len, (unsigned long long)header->table_size);
		buf_reset(table);
	}
	if (rc < 0)
		buf_reset(table);
	return rc;
}

/*
 * Digest what is between the headers and the old table, and read that.  Leaves
 * *offset after the content.
 */
static int
digest_body(struct format_file *file, EVP_MD_CTX *md, struct pe *pe,
    uint64_t *offset, struct ht_error *e)
{
	struct format_remains *remains =
	    file->options.remains ? &file->remains : NULL;
	uint64_t most = UINT32_MAX;
	uint64_t table;
	bool is = false;
	int rc;

	if (pe->pages != NULL)
		most = SPC_PAGED_FILE_MAX + 1;
	if ((rc = find_table(&pe->header, &table, remains, e)) < 0 ||
	    (rc = digest_range(file->in, md, pe, offset,
	         table < most ? table : most, e)) < 0)
		return rc;
	if (*offset < pe->header.sections_end && *offset < most)
		return ht_error_at(e, HT_ERR_DATA, *offset,
		    "the file ends before its last section does, at %llu (PE, "
		    "Section Table)",
		    (unsigned long long)pe->header.sections_end);
	if (table < UINT32_MAX && *offset <= table && *offset < most)
		rc = is_table(file->in, &pe->header, *offset, &is, remains, e);
	if (rc == 0 && !is)
		rc = digest_range(file->in, md, pe, offset, most, e);
	if (rc < 0)
		return rc;
	if (pe->pages != NULL && *offset > SPC_PAGED_FILE_MAX)
		return ht_error_at(e, HT_ERR_REFUSED, SPC_PAGED_FILE_MAX,
		    "page hashes are only for files of at most 1 GiB");
	pe->content_end = *offset;
	if (is)
		rc = read_table(file->in, &pe->header, &file->signature,
		    &file->size, remains, e);
	else
		rc = forward_keep(file->in, *offset, *offset, 0,
		    PKCS7_PAGED_MAX, &file->signature, &file->size, e);
	file->was_signed = is || file->remains.of_signature;
	if (rc == 0 && file->size > UINT32_MAX)
		rc = ht_error_at(e, HT_ERR_DATA, UINT32_MAX,
		    "a PE file cannot be larger than 4 GiB");
	return rc;
}

static int
digest_file(struct format_file *file, EVP_MD_CTX *md, struct pe *pe,
    struct ht_error *e)
{
	static const uint8_t zeros[8];
	uint64_t offset = 0;
	int rc;

	if ((rc = digest_headers(file, md, pe, &offset, e)) < 0 ||
	    (rc = digest_to_burn(file->in, md, pe, &offset, e)) < 0 ||
	    (rc = digest_body(file, md, pe, &offset, e)) < 0)
		return rc;
	file->beside = pe->header.efi;
	if (pe->content_end >= pe->container_end)
		file->warning = "the program is a WiX bundle whose engine was "
		                "not signed before it: the installer will not "
		                "find the packages in it; take out the engine, "
		                "sign it, put it back (wix burn detach and "
		                "reattach; insignia of WiX 3), and then sign "
		                "the bundle";
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

static int
pe_version(const struct format_file *file, struct format_version *out,
    struct ht_error *e)
{
	uint32_t lfanew;
	int rc = pe_header_lfanew(file->in, &lfanew, e);

	return rc < 0 ? rc : pe_version_read(file->in, lfanew, out, e);
}

static void
pe_clear(struct format_file *file)
{
	free(file->state);
	file->state = NULL;
}

/*
 * What the plan puts after the content: padding, and a certificate table.  Each
 * part begins on a multiple of 8 bytes, so the offsets are known to the digest
 * and the checksum.
 */
struct part {
	struct buf before; /* padding and header, before the signature */
	struct cursor p7;
	unsigned int after; /* zeros */
};

struct tail {
	struct part parts[FORMAT_BESIDE_MAX];
	unsigned int count; /* 0, and there is no table */
	uint64_t size;
};

static int
make_tail(const struct pe *pe, const void *p7, size_t n, struct tail *tail,
    struct ht_error *e)
{
	struct part *part = tail->parts;
	unsigned int i;

	memset(tail, 0, sizeof(*tail));
	if (p7 == NULL)
		return 0;
	tail->count = several_count(p7, n);
	if (tail->count == 0 || tail->count > FORMAT_BESIDE_MAX)
		return ht_error_set(e, HT_ERR_DATA,
		    "not one PKCS#7 or up to %d, one after the other",
		    FORMAT_BESIDE_MAX);
	buf_zeros(&part->before, padding_of(pe->content_end));
	for (i = 0; i < tail->count; i++, part++) {
		part->p7 = several_nth(p7, n, i);
		pe_table_header(&part->before, part->p7.left);
		part->after = padding_of(part->p7.left);
		tail->size += part->before.len + part->p7.left + part->after;
		if (buf_failed(&part->before) < 0)
			return ht_error_memory(e);
	}
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
	uint64_t at = pe->content_end;
	const struct part *part;
	uint64_t sum = pe->sum;

	buf_u32le(entry, tail->count == 0 ? 0 : (uint32_t)table);
	buf_u32le(entry, tail->count == 0 ? 0 : (uint32_t)(end - table));
	if (buf_failed(entry) < 0)
		return ht_error_memory(e);
	sum += sum_words(pe->header.security, entry->data, entry->len);
	for (part = tail->parts; part < tail->parts + tail->count; part++) {
		sum += sum_words(at, part->before.data, part->before.len);
		at += part->before.len;
		sum += sum_words(at, part->p7.p, part->p7.left);
		at += part->p7.left + part->after;
	}
	buf_u32le(checksum, fold_sum(sum, end));
	if (buf_failed(checksum) < 0)
		return ht_error_memory(e);
	return 0;
}

static int
append_tail(struct output *plan, const struct tail *tail, struct ht_error *e)
{
	static const uint8_t zeros[8];
	const struct part *part;
	int rc;

	for (part = tail->parts; part < tail->parts + tail->count; part++) {
		if ((rc = output_literal(plan, part->before.data,
		         part->before.len, e)) < 0 ||
		    (rc = output_borrowed(plan, part->p7.p, part->p7.left, e)) <
		        0 ||
		    (rc = output_literal(plan, zeros, part->after, e)) < 0)
			return rc;
	}
	return 0;
}

static int
append_all(struct output *plan, const struct pe *pe, const struct tail *tail,
    struct ht_error *e)
{
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
	    (rc = output_range(plan, rest, pe->content_end - rest, e)) < 0)
		goto out;
	rc = append_tail(plan, tail, e);
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
	unsigned int i;
	int rc;

	if (n > PKCS7_PAGED_MAX)
		return ht_error_set(e, HT_ERR_DATA, "PKCS#7: over %zu bytes",
		    PKCS7_PAGED_MAX);
	rc = make_tail(pe, p7, n, &tail, e);
	if (rc == 0)
		rc = append_all(plan, pe, &tail, e);
	for (i = 0; i < tail.count && i < FORMAT_BESIDE_MAX; i++)
		buf_free(&tail.parts[i].before);
	return rc;
}

static int
pe_signature(struct input *in, struct buf *p7, struct format_remains *remains,
    struct ht_error *e)
{
	struct pe_header header;
	uint64_t table;
	uint64_t size;
	uint32_t lfanew;
	bool is;
	int rc;

	if ((rc = pe_header_lfanew(in, &lfanew, e)) < 0 ||
	    (rc = pe_header_read(in, lfanew, &header, e)) < 0 ||
	    (rc = find_table(&header, &table, remains, e)) < 0 ||
	    table == UINT32_MAX ||
	    (rc = is_table(in, &header, table, &is, remains, e)) < 0 || !is)
		return rc;
	return read_table(in, &header, p7, &size, remains, e);
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
	.version = pe_version,
	.clear = pe_clear,
};
