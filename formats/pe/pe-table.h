/*
 * The certificate table of a Portable Executable, for formats/pe/ only.
 * Microsoft PE and COFF Specification ("PE" in errors), Attribute Certificate
 * Table: WIN_CERTIFICATEs, each aligned to 8 bytes.
 */

#ifndef FORMATS_PE_PE_TABLE_H
#define FORMATS_PE_PE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"

/* The size of a WIN_CERTIFICATE without its contents. */
#define PE_WIN_CERT_HEADER 8

/* More than anybody puts into a file.  Each one may have to be verified. */
#define PE_WIN_CERTS_MAX 16

/*
 * Replace the table by the contents of its WIN_CERTIFICATEs, one after the
 * other, and set *count to their number.  It works in place, because a
 * signature with page hashes is too long to hold twice.  at is the table's
 * offset in the file, for errors.
 *
 * HT_ERR_DATA with the broken rule: a WIN_CERTIFICATE that is cut, of another
 * revision or type than PKCS#7, or with more than 7 zeros after its DER; an
 * empty table; more than PE_WIN_CERTS_MAX.  On error the contents of table are
 * undefined.
 */
int pe_table_unpack(struct buf *table, uint64_t at, unsigned int *count,
    struct ht_error *e);

/*
 * Append the header of a table with one WIN_CERTIFICATE of n bytes of DER.  The
 * caller appends the DER, and padding_of(n) zeros.
 */
void pe_table_header(struct buf *out, size_t n);

#endif
