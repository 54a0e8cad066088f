#include "config.h"

#include <openssl/evp.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "authenticode/spc-asn1.h"
#include "authenticode/zip.h"

#define END 0x06054b50U
#define END_SIZE 22
#define LOCATOR 0x07064b50U
#define LOCATOR_SIZE 20
#define END64 0x06064b50U
#define END64_SIZE 56
#define DESCRIPTOR 0x08074b50U
#define LOCAL_SIZE 30
#define CENTRAL_SIZE 46
#define EXTRA_ZIP64 0x0001

/* Level of deflation, descriptor, UTF-8: what does not change the meaning. */
#define FLAGS_KNOWN (0x0006U | ZIP_DESCRIPTOR | ZIP_UTF8)

static int
damaged(struct ht_error *e, uint64_t offset, const char *what)
{
	return ht_error_at(e, HT_ERR_DATA, offset, "ZIP: %s", what);
}

/* --- end records ------------------------------------------------------- */

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

/* The packaging tool has all ones for disks in ZIP64 files. */
static bool
is_first_disk(uint32_t disk, bool zip64)
{
	return disk == 0 || (zip64 && disk == ZIP_SEE_64_COUNT);
}

/*
 * APPNOTE 4.3.14: the record has no extensible data.  What the older end record
 * says must be the same, or all ones.
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
		return ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
	return input_copy(zip->in, zip->size - n, p, n, e);
}

/*
 * The end records, and where the directory and they must meet.
 */
static int
find_directory(struct zip *zip, uint64_t *size, struct ht_error *e)
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
		return damaged(e, zip->size, "no end record (APPNOTE 4.3.16)");
	c = cursor_over(tail.p + tail.left - END_SIZE, END_SIZE);
	if (read_end(c, &end) < 0)
		return damaged(e, at,
		    "the file does not end with an end record: it is cut, or "
		    "there is something behind it (APPNOTE 4.3.16)");
	zip->is_zip64 = tail.left > END_SIZE &&
	    memcmp(tail.p + END64_SIZE, locator, sizeof(locator)) == 0;
	if (!is_first_disk(end.disk, zip->is_zip64) ||
	    !is_first_disk(end.directory_disk, zip->is_zip64) ||
	    end.entries_here != end.entries)
		return damaged(e, at, "of several disks (APPNOTE 4.3.16)");
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
			return damaged(e, at,
			    "the ZIP64 end records do not fit the file "
			    "(APPNOTE 4.3.14)");
	}
	if (rc == 0 && (*size > at || zip->offset != at - *size))
		rc = damaged(e, at,
		    "the central directory does not end where the end record "
		    "begins (APPNOTE 4.3.6)");
	return rc;
}

int
zip_open(struct zip *zip, struct input *in, struct ht_error *e)
{
	uint64_t size;
	int rc;

	memset(zip, 0, sizeof(*zip));
	zip->in = in;
	rc = input_drain(in, &zip->size, e);
	if (rc == 0)
		rc = find_directory(zip, &size, e);
	if (rc < 0)
		return rc;
	if (size > ZIP_DIRECTORY_MAX)
		return ht_error_at(e, HT_ERR_REFUSED, zip->offset,
		    "ZIP: a central directory of more than %zu bytes",
		    ZIP_DIRECTORY_MAX);
	if (size == 0)
		return damaged(e, zip->offset, "there is nothing in it");
	zip->directory_end = zip->offset + size;
	zip->rest = zip->offset;
	return 0;
}

void
zip_close(struct zip *zip)
{
	buf_free(&zip->window);
	buf_free(&zip->records[0]);
	buf_free(&zip->records[1]);
	buf_free(&zip->end);
	buf_free(&zip->names);
	memset(zip, 0, sizeof(*zip));
}

/* --- entries ----------------------------------------------------------- */

/*
 * The ZIP64 field among the extra fields; empty if there is none.  HT_ERR_DATA
 * for two of them, or fields that do not fill their room (APPNOTE 4.5.1).
 */
static int
find_zip64(struct cursor extra, struct cursor *field)
{
	struct cursor data;
	uint16_t id;
	uint16_t n;

	*field = cursor_over(NULL, 0);
	while (extra.left > 0) {
		if (cursor_u16le(&extra, &id) < 0 ||
		    cursor_u16le(&extra, &n) < 0 ||
		    cursor_bytes(&extra, n, &data) < 0)
			return HT_ERR_DATA;
		if (id != EXTRA_ZIP64)
			continue;
		if (field->p != NULL)
			return HT_ERR_DATA;
		*field = data;
	}
	return 0;
}

/* A value that stands in the ZIP64 field if the older field is all ones. */
static int
widen(struct cursor *field, uint32_t narrow, uint64_t *value)
{
	*value = narrow;
	return narrow == ZIP_SEE_64 ? cursor_u64le(field, value) : 0;
}

int
zip_central(struct cursor *c, struct zip_entry *entry, struct ht_error *e)
{
	const uint8_t *start = c->p;
	struct cursor extra;
	struct cursor field;
	struct cursor comment;
	uint32_t signature, packed, size, offset;
	uint16_t needed, name, extras, comments, disk, internal;

	memset(entry, 0, sizeof(*entry));
	if (cursor_u32le(c, &signature) < 0 || signature != ZIP_CENTRAL ||
	    cursor_u16le(c, &entry->made_by) < 0 ||
	    cursor_u16le(c, &needed) < 0 ||
	    cursor_u16le(c, &entry->flags) < 0 ||
	    cursor_u16le(c, &entry->method) < 0 ||
	    cursor_u16le(c, &entry->time) < 0 ||
	    cursor_u16le(c, &entry->date) < 0 ||
	    cursor_u32le(c, &entry->crc) < 0 || cursor_u32le(c, &packed) < 0 ||
	    cursor_u32le(c, &size) < 0 || cursor_u16le(c, &name) < 0 ||
	    cursor_u16le(c, &extras) < 0 || cursor_u16le(c, &comments) < 0 ||
	    cursor_u16le(c, &disk) < 0 || cursor_u16le(c, &internal) < 0 ||
	    cursor_u32le(c, &entry->attributes) < 0 ||
	    cursor_u32le(c, &offset) < 0 ||
	    cursor_bytes(c, name, &entry->name) < 0 ||
	    cursor_bytes(c, extras, &extra) < 0 ||
	    cursor_bytes(c, comments, &comment) < 0)
		return damaged(e, HT_NO_OFFSET,
		    "a damaged central directory (APPNOTE 4.3.12)");
	entry->central = cursor_over(start, (size_t)(c->p - start));
	if (find_zip64(extra, &field) < 0 ||
	    widen(&field, size, &entry->size) < 0 ||
	    widen(&field, packed, &entry->packed) < 0)
		return damaged(e, HT_NO_OFFSET,
		    "a damaged ZIP64 field (APPNOTE 4.5.3)");
	entry->offset_size = offset == ZIP_SEE_64 ? 8 : 4;
	entry->offset_at =
	    offset == ZIP_SEE_64 ? (size_t)(field.p - start) : CENTRAL_SIZE - 4;
	if (widen(&field, offset, &entry->offset) < 0 ||
	    cursor_end(&field) < 0 || disk != 0)
		return damaged(e, HT_NO_OFFSET,
		    "a damaged ZIP64 field (APPNOTE 4.5.3)");
	if (name == 0 || memchr(entry->name.p, '\0', name) != NULL)
		return damaged(e, HT_NO_OFFSET, "an entry without a name");
	return 0;
}

/*
 * Read the directory from that offset on, as much as holds the longest record.
 */
static int
load_directory(struct zip *zip, uint64_t offset, struct ht_error *e)
{
	uint64_t left = zip->directory_end - offset;
	size_t n = left < INPUT_CHUNK ? (size_t)left : INPUT_CHUNK;
	uint8_t *p;

	buf_reset(&zip->window);
	zip->window_at = offset;
	p = buf_room(&zip->window, n);
	if (p == NULL)
		return ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
	return input_copy(zip->in, offset, p, n, e);
}

static struct cursor
loaded_from(const struct zip *zip, uint64_t offset)
{
	struct cursor c = buf_cursor(&zip->window);

	if (offset < zip->window_at ||
	    cursor_skip(&c, (size_t)(offset - zip->window_at)) < 0)
		c = cursor_over(NULL, 0);
	return c;
}

int
zip_record(struct zip *zip, uint64_t offset, struct buf *bytes,
    struct zip_entry *entry, struct ht_error *e)
{
	struct cursor c = loaded_from(zip, offset);
	int rc;

	rc = zip_central(&c, entry, e);
	/* The record may go on behind what is loaded. */
	if (rc < 0 && (zip->window.len == 0 || zip->window_at != offset)) {
		rc = load_directory(zip, offset, e);
		c = loaded_from(zip, offset);
		if (rc == 0)
			rc = zip_central(&c, entry, e);
	}
	if (rc < 0)
		return rc;
	buf_reset(bytes);
	buf_bytes(bytes, entry->central.p, entry->central.left);
	if (buf_failed(bytes) < 0)
		return ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
	entry->central = buf_cursor(bytes);
	entry->name = cursor_over(bytes->data + CENTRAL_SIZE, entry->name.left);
	return 0;
}

/*
 * What the local header says of CRC and sizes: the same as the directory, or
 * zero where a descriptor says it later (APPNOTE 4.4.4, bit 3).
 */
static bool
agrees(const struct zip_entry *entry, uint64_t said, uint64_t is)
{
	return said == is || (said == 0 && (entry->flags & ZIP_DESCRIPTOR));
}

/*
 * Between data and the next record: nothing, or a descriptor in one of its four
 * forms, which their lengths tell apart (APPNOTE 4.3.9).
 */
static int
check_descriptor(const struct zip *zip, const struct zip_entry *entry,
    uint64_t n, struct ht_error *e)
{
	uint8_t bytes[24];
	struct cursor c = cursor_over(bytes, (size_t)n);
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
		return damaged(e, entry->data + entry->packed,
		    "a gap or an overlap between entries (APPNOTE 4.3.6)");
	rc = input_copy(zip->in, entry->data + entry->packed, bytes, (size_t)n,
	    e);
	if (rc < 0)
		return rc;
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
		return damaged(e, entry->data + entry->packed,
		    "a data descriptor that differs from the directory "
		    "(APPNOTE 4.3.9)");
	return 0;
}

static int
differs(struct ht_error *e, const struct zip_entry *entry)
{
	return damaged(e, entry->offset,
	    "a local header that differs from the directory (APPNOTE 4.3.7)");
}

/*
 * As much as the local header says that it has of name and extra fields.
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

/*
 * The local record, which ends where the next one begins.
 */
static int
check_local(const struct zip *zip, struct zip_entry *entry, uint64_t next,
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
		return damaged(e, entry->offset,
		    "no local header where the directory has one (APPNOTE "
		    "4.3.7)");
	all -= c.left;
	if (flags != entry->flags || method != entry->method ||
	    name.left != entry->name.left ||
	    memcmp(name.p, entry->name.p, name.left) != 0)
		return differs(e, entry);
	if (find_zip64(extra, &field) < 0 || widen(&field, size32, &size) < 0 ||
	    widen(&field, packed32, &packed) < 0)
		return damaged(e, entry->offset,
		    "a damaged ZIP64 field (APPNOTE 4.5.3)");
	if (!agrees(entry, crc, entry->crc) ||
	    !agrees(entry, size, entry->size) ||
	    !agrees(entry, packed, entry->packed))
		return differs(e, entry);
	entry->data = entry->offset + all;
	if (entry->data > next || entry->packed > next - entry->data)
		return damaged(e, entry->offset,
		    "a gap or an overlap between entries (APPNOTE 4.3.6)");
	entry->end = next;
	return check_descriptor(zip, entry, next - entry->data - entry->packed,
	    e);
}

static int
check_kind(const struct zip_entry *entry, struct ht_error *e)
{
	if ((entry->flags & 0x2041U) != 0)
		return damaged(e, entry->offset,
		    "an encrypted entry (APPNOTE 4.4.4)");
	if ((entry->flags & ~FLAGS_KNOWN) != 0 ||
	    (entry->method != ZIP_STORED && entry->method != ZIP_DEFLATED) ||
	    (entry->method == ZIP_STORED && entry->packed != entry->size))
		return damaged(e, entry->offset,
		    "an entry that is neither stored nor deflated (APPNOTE "
		    "4.4.5)");
	return 0;
}

/* --- names ------------------------------------------------------------- */

/*
 * Keep a hash of the name in lower case: Windows does not tell A from a.
 */
static int
note_name(struct zip *zip, struct cursor name, struct ht_error *e)
{
	uint8_t lower[65535];
	uint8_t hash[EVP_MAX_MD_SIZE];
	size_t i;

	for (i = 0; i < name.left; i++)
		lower[i] = (uint8_t)tolower(name.p[i]);
	if (EVP_Digest(lower, name.left, hash, NULL, EVP_sha256(), NULL) != 1)
		return spc_crypto_error(e, HT_ERR_INTERNAL, "cannot digest");
	buf_bytes(&zip->names, hash, sizeof(uint64_t));
	if (buf_failed(&zip->names) < 0)
		return ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
	return 0;
}

static int
compare_hashes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(uint64_t));
}

static int
check_all(struct zip *zip, struct ht_error *e)
{
	const size_t width = sizeof(uint64_t);
	uint8_t *p = zip->names.data;
	size_t n = zip->names.len / width;
	size_t i;

	if (zip->seen != zip->entries)
		return damaged(e, zip->offset,
		    "the number of entries is not what the end record says "
		    "(APPNOTE 4.4.22)");
	qsort(p, n, width, compare_hashes);
	for (i = 1; i < n; i++) {
		if (compare_hashes(p + (i - 1) * width, p + i * width) == 0)
			return damaged(e, zip->offset,
			    "two entries of the same name");
	}
	return 0;
}

static int
look_ahead(struct zip *zip, struct ht_error *e)
{
	struct buf other = zip->records[0];
	int rc;

	zip->has_ahead = zip->rest < zip->directory_end;
	if (!zip->has_ahead)
		return 0;
	zip->records[0] = zip->records[1];
	zip->records[1] = other;
	rc = zip_record(zip, zip->rest, &zip->records[0], &zip->ahead, e);
	zip->rest += zip->ahead.central.left;
	return rc;
}

int
zip_next(struct zip *zip, struct zip_entry *entry, bool *more,
    struct ht_error *e)
{
	uint64_t next;
	int rc;

	*more = false;
	if (zip->seen == 0 && (rc = look_ahead(zip, e)) < 0)
		return rc;
	if (!zip->has_ahead)
		return check_all(zip, e);
	*entry = zip->ahead;
	rc = look_ahead(zip, e);
	if (rc < 0)
		return rc;
	next = zip->has_ahead ? zip->ahead.offset : zip->offset;
	if (entry->offset != zip->expected || next < entry->offset ||
	    next > zip->offset)
		return damaged(e, zip->expected,
		    "a gap or an overlap between entries (APPNOTE 4.3.6)");
	if ((rc = check_kind(entry, e)) < 0 ||
	    (rc = check_local(zip, entry, next, e)) < 0 ||
	    (rc = note_name(zip, entry->name, e)) < 0)
		return rc;
	zip->expected = next;
	zip->seen++;
	*more = true;
	return 0;
}

/* --- writing ----------------------------------------------------------- */

static void
put_u64le(struct buf *out, uint64_t v)
{
	buf_u32le(out, (uint32_t)v);
	buf_u32le(out, (uint32_t)(v >> 32));
}

/* What both headers have, from the version needed to the extra's length. */
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
		buf_u16le(out, EXTRA_ZIP64);
		buf_u16le(out, 8);
		put_u64le(out, entry->offset);
	}
}

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
		/* Up to the disks; up to the locator's offset; what follows. */
		buf_bytes(out, p, 24);
		put_u64le(out, entries);
		put_u64le(out, entries);
		put_u64le(out, size);
		put_u64le(out, offset);
		buf_bytes(out, p + END64_SIZE, 8);
		put_u64le(out, offset + size);
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
