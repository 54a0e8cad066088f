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
			return ht_error_memory(e);
		edit->pieces = grown;
		edit->piece_room = room;
	}
	edit->pieces[edit->piece_count++] =
	    (struct piece){ offset, edit->bytes.len, length, false };
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

int
cfb_put_zeros(struct cfb_edit *edit, uint64_t offset, size_t length,
    struct ht_error *e)
{
	struct piece *last = NULL;
	int rc;

	if (edit->piece_count > 0)
		last = &edit->pieces[edit->piece_count - 1];
	if (last != NULL && last->zeros &&
	    last->offset + last->length == offset) {
		last->length += length;
		return 0;
	}
	rc = cfb_start_piece(edit, offset, length, e);
	if (rc == 0)
		edit->pieces[edit->piece_count - 1].zeros = true;
	return rc;
}

/* --- changes ------------------------------------------------------------- */

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

int
cfb_change_entry(struct cfb_edit *edit, uint32_t number, struct ht_error *e)
{
	size_t i;

	/*
	 * There are at most those that were cleared, the new ones of a sector,
	 * and their parents.
	 */
	for (i = 0; i < edit->entries.n; i++) {
		if (edit->entries.v[i] == number)
			return 0;
	}
	return cfb_list_push(&edit->entries, number, e);
}

/*
 * Let all entries be written that are unused, and not zero.
 */
static int
clear_stale(struct cfb_edit *edit, struct ht_error *e)
{
	uint32_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < edit->entry_count; i++) {
		if (edit->entry[i].stale)
			rc = cfb_list_push(&edit->entries, i, e);
	}
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
		return ht_error_memory(e);
	made->cfb = cfb;
	made->shift = cfb->shift;
	made->each = ((size_t)1 << cfb->shift) / 4;
	made->mini_kept = cfb->mini_stream.n;
	made->entry_count = cfb->entry_count;
	made->entry = calloc(cfb->entry_count, sizeof(*made->entry));
	if (made->entry == NULL) {
		rc = ht_error_memory(e);
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
	    (rc = cfb_list_copy(&made->mini_stream, &cfb->mini_stream, e)) <
	        0 ||
	    (rc = clear_stale(made, e)) < 0)
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
	cfb_list_free(&edit->mini_freed);
	free(edit->entry);
	free(edit->pieces);
	buf_free(&edit->bytes);
	free(edit);
}
