/*
 * Builds small catalogs that are not signed.
 */

#ifndef TESTS_SUPPORT_CATALOG_H
#define TESTS_SUPPORT_CATALOG_H

#include "lib/buf.h"

/* What is wrong with a catalog. */
enum catalog_fault {
	CATALOG_GOOD,
	CATALOG_OTHER_TYPE,      /* the content is SpcIndirectData */
	CATALOG_OTHER_USAGE,     /* a trust list of another kind */
	CATALOG_TWO_USAGES,      /* the usage of a catalog, and another one */
	CATALOG_OTHER_ALGORITHM, /* SubjectAlgorithm of another kind */
	CATALOG_LONG_LENGTH,     /* a length that is not DER */
	CATALOG_LEFT_OVER        /* bytes after the extensions */
};

/*
 * Append the DER of a catalog to out.
 */
void catalog_make(unsigned int members, enum catalog_fault fault,
    struct buf *out);

/*
 * Append only the catalog's CTL.
 */
void catalog_list(unsigned int members, enum catalog_fault fault,
    struct buf *out);

#endif
