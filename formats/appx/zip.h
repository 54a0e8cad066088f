/*
 * A strict reader of ZIP files, for APPX packages.
 *
 * APPNOTE.TXT, the .ZIP File Format Specification ("APPNOTE" below).  Whatever
 * two readers might understand in two ways is refused: records with gaps
 * between them, overlapping, or in another order than the central directory
 * has them in; local headers that differ from it; two entries of one name, in
 * any case; anything before the first record or after the end record, also a
 * comment; parts of several disks; encryption; methods other than stored and
 * deflated.
 */

#ifndef FORMATS_APPX_ZIP_H
#define FORMATS_APPX_ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"
#include "lib/input.h"

/* The largest central directory that is read, in bytes. */
#define ZIP_DIRECTORY_MAX ((size_t)16 << 20)

#define ZIP_LOCAL 0x04034b50U
#define ZIP_CENTRAL 0x02014b50U

/* General purpose bits (APPNOTE 4.4.4). */
#define ZIP_DESCRIPTOR 0x0008U
#define ZIP_UTF8 0x0800U

#define ZIP_STORED 0
#define ZIP_DEFLATED 8

/* Fields of 32 bits that mean "see the ZIP64 field". */
#define ZIP_SEE_64 0xffffffffU
#define ZIP_SEE_64_COUNT 0xffffU

struct zip_entry {
	struct cursor name;    /* inside central */
	struct cursor central; /* the whole record of the directory */
	uint16_t made_by;
	uint16_t flags;
	uint16_t method;
	uint16_t time;
	uint16_t date;
	uint32_t crc;
	uint64_t packed; /* bytes, as they are in the file */
	uint64_t size;   /* and unpacked */
	uint32_t attributes;
	uint64_t offset;    /* of the local record */
	size_t offset_at;   /* where central has that, and in how many */
	size_t offset_size; /* bytes, 4 or 8 */
	uint64_t data;      /* offset of the packed bytes */
	uint64_t end;       /* offset behind the local record */
};

struct zip {
	struct input *in;
	uint64_t size;          /* of the file */
	uint64_t entries;       /* as the end record says */
	uint64_t offset;        /* of the central directory */
	uint64_t directory_end; /* and where it ends */
	struct buf window;      /* a part of it, from window_at on */
	uint64_t window_at;
	struct buf end; /* what is behind it, to the end of the file */
	bool is_zip64;

	/* Of the walk over the entries. */
	uint64_t rest; /* where the record behind that of ahead is */
	struct zip_entry ahead;
	bool has_ahead;
	struct buf records[2]; /* of ahead, and of the one before */
	uint64_t seen;
	uint64_t expected; /* offset of the next local record */
	struct buf names;  /* hashes of those seen */
};

/*
 * Read the end records of in, which is seekable and has arrived whole
 * (input_drain).  The directory is never in memory as a whole.  HT_ERR_DATA
 * with the offset for what is damaged, HT_ERR_REFUSED for a directory over
 * ZIP_DIRECTORY_MAX, or as input_read.  zip_close also after an error.
 */
int zip_open(struct zip *zip, struct input *in, struct ht_error *e);
void zip_close(struct zip *zip);

/*
 * The next entry, checked against its local record; *more is false behind the
 * last one, and then all that concerns all of them has been checked, too.  The
 * entry's cursors are good until the next call.
 */
int zip_next(struct zip *zip, struct zip_entry *entry, bool *more,
    struct ht_error *e);

/*
 * Read the central record at the start of *c alone: everything but data and
 * end.
 */
int zip_central(struct cursor *c, struct zip_entry *entry, struct ht_error *e);

/*
 * The same for the one at that offset of the file, for those who go through a
 * directory again.  bytes is emptied and gets the record, and the entry's
 * cursors point there.
 */
int zip_record(struct zip *zip, uint64_t offset, struct buf *bytes,
    struct zip_entry *entry, struct ht_error *e);

/*
 * Unpack an entry: sink gets its bytes in order.  HT_ERR_DATA if it is of more
 * than max bytes, or size or CRC are not what the headers say, else as
 * input_read, or the sink's own code.
 */
typedef int zip_sink_fn(void *cookie, const uint8_t *p, size_t n,
    struct ht_error *e);
int zip_extract(const struct zip *zip, const struct zip_entry *entry,
    uint64_t max, zip_sink_fn *sink, void *cookie, struct ht_error *e);

/*
 * Append a local header, or a central record, for an entry that is stored: of
 * entry name, flags (but for a descriptor), time, date, crc, size, made_by and
 * attributes are used, and offset by the latter.
 */
void zip_put_local(const struct zip_entry *entry, struct buf *out);
void zip_put_central(const struct zip_entry *entry, struct buf *out);

/*
 * Append the end records for a directory of so many entries and bytes at
 * offset: those of zip with these numbers in them, and zeros for the numbers of
 * disks, which is what Windows digests whatever is there.
 */
int zip_put_end(const struct zip *zip, uint64_t entries, uint64_t offset,
    uint64_t size, struct buf *out, struct ht_error *e);

/*
 * Whether a directory at an offset with one more entry fits the end records.
 */
bool zip_has_room(const struct zip *zip, uint64_t offset);

#endif
