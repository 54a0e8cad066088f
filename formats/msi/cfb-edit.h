/*
 * Changes to a compound file, as an output plan; inside formats/msi/ only.
 *
 * What is there stays where it is.  New streams take free sectors, then sectors
 * at the end of the file; FAT, mini FAT, DIFAT, directory and mini stream grow
 * as they need to.  A new directory entry becomes a black leaf of its tree: the
 * tree's rules ([MS-CFB] 2.6.4) ask no more.  Sectors that are no longer used
 * become zeros, or go, at the end of the file.  Once streams were removed the
 * directory, the mini stream and the tables give back the ends that nothing
 * uses any more, too; so a file in which one stream takes another's place is
 * the same as one that never had the other.
 */

#ifndef FORMATS_MSI_CFB_EDIT_H
#define FORMATS_MSI_CFB_EDIT_H

#include "formats/msi/cfb.h"
#include "lib/output.h"

struct cfb_edit;

/*
 * Begin to change cfb, which stays as it is and must outlive this.  0 and
 * *edit, or HT_ERR_INTERNAL.  cfb_edit_free takes NULL, too.
 */
int cfb_edit_new(const struct cfb *cfb, struct cfb_edit **edit,
    struct ht_error *e);
void cfb_edit_free(struct cfb_edit *edit);

/*
 * Remove the root's stream of that name (its bytes include the NUL, at most
 * CFB_NAME of them), if there is one.  Not after cfb_edit_put.  HT_ERR_DATA if
 * it is a storage, or HT_ERR_INTERNAL.
 */
int cfb_edit_remove(struct cfb_edit *edit, const void *name, size_t name_size,
    struct ht_error *e);

/*
 * Add a stream of the n bytes at p to the root, which must not have one of that
 * name: cfb_edit_remove it before.  HT_ERR_REFUSED if the file would grow over
 * CFB_SIZE_MAX; HT_ERR_INTERNAL.
 */
int cfb_edit_put(struct cfb_edit *edit, const void *name, size_t name_size,
    const void *p, size_t n, struct ht_error *e);

/*
 * Append the changed file to plan, which is over cfb->in.  The last call before
 * cfb_edit_free.
 */
int cfb_edit_plan(struct cfb_edit *edit, struct output *plan,
    struct ht_error *e);

#endif
