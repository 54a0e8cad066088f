/*
 * Compound files, the file systems that Windows Installer packages are; for
 * formats/msi/ only.  [MS-CFB], versions 3 (sectors of 512 bytes) and 4 (of
 * 4096).
 *
 * The reader accepts only files that can be read in one way:
 * - every sector is in exactly one chain, or is free and zero;
 * - the last sector is in a chain, is whole, and ends the file;
 * - the same holds for mini sectors;
 * - every directory entry is in one tree, in order, or is unused and zero.
 *
 * A package's digest then leaves out only three things: the header's own data,
 * the directory's own data, and the unused rest of each stream's last sector.
 * Windows does not clear that rest.
 *
 * Nor does it clear free sectors or all of unused entries, and it leaves free
 * sectors at the end.  Such files can be read in one way, too, and a reader may
 * ask for them.
 */

#ifndef FORMATS_MSI_CFB_H
#define FORMATS_MSI_CFB_H

#include <stdbool.h>
#include <stdint.h>

#include "formats/format.h"
#include "lib/error.h"
#include "lib/input.h"

/* Special sector numbers ([MS-CFB] 2.1). */
#define CFB_DIFSECT UINT32_C(0xfffffffc)
#define CFB_FATSECT UINT32_C(0xfffffffd)
#define CFB_ENDOFCHAIN UINT32_C(0xfffffffe)
#define CFB_FREESECT UINT32_C(0xffffffff)

/* The number of no directory entry ([MS-CFB] 2.6.1). */
#define CFB_NOSTREAM UINT32_C(0xffffffff)

/*
 * The largest file in bytes.  The range lock sector comes after it ([MS-CFB]
 * 2.4, product behaviour), and Windows Installer accepts nothing larger.
 */
#define CFB_SIZE_MAX UINT64_C(0x7fffff00)

/* The most directory entries, and the most bytes of mini stream for them. */
#define CFB_ENTRIES_MAX ((uint32_t)1 << 16)
#define CFB_MINI_MAX ((uint64_t)CFB_ENTRIES_MAX * CFB_CUTOFF)

/* The first bytes of a compound file. */
#define CFB_MAGIC "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
#define CFB_MAGIC_SIZE 8

#define CFB_HEADER 512
#define CFB_HEADER_DIFAT 109 /* FAT sectors that the header lists */
#define CFB_ENTRY 128
#define CFB_NAME 64
#define CFB_MINI_SHIFT 6
#define CFB_MINI ((size_t)1 << CFB_MINI_SHIFT)
#define CFB_CUTOFF 4096 /* shorter streams are in the mini stream */

/* Sector numbers in the order of a chain, or the entries of a table. */
struct cfb_list {
	uint32_t *v;
	size_t n;
	size_t room;
};

/*
 * cfb_list_copy overwrites *to.  The caller frees a list with cfb_list_free,
 * which empties it.  HT_ERR_INTERNAL without memory.
 */
int cfb_list_push(struct cfb_list *list, uint32_t v, struct ht_error *e);
int cfb_list_copy(struct cfb_list *to, const struct cfb_list *from,
    struct ht_error *e);
void cfb_list_free(struct cfb_list *list);

enum cfb_type {
	CFB_UNUSED = 0,
	CFB_STORAGE = 1,
	CFB_STREAM = 2,
	CFB_ROOT = 5,
};

#define CFB_BLACK 1

/* A directory entry ([MS-CFB] 2.6.1). */
struct cfb_entry {
	uint8_t name[CFB_NAME]; /* UTF-16LE, with its NUL */
	uint16_t name_size;     /* bytes of it, with the NUL */
	uint8_t type;           /* enum cfb_type */
	uint8_t colour;
	uint32_t left; /* in the tree of its siblings, by cfb_compare */
	uint32_t right;
	uint32_t child; /* of a storage: the tree of its members */
	uint8_t clsid[16];
	uint8_t metadata[20]; /* state bits, times of creation and change */
	uint32_t start;       /* a sector, or mini sector */
	uint64_t size;        /* bytes; for the root those of the mini stream */

	bool stale; /* unused, with data in the file, none here */

	/* Of a storage: its members, in cfb.members. */
	uint32_t first;
	uint32_t count;
};

/* The header's fields that say where things are ([MS-CFB] 2.2). */
struct cfb_header {
	uint8_t raw[CFB_HEADER];
	uint32_t directory_sectors; /* 0 in version 3 */
	uint32_t fat_sectors;
	uint32_t directory;
	uint32_t mini_fat;
	uint32_t mini_fat_sectors;
	uint32_t difat;
	uint32_t difat_sectors;
};

struct cfb {
	struct input *in;
	struct format_remains *remains; /* the caller's, or NULL */
	uint64_t size;
	unsigned int version; /* 3 or 4 */
	unsigned int shift;   /* log2 of the sector size: 9 or 12 */
	uint32_t sectors;     /* in the file, after the header's */
	struct cfb_header header;
	struct cfb_list fat; /* an entry for each sector */
	struct cfb_list fat_sectors;
	struct cfb_list difat_sectors;
	struct cfb_list directory; /* its sectors */
	struct cfb_list mini_fat;  /* an entry for each mini sector */
	struct cfb_list mini_fat_sectors;
	struct cfb_list mini_stream; /* its sectors */
	struct cfb_entry *entries;   /* the root first */
	uint32_t entry_count;
	uint64_t stale;             /* bytes of data in unused entries, */
	uint64_t stale_at;          /* and where the first such entry is */
	struct cfb_entry **members; /* each storage's in a row, in tree
	                               order; a caller may sort them
	                               differently */
	uint32_t member_count;
	uint8_t *claimed; /* a bit for each sector, during cfb_open */
};

/*
 * Wait for all of in, read everything but the streams' data, and check the
 * rules above.  in must be seekable.  The caller calls cfb_close, also after an
 * error.  It needs some bytes of memory for each sector and entry.
 *
 * If remains is not NULL, it is noted there instead, and is no error, that free
 * sectors or unused entries are not zero, that free sectors are behind the last
 * one in a chain, or that the last sector is cut off where nothing is missing.
 *
 * HT_ERR_DATA with the offset and the broken clause, also over CFB_SIZE_MAX.
 * HT_ERR_INTERNAL without memory.  Other errors as input_read.
 */
int cfb_open(struct cfb *cfb, struct input *in, struct format_remains *remains,
    struct ht_error *e);
void cfb_close(struct cfb *cfb);

/*
 * The offset in the file of a sector, a mini sector, a directory entry.
 */
uint64_t cfb_sector_at(const struct cfb *cfb, uint32_t sector);
uint64_t cfb_mini_at(const struct cfb *cfb, const struct cfb_list *mini_stream,
    uint32_t mini_sector);
uint64_t cfb_entry_at(const struct cfb *cfb, const struct cfb_list *directory,
    uint32_t entry);

/*
 * The order of siblings ([MS-CFB] 2.6.4): shorter names first, then by code
 * units in upper case.  Returns a negative number, 0 or a positive one, as a is
 * before b, equal or after it.
 */
int cfb_compare(const struct cfb_entry *a, const struct cfb_entry *b);

/*
 * The member of the root that Windows would find by that name, compared without
 * case; NULL if there is none.  The name's bytes include the NUL, at most
 * CFB_NAME of them.  Valid as long as cfb.
 */
const struct cfb_entry *cfb_find(const struct cfb *cfb, const void *name,
    size_t name_size);

/*
 * Call fn with all bytes of a stream, in order; it stops at fn's first error.
 * cfb_open has checked the chain.  Errors of fn, or as input_read; HT_ERR_DATA
 * if the file ends inside the stream.
 */
typedef int cfb_bytes_fn(void *cookie, const uint8_t *p, size_t n,
    struct ht_error *e);
int cfb_read_stream(const struct cfb *cfb, const struct cfb_entry *stream,
    cfb_bytes_fn *fn, void *cookie, struct ht_error *e);

#endif
