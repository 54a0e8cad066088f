/*
 * Small APPX packages and bundles from nothing, also such as packaging tools
 * do not make.
 */

#ifndef TESTS_SUPPORT_PACKAGE_H
#define TESTS_SUPPORT_PACKAGE_H

#include <stdbool.h>

#include "lib/buf.h"

/* What is not as it should be. */
enum package_fault {
	PACKAGE_GOOD,
	PACKAGE_BEFORE,  /* a byte in front of the first record */
	PACKAGE_GAP,     /* a byte between two records */
	PACKAGE_BEHIND,  /* a byte behind the end record */
	PACKAGE_COMMENT, /* the same, as the end record's comment */
	PACKAGE_ENCRYPTED,
	PACKAGE_METHOD,     /* neither stored nor deflated */
	PACKAGE_LOCAL_NAME, /* local headers that differ */
	PACKAGE_LOCAL_SIZE,
	PACKAGE_LOCAL_CRC,
	PACKAGE_DESCRIPTOR, /* a descriptor that differs */
	PACKAGE_CRC,        /* content that is not as its CRC says */
	PACKAGE_COUNT,      /* the end record counts another number */
	PACKAGE_SWAPPED,    /* the directory in another order */
	PACKAGE_TWO_NAMES,  /* two entries of the same name */
	PACKAGE_TWO_CASES,  /* but for its case */
	PACKAGE_PART_CASE,  /* the manifest in lower case */
	PACKAGE_NO_TYPES,
	PACKAGE_NO_BLOCK_MAP,
	PACKAGE_NO_MANIFEST,
	PACKAGE_TWO_MANIFESTS,
	PACKAGE_P7X_FIRST, /* a signature that is not the last entry */
	PACKAGE_P7X_OTHER, /* one that is no PKCX */
	PACKAGE_DOCTYPE,   /* in the manifest */
	PACKAGE_NO_PUBLISHER,
	PACKAGE_TWO_IDENTITIES,
	PACKAGE_BAD_METHOD,  /* an unknown HashMethod */
	PACKAGE_UTF16,       /* content types in UTF-16 */
	PACKAGE_EMPTY_TYPES, /* content types without an end tag */
	PACKAGE_FAULTS
};

struct package {
	bool bundle;
	bool zip64;              /* ZIP64 end records, with all ones for all
	                            but offset and size in the older one */
	unsigned int descriptor; /* 0, or the bytes of data descriptors: 12,
	                            16, 20, 24 */
	bool deflated;
	bool types_first; /* content types first, not last */
	bool code_integrity;
	bool overridden;       /* the signature's type is there already */
	const char *method;    /* "sha256", "sha384", "sha512" */
	const char *publisher; /* as the manifest has it, escaped */
	unsigned int files;    /* beside those that must be */
	unsigned int size;     /* of each, in bytes */
	enum package_fault fault;
};

/*
 * Append such a package to out.
 */
void package_make(const struct package *package, struct buf *out);

#endif
