/*
 * A file that an administrator fetches: one that is kept, or what was made of
 * it.  No parser is needed for that (lib/output.h has the recipe), since the file
 * is a stranger's and this shell an administrator's.
 */

#ifndef HTSIGN_SHELL_FETCHED_H
#define HTSIGN_SHELL_FETCHED_H

#include "lib/buf.h"
#include "protocol/messages.h"

struct fetched;

/*
 * What FILE brings.  Takes over fd.  NULL on error: HT_ERR_INTERNAL.
 */
struct fetched *fetched_new(int fd, const struct protocol_file *file,
    struct ht_error *e);
void fetched_free(struct fetched *f); /* NULL is fine */

/*
 * A piece of the recipe.  HT_ERR_INTERNAL if it is too long.
 */
int fetched_recipe(struct fetched *f, struct cursor bytes, struct ht_error *e);

/*
 * Write the result to fd.  HT_ERR_DATA, before a byte of it is written, if its
 * size or SHA-256 is not the recorded one; after that, if the file changes
 * meanwhile.  HT_ERR_UNAVAILABLE if fd takes no more.  HT_ERR_INTERNAL.
 */
int fetched_write(struct fetched *f, int fd, struct ht_error *e);

#endif
