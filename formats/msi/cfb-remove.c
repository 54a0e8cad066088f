/*
 * Removing streams from a compound file, and the unused ends after that.
 */

#include "config.h"

#include <string.h>

#include "formats/msi/cfb-edit-private.h"

/* --- the tree ------------------------------------------------------------ */

/*
 * Find the link to an entry in the root's tree, and whose link it is.
 */
static uint32_t *
find_link(struct cfb_edit *edit, uint32_t number, uint32_t *parent)
{
	uint32_t *link = &edit->entry[0].child;
	struct cfb_entry *entry;

	*parent = 0;
	while (*link != number) {
		*parent = *link;
		entry = &edit->entry[*link];
		link = cfb_compare(&edit->entry[number], entry) < 0
		    ? &entry->left
		    : &entry->right;
	}
	return link;
}

/*
 * Make a moved entry black, so that two red ones never meet ([MS-CFB] 2.6.4).
 */
static int
move_entry(struct cfb_edit *edit, uint32_t number, struct ht_error *e)
{
	if (number == CFB_NOSTREAM)
		return 0;
	edit->entry[number].colour = CFB_BLACK;
	return cfb_change_entry(edit, number, e);
}

/*
 * Unlink the next entry in order after this one, which has both sides, and give
 * it these sides.
 */
static int
take_next(struct cfb_edit *edit, struct cfb_entry *entry, uint32_t *next,
    struct ht_error *e)
{
	uint32_t *link = &entry->right;
	uint32_t parent = CFB_NOSTREAM;
	int rc = 0;

	while (edit->entry[*link].left != CFB_NOSTREAM) {
		parent = *link;
		link = &edit->entry[parent].left;
	}
	*next = *link;
	*link = edit->entry[*next].right;
	if (parent != CFB_NOSTREAM)
		rc = cfb_change_entry(edit, parent, e);
	if (rc == 0)
		rc = move_entry(edit, *link, e);
	edit->entry[*next].left = entry->left;
	edit->entry[*next].right = entry->right;
	return rc;
}

static int
unlink_entry(struct cfb_edit *edit, uint32_t number, struct ht_error *e)
{
	struct cfb_entry *entry = &edit->entry[number];
	uint32_t parent;
	uint32_t *link = find_link(edit, number, &parent);
	uint32_t heir;
	int rc = 0;

	if (entry->left == CFB_NOSTREAM)
		heir = entry->right;
	else if (entry->right == CFB_NOSTREAM)
		heir = entry->left;
	else
		rc = take_next(edit, entry, &heir, e);
	if (rc < 0)
		return rc;
	*link = heir;
	memset(entry, 0, sizeof(*entry));
	if ((rc = move_entry(edit, heir, e)) < 0 ||
	    (rc = cfb_change_entry(edit, parent, e)) < 0)
		return rc;
	return cfb_change_entry(edit, number, e);
}

/* --- sectors ------------------------------------------------------------- */

static int
drop_sector(struct cfb_edit *edit, bool mini, uint32_t one, struct ht_error *e)
{
	int rc;

	rc = cfb_set_next(edit, mini, one, CFB_FREESECT, e);
	if (rc == 0 && mini)
		rc = cfb_list_push(&edit->mini_freed, one, e);
	return rc;
}

static int
drop_content(struct cfb_edit *edit, const struct cfb_entry *entry,
    struct ht_error *e)
{
	bool mini = entry->size < CFB_CUTOFF;
	uint32_t one = entry->size == 0 ? CFB_ENDOFCHAIN : entry->start;
	uint32_t next;
	int rc = 0;

	for (; rc == 0 && one != CFB_ENDOFCHAIN; one = next) {
		next = mini ? edit->mini_fat.v[one] : edit->fat.v[one];
		rc = drop_sector(edit, mini, one, e);
	}
	return rc;
}

int
cfb_edit_remove(struct cfb_edit *edit, const void *name, size_t name_size,
    struct ht_error *e)
{
	const struct cfb_entry *found = cfb_find(edit->cfb, name, name_size);
	uint32_t number;
	int rc;

	if (found == NULL)
		return 0;
	if (found->type != CFB_STREAM)
		return ht_error_set(e, HT_ERR_DATA,
		    "a storage has the name of the signature");
	number = (uint32_t)(found - edit->cfb->entries);
	rc = drop_content(edit, &edit->entry[number], e);
	if (rc == 0)
		rc = unlink_entry(edit, number, e);
	edit->removed = true;
	return rc;
}

/* --- the ends ------------------------------------------------------------ */

/*
 * Give back the sectors after the first n of a chain.
 */
static int
shorten(struct cfb_edit *edit, struct cfb_list *chain, size_t n,
    struct ht_error *e)
{
	int rc = 0;

	while (rc == 0 && chain->n > n) {
		rc = drop_sector(edit, false, chain->v[--chain->n], e);
		if (rc == 0 && chain->n > 0)
			rc = cfb_set_next(edit, false, chain->v[chain->n - 1],
			    CFB_ENDOFCHAIN, e);
	}
	return rc;
}

static int
shrink_directory(struct cfb_edit *edit, struct ht_error *e)
{
	uint32_t each = (UINT32_C(1) << edit->shift) / CFB_ENTRY;
	uint32_t used = edit->entry_count;

	while (edit->entry[used - 1].type == CFB_UNUSED)
		used--;
	edit->entry_count = (used + each - 1) / each * each;
	return shorten(edit, &edit->directory, edit->entry_count / each, e);
}

static bool
is_among(const struct cfb_list *list, uint32_t one)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		if (list->v[i] == one)
			return true;
	}
	return false;
}

/*
 * Shrink the mini stream by what was the signature's, and no more.  It may have
 * had free mini sectors at its end before.
 */
static int
shrink_mini_stream(struct cfb_edit *edit, struct ht_error *e)
{
	struct cfb_list *table = &edit->mini_fat;
	size_t in_sector = (size_t)1 << (edit->shift - CFB_MINI_SHIFT);
	size_t old = table->n;
	int rc;

	while (table->n > 0 && table->v[table->n - 1] == CFB_FREESECT &&
	    is_among(&edit->mini_freed, (uint32_t)table->n - 1))
		table->n--;
	if (table->n == old)
		return 0;
	edit->entry[0].size = (uint64_t)table->n << CFB_MINI_SHIFT;
	if (table->n == 0)
		edit->entry[0].start = CFB_ENDOFCHAIN;
	if ((rc = cfb_change_entry(edit, 0, e)) < 0 ||
	    (rc = shorten(edit, &edit->mini_stream,
	         (table->n + in_sector - 1) / in_sector, e)) < 0)
		return rc;
	edit->mini_kept = edit->mini_stream.n;
	return shorten(edit, &edit->mini_fat_sectors,
	    (table->n + edit->each - 1) / edit->each, e);
}

/*
 * Whether the last sector of FAT lists nothing in use but itself and perhaps a
 * sector of DIFAT.  That sector exists only for it; it is then *difat.
 */
static bool
is_fat_surplus(const struct cfb_edit *edit, uint32_t *difat)
{
	size_t last = edit->fat_sectors.n - 1;
	size_t sectors = edit->difat_sectors.n;
	uint32_t self = edit->fat_sectors.v[last];
	size_t i;

	*difat = CFB_FREESECT;
	if (sectors > 0 &&
	    last <= CFB_HEADER_DIFAT + (sectors - 1) * (edit->each - 1))
		*difat = edit->difat_sectors.v[sectors - 1];
	if (last == 0 || self < last * edit->each)
		return false;
	for (i = last * edit->each; i < edit->fat.n; i++) {
		if (edit->fat.v[i] != CFB_FREESECT && i != self && i != *difat)
			return false;
	}
	return true;
}

static int
shrink_fat(struct cfb_edit *edit, struct ht_error *e)
{
	uint32_t difat;
	uint32_t self;
	int rc = 0;

	while (rc == 0 && is_fat_surplus(edit, &difat)) {
		self = edit->fat_sectors.v[--edit->fat_sectors.n];
		rc = drop_sector(edit, false, self, e);
		if (rc < 0 || difat == CFB_FREESECT)
			continue;
		edit->difat_sectors.n--;
		rc = drop_sector(edit, false, difat, e);
	}
	return rc;
}

static void
drop_end(struct cfb_edit *edit)
{
	while (edit->fat.n > 0 && edit->fat.v[edit->fat.n - 1] == CFB_FREESECT)
		edit->fat.n--;
}

int
cfb_edit_shrink(struct cfb_edit *edit, struct ht_error *e)
{
	int rc;

	if (edit->removed &&
	    ((rc = shrink_directory(edit, e)) < 0 ||
	        (rc = shrink_mini_stream(edit, e)) < 0 ||
	        (rc = shrink_fat(edit, e)) < 0))
		return rc;
	edit->removed = false;
	drop_end(edit);
	return 0;
}
