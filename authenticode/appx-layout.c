#include "config.h"

#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#include "authenticode/appx-layout.h"
#include "authenticode/pkcs7.h"

/* No list of content types is longer. */
#define TYPES_MAX ((size_t)4 << 20)

/* Room for the signature's entry, beside itself. */
#define ENTRY_ROOM 1024

/*
 * The record of the content types that takes the old one's place, stored, if
 * the signature's is among them and should not be, or the other way round.
 */
static int
make_types(const struct appx_parts *parts, bool with_type,
    struct appx_layout *layout, struct ht_error *e)
{
	struct zip_entry *entry = &layout->new_types;
	struct buf old = BUF_INIT;
	struct buf text = BUF_INIT;
	bool changed = false;
	int rc;

	*entry = parts->part[APPX_TYPES];
	rc = appx_part_read(parts, APPX_TYPES, TYPES_MAX, &old, e);
	if (rc == 0 && with_type)
		rc = appx_add_type(old.data, old.len, &text, &changed, e);
	else if (rc == 0)
		rc = appx_remove_type(old.data, old.len, &text, &changed, e);
	if (rc < 0 || !changed)
		goto out;
	entry->size = text.len;
	entry->packed = text.len;
	entry->crc = (uint32_t)crc32(0, text.data, (uInt)text.len);
	zip_put_local(entry, &layout->types);
	buf_bytes(&layout->types, text.data, text.len);
	if (buf_failed(&layout->types) < 0)
		rc = ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
out:
	buf_free(&old);
	buf_free(&text);
	return rc;
}

/*
 * A record of the directory with its offset moved.
 */
static int
put_moved(struct buf *out, const struct zip_entry *entry, uint64_t offset,
    struct ht_error *e)
{
	struct cursor c = entry->central;
	struct cursor before;

	(void)cursor_bytes(&c, entry->offset_at, &before);
	(void)cursor_skip(&c, entry->offset_size);
	buf_bytes(out, before.p, before.left);
	if (entry->offset_size == 4 && offset >= ZIP_SEE_64)
		return ht_error_at(e, HT_ERR_DATA, entry->offset,
		    "APPX: with its signature the package would need ZIP64");
	buf_u32le(out, (uint32_t)offset);
	if (entry->offset_size == 8)
		buf_u32le(out, (uint32_t)(offset >> 32));
	buf_bytes(out, c.p, c.left);
	return 0;
}

static int
make_directory(const struct appx_parts *parts, struct appx_layout *layout,
    struct ht_error *e)
{
	const struct zip_entry *types = &parts->part[APPX_TYPES];
	struct cursor rest = buf_cursor(&parts->zip.directory);
	uint64_t grown = 0;
	struct zip_entry entry;
	int rc = 0;

	if (layout->types.len > 0)
		grown = layout->types.len - (types->end - types->offset);
	layout->entries = parts->zip.entries;
	layout->offset = parts->records_end + grown;
	if (parts->has[APPX_P7X]) {
		layout->entries--;
		rest.left -= parts->part[APPX_P7X].central.left;
	}
	while (rc == 0 && rest.left > 0) {
		rc = zip_central(&rest, &entry, e);
		if (rc < 0)
			break;
		if (entry.offset == types->offset && layout->types.len > 0)
			zip_put_central(&layout->new_types, &layout->directory);
		else if (entry.offset > types->offset)
			rc = put_moved(&layout->directory, &entry,
			    entry.offset + grown, e);
		else
			buf_bytes(&layout->directory, entry.central.p,
			    entry.central.left);
	}
	if (rc == 0 && buf_failed(&layout->directory) < 0)
		rc = ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
	if (rc == 0 && !parts->has[APPX_P7X] &&
	    !zip_has_room(&parts->zip, layout->offset + PKCS7_MAX + ENTRY_ROOM))
		rc = ht_error_set(e, HT_ERR_DATA,
		    "APPX: with its signature the package would need ZIP64");
	return rc;
}

int
appx_layout_make(const struct appx_parts *parts, bool with_type,
    struct appx_layout *layout, struct ht_error *e)
{
	int rc;

	memset(layout, 0, sizeof(*layout));
	rc = make_types(parts, with_type, layout, e);
	if (rc == 0)
		rc = make_directory(parts, layout, e);
	return rc;
}

void
appx_layout_clear(struct appx_layout *layout)
{
	buf_free(&layout->types);
	buf_free(&layout->directory);
	memset(layout, 0, sizeof(*layout));
}

int
appx_layout_records(const struct appx_layout *layout,
    const struct appx_parts *parts, struct output *plan, struct ht_error *e)
{
	const struct zip_entry *types = &parts->part[APPX_TYPES];
	uint64_t from = 0;
	int rc;

	if (layout->types.len > 0) {
		if ((rc = output_range(plan, 0, types->offset, e)) < 0 ||
		    (rc = output_literal(plan, layout->types.data,
		         layout->types.len, e)) < 0)
			return rc;
		from = types->end;
	}
	return output_range(plan, from, parts->records_end - from, e);
}
