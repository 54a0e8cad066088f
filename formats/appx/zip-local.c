#include "config.h"

#include <string.h>

#include "formats/appx/zip-private.h"

#define DESCRIPTOR 0x08074b50U
#define LOCAL_SIZE 30

/*
 * Whether the local header's CRC or size agrees with the directory.  It may be
 * zero if a descriptor has it (APPNOTE 4.4.4, bit 3).
 */
static bool
agrees(const struct zip_entry *entry, uint64_t said, uint64_t is)
{
	return said == is || (said == 0 && (entry->flags & ZIP_DESCRIPTOR));
}

/*
 * Check the n bytes between data and the next record: nothing, or a descriptor
 * in one of its four forms.  Their lengths tell these apart (APPNOTE 4.3.9).
 */
static int
check_descriptor(const struct zip *zip, const struct zip_entry *entry,
    uint64_t n, struct ht_error *e)
{
	uint8_t bytes[24];
	struct cursor c;
	uint64_t packed = 0;
	uint64_t size = 0;
	uint32_t signature = DESCRIPTOR;
	uint32_t crc = 0;
	uint32_t narrow[2] = { 0, 0 };
	int rc;

	if ((entry->flags & ZIP_DESCRIPTOR) == 0 && n == 0)
		return 0;
	if ((entry->flags & ZIP_DESCRIPTOR) == 0 ||
	    (n != 12 && n != 16 && n != 20 && n != 24))
		return zip_damaged(e, entry->data + entry->packed,
		    "a gap or an overlap between entries (APPNOTE 4.3.6)");
	rc = input_copy(zip->in, entry->data + entry->packed, bytes, (size_t)n,
	    e);
	if (rc < 0)
		return rc;
	c = cursor_over(bytes, (size_t)n);
	if (n == 16 || n == 24)
		(void)cursor_u32le(&c, &signature);
	(void)cursor_u32le(&c, &crc);
	if (n >= 20) {
		(void)cursor_u64le(&c, &packed);
		(void)cursor_u64le(&c, &size);
	} else {
		(void)cursor_u32le(&c, &narrow[0]);
		(void)cursor_u32le(&c, &narrow[1]);
		packed = narrow[0];
		size = narrow[1];
	}
	if (signature != DESCRIPTOR || crc != entry->crc ||
	    packed != entry->packed || size != entry->size)
		return zip_damaged(e, entry->data + entry->packed,
		    "a data descriptor that differs from the directory "
		    "(APPNOTE 4.3.9)");
	return 0;
}

static int
differs(struct ht_error *e, const struct zip_entry *entry)
{
	return zip_damaged(e, entry->offset,
	    "a local header that differs from the directory (APPNOTE 4.3.7)");
}

/*
 * Set *c to the local header, with the length of name and extra fields that it
 * states.
 */
static int
see_local(const struct zip *zip, uint64_t offset, struct cursor *c,
    struct ht_error *e)
{
	uint16_t name = 0;
	uint16_t extra = 0;
	const uint8_t *p;
	size_t got;
	int rc;

	rc = input_read(zip->in, offset, LOCAL_SIZE, &p, &got, e);
	if (rc < 0)
		return rc;
	*c = cursor_over(p, got);
	if (cursor_skip(c, LOCAL_SIZE - 4) == 0 && cursor_u16le(c, &name) == 0)
		(void)cursor_u16le(c, &extra);
	rc = input_read(zip->in, offset, (size_t)LOCAL_SIZE + name + extra, &p,
	    &got, e);
	*c = cursor_over(p, got);
	return rc;
}

int
zip_check_local(const struct zip *zip, struct zip_entry *entry, uint64_t next,
    struct ht_error *e)
{
	struct cursor c, name, extra, field;
	uint32_t signature, crc, packed32, size32;
	uint16_t flags, method, name_size, extra_size;
	uint64_t packed, size;
	size_t all;
	int rc;

	rc = see_local(zip, entry->offset, &c, e);
	if (rc < 0)
		return rc;
	all = c.left;
	if (cursor_u32le(&c, &signature) < 0 || signature != ZIP_LOCAL ||
	    cursor_skip(&c, 2) < 0 || cursor_u16le(&c, &flags) < 0 ||
	    cursor_u16le(&c, &method) < 0 || cursor_skip(&c, 4) < 0 ||
	    cursor_u32le(&c, &crc) < 0 || cursor_u32le(&c, &packed32) < 0 ||
	    cursor_u32le(&c, &size32) < 0 || cursor_u16le(&c, &name_size) < 0 ||
	    cursor_u16le(&c, &extra_size) < 0 ||
	    cursor_bytes(&c, name_size, &name) < 0 ||
	    cursor_bytes(&c, extra_size, &extra) < 0)
		return zip_damaged(e, entry->offset,
		    "no local header at the offset in the directory (APPNOTE "
		    "4.3.7)");
	all -= c.left;
	if (flags != entry->flags || method != entry->method ||
	    name.left != entry->name.left ||
	    memcmp(name.p, entry->name.p, name.left) != 0)
		return differs(e, entry);
	if (zip_field64(extra, &field) < 0 ||
	    zip_widen(&field, size32, &size) < 0 ||
	    zip_widen(&field, packed32, &packed) < 0)
		return zip_damaged(e, entry->offset,
		    "a damaged ZIP64 field (APPNOTE 4.5.3)");
	if (!agrees(entry, crc, entry->crc) ||
	    !agrees(entry, size, entry->size) ||
	    !agrees(entry, packed, entry->packed))
		return differs(e, entry);
	entry->data = entry->offset + all;
	if (entry->data > next || entry->packed > next - entry->data)
		return zip_damaged(e, entry->offset,
		    "a gap or an overlap between entries (APPNOTE 4.3.6)");
	entry->end = next;
	return check_descriptor(zip, entry, next - entry->data - entry->packed,
	    e);
}
