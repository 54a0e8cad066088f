#include "config.h"

#include <string.h>

#include "formats/padding.h"
#include "formats/pe/pe-table.h"

#define REVISION_2_0 0x0200
#define TYPE_PKCS_SIGNED_DATA 0x0002

static int
bad_entry(uint64_t at, struct ht_error *e, const char *what)
{
	return ht_error_at(e, HT_ERR_DATA, at,
	    "the certificate table %s (PE, Attribute Certificate Table)", what);
}

/*
 * Read the next WIN_CERTIFICATE.  Its dwLength may or may not include the
 * padding.
 */
static int
read_entry(struct cursor *table, uint64_t at, struct cursor *der,
    struct ht_error *e)
{
	struct cursor padded;
	uint32_t length;
	uint16_t revision;
	uint16_t type;

	if (cursor_u32le(table, &length) < 0 ||
	    cursor_u16le(table, &revision) < 0 ||
	    cursor_u16le(table, &type) < 0 || length < PE_WIN_CERT_HEADER ||
	    cursor_bytes(table,
	        length - PE_WIN_CERT_HEADER + padding_of(length), &padded) < 0)
		return bad_entry(at, e,
		    "has a WIN_CERTIFICATE that does not fit into it");
	if (revision != REVISION_2_0 || type != TYPE_PKCS_SIGNED_DATA)
		return bad_entry(at, e,
		    "has a WIN_CERTIFICATE that is not a PKCS#7 of revision "
		    "2.0");
	if (padding_strip(padded, der) < 0 ||
	    der->left > length - PE_WIN_CERT_HEADER)
		return bad_entry(at, e,
		    "has a WIN_CERTIFICATE with more in it than a PKCS#7 and "
		    "at most 7 zeros (CVE-2013-3900)");
	return 0;
}

int
pe_table_unpack(struct buf *table, uint64_t at, unsigned int *count,
    struct ht_error *e)
{
	struct cursor c = buf_cursor(table);
	size_t kept = 0;
	struct cursor der;
	int rc;

	*count = 0;
	do {
		if (*count == PE_WIN_CERTS_MAX)
			return bad_entry(at + (uint64_t)(c.p - table->data), e,
			    "has more than 16 WIN_CERTIFICATEs");
		rc =
		    read_entry(&c, at + (uint64_t)(c.p - table->data), &der, e);
		if (rc < 0)
			return rc;
		memmove(table->data + kept, der.p, der.left);
		kept += der.left;
		++*count;
	} while (c.left > 0);
	table->len = kept;
	return 0;
}

void
pe_table_header(struct buf *out, size_t n)
{
	/* dwLength includes the padding, as other signers have it. */
	buf_u32le(out, (uint32_t)(PE_WIN_CERT_HEADER + n + padding_of(n)));
	buf_u16le(out, REVISION_2_0);
	buf_u16le(out, TYPE_PKCS_SIGNED_DATA);
}
