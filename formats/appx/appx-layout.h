/*
 * An APPX package as it is without its signature, inside formats/appx/ only:
 * the local records with another list of content types among them, and the
 * central directory.
 */

#ifndef FORMATS_APPX_APPX_LAYOUT_H
#define FORMATS_APPX_APPX_LAYOUT_H

#include "formats/appx/appx-parts.h"
#include "lib/output.h"

struct appx_layout {
	struct buf types; /* the record that replaces the content types', which
	                     are stored in it; empty if that one stays */
	struct buf types_central;   /* and its record in the directory */
	struct zip_entry new_types; /* what its header says */
	uint64_t grown; /* by what the records behind it move, modulo 2^64 */

	/* The directory, without the signature's entry. */
	uint64_t offset;
	uint64_t size;
	uint64_t entries;
};

/*
 * Lay the package out with the signature's content type (as it is digested), or
 * without.  HT_ERR_DATA for content types that are no such list, or over 4 MiB;
 * HT_ERR_REFUSED for a package that is not signed and would need ZIP64 then;
 * else as zip_extract.
 * appx_layout_clear also after an error.
 */
int appx_layout_make(const struct appx_parts *parts, bool with_type,
    struct appx_layout *layout, struct ht_error *e);
void appx_layout_clear(struct appx_layout *layout);

/*
 * Append all local records to plan, up to where the signature's goes.
 */
int appx_layout_records(const struct appx_layout *layout,
    const struct appx_parts *parts, struct output *plan, struct ht_error *e);

/*
 * Give fn each record of the directory, in order, without the signature's.  at
 * is where the file has just these bytes, or HT_NO_OFFSET if it has others.
 * Errors of zip_record, HT_ERR_REFUSED if an offset would need ZIP64, or fn's
 * own.
 */
typedef int appx_record_fn(void *cookie, struct cursor record, uint64_t at,
    struct ht_error *e);
int appx_layout_each(const struct appx_layout *layout, struct appx_parts *parts,
    appx_record_fn *fn, void *cookie, struct ht_error *e);

/*
 * Append these records to plan.
 */
int appx_layout_directory(const struct appx_layout *layout,
    struct appx_parts *parts, struct output *plan, struct ht_error *e);

#endif
