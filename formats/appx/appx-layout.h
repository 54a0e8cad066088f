/*
 * The layout of an APPX package without its signature, for formats/appx/ only:
 * the local records, perhaps with a new list of content types, and the central
 * directory.
 */

#ifndef FORMATS_APPX_APPX_LAYOUT_H
#define FORMATS_APPX_APPX_LAYOUT_H

#include "formats/appx/appx-parts.h"
#include "lib/output.h"

struct appx_layout {
	struct buf types;           /* the local record that replaces the
	                               content types', which it stores; empty
	                               if the old one stays */
	struct buf types_central;   /* and its record in the directory */
	struct zip_entry new_types; /* what its header says */
	uint64_t grown; /* how far the records after it move, modulo 2^64 */

	/* The directory, without the signature's entry. */
	uint64_t offset;
	uint64_t size;
	uint64_t entries;
};

/*
 * Lay the package out with the signature's content type (as the digest needs
 * it), or without.  The caller calls appx_layout_clear, also after an error.
 *
 * HT_ERR_DATA for content types that are not such a list, or over 4 MiB.
 * HT_ERR_REFUSED for an unsigned package that would need ZIP64 when signed.
 * HT_ERR_INTERNAL without memory.  Other errors as zip_extract.
 */
int appx_layout_make(const struct appx_parts *parts, bool with_type,
    struct appx_layout *layout, struct ht_error *e);
void appx_layout_clear(struct appx_layout *layout);

/*
 * Append all local records to plan, up to where the signature's goes.  Errors
 * of the output plan.
 */
int appx_layout_records(const struct appx_layout *layout,
    const struct appx_parts *parts, struct output *plan, struct ht_error *e);

/*
 * Give fn each record of the directory, in order, without the signature's.  at
 * is the offset at which the file has exactly these bytes, or HT_NO_OFFSET if
 * they changed.  record is valid during the call.
 *
 * Stops at the first error: of zip_record, of fn, or HT_ERR_REFUSED if an
 * offset would need ZIP64.  HT_ERR_INTERNAL without memory.
 */
typedef int appx_record_fn(void *cookie, struct cursor record, uint64_t at,
    struct ht_error *e);
int appx_layout_each(const struct appx_layout *layout, struct appx_parts *parts,
    appx_record_fn *fn, void *cookie, struct ht_error *e);

/*
 * Append these records to plan.  Errors as appx_layout_each, or of the output
 * plan.
 */
int appx_layout_directory(const struct appx_layout *layout,
    struct appx_parts *parts, struct output *plan, struct ht_error *e);

#endif
