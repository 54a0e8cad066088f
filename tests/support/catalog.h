/*
 * Small catalogs from nothing, not signed yet.
 */

#ifndef TESTS_SUPPORT_CATALOG_H
#define TESTS_SUPPORT_CATALOG_H

#include "lib/buf.h"

/* What is not as it should be. */
enum catalog_fault {
	CATALOG_GOOD,
	CATALOG_OTHER_TYPE,      /* the content is SpcIndirectData */
	CATALOG_OTHER_USAGE,     /* a trust list of another kind */
	CATALOG_TWO_USAGES,      /* a catalog's, and another */
	CATALOG_OTHER_ALGORITHM, /* SubjectAlgorithm of another kind */
	CATALOG_LONG_LENGTH,     /* a length that is not DER */
	CATALOG_LEFT_OVER        /* something behind the extensions */
};

/*
 * Append the DER of a catalog of so many members to out.
 */
void catalog_make(unsigned int members, enum catalog_fault fault,
    struct buf *out);

/*
 * The CTL alone.
 */
void catalog_list(unsigned int members, enum catalog_fault fault,
    struct buf *out);

#endif
