#include "config.h"

#include <string.h>

#include "formats/appx/zip-private.h"

#define END 0x06054b50U
#define END_SIZE 22
#define LOCATOR_SIZE 20
#define END64 0x06064b50U
#define END64_SIZE 56

struct end {
	uint16_t disk;
	uint16_t directory_disk;
	uint16_t entries_here;
	uint16_t entries;
	uint32_t size;
	uint32_t offset;
	uint16_t comment;
};

static int
read_end(struct cursor c, struct end *end)
{
	uint32_t signature;

	if (cursor_u32le(&c, &signature) < 0 || signature != END ||
	    cursor_u16le(&c, &end->disk) < 0 ||
	    cursor_u16le(&c, &end->directory_disk) < 0 ||
	    cursor_u16le(&c, &end->entries_here) < 0 ||
	    cursor_u16le(&c, &end->entries) < 0 ||
	    cursor_u32le(&c, &end->size) < 0 ||
	    cursor_u32le(&c, &end->offset) < 0 ||
	    cursor_u16le(&c, &end->comment) < 0 || end->comment != 0)
		return HT_ERR_DATA;
	return 0;
}

/* The packaging tool writes all ones as disk numbers in ZIP64 files. */
static bool
is_first_disk(uint32_t disk, bool zip64)
{
	return disk == 0 || (zip64 && disk == ZIP_SEE_64_COUNT);
}

/*
 * Read the ZIP64 end record, without extensible data (APPNOTE 4.3.14).  The
 * older end record must have the same values, or all ones.
 */
static int
read_end64(struct zip *zip, struct cursor c, const struct end *end,
    uint64_t *size)
{
	uint64_t length;
	uint64_t here;
	uint32_t signature;
	uint32_t disk;
	uint32_t directory_disk;

	if (cursor_u32le(&c, &signature) < 0 || signature != END64 ||
	    cursor_u64le(&c, &length) < 0 || length != END64_SIZE - 12 ||
	    cursor_skip(&c, 4) < 0 || cursor_u32le(&c, &disk) < 0 ||
	    cursor_u32le(&c, &directory_disk) < 0 ||
	    cursor_u64le(&c, &here) < 0 ||
	    cursor_u64le(&c, &zip->entries) < 0 || cursor_u64le(&c, size) < 0 ||
	    cursor_u64le(&c, &zip->offset) < 0)
		return HT_ERR_DATA;
	if (disk != 0 || directory_disk != 0 || here != zip->entries ||
	    (end->entries != ZIP_SEE_64_COUNT &&
	        end->entries != zip->entries) ||
	    (end->size != ZIP_SEE_64 && end->size != *size) ||
	    (end->offset != ZIP_SEE_64 && end->offset != zip->offset))
		return HT_ERR_DATA;
	return 0;
}

static int
read_locator(struct cursor c, uint64_t end64)
{
	uint64_t offset;
	uint32_t signature;
	uint32_t disk;
	uint32_t disks;

	if (cursor_u32le(&c, &signature) < 0 || cursor_u32le(&c, &disk) < 0 ||
	    cursor_u64le(&c, &offset) < 0 || cursor_u32le(&c, &disks) < 0 ||
	    disk != 0 || disks > 1 || offset != end64)
		return HT_ERR_DATA;
	return 0;
}

/*
 * Read the last n bytes into zip->end; none if the file is shorter.
 */
static int
read_tail(struct zip *zip, size_t n, struct ht_error *e)
{
	uint8_t *p;

	buf_reset(&zip->end);
	if (n > zip->size)
		return 0;
	p = buf_room(&zip->end, n);
	if (p == NULL)
		return ht_error_memory(e);
	return input_copy(zip->in, zip->size - n, p, n, e);
}

int
zip_find_directory(struct zip *zip, uint64_t *size, struct ht_error *e)
{
	static const uint8_t locator[] = { 'P', 'K', 6, 7 };
	struct cursor tail;
	struct cursor c;
	struct end end;
	uint64_t at;
	int rc;

	rc = read_tail(zip, END64_SIZE + LOCATOR_SIZE + END_SIZE, e);
	if (rc == 0 && zip->end.len == 0)
		rc = read_tail(zip, END_SIZE, e);
	if (rc < 0)
		return rc;
	tail = buf_cursor(&zip->end);
	at = zip->size - END_SIZE;
	if (tail.left < END_SIZE)
		return zip_damaged(e, zip->size,
		    "no end record (APPNOTE 4.3.16)");
	c = cursor_over(tail.p + tail.left - END_SIZE, END_SIZE);
	if (read_end(c, &end) < 0)
		return zip_damaged(e, at,
		    "the file does not end with an end record: it is cut, or "
		    "there is something behind it (APPNOTE 4.3.16)");
	zip->is_zip64 = tail.left > END_SIZE &&
	    memcmp(tail.p + END64_SIZE, locator, sizeof(locator)) == 0;
	if (!is_first_disk(end.disk, zip->is_zip64) ||
	    !is_first_disk(end.directory_disk, zip->is_zip64) ||
	    end.entries_here != end.entries)
		return zip_damaged(e, at, "on several disks (APPNOTE 4.3.16)");
	*size = end.size;
	zip->offset = end.offset;
	zip->entries = end.entries;
	if (!zip->is_zip64) {
		rc = read_tail(zip, END_SIZE, e);
	} else {
		at -= LOCATOR_SIZE + END64_SIZE;
		if (read_end64(zip, cursor_over(tail.p, END64_SIZE), &end,
		        size) < 0 ||
		    read_locator(cursor_over(tail.p + END64_SIZE, LOCATOR_SIZE),
		        at) < 0)
			return zip_damaged(e, at,
			    "the ZIP64 end records do not fit the file "
			    "(APPNOTE 4.3.14)");
	}
	if (rc == 0 && (*size > at || zip->offset != at - *size))
		rc = zip_damaged(e, at,
		    "the central directory does not end where the end record "
		    "begins (APPNOTE 4.3.6)");
	return rc;
}

/* --- writing ----------------------------------------------------------- */

bool
zip_has_room(const struct zip *zip, uint64_t offset)
{
	struct end end;

	if (read_end(
	        cursor_over(zip->end.data + zip->end.len - END_SIZE, END_SIZE),
	        &end) < 0)
		return false;
	return (end.offset == ZIP_SEE_64 || offset < ZIP_SEE_64) &&
	    (end.entries == ZIP_SEE_64_COUNT ||
	        zip->entries + 1 < ZIP_SEE_64_COUNT);
}

int
zip_put_end(const struct zip *zip, uint64_t entries, uint64_t offset,
    uint64_t size, struct buf *out, struct ht_error *e)
{
	const uint8_t *p = zip->end.data;
	struct end end;

	if (read_end(cursor_over(p + zip->end.len - END_SIZE, END_SIZE), &end) <
	    0)
		return ht_error_set(e, HT_ERR_INTERNAL, "no end record");
	if (zip->is_zip64) {
		/* Up to the disks; up to the locator's offset; the rest. */
		buf_bytes(out, p, 24);
		buf_u64le(out, entries);
		buf_u64le(out, entries);
		buf_u64le(out, size);
		buf_u64le(out, offset);
		buf_bytes(out, p + END64_SIZE, 8);
		buf_u64le(out, offset + size);
		buf_bytes(out, p + END64_SIZE + 16, 4);
	}
	buf_u32le(out, END);
	buf_zeros(out, 4);
	if (end.entries == ZIP_SEE_64_COUNT && zip->is_zip64)
		entries = ZIP_SEE_64_COUNT;
	buf_u16le(out, (uint16_t)entries);
	buf_u16le(out, (uint16_t)entries);
	buf_u32le(out,
	    end.size == ZIP_SEE_64 && zip->is_zip64 ? ZIP_SEE_64
	                                            : (uint32_t)size);
	buf_u32le(out,
	    end.offset == ZIP_SEE_64 && zip->is_zip64 ? ZIP_SEE_64
	                                              : (uint32_t)offset);
	buf_u16le(out, 0);
	return 0;
}
