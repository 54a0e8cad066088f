#include "config.h"

#include <string.h>

#include "formats/cab/cab-header.h"

#define CFHEADER 36 /* without what flags add */
#define CFFOLDER 8  /* without its reserved area */
#define CFFILE 17   /* with the shortest name */
#define CFDATA 8    /* without reserved area and data */

#define VERSION_1_3 0x0103

#define FLAG_PREVIOUS 0x0001
#define FLAG_NEXT 0x0002
#define FLAG_RESERVE 0x0004
#define FLAGS 0x0007

#define RESERVE_SIZES 4   /* cbCFHeader, cbCFFolder, cbCFData */
#define RESERVE_LENGTHS 4 /* of the two structures */
#define RESERVE_MAX 60000
#define SIGNATURE_ENTRY 16

#define NAME_MAX_BYTES 255

/* CFHEADER as read, and what follows it. */
struct front {
	struct cursor all; /* the first bytes of the file */
	uint32_t cabinet;  /* cbCabinet */
	uint32_t files;    /* coffFiles */
	uint16_t nfolders;
	uint16_t nfiles;
	uint16_t flags;
	uint16_t header_reserve; /* cbCFHeader, cbCFFolder, cbCFData */
	uint8_t folder_reserve;
	uint8_t data_reserve;
	struct cursor first; /* the first structure in the reserved area */
	uint32_t signature;  /* from the second structure: where it is */
	uint32_t signature_size;
	struct cursor names;
	struct cursor folders;
};

static uint64_t
offset_of(const struct front *f, const struct cursor *c)
{
	return f->all.left - c->left;
}

/*
 * Report that the front ends inside `what`.
 */
static int
front_cut(const struct front *f, const char *what, struct ht_error *e)
{
	if (f->all.left < INPUT_HEAD)
		return ht_error_at(e, HT_ERR_DATA, f->all.left,
		    "the file ends inside %s", what);
	return ht_error_at(e, HT_ERR_DATA, f->all.left,
	    "%s ends more than 64 KiB from the start", what);
}

static int
read_fixed(struct front *f, struct cursor *c, struct ht_error *e)
{
	uint32_t magic;
	uint32_t reserved;
	uint16_t version;
	uint16_t set;
	uint16_t number;

	if (cursor_u32le(c, &magic) < 0 || cursor_u32le(c, &reserved) < 0 ||
	    cursor_u32le(c, &f->cabinet) < 0 || cursor_skip(c, 4) < 0 ||
	    cursor_u32le(c, &f->files) < 0 || cursor_skip(c, 4) < 0 ||
	    cursor_u16le(c, &version) < 0 ||
	    cursor_u16le(c, &f->nfolders) < 0 ||
	    cursor_u16le(c, &f->nfiles) < 0 || cursor_u16le(c, &f->flags) < 0 ||
	    cursor_u16le(c, &set) < 0 || cursor_u16le(c, &number) < 0)
		return front_cut(f, "CFHEADER (MS-CAB 2.1)", e);
	if (reserved != 0)
		return ht_error_at(e, HT_ERR_DATA, 4,
		    "reserved1 is not zero (MS-CAB 2.1)");
	if (version != VERSION_1_3)
		return ht_error_at(e, HT_ERR_DATA, 24,
		    "version %u.%u, not 1.3 (MS-CAB 2.1)", version >> 8,
		    version & 0xff);
	if ((f->flags & ~FLAGS) != 0)
		return ht_error_at(e, HT_ERR_DATA, 30,
		    "unknown flags: 0x%x (MS-CAB 2.1)", f->flags);
	return 0;
}

static bool
all_zero(struct cursor c)
{
	uint8_t v;

	while (cursor_u8(&c, &v) == 0) {
		if (v != 0)
			return false;
	}
	return true;
}

/*
 * Read the second structure, and check the rest of the area.
 */
static int
read_entry(struct front *f, struct cursor area, uint16_t length,
    uint64_t offset, struct ht_error *e)
{
	bool present;

	if (length == SIGNATURE_ENTRY) {
		(void)cursor_u32le(&area, &f->signature);
		(void)cursor_u32le(&area, &f->signature_size);
	}
	if (!all_zero(area))
		return ht_error_at(e, HT_ERR_DATA, offset,
		    "abReserve has bytes that no signature would cover");
	present = f->signature != 0 || f->signature_size != 0;
	if (present && f->signature != f->cabinet)
		return ht_error_at(e, HT_ERR_DATA, offset,
		    "the signature does not begin where the cabinet ends: it "
		    "is at %lu, cbCabinet is %lu",
		    (unsigned long)f->signature, (unsigned long)f->cabinet);
	if (present && f->signature_size == 0)
		return ht_error_at(e, HT_ERR_DATA, offset,
		    "the signature has 0 bytes");
	return 0;
}

/*
 * Read abReserve: empty, zeros, or the two structures.
 */
static int
read_area(struct front *f, struct cursor area, uint64_t offset,
    struct ht_error *e)
{
	uint16_t first;
	uint16_t second;

	if (all_zero(area))
		return 0;
	if (cursor_u16le(&area, &first) < 0 ||
	    cursor_u16le(&area, &second) < 0 ||
	    cursor_bytes(&area, first, &f->first) < 0 ||
	    (second != 0 && second != SIGNATURE_ENTRY) || area.left < second)
		return ht_error_at(e, HT_ERR_DATA, offset,
		    "abReserve holds other data, which leaves no place for a "
		    "signature");
	return read_entry(f, area, second,
	    offset + RESERVE_LENGTHS + f->first.left, e);
}

static int
read_reserve(struct front *f, struct cursor *c, struct ht_error *e)
{
	struct cursor area;
	uint64_t offset;

	if ((f->flags & FLAG_RESERVE) == 0)
		return 0;
	if (cursor_u16le(c, &f->header_reserve) < 0 ||
	    cursor_u8(c, &f->folder_reserve) < 0 ||
	    cursor_u8(c, &f->data_reserve) < 0)
		return front_cut(f, "CFHEADER (MS-CAB 2.1)", e);
	offset = offset_of(f, c);
	if (f->header_reserve > RESERVE_MAX)
		return ht_error_at(e, HT_ERR_DATA, CAB_RESERVE,
		    "cbCFHeader is %u, over 60000 (MS-CAB 2.1)",
		    f->header_reserve);
	if (cursor_bytes(c, f->header_reserve, &area) < 0)
		return front_cut(f, "abReserve (MS-CAB 2.1)", e);
	return read_area(f, area, offset, e);
}

/*
 * Skip a NUL-terminated name.
 */
static int
skip_name(const struct front *f, struct cursor *c, struct ht_error *e)
{
	size_t most = NAME_MAX_BYTES + 1;
	uint64_t offset = offset_of(f, c);
	const uint8_t *nul;

	nul = c->left == 0
	    ? NULL
	    : memchr(c->p, '\0', c->left < most ? c->left : most);
	if (nul == NULL && c->left >= most)
		return ht_error_at(e, HT_ERR_DATA, offset,
		    "the name of a cabinet or disk is longer than 255 bytes "
		    "(MS-CAB 2.1)");
	if (nul == NULL)
		return front_cut(f, "the name of a cabinet (MS-CAB 2.1)", e);
	return cursor_skip(c, (size_t)(nul - c->p) + 1);
}

static int
read_names(struct front *f, struct cursor *c, struct ht_error *e)
{
	struct cursor start = *c;
	unsigned int n = 0;
	int rc;

	if ((f->flags & FLAG_PREVIOUS) != 0)
		n += 2;
	if ((f->flags & FLAG_NEXT) != 0)
		n += 2;
	for (; n > 0; n--) {
		rc = skip_name(f, c, e);
		if (rc < 0)
			return rc;
	}
	return cursor_bytes(&start, start.left - c->left, &f->names);
}

/*
 * Check that the folder's data are between the CFFILEs and the end.
 */
static int
check_folder(const struct front *f, struct cursor folder, uint64_t offset,
    struct ht_error *e)
{
	uint64_t least = f->files + (uint64_t)f->nfiles * CFFILE;
	uint64_t room;
	uint32_t start;
	uint16_t ndata;

	if (cursor_u32le(&folder, &start) < 0 ||
	    cursor_u16le(&folder, &ndata) < 0)
		return ht_error_at(e, HT_ERR_DATA, offset,
		    "a CFFOLDER is cut (MS-CAB 2.2)");
	room = (uint64_t)ndata * (CFDATA + (uint64_t)f->data_reserve);
	if (ndata > 0 && start < least)
		return ht_error_at(e, HT_ERR_DATA, offset,
		    "coffCabStart is in front of the files' data (MS-CAB 2.2)");
	if (start + room > f->cabinet)
		return ht_error_at(e, HT_ERR_DATA, offset,
		    "the data of a folder end behind cbCabinet (MS-CAB 2.2)");
	return 0;
}

static int
read_folders(struct front *f, struct cursor *c, struct ht_error *e)
{
	size_t each = CFFOLDER + (size_t)f->folder_reserve;
	struct cursor folder;
	struct cursor left;
	uint64_t offset = offset_of(f, c);
	int rc;

	if (cursor_bytes(c, f->nfolders * each, &f->folders) < 0)
		return front_cut(f, "the list of CFFOLDERs (MS-CAB 2.2)", e);
	if (f->files != offset_of(f, c))
		return ht_error_at(e, HT_ERR_DATA, 16,
		    "coffFiles is %lu, but the CFFOLDERs end at %lu (MS-CAB "
		    "2.1)",
		    (unsigned long)f->files, (unsigned long)offset_of(f, c));
	if (f->files + (uint64_t)f->nfiles * CFFILE > f->cabinet)
		return ht_error_at(e, HT_ERR_DATA, 28,
		    "%u CFFILEs end behind cbCabinet (MS-CAB 2.3)", f->nfiles);
	left = f->folders;
	for (; cursor_bytes(&left, each, &folder) == 0; offset += each) {
		rc = check_folder(f, folder, offset, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* --- the front of another file -------------------------------------------- */

/* The reserved area of CFHEADER as it will be. */
struct area {
	bool present;    /* with the three sizes in front of it */
	size_t size;     /* cbCFHeader */
	uint16_t second; /* length of the second structure */
};

static size_t
area_length(bool present, size_t size)
{
	return present ? RESERVE_SIZES + size : 0;
}

static void
put_area(struct buf *out, const struct front *f, const struct area *area)
{
	size_t end = out->len + area_length(area->present, area->size);

	if (!area->present)
		return;
	buf_u16le(out, (uint16_t)area->size);
	buf_u8(out, f->folder_reserve);
	buf_u8(out, f->data_reserve);
	if (f->first.left > 0 || area->second > 0) {
		buf_u16le(out, (uint16_t)f->first.left);
		buf_u16le(out, area->second);
		buf_bytes(out, f->first.p, f->first.left);
	}
	if (buf_failed(out) == 0)
		buf_zeros(out, end - out->len);
}

static void
put_folders(struct buf *out, const struct front *f, size_t old, size_t now)
{
	size_t rest = CFFOLDER - 4 + (size_t)f->folder_reserve;
	struct cursor left = f->folders;
	struct cursor more;
	uint32_t start;

	while (cursor_u32le(&left, &start) == 0 &&
	    cursor_bytes(&left, rest, &more) == 0) {
		/* An empty folder can have any offset. */
		if (start + now >= old)
			start = (uint32_t)(start + now - old);
		buf_u32le(out, start);
		buf_bytes(out, more.p, more.left);
	}
}

/*
 * Append the front with another reserved area.  Every offset moves by what the
 * area grows or shrinks.
 */
static int
put_front(struct buf *out, const struct front *f, const struct area *area,
    struct ht_error *e)
{
	size_t old =
	    area_length((f->flags & FLAG_RESERVE) != 0, f->header_reserve);
	size_t now = area_length(area->present, area->size);
	uint16_t flags = f->flags & (uint16_t)~FLAG_RESERVE;

	if (area->present)
		flags |= FLAG_RESERVE;
	buf_bytes(out, f->all.p, CAB_COUNTED);
	buf_u32le(out, (uint32_t)(f->cabinet + now - old));
	buf_bytes(out, f->all.p + 12, 4);
	buf_u32le(out, (uint32_t)(f->files + now - old));
	buf_bytes(out, f->all.p + 20, 10);
	buf_u16le(out, flags);
	buf_bytes(out, f->all.p + 32, 4);
	put_area(out, f, area);
	buf_bytes(out, f->names.p, f->names.left);
	put_folders(out, f, old, now);
	if (buf_failed(out) < 0)
		return ht_error_memory(e);
	return 0;
}

static int
make_signed(struct cab_header *h, const struct front *f, struct ht_error *e)
{
	struct area area = { .present = true, .second = SIGNATURE_ENTRY };
	size_t old =
	    area_length((f->flags & FLAG_RESERVE) != 0, f->header_reserve);

	area.size = RESERVE_LENGTHS + f->first.left + SIGNATURE_ENTRY;
	if (area.size < f->header_reserve)
		area.size = f->header_reserve;
	if (area.size > RESERVE_MAX)
		return ht_error_at(e, HT_ERR_DATA, CAB_RESERVE,
		    "abReserve has no room left for a signature");
	if (f->cabinet - (uint64_t)old + area_length(true, area.size) >
	    UINT32_MAX)
		return ht_error_at(e, HT_ERR_REFUSED, CAB_COUNTED,
		    "with its signature the cabinet would be larger than 4 "
		    "GiB");
	h->entry = CAB_FIRST + f->first.left;
	h->names = CAB_RESERVE + area_length(true, area.size);
	return put_front(&h->front, f, &area, e);
}

/*
 * Drop an area that has room for a signature and nothing else: a signer made
 * it.
 */
static int
make_unsigned(struct cab_header *h, const struct front *f, struct ht_error *e)
{
	struct area area = { .present = true, .size = f->header_reserve };

	if (f->first.left == 0 &&
	    area.size == RESERVE_LENGTHS + SIGNATURE_ENTRY) {
		area.size = 0;
		area.present = f->folder_reserve > 0 || f->data_reserve > 0;
	}
	return put_front(&h->unsigned_front, f, &area, e);
}

int
cab_header_read(struct input *in, struct cab_header *header, struct ht_error *e)
{
	struct front f;
	struct cursor c;
	const uint8_t *p;
	size_t got;
	int rc;

	memset(header, 0, sizeof(*header));
	memset(&f, 0, sizeof(f));
	rc = input_read(in, 0, INPUT_HEAD, &p, &got, e);
	if (rc < 0)
		return rc;
	f.all = cursor_over(p, got);
	c = f.all;
	if ((rc = read_fixed(&f, &c, e)) < 0 ||
	    (rc = read_reserve(&f, &c, e)) < 0 ||
	    (rc = read_names(&f, &c, e)) < 0 ||
	    (rc = read_folders(&f, &c, e)) < 0 ||
	    (rc = make_signed(header, &f, e)) < 0 ||
	    (f.signature_size > 0 && (rc = make_unsigned(header, &f, e)) < 0)) {
		cab_header_clear(header);
		return rc;
	}
	header->length = offset_of(&f, &c);
	header->cabinet = f.cabinet;
	header->signature_size = f.signature_size;
	return 0;
}

void
cab_header_clear(struct cab_header *header)
{
	buf_free(&header->front);
	buf_free(&header->unsigned_front);
	memset(header, 0, sizeof(*header));
}
