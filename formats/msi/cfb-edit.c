#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "formats/msi/cfb-edit-private.h"

/* --- pieces -------------------------------------------------------------- */

int
cfb_start_piece(struct cfb_edit *edit, uint64_t offset, size_t length,
    struct ht_error *e)
{
	size_t room = edit->piece_room == 0 ? 64 : edit->piece_room * 2;
	struct piece *grown;

	if (edit->piece_count == edit->piece_room) {
		grown = reallocarray(edit->pieces, room, sizeof(*grown));
		if (grown == NULL)
			return ht_error_set(e, HT_ERR_INTERNAL,
			    "out of memory");
		edit->pieces = grown;
		edit->piece_room = room;
	}
	edit->pieces[edit->piece_count++] =
	    (struct piece){ offset, edit->bytes.len, length };
	return 0;
}

int
cfb_put_piece(struct cfb_edit *edit, uint64_t offset, const void *p, size_t n,
    size_t length, struct ht_error *e)
{
	int rc = cfb_start_piece(edit, offset, length, e);

	if (rc < 0)
		return rc;
	buf_bytes(&edit->bytes, p, n);
	buf_zeros(&edit->bytes, length - n);
	return 0;
}

/* --- sectors ------------------------------------------------------------- */

int
cfb_set_next(struct cfb_edit *edit, bool mini, uint32_t one, uint32_t next,
    struct ht_error *e)
{
	struct cfb_list *table = mini ? &edit->mini_fat : &edit->fat;
	struct cfb_list *changed = mini ? &edit->mini_changed : &edit->changed;
	uint32_t place = one / (uint32_t)edit->each;

	table->v[one] = next;
	if (changed->n > 0 && changed->v[changed->n - 1] == place)
		return 0;
	return cfb_list_push(changed, place, e);
}

/*
 * One more sector at the end of the file, which the FAT already reaches.
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
 * One more sector of FAT, which is the first that it knows, and where the
 * DIFAT is full one of that.
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
 * A free sector, which becomes the end of a chain.
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
 * One more sector for a chain.
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

int
cfb_change_entry(struct cfb_edit *edit, uint32_t number, struct ht_error *e)
{
	size_t i;

	/* There are never more than a sector of new ones and their parents. */
	for (i = 0; i < edit->entries.n; i++) {
		if (edit->entries.v[i] == number)
			return 0;
	}
	return cfb_list_push(&edit->entries, number, e);
}

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
		return ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
	edit->entry = grown;
	memset(&grown[edit->entry_count], 0, each * sizeof(*grown));
	rc = extend(edit, &edit->directory, e);
	for (i = 0; rc == 0 && i < each; i++)
		rc = cfb_change_entry(edit, edit->entry_count++, e);
	return rc;
}

/*
 * Put an entry where its name belongs in the root's tree, as a leaf.
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
 * A free mini sector, which becomes the end of a chain.
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

/* --- begin and end ------------------------------------------------------- */

int
cfb_edit_new(const struct cfb *cfb, struct cfb_edit **edit, struct ht_error *e)
{
	struct cfb_edit *made = calloc(1, sizeof(*made));
	int rc;

	*edit = NULL;
	if (made == NULL)
		return ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
	made->cfb = cfb;
	made->shift = cfb->shift;
	made->each = ((size_t)1 << cfb->shift) / 4;
	made->mini_kept = cfb->mini_stream.n;
	made->entry_count = cfb->entry_count;
	made->entry = calloc(cfb->entry_count, sizeof(*made->entry));
	if (made->entry == NULL) {
		rc = ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
		goto out;
	}
	memcpy(made->entry, cfb->entries,
	    cfb->entry_count * sizeof(*made->entry));
	if ((rc = cfb_list_copy(&made->fat, &cfb->fat, e)) < 0 ||
	    (rc = cfb_list_copy(&made->fat_sectors, &cfb->fat_sectors, e)) <
	        0 ||
	    (rc = cfb_list_copy(&made->difat_sectors, &cfb->difat_sectors, e)) <
	        0 ||
	    (rc = cfb_list_copy(&made->directory, &cfb->directory, e)) < 0 ||
	    (rc = cfb_list_copy(&made->mini_fat, &cfb->mini_fat, e)) < 0 ||
	    (rc = cfb_list_copy(&made->mini_fat_sectors, &cfb->mini_fat_sectors,
	         e)) < 0 ||
	    (rc = cfb_list_copy(&made->mini_stream, &cfb->mini_stream, e)) < 0)
		goto out;
	*edit = made;
	made = NULL;
out:
	cfb_edit_free(made);
	return rc;
}

void
cfb_edit_free(struct cfb_edit *edit)
{
	if (edit == NULL)
		return;
	cfb_list_free(&edit->fat);
	cfb_list_free(&edit->fat_sectors);
	cfb_list_free(&edit->difat_sectors);
	cfb_list_free(&edit->directory);
	cfb_list_free(&edit->mini_fat);
	cfb_list_free(&edit->mini_fat_sectors);
	cfb_list_free(&edit->mini_stream);
	cfb_list_free(&edit->entries);
	cfb_list_free(&edit->changed);
	cfb_list_free(&edit->mini_changed);
	cfb_list_free(&edit->freed);
	cfb_list_free(&edit->mini_freed);
	free(edit->entry);
	free(edit->pieces);
	buf_free(&edit->bytes);
	free(edit);
}
