/*
 * The certificate table of a Portable Executable, inside formats/pe/ only.
 * Microsoft PE and COFF Specification ("PE" in errors), Attribute Certificate
 * Table: WIN_CERTIFICATEs, each on 8 bytes.
 */

#ifndef FORMATS_PE_PE_TABLE_H
#define FORMATS_PE_PE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"

/* A WIN_CERTIFICATE without what it holds. */
#define PE_WIN_CERT_HEADER 8

/* More than anybody puts into a file, each of which may have to be verified. */
#define PE_WIN_CERTS_MAX 16

/*
 * Put what each WIN_CERTIFICATE of the table holds in the table's place, one
 * behind the other, and say how many there are: a signature with page hashes is
 * too long to have it twice.  at is where the table begins in the file, for
 * errors.
 *
 * HT_ERR_DATA with the rule that is broken: one that is cut, or of another
 * revision or type than PKCS#7, or with more behind its DER than 7 zeros; an
 * empty table, or one of more than PE_WIN_CERTS_MAX.  What the table is then is
 * not said.
 */
int pe_table_unpack(struct buf *table, uint64_t at, unsigned int *count,
    struct ht_error *e);

/*
 * Append what stands before n bytes of DER in a table of one WIN_CERTIFICATE;
 * behind them come padding_of(n) zeros.
 */
void pe_table_header(struct buf *out, size_t n);

#endif
