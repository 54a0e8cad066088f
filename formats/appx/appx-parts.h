/*
 * The parts of an APPX package that signing needs, for formats/appx/ only.
 */

#ifndef FORMATS_APPX_APPX_PARTS_H
#define FORMATS_APPX_APPX_PARTS_H

#include "formats/appx/xml.h"
#include "formats/appx/zip.h"

#define APPX_SIGNATURE "AppxSignature.p7x"

/* What comes before the PKCS#7 in it. */
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
	uint64_t records_end; /* where the local records end, without the
	                         signature's */
	bool is_bundle;
};

/*
 * Read the package, find its parts, and check that it has what a package or a
 * bundle must have.  HT_ERR_DATA if not; other errors as zip_open and zip_next.
 * The caller calls appx_parts_close, also after an error.
 */
int appx_parts_open(struct appx_parts *parts, struct input *in,
    struct ht_error *e);
void appx_parts_close(struct appx_parts *parts);

/*
 * Append the content of a part to out, at most max bytes.  The package must
 * have the part.  Errors as zip_extract.
 */
int appx_part_read(const struct appx_parts *parts, enum appx_part which,
    size_t max, struct buf *out, struct ht_error *e);

/*
 * Append to p7 the PKCS#7 of a package that has APPX_P7X.  HT_ERR_DATA if it is
 * longer than PKCS7_MAX or does not start with APPX_MAGIC.  Other errors as
 * zip_extract.
 */
int appx_p7x_read(const struct appx_parts *parts, struct buf *p7,
    struct ht_error *e);

/*
 * Start reading the manifest, which goes into bytes.  These must be empty, and
 * outlive xml.  HT_ERR_DATA for one over 4 MiB, or as xml_open; other errors as
 * zip_extract.
 */
int appx_manifest_open(const struct appx_parts *parts, struct buf *bytes,
    struct xml *xml, struct ht_error *e);

/*
 * Put the Publisher of the manifest into out, which must be empty.  HT_ERR_DATA
 * if there is none, an empty one, one with a NUL or of more than
 * FORMAT_PUBLISHER_MAX bytes, or two identities, or for another root element.
 * Other errors as appx_manifest_open and xml_next.
 */
int appx_publisher(const struct appx_parts *parts, struct buf *out,
    struct ht_error *e);

/*
 * Set *algorithm to the digest algorithm of the block map, from its first n
 * bytes.  It is a static name, as spc_algorithm has it; NULL on error.
 * HT_ERR_DATA if it is not SHA-256, SHA-384 or SHA-512, or for damaged XML.
 */
int appx_hash_method(const void *p, size_t n, const char **algorithm,
    struct ht_error *e);

/*
 * Append to out the n bytes of content types at p, with the signature's type
 * added.  If they have it already, *changed is false and out is unchanged.
 * HT_ERR_DATA for damaged XML, or if the root is not Types.  HT_ERR_INTERNAL
 * without memory.
 */
int appx_add_type(const void *p, size_t n, struct buf *out, bool *changed,
    struct ht_error *e);

/*
 * The same with the signature's type removed.  If they do not have it, *changed
 * is false and out is unchanged.
 */
int appx_remove_type(const void *p, size_t n, struct buf *out, bool *changed,
    struct ht_error *e);

#endif
