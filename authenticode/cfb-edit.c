#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "authenticode/cfb-edit.h"
#include "lib/buf.h"

/* Bytes of the changed file: length of edit->bytes, from there. */
struct piece {
	uint64_t offset;
	size_t from;
	size_t length;
};

struct cfb_edit {
	const struct cfb *cfb;
	unsigned int shift;
	size_t each; /* numbers in a sector of a table */
	struct cfb_list fat;
	struct cfb_list fat_sectors;
	struct cfb_list difat_sectors;
	struct cfb_list directory;
	struct cfb_list mini_fat;
	struct cfb_list mini_fat_sectors;
	struct cfb_list mini_stream;
	struct cfb_list entries; /* numbers of the changed ones */
	struct cfb_entry *entry; /* all */
	uint32_t entry_count;
	struct cfb_list changed;      /* FAT sectors, by place in the FAT */
	struct cfb_list mini_changed; /* the same of the mini FAT */
	struct cfb_list freed;        /* sectors, and mini sectors */
	struct cfb_list mini_freed;
	size_t search; /* no free sector is before these */
	size_t mini_search;
	struct piece *pieces;
	size_t piece_count;
	size_t piece_room;
	struct buf bytes;
};

/* --- pieces -------------------------------------------------------------- */

/*
 * A piece that begins where edit->bytes ends: put the bytes after this.
 */
static int
start_piece(struct cfb_edit *edit, uint64_t offset, size_t length,
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

/*
 * n bytes at p, and zeros up to length.
 */
static int
put_piece(struct cfb_edit *edit, uint64_t offset, const void *p, size_t n,
    size_t length, struct ht_error *e)
{
	int rc = start_piece(edit, offset, length, e);

	if (rc < 0)
		return rc;
	buf_bytes(&edit->bytes, p, n);
	buf_zeros(&edit->bytes, length - n);
	return 0;
}

/* --- sectors ------------------------------------------------------------- */

/*
 * Set an entry of the FAT or mini FAT, and remember in which of its sectors.
 */
static int
set_next(struct cfb_edit *edit, bool mini, uint32_t one, uint32_t next,
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
		return ht_error_set(e, HT_ERR_DATA,
		    "with its signature the file would be larger than 2 GiB");
	rc = cfb_list_push(&edit->fat, mark, e);
	if (rc == 0)
		rc = set_next(edit, false, *sector, mark, e);
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
		return set_next(edit, false, *sector, CFB_ENDOFCHAIN, e);
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
		rc = set_next(edit, false, chain->v[chain->n - 1], sector, e);
	if (rc == 0)
		rc = cfb_list_push(chain, sector, e);
	return rc;
}

/* --- the directory ------------------------------------------------------- */

static int
change_entry(struct cfb_edit *edit, uint32_t number, struct ht_error *e)
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
		rc = change_entry(edit, edit->entry_count++, e);
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
	return change_entry(edit, parent, e);
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
		return set_next(edit, true, *one, CFB_ENDOFCHAIN, e);
	if (*one == edit->mini_stream.n << shift)
		rc = extend(edit, &edit->mini_stream, e);
	if (rc == 0 && *one == edit->mini_fat_sectors.n * edit->each)
		rc = extend(edit, &edit->mini_fat_sectors, e);
	if (rc == 0)
		rc = cfb_list_push(&edit->mini_fat, CFB_ENDOFCHAIN, e);
	if (rc == 0)
		rc = set_next(edit, true, *one, CFB_ENDOFCHAIN, e);
	if (rc < 0)
		return rc;
	edit->entry[0].start = edit->mini_stream.v[0];
	edit->entry[0].size += CFB_MINI;
	return change_entry(edit, 0, e);
}

/*
 * Give back the sectors of a stream.
 */
static int
drop_content(struct cfb_edit *edit, struct cfb_entry *entry, struct ht_error *e)
{
	bool mini = entry->size < CFB_CUTOFF;
	struct cfb_list *freed = mini ? &edit->mini_freed : &edit->freed;
	uint32_t one = entry->size == 0 ? CFB_ENDOFCHAIN : entry->start;
	uint32_t next;
	int rc = 0;

	for (; rc == 0 && one != CFB_ENDOFCHAIN; one = next) {
		next = mini ? edit->mini_fat.v[one] : edit->fat.v[one];
		rc = set_next(edit, mini, one, CFB_FREESECT, e);
		if (rc == 0)
			rc = cfb_list_push(freed, one, e);
	}
	edit->search = 0;
	edit->mini_search = 0;
	entry->start = CFB_ENDOFCHAIN;
	entry->size = 0;
	return rc;
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
		else if ((rc = set_next(edit, mini, last, one, e)) < 0)
			return rc;
		at = mini ? cfb_mini_at(edit->cfb, &edit->mini_stream, one)
		          : cfb_sector_at(edit->cfb, one);
		rc = put_piece(edit, at, p, want, unit, e);
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
	const struct cfb_entry *found = cfb_find(edit->cfb, name, name_size);
	uint32_t number;
	int rc;

	if (found != NULL && found->type != CFB_STREAM)
		return ht_error_set(e, HT_ERR_DATA,
		    "a storage has the name of the signature");
	if (found != NULL) {
		number = (uint32_t)(found - edit->cfb->entries);
		rc = drop_content(edit, &edit->entry[number], e);
	} else {
		rc = new_entry(edit, name, name_size, &number, e);
	}
	if (rc == 0)
		rc = change_entry(edit, number, e);
	if (rc == 0)
		rc = put_content(edit, &edit->entry[number], p, n, e);
	return rc;
}

/* --- the tables, as they will be ----------------------------------------- */

/*
 * The sectors of FAT or mini FAT that changed.
 */
static int
put_table(struct cfb_edit *edit, bool mini, struct ht_error *e)
{
	const struct cfb_list *table = mini ? &edit->mini_fat : &edit->fat;
	const struct cfb_list *sectors =
	    mini ? &edit->mini_fat_sectors : &edit->fat_sectors;
	struct cfb_list *changed = mini ? &edit->mini_changed : &edit->changed;
	bool *done = calloc(sectors->n + 1, sizeof(*done));
	size_t i;
	size_t j;
	int rc = 0;

	if (done == NULL)
		return ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
	for (i = 0; rc == 0 && i < changed->n; i++) {
		size_t place = changed->v[i];

		if (done[place])
			continue;
		done[place] = true;
		rc = start_piece(edit,
		    cfb_sector_at(edit->cfb, sectors->v[place]), edit->each * 4,
		    e);
		for (j = place * edit->each; j < (place + 1) * edit->each; j++)
			buf_u32le(&edit->bytes,
			    j < table->n ? table->v[j] : CFB_FREESECT);
	}
	free(done);
	return rc;
}

/*
 * All of the DIFAT behind the header's part, if the FAT grew.
 */
static int
put_difat(struct cfb_edit *edit, struct ht_error *e)
{
	const struct cfb_list *difat = &edit->difat_sectors;
	const struct cfb_list *fat = &edit->fat_sectors;
	size_t listed = CFB_HEADER_DIFAT;
	size_t i;
	size_t j;
	int rc;

	if (fat->n == edit->cfb->fat_sectors.n)
		return 0;
	for (i = 0; i < difat->n; i++) {
		rc = start_piece(edit, cfb_sector_at(edit->cfb, difat->v[i]),
		    edit->each * 4, e);
		if (rc < 0)
			return rc;
		for (j = 0; j < edit->each - 1; j++, listed++)
			buf_u32le(&edit->bytes,
			    listed < fat->n ? fat->v[listed] : CFB_FREESECT);
		buf_u32le(&edit->bytes,
		    i + 1 < difat->n ? difat->v[i + 1] : CFB_ENDOFCHAIN);
	}
	return 0;
}

static uint32_t
first_of(const struct cfb_list *chain)
{
	return chain->n > 0 ? chain->v[0] : CFB_ENDOFCHAIN;
}

static int
put_header(struct cfb_edit *edit, struct ht_error *e)
{
	const struct cfb *cfb = edit->cfb;
	const uint8_t *raw = cfb->header.raw;
	struct buf *out = &edit->bytes;
	size_t i;
	int rc;

	rc = start_piece(edit, 0, CFB_HEADER, e);
	buf_bytes(out, raw, 0x28);
	buf_u32le(out, cfb->version == 3 ? 0 : (uint32_t)edit->directory.n);
	buf_u32le(out, (uint32_t)edit->fat_sectors.n);
	buf_bytes(out, raw + 0x30, 12);
	buf_u32le(out, first_of(&edit->mini_fat_sectors));
	buf_u32le(out, (uint32_t)edit->mini_fat_sectors.n);
	buf_u32le(out, first_of(&edit->difat_sectors));
	buf_u32le(out, (uint32_t)edit->difat_sectors.n);
	for (i = 0; i < CFB_HEADER_DIFAT; i++)
		buf_u32le(out,
		    i < edit->fat_sectors.n ? edit->fat_sectors.v[i]
		                            : CFB_FREESECT);
	return rc;
}

static int
put_entry(struct cfb_edit *edit, uint32_t number, struct ht_error *e)
{
	const struct cfb_entry *entry = &edit->entry[number];
	struct buf *out = &edit->bytes;
	int rc;

	rc = start_piece(edit,
	    cfb_entry_at(edit->cfb, &edit->directory, number), CFB_ENTRY, e);
	buf_bytes(out, entry->name, CFB_NAME);
	buf_u16le(out, entry->name_size);
	buf_u8(out, entry->type);
	buf_u8(out, entry->colour);
	if (entry->type == CFB_UNUSED) {
		buf_u32le(out, CFB_NOSTREAM);
		buf_u32le(out, CFB_NOSTREAM);
		buf_u32le(out, CFB_NOSTREAM);
	} else {
		buf_u32le(out, entry->left);
		buf_u32le(out, entry->right);
		buf_u32le(out, entry->child);
	}
	buf_bytes(out, entry->clsid, sizeof(entry->clsid));
	buf_bytes(out, entry->metadata, sizeof(entry->metadata));
	buf_u32le(out, entry->start);
	buf_u32le(out, (uint32_t)entry->size);
	buf_u32le(out, (uint32_t)(entry->size >> 32));
	return rc;
}

/* --- what is no longer used ---------------------------------------------- */

static void
drop_end(struct cfb_edit *edit)
{
	while (edit->fat.n > 0 && edit->fat.v[edit->fat.n - 1] == CFB_FREESECT)
		edit->fat.n--;
}

/*
 * Zeros where sectors were given back and not taken again, and for the rest of
 * a sector that the mini stream grew by.
 */
static int
put_zeros(struct cfb_edit *edit, struct ht_error *e)
{
	const struct cfb *cfb = edit->cfb;
	size_t sector = (size_t)1 << edit->shift;
	uint64_t capacity = (uint64_t)edit->mini_stream.n << edit->shift;
	uint64_t mini_size = (uint64_t)edit->mini_fat.n << CFB_MINI_SHIFT;
	uint32_t one;
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < edit->freed.n; i++) {
		one = edit->freed.v[i];
		if (one < edit->fat.n && edit->fat.v[one] == CFB_FREESECT)
			rc = put_piece(edit, cfb_sector_at(cfb, one), NULL, 0,
			    sector, e);
	}
	for (i = 0; rc == 0 && i < edit->mini_freed.n; i++) {
		one = edit->mini_freed.v[i];
		if (edit->mini_fat.v[one] == CFB_FREESECT)
			rc = put_piece(edit,
			    cfb_mini_at(cfb, &edit->mini_stream, one), NULL, 0,
			    CFB_MINI, e);
	}
	if (rc == 0 && edit->mini_stream.n > cfb->mini_stream.n &&
	    mini_size < capacity)
		rc = put_piece(edit,
		    cfb_mini_at(cfb, &edit->mini_stream,
		        (uint32_t)edit->mini_fat.n),
		    NULL, 0, (size_t)(capacity - mini_size), e);
	return rc;
}

/* --- the plan ------------------------------------------------------------ */

static int
by_offset(const void *a, const void *b)
{
	const struct piece *left = a;
	const struct piece *right = b;

	return (left->offset > right->offset) - (left->offset < right->offset);
}

/*
 * The pieces, in order, and the input between them.
 */
static int
append_pieces(struct cfb_edit *edit, struct output *plan, struct ht_error *e)
{
	uint64_t end = ((uint64_t)edit->fat.n + 1) << edit->shift;
	const struct piece *piece;
	uint64_t at = 0;
	size_t i;
	int rc;

	if (buf_failed(&edit->bytes) < 0)
		return ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
	qsort(edit->pieces, edit->piece_count, sizeof(*piece), by_offset);
	for (i = 0; i < edit->piece_count; i++) {
		piece = &edit->pieces[i];
		if ((rc = output_range(plan, at, piece->offset - at, e)) < 0 ||
		    (rc = output_literal(plan, edit->bytes.data + piece->from,
		         piece->length, e)) < 0)
			return rc;
		at = piece->offset + piece->length;
	}
	return output_range(plan, at, end - at, e);
}

int
cfb_edit_plan(struct cfb_edit *edit, struct output *plan, struct ht_error *e)
{
	size_t i;
	int rc;

	drop_end(edit);
	if ((rc = put_zeros(edit, e)) < 0 ||
	    (rc = put_table(edit, false, e)) < 0 ||
	    (rc = put_table(edit, true, e)) < 0 ||
	    (rc = put_difat(edit, e)) < 0 || (rc = put_header(edit, e)) < 0)
		return rc;
	for (i = 0; rc == 0 && i < edit->entries.n; i++)
		rc = put_entry(edit, edit->entries.v[i], e);
	if (rc == 0)
		rc = append_pieces(edit, plan, e);
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
