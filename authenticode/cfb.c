#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "authenticode/cfb.h"
#include "lib/buf.h"

/* --- lists --------------------------------------------------------------- */

int
cfb_list_push(struct cfb_list *list, uint32_t v, struct ht_error *e)
{
	size_t room = list->room == 0 ? 64 : list->room * 2;
	uint32_t *grown;

	if (list->n == list->room) {
		grown = reallocarray(list->v, room, sizeof(*grown));
		if (grown == NULL)
			return ht_error_set(e, HT_ERR_INTERNAL,
			    "out of memory");
		list->v = grown;
		list->room = room;
	}
	list->v[list->n++] = v;
	return 0;
}

int
cfb_list_copy(struct cfb_list *to, const struct cfb_list *from,
    struct ht_error *e)
{
	memset(to, 0, sizeof(*to));
	if (from->n == 0)
		return 0;
	to->v = calloc(from->n, sizeof(*to->v));
	if (to->v == NULL)
		return ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
	memcpy(to->v, from->v, from->n * sizeof(*to->v));
	to->n = from->n;
	to->room = from->n;
	return 0;
}

void
cfb_list_free(struct cfb_list *list)
{
	free(list->v);
	memset(list, 0, sizeof(*list));
}

/* --- places -------------------------------------------------------------- */

uint64_t
cfb_sector_at(const struct cfb *cfb, uint32_t sector)
{
	return ((uint64_t)sector + 1) << cfb->shift;
}

uint64_t
cfb_mini_at(const struct cfb *cfb, const struct cfb_list *mini_stream,
    uint32_t mini_sector)
{
	unsigned int shift = cfb->shift - CFB_MINI_SHIFT;
	uint32_t within = mini_sector & ((UINT32_C(1) << shift) - 1);

	return cfb_sector_at(cfb, mini_stream->v[mini_sector >> shift]) +
	    ((uint64_t)within << CFB_MINI_SHIFT);
}

static bool
is_zero(const uint8_t *p, size_t n)
{
	for (; n > 0; p++, n--) {
		if (*p != 0)
			return false;
	}
	return true;
}

/* --- the header ---------------------------------------------------------- */

static int
read_numbers(struct cursor *c, struct cfb_header *h, struct ht_error *e)
{
	uint32_t transaction;
	uint32_t cutoff;

	(void)cursor_u32le(c, &h->directory_sectors);
	(void)cursor_u32le(c, &h->fat_sectors);
	(void)cursor_u32le(c, &h->directory);
	(void)cursor_u32le(c, &transaction);
	(void)cursor_u32le(c, &cutoff);
	(void)cursor_u32le(c, &h->mini_fat);
	(void)cursor_u32le(c, &h->mini_fat_sectors);
	(void)cursor_u32le(c, &h->difat);
	(void)cursor_u32le(c, &h->difat_sectors);
	if (cutoff != CFB_CUTOFF)
		return ht_error_at(e, HT_ERR_DATA, 0x38,
		    "mini stream cutoff of %lu, not 4096 ([MS-CFB] 2.2)",
		    (unsigned long)cutoff);
	return 0;
}

static int
read_header(struct cfb *cfb, struct ht_error *e)
{
	struct cfb_header *h = &cfb->header;
	struct cursor c = cursor_over(h->raw, CFB_HEADER);
	struct cursor magic;
	struct cursor reserved;
	uint16_t version;
	uint16_t order;
	uint16_t shift;
	uint16_t mini_shift;
	int rc;

	rc = input_copy(cfb->in, 0, h->raw, CFB_HEADER, e);
	if (rc < 0)
		return rc;
	(void)cursor_bytes(&c, CFB_MAGIC_SIZE, &magic);
	(void)cursor_skip(&c, 16 + 2);
	(void)cursor_u16le(&c, &version);
	(void)cursor_u16le(&c, &order);
	(void)cursor_u16le(&c, &shift);
	(void)cursor_u16le(&c, &mini_shift);
	(void)cursor_bytes(&c, 6, &reserved);
	if (memcmp(magic.p, CFB_MAGIC, CFB_MAGIC_SIZE) != 0)
		return ht_error_at(e, HT_ERR_DATA, 0,
		    "not a compound file ([MS-CFB] 2.2)");
	if (!(version == 3 && shift == 9) && !(version == 4 && shift == 12))
		return ht_error_at(e, HT_ERR_DATA, 0x1a,
		    "neither version 3 with sectors of 512 bytes nor 4 with "
		    "4096: version %u, shift %u ([MS-CFB] 2.2)",
		    version, shift);
	if (order != 0xfffe || mini_shift != CFB_MINI_SHIFT ||
	    !is_zero(reserved.p, reserved.left))
		return ht_error_at(e, HT_ERR_DATA, 0x1c,
		    "byte order, mini sector shift or reserved bytes are not "
		    "as they must be ([MS-CFB] 2.2)");
	cfb->version = version;
	cfb->shift = shift;
	return read_numbers(&c, h, e);
}

/*
 * How many sectors there are, and that nothing else is there.
 */
static int
count_sectors(struct cfb *cfb, struct ht_error *e)
{
	uint64_t sector = UINT64_C(1) << cfb->shift;
	const uint8_t *p;
	size_t got;
	int rc;

	if (cfb->size > CFB_SIZE_MAX)
		return ht_error_at(e, HT_ERR_DATA, CFB_SIZE_MAX,
		    "a compound file of 2 GiB or more");
	if (cfb->size % sector != 0 || cfb->size < 2 * sector)
		return ht_error_at(e, HT_ERR_DATA, cfb->size,
		    "the file ends inside a sector ([MS-CFB] 2.1)");
	cfb->sectors = (uint32_t)(cfb->size / sector - 1);
	rc = input_read(cfb->in, CFB_HEADER, (size_t)sector, &p, &got, e);
	if (rc == 0 && cfb->version == 4 &&
	    !is_zero(p, (size_t)sector - CFB_HEADER))
		rc = ht_error_at(e, HT_ERR_DATA, CFB_HEADER,
		    "data behind the header, in its sector ([MS-CFB] 2.2)");
	return rc;
}

/* --- chains -------------------------------------------------------------- */

/*
 * Mark one as used by what, of all there are, or say that something else has
 * it already: another chain, or the same one, which is a circle.
 */
static int
claim(uint8_t *claimed, uint32_t all, uint32_t one, const char *what,
    uint64_t at, struct ht_error *e)
{
	if (one >= all)
		return ht_error_at(e, HT_ERR_DATA, at,
		    "%s: sector 0x%lx is not in the file ([MS-CFB] 2.3)", what,
		    (unsigned long)one);
	if ((claimed[one / 8] & 1U << one % 8) != 0)
		return ht_error_at(e, HT_ERR_DATA, at,
		    "%s: sector 0x%lx is used twice ([MS-CFB] 2.3)", what,
		    (unsigned long)one);
	claimed[one / 8] |= (uint8_t)(1U << one % 8);
	return 0;
}

static int
claim_sector(struct cfb *cfb, uint32_t sector, const char *what, uint64_t at,
    struct ht_error *e)
{
	return claim(cfb->claimed, cfb->sectors, sector, what, at, e);
}

/*
 * Walk a chain of at most max sectors into list, claiming each.
 */
static int
read_chain(struct cfb *cfb, uint32_t sector, size_t max, const char *what,
    struct cfb_list *list, struct ht_error *e)
{
	uint64_t at = 0;
	int rc;

	for (; sector != CFB_ENDOFCHAIN; sector = cfb->fat.v[sector]) {
		if (list->n == max)
			return ht_error_at(e, HT_ERR_DATA, at,
			    "%s is longer than %zu sectors", what, max);
		if ((rc = claim_sector(cfb, sector, what, at, e)) < 0 ||
		    (rc = cfb_list_push(list, sector, e)) < 0)
			return rc;
		at = cfb_sector_at(cfb, sector);
	}
	return 0;
}

static int
check_length(const struct cfb_list *list, uint32_t expected, const char *what,
    uint64_t at, struct ht_error *e)
{
	if (list->n == expected)
		return 0;
	return ht_error_at(e, HT_ERR_DATA, at,
	    "%s has %zu sectors where the header says %lu ([MS-CFB] 2.2)", what,
	    list->n, (unsigned long)expected);
}

/* --- the FAT ------------------------------------------------------------- */

/*
 * A sector of the DIFAT: more FAT sectors, and the next of its kind.
 */
static int
read_difat_sector(struct cfb *cfb, uint32_t *sector, struct ht_error *e)
{
	size_t size = (size_t)1 << cfb->shift;
	uint64_t at = cfb_sector_at(cfb, *sector);
	const uint8_t *p;
	struct cursor c;
	uint32_t v;
	size_t got;
	int rc;

	rc = input_read(cfb->in, at, size, &p, &got, e);
	if (rc < 0)
		return rc;
	c = cursor_over(p, got);
	while (c.left > 4) {
		(void)cursor_u32le(&c, &v);
		if (cfb->fat_sectors.n < cfb->header.fat_sectors)
			rc = cfb_list_push(&cfb->fat_sectors, v, e);
		else if (v != CFB_FREESECT)
			rc = ht_error_at(e, HT_ERR_DATA, at,
			    "the DIFAT lists more FAT sectors than the header "
			    "counts ([MS-CFB] 2.5)");
		if (rc < 0)
			return rc;
	}
	(void)cursor_u32le(&c, sector);
	return 0;
}

static int
read_difat(struct cfb *cfb, struct ht_error *e)
{
	const struct cfb_header *h = &cfb->header;
	struct cursor c = cursor_over(h->raw, CFB_HEADER);
	uint32_t sector = h->difat;
	uint32_t v;
	size_t i;
	int rc = 0;

	if (h->fat_sectors > cfb->sectors)
		return ht_error_at(e, HT_ERR_DATA, 0x2c,
		    "more FAT sectors than sectors ([MS-CFB] 2.2)");
	(void)cursor_skip(&c, 0x4c);
	for (i = 0; rc == 0 && i < CFB_HEADER_DIFAT; i++) {
		(void)cursor_u32le(&c, &v);
		if (i < h->fat_sectors)
			rc = cfb_list_push(&cfb->fat_sectors, v, e);
		else if (v != CFB_FREESECT)
			rc = ht_error_at(e, HT_ERR_DATA, 0x4c + 4 * i,
			    "the header lists more FAT sectors than it counts "
			    "([MS-CFB] 2.2)");
	}
	while (rc == 0 && sector != CFB_ENDOFCHAIN && sector != CFB_FREESECT) {
		if ((rc = claim_sector(cfb, sector, "DIFAT", 0x44, e)) < 0 ||
		    (rc = cfb_list_push(&cfb->difat_sectors, sector, e)) < 0)
			break;
		rc = read_difat_sector(cfb, &sector, e);
	}
	if (rc == 0)
		rc = check_length(&cfb->difat_sectors, h->difat_sectors,
		    "the DIFAT", 0x48, e);
	if (rc == 0)
		rc = check_length(&cfb->fat_sectors, h->fat_sectors, "the FAT",
		    0x2c, e);
	return rc;
}

/*
 * Append the entries of a table's sector to it, as many as there are sectors;
 * what comes behind must say that it is free, or, if also_end, used by nobody.
 */
static int
read_table_sector(struct cfb *cfb, uint32_t sector, struct cfb_list *table,
    uint32_t count, bool also_end, struct ht_error *e)
{
	uint64_t at = cfb_sector_at(cfb, sector);
	const uint8_t *p;
	struct cursor c;
	uint32_t v;
	size_t got;
	int rc;

	rc = input_read(cfb->in, at, (size_t)1 << cfb->shift, &p, &got, e);
	if (rc < 0)
		return rc;
	for (c = cursor_over(p, got); rc == 0 && cursor_u32le(&c, &v) == 0;) {
		if (table->n < count)
			rc = cfb_list_push(table, v, e);
		else if (v != CFB_FREESECT &&
		    !(also_end && v == CFB_ENDOFCHAIN))
			rc = ht_error_at(e, HT_ERR_DATA, at,
			    "an entry for a sector behind the last is not "
			    "free ([MS-CFB] 2.3)");
	}
	return rc;
}

/*
 * Each sector of a kind is marked as such in the FAT.
 */
static int
check_marks(const struct cfb *cfb, const struct cfb_list *sectors,
    uint32_t mark, struct ht_error *e)
{
	size_t i;

	for (i = 0; i < sectors->n; i++) {
		if (cfb->fat.v[sectors->v[i]] != mark)
			return ht_error_at(e, HT_ERR_DATA,
			    cfb_sector_at(cfb, sectors->v[i]),
			    "a sector of FAT or DIFAT is not marked in the "
			    "FAT ([MS-CFB] 2.3)");
	}
	return 0;
}

static int
read_fat(struct cfb *cfb, struct ht_error *e)
{
	size_t i;
	int rc;

	rc = read_difat(cfb, e);
	for (i = 0; rc == 0 && i < cfb->fat_sectors.n; i++) {
		rc = claim_sector(cfb, cfb->fat_sectors.v[i], "FAT", 0x4c, e);
		if (rc == 0)
			rc = read_table_sector(cfb, cfb->fat_sectors.v[i],
			    &cfb->fat, cfb->sectors, false, e);
	}
	if (rc == 0 && cfb->fat.n < cfb->sectors)
		rc = ht_error_at(e, HT_ERR_DATA,
		    cfb_sector_at(cfb, (uint32_t)cfb->fat.n),
		    "the file goes on behind the sectors that the FAT knows "
		    "([MS-CFB] 2.3)");
	if (rc == 0)
		rc = check_marks(cfb, &cfb->fat_sectors, CFB_FATSECT, e);
	if (rc == 0)
		rc = check_marks(cfb, &cfb->difat_sectors, CFB_DIFSECT, e);
	return rc;
}

/* --- the mini stream ----------------------------------------------------- */

static int
read_mini_fat(struct cfb *cfb, struct ht_error *e)
{
	const struct cfb_header *h = &cfb->header;
	const struct cfb_entry *root = &cfb->entries[0];
	uint32_t count = (uint32_t)(root->size >> CFB_MINI_SHIFT);
	uint32_t first = h->mini_fat;
	size_t i;
	int rc;

	/* Some writers say so that there is none. */
	if (h->mini_fat_sectors == 0 && first == CFB_FREESECT)
		first = CFB_ENDOFCHAIN;
	rc = read_chain(cfb, first, h->mini_fat_sectors, "the mini FAT",
	    &cfb->mini_fat_sectors, e);
	if (rc == 0)
		rc = check_length(&cfb->mini_fat_sectors, h->mini_fat_sectors,
		    "the mini FAT", 0x40, e);
	for (i = 0; rc == 0 && i < cfb->mini_fat_sectors.n; i++)
		rc = read_table_sector(cfb, cfb->mini_fat_sectors.v[i],
		    &cfb->mini_fat, count, true, e);
	if (rc == 0 && cfb->mini_fat.n < count)
		rc = ht_error_at(e, HT_ERR_DATA, 0x40,
		    "the mini stream goes on behind the mini sectors that the "
		    "mini FAT knows ([MS-CFB] 2.4)");
	return rc;
}

static int
read_mini_stream(struct cfb *cfb, struct ht_error *e)
{
	const struct cfb_entry *root = &cfb->entries[0];
	uint64_t at = cfb_entry_at(cfb, &cfb->directory, 0);
	uint64_t capacity;
	int rc;

	if (root->size % CFB_MINI != 0 || root->size > CFB_MINI_MAX)
		return ht_error_at(e, HT_ERR_DATA, at,
		    "a mini stream of %llu bytes ([MS-CFB] 2.6.3)",
		    (unsigned long long)root->size);
	if (root->size > 0) {
		rc = read_chain(cfb, root->start, cfb->sectors,
		    "the mini stream", &cfb->mini_stream, e);
		if (rc < 0)
			return rc;
	}
	capacity = (uint64_t)cfb->mini_stream.n << cfb->shift;
	if (capacity < root->size ||
	    capacity - root->size >= UINT64_C(1) << cfb->shift)
		return ht_error_at(e, HT_ERR_DATA, at,
		    "the mini stream's chain is not as long as the stream "
		    "([MS-CFB] 2.6.3)");
	return read_mini_fat(cfb, e);
}

/* --- streams ------------------------------------------------------------- */

/*
 * Walk the chain of a stream, which must be as long as the stream, claiming
 * its sectors or mini sectors.
 */
static int
check_stream(struct cfb *cfb, uint8_t *mini_claimed,
    const struct cfb_entry *stream, uint64_t at, struct ht_error *e)
{
	bool mini = stream->size < CFB_CUTOFF;
	const struct cfb_list *table = mini ? &cfb->mini_fat : &cfb->fat;
	unsigned int shift = mini ? CFB_MINI_SHIFT : cfb->shift;
	uint64_t left = (stream->size + ((UINT64_C(1) << shift) - 1)) >> shift;
	uint32_t one = stream->start;
	int rc;

	if (stream->size == 0)
		return 0;
	for (; left > 0; left--, one = table->v[one]) {
		rc = claim(mini ? mini_claimed : cfb->claimed,
		    (uint32_t)table->n, one, "stream", at, e);
		if (rc < 0)
			return rc;
	}
	if (one != CFB_ENDOFCHAIN)
		return ht_error_at(e, HT_ERR_DATA, at,
		    "a stream's chain goes on behind its end ([MS-CFB] 2.3)");
	return 0;
}

/*
 * Hand count bytes, which follow each other in the file, to fn in chunks.
 */
static int
read_run(struct input *in, uint64_t at, uint64_t count, cfb_bytes_fn *fn,
    void *cookie, struct ht_error *e)
{
	const uint8_t *p;
	size_t want;
	size_t got;
	int rc;

	for (; count > 0; at += want, count -= want) {
		want = count < INPUT_CHUNK ? (size_t)count : INPUT_CHUNK;
		rc = input_read(in, at, want, &p, &got, e);
		if (rc < 0)
			return rc;
		if (got < want)
			return ht_error_at(e, HT_ERR_DATA, at + got,
			    "the file ends inside a stream");
		rc = fn(cookie, p, got, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int
cfb_read_stream(const struct cfb *cfb, const struct cfb_entry *stream,
    cfb_bytes_fn *fn, void *cookie, struct ht_error *e)
{
	bool mini = stream->size < CFB_CUTOFF;
	const struct cfb_list *table = mini ? &cfb->mini_fat : &cfb->fat;
	uint64_t unit = mini ? CFB_MINI : UINT64_C(1) << cfb->shift;
	uint64_t left = stream->size;
	uint32_t one = stream->start;
	uint64_t start = 0;
	uint64_t n = 0;
	uint64_t at;
	int rc;

	for (; left > 0; one = table->v[one]) {
		at = mini ? cfb_mini_at(cfb, &cfb->mini_stream, one)
		          : cfb_sector_at(cfb, one);
		if (at != start + n) {
			rc = read_run(cfb->in, start, n, fn, cookie, e);
			if (rc < 0)
				return rc;
			start = at;
			n = 0;
		}
		n += left < unit ? left : unit;
		left -= left < unit ? left : unit;
	}
	return read_run(cfb->in, start, n, fn, cookie, e);
}

/* --- what is in no chain ------------------------------------------------- */

static int
expect_zeros(void *cookie, const uint8_t *p, size_t n, struct ht_error *e)
{
	const uint64_t *at = cookie;

	if (!is_zero(p, n))
		return ht_error_at(e, HT_ERR_DATA, *at,
		    "data in free sectors, which no signature covers "
		    "([MS-CFB] 2.3)");
	return 0;
}

/*
 * All that nothing claimed is free and zero.
 */
static int
check_free(const struct cfb *cfb, const uint8_t *claimed, bool mini,
    struct ht_error *e)
{
	const struct cfb_list *table = mini ? &cfb->mini_fat : &cfb->fat;
	uint64_t unit = mini ? CFB_MINI : UINT64_C(1) << cfb->shift;
	uint64_t start = 0;
	uint64_t n = 0;
	uint64_t at;
	uint32_t i;
	int rc;

	for (i = 0; i < table->n; i++) {
		if ((claimed[i / 8] & 1U << i % 8) != 0)
			continue;
		at = mini ? cfb_mini_at(cfb, &cfb->mini_stream, i)
		          : cfb_sector_at(cfb, i);
		if (table->v[i] != CFB_FREESECT)
			return ht_error_at(e, HT_ERR_DATA, at,
			    "a sector that is not free is in no stream "
			    "([MS-CFB] 2.3)");
		if (at != start + n) {
			rc = read_run(cfb->in, start, n, expect_zeros, &start,
			    e);
			if (rc < 0)
				return rc;
			start = at;
			n = 0;
		}
		n += unit;
	}
	return read_run(cfb->in, start, n, expect_zeros, &start, e);
}

static int
check_end(const struct cfb *cfb, struct ht_error *e)
{
	uint32_t last = cfb->sectors;

	while (last > 0 && cfb->fat.v[last - 1] == CFB_FREESECT)
		last--;
	if (last < cfb->sectors)
		return ht_error_at(e, HT_ERR_DATA, cfb_sector_at(cfb, last),
		    "bytes behind the last allocated sector ([MS-CFB] 2.3)");
	return 0;
}

static int
check_streams(struct cfb *cfb, struct ht_error *e)
{
	uint8_t *mini_claimed = calloc(cfb->mini_fat.n / 8 + 1, 1);
	const struct cfb_entry *entry;
	uint32_t i;
	int rc = 0;

	if (mini_claimed == NULL)
		return ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
	for (i = 0; rc == 0 && i < cfb->entry_count; i++) {
		entry = &cfb->entries[i];
		if (entry->type == CFB_STREAM)
			rc = check_stream(cfb, mini_claimed, entry,
			    cfb_entry_at(cfb, &cfb->directory, i), e);
	}
	if (rc == 0)
		rc = check_end(cfb, e);
	if (rc == 0)
		rc = check_free(cfb, cfb->claimed, false, e);
	if (rc == 0)
		rc = check_free(cfb, mini_claimed, true, e);
	free(mini_claimed);
	return rc;
}

/* --- all of it ----------------------------------------------------------- */

int
cfb_open(struct cfb *cfb, struct input *in, struct ht_error *e)
{
	int rc;

	memset(cfb, 0, sizeof(*cfb));
	cfb->in = in;
	if ((rc = input_drain(in, &cfb->size, e)) < 0 ||
	    (rc = read_header(cfb, e)) < 0 || (rc = count_sectors(cfb, e)) < 0)
		return rc;
	cfb->claimed = calloc(cfb->sectors / 8 + 1, 1);
	if (cfb->claimed == NULL)
		return ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
	if ((rc = read_fat(cfb, e)) < 0 ||
	    (rc = read_chain(cfb, cfb->header.directory,
	         CFB_ENTRIES_MAX * CFB_ENTRY >> cfb->shift, "the directory",
	         &cfb->directory, e)) < 0 ||
	    (rc = cfb_read_directory(cfb, e)) < 0 ||
	    (rc = cfb_read_trees(cfb, e)) < 0 ||
	    (rc = read_mini_stream(cfb, e)) < 0)
		return rc;
	rc = check_streams(cfb, e);
	free(cfb->claimed);
	cfb->claimed = NULL;
	return rc;
}

void
cfb_close(struct cfb *cfb)
{
	cfb_list_free(&cfb->fat);
	cfb_list_free(&cfb->fat_sectors);
	cfb_list_free(&cfb->difat_sectors);
	cfb_list_free(&cfb->directory);
	cfb_list_free(&cfb->mini_fat);
	cfb_list_free(&cfb->mini_fat_sectors);
	cfb_list_free(&cfb->mini_stream);
	free(cfb->entries);
	free(cfb->members);
	free(cfb->claimed);
	memset(cfb, 0, sizeof(*cfb));
}
