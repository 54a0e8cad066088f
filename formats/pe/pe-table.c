#include "config.h"

#include <string.h>

#include "formats/padding.h"
#include "formats/pe/pe-table.h"
#include "formats/remains.h"
#include "signature/der.h"

#define REVISION_1_0 0x0100
#define REVISION_2_0 0x0200
#define TYPE_FIRST 0x0001
#define TYPE_PKCS_SIGNED_DATA 0x0002
#define TYPE_LAST 0x0004

/* A WIN_CERTIFICATE. */
struct entry {
	uint32_t length; /* dwLength, which may or may not include padding */
	uint16_t revision;
	uint16_t type;
	struct cursor padded; /* what is in it, and behind it up to 8 bytes */
};

/*
 * Read the next WIN_CERTIFICATE.  HT_ERR_DATA if it does not fit into the
 * table.
 */
static int
read_entry(struct cursor *table, struct entry *entry)
{
	uint32_t length;

	if (cursor_u32le(table, &length) < 0 ||
	    cursor_u16le(table, &entry->revision) < 0 ||
	    cursor_u16le(table, &entry->type) < 0 ||
	    length < PE_WIN_CERT_HEADER)
		return HT_ERR_DATA;
	entry->length = length;
	return cursor_bytes(table,
	    length - PE_WIN_CERT_HEADER + padding_of(length), &entry->padded);
}

static bool
is_pkcs7(const struct entry *entry)
{
	return entry->revision == REVISION_2_0 &&
	    entry->type == TYPE_PKCS_SIGNED_DATA;
}

/*
 * Find the PKCS#7 in the entry; *der stays empty if there is none.  What
 * follows it, but for its padding, is covered by nothing.
 */
static int
read_pkcs7(const struct entry *entry, uint64_t at, struct cursor *der,
    struct format_remains *remains, struct ht_error *e)
{
	struct cursor c = entry->padded;
	struct der value;

	if (!is_pkcs7(entry))
		return remains_of_signature(remains, entry->padded.left, e, at,
		    "a WIN_CERTIFICATE that is not a PKCS#7 of revision 2.0 "
		    "(PE, Attribute Certificate Table)");
	if (padding_strip(entry->padded, der) == 0 &&
	    der->left <= entry->length - PE_WIN_CERT_HEADER)
		return 0;
	*der = cursor_over(NULL, 0);
	if (der_expect(&c, DER_SEQUENCE, &value, NULL) == 0 &&
	    value.whole.left <= entry->length - PE_WIN_CERT_HEADER)
		*der = value.whole;
	return remains_of_signature(remains, entry->padded.left - der->left, e,
	    at,
	    "a WIN_CERTIFICATE with more in it than a PKCS#7 and at most 7 "
	    "zeros (CVE-2013-3900)");
}

bool
pe_table_is_one(const uint8_t *p, size_t n)
{
	struct cursor c = cursor_over(p, n);
	struct entry entry = { 0 };

	return cursor_u32le(&c, &entry.length) == 0 &&
	    entry.length > PE_WIN_CERT_HEADER &&
	    cursor_u16le(&c, &entry.revision) == 0 &&
	    cursor_u16le(&c, &entry.type) == 0 &&
	    (entry.revision == REVISION_1_0 ||
	        entry.revision == REVISION_2_0) &&
	    entry.type >= TYPE_FIRST && entry.type <= TYPE_LAST;
}

int
pe_table_unpack(struct buf *table, uint64_t at, struct format_remains *remains,
    struct ht_error *e)
{
	struct cursor c = buf_cursor(table);
	struct cursor der = cursor_over(NULL, 0);
	struct entry entry;
	unsigned int count = 0;
	uint64_t offset;
	size_t kept = 0;
	size_t left;
	int rc;

	do {
		left = c.left;
		offset = at + (uint64_t)(c.p - table->data);
		if (count++ == FORMAT_BESIDE_MAX) {
			rc = remains_of_signature(remains, left, e, offset,
			    "more than %d WIN_CERTIFICATEs (PE, Attribute "
			    "Certificate Table)",
			    FORMAT_BESIDE_MAX);
			break;
		}
		if (read_entry(&c, &entry) < 0) {
			rc = remains_of_signature(remains, left, e, offset,
			    "a WIN_CERTIFICATE that does not fit into the "
			    "certificate table (PE, Attribute Certificate "
			    "Table)");
			break;
		}
		rc = read_pkcs7(&entry, offset, &der, remains, e);
		if (rc == 0 && der.left > 0)
			memmove(table->data + kept, der.p, der.left);
		kept += der.left;
		der = cursor_over(NULL, 0);
	} while (rc == 0 && c.left > 0);
	table->len = kept;
	return rc;
}

void
pe_table_header(struct buf *out, size_t n)
{
	/* dwLength includes the padding, as other signers have it. */
	buf_u32le(out, (uint32_t)(PE_WIN_CERT_HEADER + n + padding_of(n)));
	buf_u16le(out, REVISION_2_0);
	buf_u16le(out, TYPE_PKCS_SIGNED_DATA);
}
