/*
 * What a file has left of an earlier signature or of deleted data, and what a
 * reader makes of it; for formats/ only.
 */

#ifndef FORMATS_REMAINS_H
#define FORMATS_REMAINS_H

#include <stdint.h>

#include "formats/format.h"

/*
 * The most bytes behind a signature that count as remains of it.  More than
 * that may be what a program was made for, and is not thrown away.
 */
#define REMAINS_BEHIND_MAX ((uint64_t)64 << 10)

/*
 * Report remains: the words, and how many bytes no signature covers.  If
 * remains is NULL, they are an error of the file at that offset: HT_ERR_DATA.
 * Otherwise returns 0 and notes them there.
 */
int remains_of_signature(struct format_remains *remains, uint64_t bytes,
    struct ht_error *e, uint64_t at, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/*
 * The same for what is no part of a signature.
 */
int remains_of_data(struct format_remains *remains, uint64_t bytes,
    struct ht_error *e, uint64_t at, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/*
 * Report `behind` bytes behind a signature that ends at this offset.
 * HT_ERR_DATA also if they are more than REMAINS_BEHIND_MAX.
 */
int remains_behind(struct format_remains *remains, uint64_t behind, uint64_t at,
    struct ht_error *e);

#endif
