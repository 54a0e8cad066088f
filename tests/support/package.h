/*
 * Builds small APPX packages and bundles, also ones that packaging tools do not
 * make.
 */

#ifndef TESTS_SUPPORT_PACKAGE_H
#define TESTS_SUPPORT_PACKAGE_H

#include <stdbool.h>

#include "lib/buf.h"

/* What is wrong with a package. */
enum package_fault {
	PACKAGE_GOOD,
	PACKAGE_BEFORE,  /* a byte before the first record */
	PACKAGE_GAP,     /* a byte between two records */
	PACKAGE_BEHIND,  /* a byte after the end record */
	PACKAGE_COMMENT, /* a byte in the end record's comment */
	PACKAGE_ENCRYPTED,
	PACKAGE_METHOD,     /* neither stored nor deflated */
	PACKAGE_LOCAL_NAME, /* a local header that differs from the directory */
	PACKAGE_LOCAL_SIZE,
	PACKAGE_LOCAL_CRC,
	PACKAGE_DESCRIPTOR,  /* a descriptor that differs from the directory */
	PACKAGE_CRC,         /* content that does not match its CRC */
	PACKAGE_COUNT,       /* a wrong count in the end record */
	PACKAGE_SWAPPED,     /* the directory in another order */
	PACKAGE_TWO_NAMES,   /* two entries with the same name */
	PACKAGE_TWO_CASES,   /* two names that differ only in their case */
	PACKAGE_TWO_ESCAPES, /* or only in their percent-encoding */
	PACKAGE_TWO_LETTERS, /* no fault: names of other letters than ASCII's,
	                        which differ in their case */
	PACKAGE_PART_CASE,   /* the manifest in lower case */
	PACKAGE_NO_TYPES,
	PACKAGE_NO_BLOCK_MAP,
	PACKAGE_NO_MANIFEST,
	PACKAGE_TWO_MANIFESTS,
	PACKAGE_P7X_FIRST, /* a signature that is not the last entry */
	PACKAGE_P7X_OTHER, /* a signature that does not start with PKCX */
	PACKAGE_DOCTYPE,   /* a DOCTYPE in the manifest */
	PACKAGE_NO_PUBLISHER,
	PACKAGE_TWO_IDENTITIES,
	PACKAGE_BAD_METHOD,  /* an unknown HashMethod */
	PACKAGE_UTF16,       /* content types in UTF-16 */
	PACKAGE_EMPTY_TYPES, /* content types without an end tag */
	/* Block maps that are not those of their packages. */
	PACKAGE_MAP_HASH,
	PACKAGE_MAP_SIZE,        /* of a file */
	PACKAGE_MAP_HEADER,      /* of a file's local header */
	PACKAGE_MAP_PACKED,      /* of a packed block */
	PACKAGE_MAP_FEW,         /* a block too few */
	PACKAGE_MAP_MANY,        /* a block too many */
	PACKAGE_MAP_NO_NUMBER,   /* a size that is no number */
	PACKAGE_MAP_NOT_HERE,    /* a file that is not in the package */
	PACKAGE_MAP_NOT_THERE,   /* a file that is not in the map */
	PACKAGE_MAP_TWICE,       /* a file twice */
	PACKAGE_MAP_TYPES,       /* the content types */
	PACKAGE_BUNDLE_MAP,      /* a package in a bundle's block map */
	PACKAGE_BUNDLE_OFFSET,   /* a wrong place of a package */
	PACKAGE_BUNDLE_NOT_HERE, /* a package that is not in the bundle */
	PACKAGE_BUNDLE_UNLISTED, /* a package that the manifest does not name */
	PACKAGE_FAULTS
};

struct package {
	bool bundle;
	bool zip64;              /* with ZIP64 end records; the old end record
	                            has all ones, except offset and size */
	unsigned int descriptor; /* size of data descriptors: 0 (none), 12,
	                            16, 20 or 24 bytes */
	bool deflated;
	bool types_first; /* content types first, not last */
	bool code_integrity;
	bool overridden;       /* the signature already has an Override */
	const char *method;    /* "sha256", "sha384", "sha512" */
	const char *publisher; /* escaped, as in the manifest */
	unsigned int files;    /* besides the required ones */
	unsigned int size;     /* of each of them, in bytes */
	enum package_fault fault;
};

/*
 * Append the package to out.
 */
void package_make(const struct package *package, struct buf *out);

#endif
