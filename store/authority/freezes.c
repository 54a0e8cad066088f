#include "config.h"

#include <string.h>

#include "store/authority/freezes.h"
#include "store/journal/journal-note.h"

const char *
freeze_text(enum freeze_kind kind)
{
	static const char *const words[] = {
		[FREEZE_ALL] = "all",
		[FREEZE_CLIENT] = "client",
		[FREEZE_PROFILE] = "profile",
		[FREEZE_CERTIFICATE] = "certificate",
	};

	return words[kind];
}

static void
fill(struct freeze *freeze, sqlite3_stmt *st)
{
	freeze->kind = store_column(st, 0);
	freeze->name = store_column(st, 1);
	freeze->text = store_column(st, 2);
	freeze->by = store_column(st, 3);
	freeze->at = store_column(st, 4);
	freeze->json = store_column(st, 5);
}

int
freeze_find(struct store *s, enum freeze_kind kind, const char *name,
    struct freeze *freeze, struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_FREEZE_FIND);
	int ret;

	store_bind_text(s, st, 1, freeze_text(kind));
	store_bind_text(s, st, 2, name);
	ret = store_step(s, st, e);
	if (ret <= 0)
		return ret;
	fill(freeze, st);
	s->held = st;
	return 1;
}

int
freeze_each(struct store *s, freeze_fn *fn, void *cookie, struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_FREEZE_EACH);
	struct freeze freeze;
	int ret;

	while ((ret = store_step(s, st, e)) > 0) {
		fill(&freeze, st);
		if ((ret = fn(cookie, &freeze)) < 0) {
			(void)ht_error_set(e, ret, "the reader ended");
			break;
		}
	}
	(void)sqlite3_reset(st);
	return ret;
}

/* Record the change, with the name where events have it. */
static int
note(struct store *s, const char *what, const struct store_actor *actor,
    enum freeze_kind kind, const char *name, const char *text,
    struct ht_error *e)
{
	const struct journal_note note = {
		.kind = what,
		.actor = actor,
		.reason = freeze_text(kind),
		.client = kind == FREEZE_CLIENT ? name : NULL,
		.profile = kind == FREEZE_PROFILE ? name : NULL,
		.certificate = kind == FREEZE_CERTIFICATE ? name : NULL,
		.text = text,
		.offset = HT_NO_OFFSET,
	};

	return journal_note(s, &note, NULL, e);
}

static int
say_state(enum freeze_kind kind, const char *name, const char *state,
    struct ht_error *e)
{
	return ht_error_set(e, HT_ERR_USAGE, "%s%s%s is %s", freeze_text(kind),
	    name[0] != '\0' ? " " : "", name, state);
}

int
freeze_add(struct store *s, const struct store_actor *actor,
    enum freeze_kind kind, const char *name, const char *text,
    struct ht_error *e)
{
	struct freeze old;
	sqlite3_stmt *st;
	int ret;

	name = name != NULL ? name : "";
	if ((ret = freeze_find(s, kind, name, &old, e)) < 0)
		return ret;
	if (ret > 0)
		return say_state(kind, name, "frozen already", e);
	if ((ret = note(s, "frozen", actor, kind, name, text, e)) < 0)
		return ret;
	st = store_statement(s, SQL_FREEZE_ADD);
	store_bind_text(s, st, 1, freeze_text(kind));
	store_bind_text(s, st, 2, name);
	store_bind_text(s, st, 3, text);
	store_bind_text(s, st, 4, actor->name);
	store_bind_time(s, st, 5, journal_now());
	return store_write(s, st, e);
}

int
freeze_remove(struct store *s, const struct store_actor *actor,
    enum freeze_kind kind, const char *name, struct ht_error *e)
{
	struct freeze old;
	sqlite3_stmt *st;
	int ret;

	name = name != NULL ? name : "";
	if ((ret = freeze_find(s, kind, name, &old, e)) < 0)
		return ret;
	if (ret == 0)
		return say_state(kind, name, "not frozen", e);
	if ((ret = note(s, "thawed", actor, kind, name, NULL, e)) < 0)
		return ret;
	st = store_statement(s, SQL_FREEZE_REMOVE);
	store_bind_text(s, st, 1, freeze_text(kind));
	store_bind_text(s, st, 2, name);
	return store_write(s, st, e);
}
