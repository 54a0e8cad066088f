/*
 * The certificate table of a Portable Executable, inside authenticode/ only.
 * Microsoft PE and COFF Specification ("PE" in errors), Attribute Certificate
 * Table: WIN_CERTIFICATEs, each on 8 bytes.
 */

#ifndef AUTHENTICODE_PE_TABLE_H
#define AUTHENTICODE_PE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"

/* A WIN_CERTIFICATE without what it holds. */
#define PE_WIN_CERT_HEADER 8

/*
 * Append to ders what each WIN_CERTIFICATE of the table holds, and say how
 * many there are.  at is where the table begins in the file, for errors.
 *
 * HT_ERR_DATA with the rule that is broken: one that is cut, or of another
 * revision or type than PKCS#7, or with more behind its DER than 7 zeros; an
 * empty table.  HT_ERR_INTERNAL without memory.  What has been appended by
 * then stays.
 */
int pe_table_read(struct cursor table, uint64_t at, struct buf *ders,
    unsigned int *count, struct ht_error *e);

/*
 * Append a table of one WIN_CERTIFICATE with the n bytes of DER at p7; failures
 * show in out.
 */
void pe_table_put(struct buf *out, const void *p7, size_t n);

#endif
