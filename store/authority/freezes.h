/*
 * What an administrator has frozen: nothing is signed that it has a part in,
 * until it is thawed.  Nothing else changes: a frozen client keeps its grants,
 * and may still ask what it is granted.
 */

#ifndef STORE_AUTHORITY_FREEZES_H
#define STORE_AUTHORITY_FREEZES_H

#include "store/store.h"

enum freeze_kind {
	FREEZE_ALL,
	FREEZE_CLIENT,
	FREEZE_PROFILE,
	FREEZE_CERTIFICATE
};

struct freeze {
	const char *kind; /* freeze_text's */
	const char *name; /* "" for all */
	const char *text; /* why, or "" */
	const char *by;   /* the administrator */
	const char *at;   /* for people */
	const char *json; /* all fields as one JSON object on one line */
};

/*
 * "all", "client", "profile", "certificate".
 */
const char *freeze_text(enum freeze_kind kind);

/*
 * "frozen" and "thawed".  name is NULL or "" for FREEZE_ALL.  text says why, and may be NULL.
 * The caller checks that there is such a thing.  HT_ERR_USAGE if it is frozen
 * already, or is not frozen.  Errors of the engine: store.h.
 */
int freeze_add(struct store *s, const struct store_actor *actor,
    enum freeze_kind kind, const char *name, const char *text,
    struct ht_error *e);
int freeze_remove(struct store *s, const struct store_actor *actor,
    enum freeze_kind kind, const char *name, struct ht_error *e);

/*
 * Whether it is frozen by itself: 1, 0, or a negative HT_ERR_*.  If it is, the
 * pointers in *freeze are valid until the next call on the store.
 */
int freeze_find(struct store *s, enum freeze_kind kind, const char *name,
    struct freeze *freeze, struct ht_error *e);

/*
 * Call fn for all that is frozen, sorted.  fn returns 0 to go on.  A negative
 * HT_ERR_* ends the query, which returns it.  *freeze and its pointers are valid
 * during the call.  fn must not write to the store.
 */
typedef int freeze_fn(void *cookie, const struct freeze *freeze);
int freeze_each(struct store *s, freeze_fn *fn, void *cookie,
    struct ht_error *e);

#endif
