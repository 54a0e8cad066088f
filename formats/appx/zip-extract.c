#include "config.h"

#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#include "formats/appx/zip.h"

#define PIECE ((size_t)32 << 10)

struct zip_reader {
	const struct zip *zip;
	struct zip_entry entry;
	z_stream z;
	bool done;         /* nothing may follow in the packed bytes */
	uint64_t consumed; /* packed bytes that are read */
	uint64_t size;     /* of what is unpacked */
	uLong crc;         /* and its CRC */
	uint8_t packed[PIECE];
};

static int
damaged(const struct zip_reader *r, struct ht_error *e)
{
	return ht_error_at(e, HT_ERR_DATA, r->entry.data,
	    "ZIP: %.*s does not unpack to what its header says",
	    ZIP_NAME(r->entry.name));
}

int
zip_reader_new(const struct zip *zip, const struct zip_entry *entry,
    struct zip_reader **reader, struct ht_error *e)
{
	struct zip_reader *r = calloc(1, sizeof(*r));

	*reader = NULL;
	/* Negative: without zlib's own header (APPNOTE 4.4.5, method 8). */
	if (r == NULL || inflateInit2(&r->z, -MAX_WBITS) != Z_OK) {
		free(r);
		return ht_error_memory(e);
	}
	r->zip = zip;
	r->entry = *entry;
	r->done = entry->method == ZIP_STORED;
	*reader = r;
	return 0;
}

void
zip_reader_free(struct zip_reader *r)
{
	if (r == NULL)
		return;
	(void)inflateEnd(&r->z);
	free(r);
}

/* How many packed bytes to read next: at most n, and none from `until` on. */
static size_t
next_bytes(const struct zip_reader *r, uint64_t until, size_t n)
{
	if (until > r->entry.packed)
		until = r->entry.packed;
	if (until <= r->consumed)
		return 0;
	return until - r->consumed < n ? (size_t)(until - r->consumed) : n;
}

static int
consume(struct zip_reader *r, uint8_t *p, size_t n, struct ht_error *e)
{
	int rc = input_copy(r->zip->in, r->entry.data + r->consumed, p, n, e);

	r->consumed += n;
	return rc;
}

static int
read_deflated(struct zip_reader *r, uint64_t until, uint8_t *p, size_t n,
    size_t *got, struct ht_error *e)
{
	size_t more;
	int status;
	int rc;

	r->z.next_out = p;
	r->z.avail_out = (uInt)n;
	while (r->z.avail_out > 0) {
		if (r->z.avail_in == 0) {
			more = next_bytes(r, until, PIECE);
			if (more == 0)
				break;
			rc = consume(r, r->packed, more, e);
			if (rc < 0)
				return rc;
			r->z.next_in = r->packed;
			r->z.avail_in = (uInt)more;
		}
		if (r->done)
			return damaged(r, e);
		status = inflate(&r->z, Z_NO_FLUSH);
		if (status == Z_MEM_ERROR)
			return ht_error_memory(e);
		if (status != Z_OK && status != Z_STREAM_END &&
		    status != Z_BUF_ERROR)
			return damaged(r, e);
		r->done = status == Z_STREAM_END;
	}
	*got = n - r->z.avail_out;
	return 0;
}

int
zip_reader_read(struct zip_reader *r, uint64_t until, uint8_t *p, size_t n,
    size_t *got, struct ht_error *e)
{
	const struct zip_entry *entry = &r->entry;
	int rc;

	*got = 0;
	if (entry->method == ZIP_STORED) {
		*got = next_bytes(r, until, n);
		rc = consume(r, p, *got, e);
	} else {
		rc = read_deflated(r, until, p, n, got, e);
	}
	if (rc < 0)
		return rc;
	if (*got > entry->size - r->size)
		return damaged(r, e);
	r->size += *got;
	r->crc = crc32(r->crc, p, (uInt)*got);
	if (*got == 0 && n > 0 && r->consumed == entry->packed &&
	    (!r->done || r->size != entry->size || r->crc != entry->crc))
		return damaged(r, e);
	return 0;
}

int
zip_extract(const struct zip *zip, const struct zip_entry *entry, uint64_t max,
    zip_sink_fn *sink, void *cookie, struct ht_error *e)
{
	struct zip_reader *r;
	uint8_t piece[PIECE];
	size_t got;
	int rc;

	if (entry->size > max)
		return ht_error_at(e, HT_ERR_DATA, entry->offset,
		    "ZIP: %.*s has more than %llu bytes", ZIP_NAME(entry->name),
		    (unsigned long long)max);
	rc = zip_reader_new(zip, entry, &r, e);
	while (rc == 0) {
		rc = zip_reader_read(r, ZIP_TO_END, piece, sizeof(piece), &got,
		    e);
		if (rc < 0 || got == 0)
			break;
		rc = sink(cookie, piece, got, e);
	}
	zip_reader_free(r);
	return rc;
}
