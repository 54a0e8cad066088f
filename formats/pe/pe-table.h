/*
 * The certificate table of a Portable Executable, for formats/pe/ only.
 * Microsoft PE and COFF Specification ("PE" in errors), Attribute Certificate
 * Table: WIN_CERTIFICATEs, each aligned to 8 bytes.
 */

#ifndef FORMATS_PE_PE_TABLE_H
#define FORMATS_PE_PE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/format.h"
#include "lib/buf.h"
#include "lib/error.h"

/* The size of a WIN_CERTIFICATE without its contents. */
#define PE_WIN_CERT_HEADER 8

/*
 * Whether the n bytes at p begin a certificate table: a WIN_CERTIFICATE, as far
 * as its header tells.  An entry in the headers may have outlived its table,
 * and then other data may be there.
 */
bool pe_table_is_one(const uint8_t *p, size_t n);

/*
 * Replace the table by the contents of its WIN_CERTIFICATEs, one after the
 * other.  It works in place, because a signature with page hashes is too long
 * to hold twice.  at is the table's offset in the file, for errors.
 *
 * If remains is NULL, returns HT_ERR_DATA with the broken rule: a
 * WIN_CERTIFICATE that is cut, of another revision or type than PKCS#7, or with
 * more than 7 zeros after its DER; an empty table; more than FORMAT_BESIDE_MAX.
 * On error the contents of table are undefined.
 *
 * Otherwise notes these in remains and returns 0: each PKCS#7 that is whole is
 * in table, the rest is left out.
 */
int pe_table_unpack(struct buf *table, uint64_t at,
    struct format_remains *remains, struct ht_error *e);

/*
 * Append the header of a WIN_CERTIFICATE of n bytes of DER.  The caller appends
 * the DER, and padding_of(n) zeros.
 */
void pe_table_header(struct buf *out, size_t n);

#endif
