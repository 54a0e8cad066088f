#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "formats/msi/cfb-edit-private.h"

/* --- sectors ------------------------------------------------------------- */

/*
 * Append a sector to the file.  The FAT must already reach it.
 */
static int
append_sector(struct cfb_edit *edit, uint32_t mark, uint32_t *sector,
    struct ht_error *e)
{
	int rc;

	*sector = (uint32_t)edit->fat.n;
	if (((uint64_t)*sector + 2) << edit->shift > CFB_SIZE_MAX)
		return ht_error_set(e, HT_ERR_REFUSED,
		    "with its signature the file would be larger than 2 GiB");
	rc = cfb_list_push(&edit->fat, mark, e);
	if (rc == 0)
		rc = cfb_set_next(edit, false, *sector, mark, e);
	return rc;
}

/*
 * Append a sector of FAT, which lists itself first; if the DIFAT is full, also
 * a sector of DIFAT.
 */
static int
grow_fat(struct cfb_edit *edit, struct ht_error *e)
{
	size_t listed =
	    CFB_HEADER_DIFAT + edit->difat_sectors.n * (edit->each - 1);
	uint32_t sector;
	int rc;

	if ((rc = append_sector(edit, CFB_FATSECT, &sector, e)) < 0 ||
	    (rc = cfb_list_push(&edit->fat_sectors, sector, e)) < 0)
		return rc;
	if (edit->fat_sectors.n <= listed)
		return 0;
	rc = append_sector(edit, CFB_DIFSECT, &sector, e);
	if (rc == 0)
		rc = cfb_list_push(&edit->difat_sectors, sector, e);
	return rc;
}

/*
 * Take a free sector and make it the end of a chain.
 */
static int
take_sector(struct cfb_edit *edit, uint32_t *sector, struct ht_error *e)
{
	int rc;

	while (edit->search < edit->fat.n &&
	    edit->fat.v[edit->search] != CFB_FREESECT)
		edit->search++;
	*sector = (uint32_t)edit->search;
	if (edit->search < edit->fat.n)
		return cfb_set_next(edit, false, *sector, CFB_ENDOFCHAIN, e);
	if (edit->fat.n == edit->fat_sectors.n * edit->each) {
		rc = grow_fat(edit, e);
		if (rc < 0)
			return rc;
	}
	return append_sector(edit, CFB_ENDOFCHAIN, sector, e);
}

/*
 * Extend a chain by a sector.
 */
static int
extend(struct cfb_edit *edit, struct cfb_list *chain, struct ht_error *e)
{
	uint32_t sector;
	int rc;

	rc = take_sector(edit, &sector, e);
	if (rc == 0 && chain->n > 0)
		rc = cfb_set_next(edit, false, chain->v[chain->n - 1], sector,
		    e);
	if (rc == 0)
		rc = cfb_list_push(chain, sector, e);
	return rc;
}

/* --- the directory ------------------------------------------------------- */

static int
grow_directory(struct cfb_edit *edit, struct ht_error *e)
{
	uint32_t each = (UINT32_C(1) << edit->shift) / CFB_ENTRY;
	struct cfb_entry *grown;
	uint32_t i;
	int rc;

	grown =
	    reallocarray(edit->entry, edit->entry_count + each, sizeof(*grown));
	if (grown == NULL)
		return ht_error_memory(e);
	edit->entry = grown;
	memset(&grown[edit->entry_count], 0, each * sizeof(*grown));
	rc = extend(edit, &edit->directory, e);
	for (i = 0; rc == 0 && i < each; i++)
		rc = cfb_change_entry(edit, edit->entry_count++, e);
	return rc;
}

/*
 * Insert an entry as a leaf where its name belongs in the root's tree.
 */
static int
insert_leaf(struct cfb_edit *edit, uint32_t number, struct ht_error *e)
{
	const struct cfb_entry *entry = &edit->entry[number];
	uint32_t *link = &edit->entry[0].child;
	uint32_t parent = 0;

	while (*link != CFB_NOSTREAM) {
		parent = *link;
		if (cfb_compare(entry, &edit->entry[parent]) < 0)
			link = &edit->entry[parent].left;
		else
			link = &edit->entry[parent].right;
	}
	*link = number;
	return cfb_change_entry(edit, parent, e);
}

static int
new_entry(struct cfb_edit *edit, const void *name, size_t name_size,
    uint32_t *number, struct ht_error *e)
{
	struct cfb_entry *entry;
	uint32_t i = 1;
	int rc;

	while (i < edit->entry_count && edit->entry[i].type != CFB_UNUSED)
		i++;
	if (i == edit->entry_count) {
		rc = grow_directory(edit, e);
		if (rc < 0)
			return rc;
	}
	entry = &edit->entry[i];
	memset(entry, 0, sizeof(*entry));
	memcpy(entry->name, name, name_size);
	entry->name_size = (uint16_t)name_size;
	entry->type = CFB_STREAM;
	entry->colour = CFB_BLACK;
	entry->left = CFB_NOSTREAM;
	entry->right = CFB_NOSTREAM;
	entry->child = CFB_NOSTREAM;
	*number = i;
	return insert_leaf(edit, i, e);
}

/* --- streams ------------------------------------------------------------- */

/*
 * Take a free mini sector and make it the end of a chain.
 */
static int
take_mini(struct cfb_edit *edit, uint32_t *one, struct ht_error *e)
{
	unsigned int shift = edit->shift - CFB_MINI_SHIFT;
	int rc = 0;

	while (edit->mini_search < edit->mini_fat.n &&
	    edit->mini_fat.v[edit->mini_search] != CFB_FREESECT)
		edit->mini_search++;
	*one = (uint32_t)edit->mini_search;
	if (*one < edit->mini_fat.n)
		return cfb_set_next(edit, true, *one, CFB_ENDOFCHAIN, e);
	if (*one == edit->mini_stream.n << shift)
		rc = extend(edit, &edit->mini_stream, e);
	if (rc == 0 && *one == edit->mini_fat_sectors.n * edit->each)
		rc = extend(edit, &edit->mini_fat_sectors, e);
	if (rc == 0)
		rc = cfb_list_push(&edit->mini_fat, CFB_ENDOFCHAIN, e);
	if (rc == 0)
		rc = cfb_set_next(edit, true, *one, CFB_ENDOFCHAIN, e);
	if (rc < 0)
		return rc;
	edit->entry[0].start = edit->mini_stream.v[0];
	edit->entry[0].size += CFB_MINI;
	return cfb_change_entry(edit, 0, e);
}

static int
put_content(struct cfb_edit *edit, struct cfb_entry *entry, const uint8_t *p,
    size_t n, struct ht_error *e)
{
	bool mini = n < CFB_CUTOFF;
	size_t unit = mini ? CFB_MINI : (size_t)1 << edit->shift;
	uint32_t last = CFB_ENDOFCHAIN;
	uint32_t one;
	size_t want;
	uint64_t at;
	int rc;

	entry->start = CFB_ENDOFCHAIN;
	entry->size = n;
	for (; n > 0; p += want, n -= want) {
		want = n < unit ? n : unit;
		rc = mini ? take_mini(edit, &one, e)
		          : take_sector(edit, &one, e);
		if (rc < 0)
			return rc;
		if (last == CFB_ENDOFCHAIN)
			entry->start = one;
		else if ((rc = cfb_set_next(edit, mini, last, one, e)) < 0)
			return rc;
		at = mini ? cfb_mini_at(edit->cfb, &edit->mini_stream, one)
		          : cfb_sector_at(edit->cfb, one);
		rc = cfb_put_piece(edit, at, p, want, unit, e);
		if (rc < 0)
			return rc;
		last = one;
	}
	return 0;
}

int
cfb_edit_put(struct cfb_edit *edit, const void *name, size_t name_size,
    const void *p, size_t n, struct ht_error *e)
{
	uint32_t number;
	int rc;

	rc = cfb_edit_shrink(edit, e);
	if (rc == 0)
		rc = new_entry(edit, name, name_size, &number, e);
	if (rc == 0)
		rc = cfb_change_entry(edit, number, e);
	if (rc == 0)
		rc = put_content(edit, &edit->entry[number], p, n, e);
	return rc;
}
