#include "config.h"

#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#include "formats/appx/appx-layout.h"
#include "signature/pkcs7.h"

/* No list of content types is longer. */
#define TYPES_MAX ((size_t)4 << 20)

/* Room for the signature's entry in addition to the PKCS#7. */
#define ENTRY_ROOM 1024

/*
 * Make the stored record that replaces the content types', if the signature's
 * type has to be added or removed.
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
	zip_put_central(entry, &layout->types_central);
	if (buf_failed(&layout->types) < 0 ||
	    buf_failed(&layout->types_central) < 0)
		rc = ht_error_memory(e);
out:
	buf_free(&old);
	buf_free(&text);
	return rc;
}

/*
 * Append a record of the directory with another offset.
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
		return ht_error_at(e, HT_ERR_REFUSED, entry->offset,
		    "APPX: with its signature the package would need ZIP64");
	buf_u32le(out, (uint32_t)offset);
	if (entry->offset_size == 8)
		buf_u32le(out, (uint32_t)(offset >> 32));
	buf_bytes(out, c.p, c.left);
	return 0;
}

/*
 * Compute where the directory is, and its size.  A moved record keeps its
 * length.
 */
static int
place_directory(const struct appx_parts *parts, struct appx_layout *layout,
    struct ht_error *e)
{
	const struct zip *zip = &parts->zip;
	const struct zip_entry *types = &parts->part[APPX_TYPES];

	layout->entries = zip->entries;
	layout->size = zip->directory_end - zip->offset;
	if (parts->has[APPX_P7X]) {
		layout->entries--;
		layout->size -= parts->part[APPX_P7X].central.left;
	}
	if (layout->types.len > 0) {
		layout->grown =
		    layout->types.len - (types->end - types->offset);
		layout->size -= types->central.left;
		layout->size += layout->types_central.len;
	}
	layout->offset = parts->records_end + layout->grown;
	if (!parts->has[APPX_P7X] &&
	    !zip_has_room(zip, layout->offset + PKCS7_MAX + ENTRY_ROOM))
		return ht_error_set(e, HT_ERR_REFUSED,
		    "APPX: with its signature the package would need ZIP64");
	return 0;
}

int
appx_layout_make(const struct appx_parts *parts, bool with_type,
    struct appx_layout *layout, struct ht_error *e)
{
	int rc;

	memset(layout, 0, sizeof(*layout));
	rc = make_types(parts, with_type, layout, e);
	if (rc == 0)
		rc = place_directory(parts, layout, e);
	return rc;
}

void
appx_layout_clear(struct appx_layout *layout)
{
	buf_free(&layout->types);
	buf_free(&layout->types_central);
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

/*
 * Set *record to the new record.  *at becomes HT_NO_OFFSET if that differs from
 * the file's.
 */
static int
change_record(const struct appx_layout *layout, const struct zip_entry *types,
    const struct zip_entry *entry, struct buf *moved, struct cursor *record,
    uint64_t *at, struct ht_error *e)
{
	int rc;

	*record = entry->central;
	if (layout->types.len == 0 || entry->offset < types->offset)
		return 0;
	if (entry->offset == types->offset) {
		*record = buf_cursor(&layout->types_central);
		*at = HT_NO_OFFSET;
		return 0;
	}
	buf_reset(moved);
	rc = put_moved(moved, entry, entry->offset + layout->grown, e);
	if (rc == 0 && buf_failed(moved) < 0)
		rc = ht_error_memory(e);
	*record = buf_cursor(moved);
	*at = HT_NO_OFFSET;
	return rc;
}

int
appx_layout_each(const struct appx_layout *layout, struct appx_parts *parts,
    appx_record_fn *fn, void *cookie, struct ht_error *e)
{
	uint64_t next = parts->zip.offset;
	struct buf bytes = BUF_INIT;
	struct buf moved = BUF_INIT;
	struct zip_entry entry;
	struct cursor record;
	uint64_t at;
	uint64_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < layout->entries; i++) {
		at = next;
		rc = zip_record(&parts->zip, at, &bytes, &entry, e);
		if (rc < 0)
			break;
		next += entry.central.left;
		rc = change_record(layout, &parts->part[APPX_TYPES], &entry,
		    &moved, &record, &at, e);
		if (rc == 0)
			rc = fn(cookie, record, at, e);
	}
	buf_free(&bytes);
	buf_free(&moved);
	return rc;
}

static int
plan_record(void *cookie, struct cursor record, uint64_t at, struct ht_error *e)
{
	struct output *plan = cookie;

	if (at == HT_NO_OFFSET)
		return output_literal(plan, record.p, record.left, e);
	return output_range(plan, at, record.left, e);
}

int
appx_layout_directory(const struct appx_layout *layout,
    struct appx_parts *parts, struct output *plan, struct ht_error *e)
{
	return appx_layout_each(layout, parts, plan_record, plan, e);
}
