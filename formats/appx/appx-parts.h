/*
 * The parts of an APPX package that signing looks at, inside formats/appx/
 * only.
 */

#ifndef FORMATS_APPX_APPX_PARTS_H
#define FORMATS_APPX_APPX_PARTS_H

#include "formats/appx/zip.h"

#define APPX_SIGNATURE "AppxSignature.p7x"

/* What stands in front of the PKCS#7 in it. */
#define APPX_MAGIC "PKCX"
#define APPX_MAGIC_SIZE 4

enum appx_part {
	APPX_TYPES,
	APPX_BLOCK_MAP,
	APPX_MANIFEST,
	APPX_BUNDLE_MANIFEST,
	APPX_CODE_INTEGRITY,
	APPX_P7X, /* always the last entry */
	APPX_PARTS
};

struct appx_parts {
	struct zip zip;
	struct zip_entry part[APPX_PARTS];
	bool has[APPX_PARTS];
	uint64_t
	    records_end; /* of the local records, without the signature's */
	bool is_bundle;
};

/*
 * Walk over the package, find its parts, and see that it has what a package or
 * a bundle must have.  As zip_open and zip_next; appx_parts_close also after an
 * error.
 */
int appx_parts_open(struct appx_parts *parts, struct input *in,
    struct ht_error *e);
void appx_parts_close(struct appx_parts *parts);

/*
 * Append the content of a part to out, of at most max bytes.
 */
int appx_part_read(const struct appx_parts *parts, enum appx_part which,
    size_t max, struct buf *out, struct ht_error *e);

/*
 * Append the PKCS#7 of a package that has APPX_P7X to p7: HT_ERR_DATA if it is
 * longer than PKCS7_MAX, or has another magic number.
 */
int appx_p7x_read(const struct appx_parts *parts, struct buf *p7,
    struct ht_error *e);

/*
 * The Publisher of the manifest, as UTF-8 without a NUL: HT_ERR_DATA if there
 * is none, two, or an empty one.
 */
int appx_publisher(const struct appx_parts *parts, struct buf *out,
    struct ht_error *e);

/*
 * The digest algorithm of the block map, as spc_algorithm names it, from its
 * first n bytes.
 */
int appx_hash_method(const void *p, size_t n, const char **algorithm,
    struct ht_error *e);

/*
 * The content types with the signature's among them: appended to out, from the
 * n bytes at p.  *changed is false if it was there already, and out untouched.
 */
int appx_add_type(const void *p, size_t n, struct buf *out, bool *changed,
    struct ht_error *e);

/*
 * The same without it: *changed is false if it was not there.
 */
int appx_remove_type(const void *p, size_t n, struct buf *out, bool *changed,
    struct ht_error *e);

#endif
