#include "config.h"

#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#include "formats/appx/zip.h"

#define PIECE ((size_t)32 << 10)

/* Where the unpacked bytes go, and what they are. */
struct unpacking {
	const struct zip_entry *entry;
	zip_sink_fn *sink;
	void *cookie;
	uint64_t size;
	uLong crc;
};

static int
damaged(const struct zip_entry *entry, struct ht_error *e)
{
	return ht_error_at(e, HT_ERR_DATA, entry->data,
	    "ZIP: an entry does not unpack to what its header says");
}

static int
give(struct unpacking *u, const uint8_t *p, size_t n, struct ht_error *e)
{
	if (n > u->entry->size - u->size)
		return damaged(u->entry, e);
	u->size += n;
	u->crc = crc32(u->crc, p, (uInt)n);
	return u->sink(u->cookie, p, n, e);
}

/*
 * Inflate n bytes.  *done is set at the end of the stream, after which no bytes
 * may follow.
 */
static int
inflate_bytes(struct unpacking *u, z_stream *z, const uint8_t *p, size_t n,
    uint8_t *piece, bool *done, struct ht_error *e)
{
	int status;
	int rc;

	z->next_in = p;
	z->avail_in = (uInt)n;
	do {
		if (*done)
			return damaged(u->entry, e);
		z->next_out = piece;
		z->avail_out = (uInt)PIECE;
		status = inflate(z, Z_NO_FLUSH);
		if (status == Z_MEM_ERROR)
			return ht_error_memory(e);
		if (status != Z_OK && status != Z_STREAM_END &&
		    status != Z_BUF_ERROR)
			return damaged(u->entry, e);
		*done = status == Z_STREAM_END;
		rc = give(u, piece, PIECE - z->avail_out, e);
		if (rc < 0)
			return rc;
	} while (z->avail_in > 0 || (z->avail_out == 0 && !*done));
	return 0;
}

static int
unpack(const struct zip *zip, struct unpacking *u, z_stream *z, uint8_t *piece,
    struct ht_error *e)
{
	const struct zip_entry *entry = u->entry;
	bool stored = entry->method == ZIP_STORED;
	bool done = stored;
	uint64_t offset = 0;
	const uint8_t *p;
	size_t want;
	size_t got;
	int rc;

	while (offset < entry->packed) {
		want = INPUT_CHUNK;
		if (want > entry->packed - offset)
			want = (size_t)(entry->packed - offset);
		rc = input_read(zip->in, entry->data + offset, want, &p, &got,
		    e);
		if (rc < 0)
			return rc;
		if (got < want)
			return damaged(entry, e);
		if (stored)
			rc = give(u, p, got, e);
		else
			rc = inflate_bytes(u, z, p, got, piece, &done, e);
		if (rc < 0)
			return rc;
		offset += got;
	}
	if (!done || u->size != entry->size || u->crc != entry->crc)
		return damaged(entry, e);
	return 0;
}

int
zip_extract(const struct zip *zip, const struct zip_entry *entry, uint64_t max,
    zip_sink_fn *sink, void *cookie, struct ht_error *e)
{
	struct unpacking u = { .entry = entry, .sink = sink, .cookie = cookie };
	uint8_t *piece;
	z_stream z;
	int rc;

	if (entry->size > max)
		return ht_error_at(e, HT_ERR_DATA, entry->offset,
		    "ZIP: %.*s has more than %llu bytes", (int)entry->name.left,
		    (const char *)entry->name.p, (unsigned long long)max);
	memset(&z, 0, sizeof(z));
	piece = malloc(PIECE);
	/* Negative: without zlib's own header (APPNOTE 4.4.5, method 8). */
	if (piece == NULL || inflateInit2(&z, -MAX_WBITS) != Z_OK) {
		free(piece);
		return ht_error_memory(e);
	}
	rc = unpack(zip, &u, &z, piece, e);
	(void)inflateEnd(&z);
	free(piece);
	return rc;
}
