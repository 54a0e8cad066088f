/*
 * Changes to a compound file, as an output plan; for formats/msi/ only.
 *
 * Existing data stay where they are.  New streams take free sectors, then
 * sectors at the end of the file.  FAT, mini FAT, DIFAT, directory and mini
 * stream grow as they need to.  A new directory entry becomes a black leaf of
 * its tree, which the tree's rules ([MS-CFB] 2.6.4) allow.
 *
 * Unused sectors become zeros; at the end of the file they go.  After streams
 * were removed, the directory, the mini stream and the tables also give back
 * their unused ends.  So a file in which one stream replaces another is the
 * same as one that never had the other.
 */

#ifndef FORMATS_MSI_CFB_EDIT_H
#define FORMATS_MSI_CFB_EDIT_H

#include "formats/msi/cfb.h"
#include "lib/output.h"

struct cfb_edit;

/*
 * Begin to change cfb, which stays unchanged and must outlive the edit.
 * Returns 0 and *edit, which the caller frees with cfb_edit_free (NULL is
 * fine).  *edit is NULL on error.  HT_ERR_INTERNAL without memory.
 */
int cfb_edit_new(const struct cfb *cfb, struct cfb_edit **edit,
    struct ht_error *e);
void cfb_edit_free(struct cfb_edit *edit);

/*
 * Remove the root's stream of that name, if there is one.  The name's bytes
 * include the NUL, at most CFB_NAME of them.  Never call it after cfb_edit_put.
 * HT_ERR_DATA if the name is a storage's.  HT_ERR_INTERNAL without memory.
 */
int cfb_edit_remove(struct cfb_edit *edit, const void *name, size_t name_size,
    struct ht_error *e);

/*
 * Add a stream of the n bytes at p to the root.  The root must not have one of
 * that name: call cfb_edit_remove before.  The bytes are copied.
 * HT_ERR_REFUSED if the file would exceed CFB_SIZE_MAX.  HT_ERR_INTERNAL
 * without memory.
 */
int cfb_edit_put(struct cfb_edit *edit, const void *name, size_t name_size,
    const void *p, size_t n, struct ht_error *e);

/*
 * Append the changed file to plan, which is over cfb->in.  Nothing but
 * cfb_edit_free may follow.  HT_ERR_INTERNAL without memory, or errors of the
 * output plan.
 */
int cfb_edit_plan(struct cfb_edit *edit, struct output *plan,
    struct ht_error *e);

#endif
