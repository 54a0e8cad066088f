#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "formats/msi/cfb-chain.h"
#include "formats/remains.h"
#include "formats/remains.h"
#include "lib/buf.h"

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
	    !cfb_is_zero(reserved.p, reserved.left))
		return ht_error_at(e, HT_ERR_DATA, 0x1c,
		    "byte order, mini sector shift or reserved bytes are wrong "
		    "([MS-CFB] 2.2)");
	cfb->version = version;
	cfb->shift = shift;
	return read_numbers(&c, h, e);
}

/*
 * Count the sectors, and check that there is nothing else.
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
	if (cfb->size % sector != 0 || cfb->size < 2 * sector) {
		rc = remains_of_data(cfb->size > sector ? cfb->remains : NULL,
		    0, e, cfb->size,
		    "the file ends inside a sector ([MS-CFB] 2.1)");
		if (rc < 0)
			return rc;
	}
	cfb->sectors = (uint32_t)((cfb->size + sector - 1) / sector - 1);
	rc = input_read(cfb->in, CFB_HEADER, (size_t)sector, &p, &got, e);
	if (rc == 0 && cfb->version == 4 &&
	    !cfb_is_zero(p, (size_t)sector - CFB_HEADER))
		rc = ht_error_at(e, HT_ERR_DATA, CFB_HEADER,
		    "data behind the header, in its sector ([MS-CFB] 2.2)");
	return rc;
}

/* --- the FAT ------------------------------------------------------------- */

/*
 * Read a sector of the DIFAT: more FAT sectors, and the next sector of DIFAT.
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
	if (got < size)
		return ht_error_at(e, HT_ERR_DATA, at + got,
		    "the file ends inside the DIFAT");
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
		    "more FAT sectors than sectors in all ([MS-CFB] 2.2)");
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
		if ((rc = cfb_claim_sector(cfb, sector, "DIFAT", 0x44, e)) <
		        0 ||
		    (rc = cfb_list_push(&cfb->difat_sectors, sector, e)) < 0)
			break;
		rc = read_difat_sector(cfb, &sector, e);
	}
	if (rc == 0)
		rc = cfb_check_length(&cfb->difat_sectors, h->difat_sectors,
		    "the DIFAT", 0x48, e);
	if (rc == 0)
		rc = cfb_check_length(&cfb->fat_sectors, h->fat_sectors,
		    "the FAT", 0x2c, e);
	return rc;
}

/*
 * Check that each of these sectors is marked as such in the FAT.
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
		rc = cfb_claim_sector(cfb, cfb->fat_sectors.v[i], "FAT", 0x4c,
		    e);
		if (rc == 0)
			rc = cfb_read_table_sector(cfb, cfb->fat_sectors.v[i],
			    &cfb->fat, cfb->sectors, false, e);
	}
	if (rc == 0 && cfb->fat.n < cfb->sectors)
		rc = ht_error_at(e, HT_ERR_DATA,
		    cfb_sector_at(cfb, (uint32_t)cfb->fat.n),
		    "the FAT does not cover the whole file ([MS-CFB] 2.3)");
	if (rc == 0)
		rc = check_marks(cfb, &cfb->fat_sectors, CFB_FATSECT, e);
	if (rc == 0)
		rc = check_marks(cfb, &cfb->difat_sectors, CFB_DIFSECT, e);
	return rc;
}

/* --- all of it ----------------------------------------------------------- */

int
cfb_open(struct cfb *cfb, struct input *in, struct format_remains *remains,
    struct ht_error *e)
{
	int rc;

	memset(cfb, 0, sizeof(*cfb));
	cfb->in = in;
	cfb->remains = remains;
	if ((rc = input_drain(in, &cfb->size, e)) < 0 ||
	    (rc = read_header(cfb, e)) < 0 || (rc = count_sectors(cfb, e)) < 0)
		return rc;
	cfb->claimed = calloc(cfb->sectors / 8 + 1, 1);
	if (cfb->claimed == NULL)
		return ht_error_memory(e);
	if ((rc = read_fat(cfb, e)) < 0 ||
	    (rc = cfb_read_chain(cfb, cfb->header.directory,
	         CFB_ENTRIES_MAX * CFB_ENTRY >> cfb->shift, "the directory",
	         &cfb->directory, e)) < 0 ||
	    (rc = cfb_read_directory(cfb, e)) < 0 ||
	    (rc = cfb_read_trees(cfb, e)) < 0 ||
	    (rc = cfb_read_mini_stream(cfb, e)) < 0)
		return rc;
	rc = cfb_check_streams(cfb, e);
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
