#include "config.h"

#include <openssl/evp.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "formats/appx/zip-private.h"
#include "signature/spc-asn1.h"

#define CENTRAL_SIZE 46

/*
 * Level of deflation, descriptor, UTF-8: flags that do not change the meaning.
 */
#define FLAGS_KNOWN (0x0006U | ZIP_DESCRIPTOR | ZIP_UTF8)

int
zip_open(struct zip *zip, struct input *in, struct ht_error *e)
{
	uint64_t size;
	int rc;

	memset(zip, 0, sizeof(*zip));
	zip->in = in;
	rc = input_drain(in, &zip->size, e);
	if (rc == 0)
		rc = zip_find_directory(zip, &size, e);
	if (rc < 0)
		return rc;
	if (size > ZIP_DIRECTORY_MAX)
		return ht_error_at(e, HT_ERR_REFUSED, zip->offset,
		    "ZIP: a central directory of more than %zu bytes",
		    ZIP_DIRECTORY_MAX);
	if (size == 0)
		return zip_damaged(e, zip->offset, "the archive is empty");
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

/* --- records of the directory ------------------------------------------ */

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
		return zip_damaged(e, HT_NO_OFFSET,
		    "a damaged central directory (APPNOTE 4.3.12)");
	entry->central = cursor_over(start, (size_t)(c->p - start));
	if (zip_field64(extra, &field) < 0 ||
	    zip_widen(&field, size, &entry->size) < 0 ||
	    zip_widen(&field, packed, &entry->packed) < 0)
		return zip_damaged(e, HT_NO_OFFSET,
		    "a damaged ZIP64 field (APPNOTE 4.5.3)");
	entry->offset_size = offset == ZIP_SEE_64 ? 8 : 4;
	entry->offset_at =
	    offset == ZIP_SEE_64 ? (size_t)(field.p - start) : CENTRAL_SIZE - 4;
	if (zip_widen(&field, offset, &entry->offset) < 0 ||
	    cursor_end(&field) < 0 || disk != 0)
		return zip_damaged(e, HT_NO_OFFSET,
		    "a damaged ZIP64 field (APPNOTE 4.5.3)");
	if (name == 0 || memchr(entry->name.p, '\0', name) != NULL)
		return zip_damaged(e, HT_NO_OFFSET, "an entry without a name");
	return 0;
}

/*
 * Load the directory from that offset on, enough for the longest record.
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
		return ht_error_memory(e);
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
	/* The record may go on after what is loaded. */
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
		return ht_error_memory(e);
	entry->central = buf_cursor(bytes);
	entry->name = cursor_over(bytes->data + CENTRAL_SIZE, entry->name.left);
	return 0;
}

/* --- names ------------------------------------------------------------- */

/* The value of two hexadecimal digits, or -1. */
static int
percent_value(struct cursor c)
{
	char text[3] = "";

	if (c.left < 2 || !isxdigit(c.p[0]) || !isxdigit(c.p[1]))
		return -1;
	memcpy(text, c.p, 2);
	return (int)strtol(text, NULL, 16);
}

/*
 * Hash a name so that those are the same which are the same file to Windows.
 * It knows parts by their names without percent-encoding, and ignores the case
 * of ASCII letters (ECMA-376-2, 6.2.2.3).  Other letters are percent-encoded,
 * and their case makes two parts.
 */
static int
hash_name(struct cursor name, bool encoded, uint64_t *hash)
{
	uint8_t plain[65535];
	uint8_t value[EVP_MAX_MD_SIZE];
	size_t n = 0;
	int byte;
	uint8_t v;

	while (n < sizeof(plain) && cursor_u8(&name, &v) == 0) {
		byte = encoded && v == '%' ? percent_value(name) : -1;
		if (byte >= 0) {
			v = (uint8_t)byte;
			(void)cursor_skip(&name, 2);
		}
		plain[n++] = v == '\\' ? '/' : (uint8_t)tolower(v);
	}
	if (EVP_Digest(plain, n, value, NULL, EVP_sha256(), NULL) != 1)
		return HT_ERR_INTERNAL;
	memcpy(hash, value, sizeof(*hash));
	return 0;
}

static int
note_name(struct zip *zip, const struct zip_entry *entry, uint64_t at,
    struct ht_error *e)
{
	struct zip_name name = { .at = (uint32_t)(at - zip->offset) };

	if (hash_name(entry->name, true, &name.hash) < 0)
		return spc_crypto_error(e, HT_ERR_INTERNAL, "cannot digest");
	buf_bytes(&zip->names, &name, sizeof(name));
	if (buf_failed(&zip->names) < 0)
		return ht_error_memory(e);
	return 0;
}

static int
compare_hashes(const void *a, const void *b)
{
	const struct zip_name *one = a;
	const struct zip_name *other = b;

	return one->hash < other->hash ? -1 : one->hash > other->hash;
}

static int
same_names(struct zip *zip, const struct zip_name *name, struct ht_error *e)
{
	struct zip_entry entry;
	int rc;

	rc = zip_record(zip, zip->offset + name->at, &zip->records[0], &entry,
	    e);
	if (rc < 0)
		return rc;
	return ht_error_at(e, HT_ERR_DATA, entry.offset,
	    "ZIP: two entries of the same name: %.*s", ZIP_NAME(entry.name));
}

static int
check_all(struct zip *zip, struct ht_error *e)
{
	struct zip_name *names = (struct zip_name *)(void *)zip->names.data;
	size_t n = zip->names.len / sizeof(*names);
	size_t i;

	if (zip->seen != zip->entries)
		return zip_damaged(e, zip->offset,
		    "the number of entries is not what the end record says "
		    "(APPNOTE 4.4.22)");
	qsort(names, n, sizeof(*names), compare_hashes);
	for (i = 1; i < n; i++) {
		if (names[i - 1].hash == names[i].hash)
			return same_names(zip,
			    &names[names[i].at > names[i - 1].at ? i : i - 1],
			    e);
	}
	return 0;
}

struct zip_name *
zip_find(const struct zip *zip, struct cursor name)
{
	struct zip_name wanted = { 0 };

	if (hash_name(name, false, &wanted.hash) < 0)
		return NULL;
	return bsearch(&wanted, zip->names.data,
	    zip->names.len / sizeof(wanted), sizeof(wanted), compare_hashes);
}

int
zip_entry_of(struct zip *zip, const struct zip_name *name, struct buf *bytes,
    struct zip_entry *entry, struct ht_error *e)
{
	uint64_t at = zip->offset + name->at;
	uint64_t end = zip->offset;
	struct zip_entry next;
	int rc;

	rc = zip_record(zip, at, bytes, entry, e);
	if (rc < 0)
		return rc;
	at += entry->central.left;
	if (at < zip->directory_end) {
		rc = zip_record(zip, at, &zip->records[0], &next, e);
		end = next.offset;
	}
	return rc < 0 ? rc : zip_check_local(zip, entry, end, e);
}

/* --- the walk over the entries ----------------------------------------- */

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

static int
check_kind(const struct zip_entry *entry, struct ht_error *e)
{
	if ((entry->flags & 0x2041U) != 0)
		return zip_damaged(e, entry->offset,
		    "an encrypted entry (APPNOTE 4.4.4)");
	if ((entry->flags & ~FLAGS_KNOWN) != 0 ||
	    (entry->method != ZIP_STORED && entry->method != ZIP_DEFLATED) ||
	    (entry->method == ZIP_STORED && entry->packed != entry->size))
		return zip_damaged(e, entry->offset,
		    "an entry that is neither stored nor deflated (APPNOTE "
		    "4.4.5)");
	return 0;
}

int
zip_next(struct zip *zip, struct zip_entry *entry, bool *more,
    struct ht_error *e)
{
	uint64_t next;
	uint64_t at;
	int rc;

	*more = false;
	if (zip->seen == 0 && (rc = look_ahead(zip, e)) < 0)
		return rc;
	if (!zip->has_ahead)
		return check_all(zip, e);
	*entry = zip->ahead;
	at = zip->rest - entry->central.left;
	rc = look_ahead(zip, e);
	if (rc < 0)
		return rc;
	next = zip->has_ahead ? zip->ahead.offset : zip->offset;
	if (entry->offset != zip->expected || next < entry->offset ||
	    next > zip->offset)
		return zip_damaged(e, zip->expected,
		    "a gap or an overlap between entries (APPNOTE 4.3.6)");
	if ((rc = check_kind(entry, e)) < 0 ||
	    (rc = zip_check_local(zip, entry, next, e)) < 0 ||
	    (rc = note_name(zip, entry, at, e)) < 0)
		return rc;
	zip->expected = next;
	zip->seen++;
	*more = true;
	return 0;
}
