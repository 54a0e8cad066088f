/*
 * What cfb-edit.c, cfb-remove.c, cfb-put.c and cfb-plan.c share.
 */

#ifndef FORMATS_MSI_CFB_EDIT_PRIVATE_H
#define FORMATS_MSI_CFB_EDIT_PRIVATE_H

#include <stdbool.h>

#include "formats/msi/cfb-edit.h"
#include "lib/buf.h"

/*
 * New bytes at offset of the changed file: length bytes of edit->bytes,
 * starting at from; or as many zeros.
 */
struct piece {
	uint64_t offset;
	size_t from;
	size_t length;
	bool zeros;
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
	struct cfb_entry *entry; /* all of them */
	uint32_t entry_count;
	struct cfb_list changed;      /* indexes of changed sectors in
	                                 fat_sectors */
	struct cfb_list mini_changed; /* the same for the mini FAT */
	struct cfb_list mini_freed;   /* mini sectors */
	size_t mini_kept; /* sectors that have always been the mini stream's */
	bool removed;     /* a stream was removed after the last
	                     cfb_edit_shrink */
	size_t search;    /* no free sector comes before these */
	size_t mini_search;
	struct piece *pieces;
	size_t piece_count;
	size_t piece_room;
	struct buf bytes;
};

/*
 * Start a piece of length bytes where edit->bytes ends; the caller appends the
 * bytes.  cfb_put_piece also appends them: n bytes at p, and zeros up to
 * length.  HT_ERR_INTERNAL without memory.  cfb_edit_plan checks edit->bytes
 * for lack of memory.
 */
int cfb_start_piece(struct cfb_edit *edit, uint64_t offset, size_t length,
    struct ht_error *e);
int cfb_put_piece(struct cfb_edit *edit, uint64_t offset, const void *p,
    size_t n, size_t length, struct ht_error *e);

/*
 * Add a piece of length zeros, which takes no memory for each.  Joins it to the
 * piece before if that is zeros, too, and ends here.  HT_ERR_INTERNAL without
 * memory.
 */
int cfb_put_zeros(struct cfb_edit *edit, uint64_t offset, size_t length,
    struct ht_error *e);

/*
 * Set an entry of the FAT or mini FAT, and note which sector of the table
 * changed.  cfb_change_entry notes that a directory entry changed.
 * HT_ERR_INTERNAL without memory.
 */
int cfb_set_next(struct cfb_edit *edit, bool mini, uint32_t one, uint32_t next,
    struct ht_error *e);
int cfb_change_entry(struct cfb_edit *edit, uint32_t number,
    struct ht_error *e);

/*
 * In cfb-remove.c.  If streams were removed, give back the unused ends of the
 * directory, the mini stream and the tables.  In any case give back that of the
 * file.  HT_ERR_INTERNAL without memory.
 */
int cfb_edit_shrink(struct cfb_edit *edit, struct ht_error *e);

#endif
