/*
 * A strict reader of ZIP files, for APPX packages.
 *
 * APPNOTE.TXT, the .ZIP File Format Specification ("APPNOTE" below).  Whatever
 * two readers might understand differently is refused:
 * - records with gaps between them, overlapping, or in another order than in
 *   the central directory;
 * - local headers that differ from the directory;
 * - two entries of one name, compared without percent-encoding and without the
 *   case of ASCII letters, as Windows compares parts;
 * - anything before the first record or after the end record, also a comment;
 * - parts of several disks;
 * - encryption;
 * - methods other than stored and deflated.
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

/* A name as the argument of "%.*s"; the start of it, if it is long. */
#define ZIP_NAME(name)                                                         \
	(int)((name).left < 100 ? (name).left : 100), (const char *)(name).p

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
	size_t offset_at;   /* where central has offset, and in */
	size_t offset_size; /* how many bytes: 4 or 8 */
	uint64_t data;      /* offset of the packed bytes */
	uint64_t end;       /* offset of the end of the local record */
};

/* A name of the directory. */
struct zip_name {
	uint64_t hash;
	uint32_t at; /* its record, from the directory's start */
	bool marked; /* the caller's, false at first */
};

struct zip {
	struct input *in;
	uint64_t size;          /* of the file */
	uint64_t entries;       /* as the end record says */
	uint64_t offset;        /* of the central directory */
	uint64_t directory_end; /* and where it ends */
	struct buf window;      /* a part of it, from window_at on */
	uint64_t window_at;
	struct buf end; /* what follows it, to the end of the file */
	bool is_zip64;

	/* For the walk over the entries. */
	uint64_t rest; /* where the record after that of ahead is */
	struct zip_entry ahead;
	bool has_ahead;
	struct buf records[2]; /* of ahead, and of the one before */
	uint64_t seen;
	uint64_t expected; /* offset of the next local record */
	struct buf names;  /* struct zip_name of each entry seen; in the order
	                     of their hashes after the walk */
};

/*
 * Read the end records of in, which must be seekable, after waiting for all of
 * it (input_drain).  The directory is never in memory as a whole.  The caller
 * calls zip_close, also after an error.  HT_ERR_DATA with the offset of the
 * damage.  HT_ERR_REFUSED for a directory over ZIP_DIRECTORY_MAX.
 * HT_ERR_INTERNAL without memory, or as input_read.
 */
int zip_open(struct zip *zip, struct input *in, struct ht_error *e);
void zip_close(struct zip *zip);

/*
 * Read the next entry and check it against its local record.  The entry's
 * cursors are valid until the next call.  *more is false after the last entry;
 * then the rules for all entries together have been checked, too.  HT_ERR_DATA
 * with the broken rule, HT_ERR_INTERNAL without memory, or as input_read.
 */
int zip_next(struct zip *zip, struct zip_entry *entry, bool *more,
    struct ht_error *e);

/*
 * Read one central record at the start of *c, and advance *c past it.  Sets
 * everything but data and end.  The entry's cursors point into the same memory.
 * HT_ERR_DATA if the record is damaged.
 */
int zip_central(struct cursor *c, struct zip_entry *entry, struct ht_error *e);

/*
 * The same for the record at that offset of the file, to go through a directory
 * again.  bytes is emptied and gets the record.  The entry's cursors point into
 * bytes.  HT_ERR_INTERNAL without memory, or as input_read.
 */
int zip_record(struct zip *zip, uint64_t offset, struct buf *bytes,
    struct zip_entry *entry, struct ht_error *e);

/*
 * After the walk, find the entry of that name, compared without case; the name
 * is not percent-encoded.  NULL if there is none.
 */
struct zip_name *zip_find(const struct zip *zip, struct cursor name);

/*
 * After the walk, read the entry of a name again.  bytes is emptied and gets
 * its record, which the entry's cursors point into.  Errors as zip_next.
 */
int zip_entry_of(struct zip *zip, const struct zip_name *name,
    struct buf *bytes, struct zip_entry *entry, struct ht_error *e);

/*
 * Unpack an entry piece by piece.  The zip, and the bytes of the entry's name,
 * must outlive the reader, which the caller frees.
 *
 * zip_reader_read unpacks the next n bytes into p.  *got is fewer only when the
 * packed bytes up to `until` are used up, counted from the entry's first.
 * Nothing from there on is looked at.  *got is 0 at the entry's end; then size
 * and CRC have been compared with the headers.
 *
 * HT_ERR_DATA if the entry does not unpack to what they say.  HT_ERR_INTERNAL
 * without memory, or as input_read.
 */
struct zip_reader;
#define ZIP_TO_END UINT64_MAX
int zip_reader_new(const struct zip *zip, const struct zip_entry *entry,
    struct zip_reader **reader, struct ht_error *e);
void zip_reader_free(struct zip_reader *r);
int zip_reader_read(struct zip_reader *r, uint64_t until, uint8_t *p, size_t n,
    size_t *got, struct ht_error *e);

/*
 * Unpack an entry; sink gets its bytes in order.  HT_ERR_DATA if it has more
 * than max bytes.  Other errors as zip_reader_read, or the sink's own code.
 */
typedef int zip_sink_fn(void *cookie, const uint8_t *p, size_t n,
    struct ht_error *e);
int zip_extract(const struct zip *zip, const struct zip_entry *entry,
    uint64_t max, zip_sink_fn *sink, void *cookie, struct ht_error *e);

/*
 * Append a local header or a central record for a stored entry.  Both use name,
 * flags (only ZIP_UTF8), time, date, crc and size of the entry.  The
 * central record also uses made_by, attributes and offset.
 */
void zip_put_local(const struct zip_entry *entry, struct buf *out);
void zip_put_central(const struct zip_entry *entry, struct buf *out);

/*
 * Append the end records for a directory of that many entries and bytes at
 * offset: those of zip with the new numbers.  The disk numbers become zeros,
 * because Windows digests zeros whatever the file has.  HT_ERR_INTERNAL if zip
 * has no end record; the caller checks out for lack of memory.
 */
int zip_put_end(const struct zip *zip, uint64_t entries, uint64_t offset,
    uint64_t size, struct buf *out, struct ht_error *e);

/*
 * Whether the end records can describe a directory at an offset, with one more
 * entry.
 */
bool zip_has_room(const struct zip *zip, uint64_t offset);

#endif
