/*
 * What an administrator can say: a table of verbs.
 */

#ifndef KEYS_KEYD_ADMIN_VERBS_H
#define KEYS_KEYD_ADMIN_VERBS_H

#include "keys/keyd/admin/admin-link.h"

/*
 * Run the command: check the words against the table, the role against the
 * verb, and call it.  0 with out and text filled in, VERBS_LATER, or HT_ERR_*
 * with *e.  The store's changes are committed before any of it is said.
 */
int verbs_run(struct verbs_command *command, struct ht_error *e);

/*
 * The connection that waits for admin_link_later with this cookie is gone.
 */
void verbs_forget(struct keyd *k, void *cookie);

#endif
