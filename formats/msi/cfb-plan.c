/*
 * The changes to a compound file, as pieces of the new one.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "formats/msi/cfb-edit-private.h"

/* --- the tables, as they will be ----------------------------------------- */

/*
 * Put the changed sectors of FAT or mini FAT.
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
		return ht_error_memory(e);
	for (i = 0; rc == 0 && i < changed->n; i++) {
		size_t place = changed->v[i];

		if (place >= sectors->n || done[place])
			continue;
		done[place] = true;
		rc = cfb_start_piece(edit,
		    cfb_sector_at(edit->cfb, sectors->v[place]), edit->each * 4,
		    e);
		for (j = place * edit->each; j < (place + 1) * edit->each; j++)
			buf_u32le(&edit->bytes,
			    j < table->n ? table->v[j] : CFB_FREESECT);
	}
	free(done);
	return rc;
}

static bool
is_same(const struct cfb_list *a, const struct cfb_list *b)
{
	return a->n == b->n &&
	    (a->n == 0 || memcmp(a->v, b->v, a->n * sizeof(*a->v)) == 0);
}

/*
 * Put all of the DIFAT after the header's part, if the FAT has moved.
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

	if (is_same(fat, &edit->cfb->fat_sectors) &&
	    is_same(difat, &edit->cfb->difat_sectors))
		return 0;
	for (i = 0; i < difat->n; i++) {
		rc = cfb_start_piece(edit,
		    cfb_sector_at(edit->cfb, difat->v[i]), edit->each * 4, e);
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

	rc = cfb_start_piece(edit, 0, CFB_HEADER, e);
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

	rc = cfb_start_piece(edit,
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
	buf_u64le(out, entry->size);
	return rc;
}

/* --- what is not used ----------------------------------------------------- */

/*
 * Put zeros in all free sectors, since old data may be there, and at the end of
 * what the mini stream grew by.
 */
static int
put_zeros(struct cfb_edit *edit, struct ht_error *e)
{
	const struct cfb *cfb = edit->cfb;
	size_t sector = (size_t)1 << edit->shift;
	uint64_t capacity = (uint64_t)edit->mini_stream.n << edit->shift;
	uint64_t mini_size = (uint64_t)edit->mini_fat.n << CFB_MINI_SHIFT;
	uint64_t kept = (uint64_t)edit->mini_kept
	    << (edit->shift - CFB_MINI_SHIFT);
	size_t minis = edit->mini_fat.n;
	uint32_t i;
	int rc = 0;

	/* Those that the mini stream has lost may be in a sector of it. */
	if (minis < cfb->mini_fat.n)
		minis = cfb->mini_fat.n;
	for (i = 0; rc == 0 && i < edit->fat.n; i++) {
		if (edit->fat.v[i] == CFB_FREESECT)
			rc = cfb_put_zeros(edit, cfb_sector_at(cfb, i), sector,
			    e);
	}
	for (i = 0; rc == 0 && i < minis && i < kept; i++) {
		if (i >= edit->mini_fat.n ||
		    edit->mini_fat.v[i] == CFB_FREESECT)
			rc = cfb_put_zeros(edit,
			    cfb_mini_at(cfb, &edit->mini_stream, i), CFB_MINI,
			    e);
	}
	if (rc == 0 && edit->mini_stream.n > edit->mini_kept &&
	    mini_size < capacity)
		rc = cfb_put_zeros(edit,
		    cfb_mini_at(cfb, &edit->mini_stream,
		        (uint32_t)edit->mini_fat.n),
		    (size_t)(capacity - mini_size), e);
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

static int
append_zeros(struct output *plan, uint64_t n, struct ht_error *e)
{
	static const uint8_t zeros[64 << 10];
	size_t some;
	int rc = 0;

	for (; rc == 0 && n > 0; n -= some) {
		some = n < sizeof(zeros) ? (size_t)n : sizeof(zeros);
		rc = output_borrowed(plan, zeros, some, e);
	}
	return rc;
}

/*
 * Append the input from one offset to another.  A last sector that was cut off
 * goes on with zeros.
 */
static int
append_input(const struct cfb *cfb, struct output *plan, uint64_t from,
    uint64_t to, struct ht_error *e)
{
	uint64_t end = to < cfb->size ? to : cfb->size;
	int rc = 0;

	if (from < end)
		rc = output_range(plan, from, end - from, e);
	if (rc == 0 && end < to)
		rc = append_zeros(plan, to - (from > end ? from : end), e);
	return rc;
}

/*
 * Append the pieces in order, and the input between them.
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
		return ht_error_memory(e);
	qsort(edit->pieces, edit->piece_count, sizeof(*piece), by_offset);
	for (i = 0; i < edit->piece_count; i++) {
		piece = &edit->pieces[i];
		rc = append_input(edit->cfb, plan, at, piece->offset, e);
		if (rc == 0)
			rc = piece->zeros ? append_zeros(plan, piece->length, e)
			                  : output_literal(plan,
			                        edit->bytes.data + piece->from,
			                        piece->length, e);
		if (rc < 0)
			return rc;
		at = piece->offset + piece->length;
	}
	return append_input(edit->cfb, plan, at, end, e);
}

int
cfb_edit_plan(struct cfb_edit *edit, struct output *plan, struct ht_error *e)
{
	size_t i;
	int rc;

	if ((rc = cfb_edit_shrink(edit, e)) < 0 ||
	    (rc = put_zeros(edit, e)) < 0 ||
	    (rc = put_table(edit, false, e)) < 0 ||
	    (rc = put_table(edit, true, e)) < 0 ||
	    (rc = put_difat(edit, e)) < 0 || (rc = put_header(edit, e)) < 0)
		return rc;
	for (i = 0; rc == 0 && i < edit->entries.n; i++) {
		if (edit->entries.v[i] < edit->entry_count)
			rc = put_entry(edit, edit->entries.v[i], e);
	}
	if (rc == 0)
		rc = append_pieces(edit, plan, e);
	return rc;
}
