#include "config.h"

#include "formats/appx/zip-private.h"

/*
 * Append what both headers have, from the version needed to the extra's length.
 */
static void
put_common(const struct zip_entry *entry, uint16_t needed, uint16_t extra,
    struct buf *out)
{
	buf_u16le(out, needed);
	buf_u16le(out, entry->flags & ZIP_UTF8);
	buf_u16le(out, ZIP_STORED);
	buf_u16le(out, entry->time);
	buf_u16le(out, entry->date);
	buf_u32le(out, entry->crc);
	buf_u32le(out, (uint32_t)entry->size);
	buf_u32le(out, (uint32_t)entry->size);
	buf_u16le(out, (uint16_t)entry->name.left);
	buf_u16le(out, extra);
}

void
zip_put_local(const struct zip_entry *entry, struct buf *out)
{
	buf_u32le(out, ZIP_LOCAL);
	put_common(entry, 20, 0, out);
	buf_bytes(out, entry->name.p, entry->name.left);
}

void
zip_put_central(const struct zip_entry *entry, struct buf *out)
{
	bool far = entry->offset >= ZIP_SEE_64;

	buf_u32le(out, ZIP_CENTRAL);
	buf_u16le(out, entry->made_by);
	put_common(entry, far ? 45 : 20, far ? 12 : 0, out);
	buf_zeros(out, 6);
	buf_u32le(out, entry->attributes);
	buf_u32le(out, far ? ZIP_SEE_64 : (uint32_t)entry->offset);
	buf_bytes(out, entry->name.p, entry->name.left);
	if (far) {
		buf_u16le(out, ZIP_EXTRA_64);
		buf_u16le(out, 8);
		buf_u64le(out, entry->offset);
	}
}
