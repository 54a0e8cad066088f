#include "config.h"

#include <stdio.h>
#include <string.h>

#include "protocol/names.h"
#include "store/authority/clients.h"
#include "store/journal/journal-note.h"

static int
check_name(const char *what, const char *name, struct ht_error *e)
{
	if (!names_valid(name))
		return ht_error_set(e, HT_ERR_USAGE,
		    "\"%s\" is no name for a %s: use 1 to 63 of a-z 0-9 . _ -",
		    name != NULL ? name : "", what);
	return 0;
}

/* Fill in a client from the current row of a CLIENT_ROW. */
static void
fill_client(struct client *client, sqlite3_stmt *st)
{
	client->name = store_column(st, 0);
	client->default_profile = (const char *)sqlite3_column_text(st, 1);
	client->max_ttl = (uint64_t)sqlite3_column_int64(st, 2);
	client->disabled = sqlite3_column_int(st, 3) != 0;
	client->created = sqlite3_column_int64(st, 4);
	client->grants = store_column(st, 5);
	client->json = store_column(st, 6);
}

/* Whether a statement with one or two texts returns a row: 1 or 0. */
static int
has_row(struct store *s, enum store_sql sql, const char *one, const char *two,
    struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, sql);
	int ret;

	store_bind_text(s, st, 1, one);
	if (two != NULL)
		store_bind_text(s, st, 2, two);
	ret = store_step(s, st, e);
	(void)sqlite3_reset(st);
	return ret;
}

/* HT_ERR_USAGE if the client must exist and does not, or the reverse. */
static int
check_client(struct store *s, const char *name, bool exists, struct ht_error *e)
{
	int ret;

	if ((ret = check_name("client", name, e)) < 0)
		return ret;
	ret = has_row(s, SQL_CLIENT_FIND, name, NULL, e);
	if (ret == 0 && exists)
		return ht_error_set(e, HT_ERR_USAGE, "there is no client %s",
		    name);
	if (ret > 0 && !exists)
		return ht_error_set(e, HT_ERR_USAGE, "client %s exists already",
		    name);
	return ret < 0 ? ret : 0;
}

static int
check_settings(const char *default_profile, uint64_t max_ttl,
    struct ht_error *e)
{
	if (max_ttl < 1 || max_ttl > CLIENT_MAX_TTL_LIMIT)
		return ht_error_set(e, HT_ERR_USAGE,
		    "certificates live for 1 second to 3653 days at most");
	return default_profile == NULL
	    ? 0
	    : check_name("profile", default_profile, e);
}

/* What a client is before it changes, for the event; long lists are cut. */
#define BEFORE 512

static int
describe(struct store *s, const char *name, char text[BEFORE],
    struct ht_error *e)
{
	struct client client;
	int ret;

	if ((ret = client_find(s, name, &client, e)) < 0)
		return ret;
	(void)snprintf(text, BEFORE,
	    "before: default profile %s, certificates for %llu s, %sgrants: %s",
	    client.default_profile != NULL ? client.default_profile : "-",
	    (unsigned long long)client.max_ttl,
	    client.disabled ? "disabled, " : "",
	    client.grants[0] != '\0' ? client.grants : "-");
	return 0;
}

static int
write_client(struct store *s, const struct store_actor *actor, const char *name,
    const char *default_profile, uint64_t max_ttl, bool add, struct ht_error *e)
{
	char before[BEFORE];
	const struct journal_note note = {
		.kind = add ? "client-added" : "client-changed",
		.actor = actor,
		.client = name,
		.profile = default_profile,
		.seconds = max_ttl,
		.text = add ? NULL : before,
		.offset = HT_NO_OFFSET,
	};
	sqlite3_stmt *st;
	int ret;

	if ((ret = check_settings(default_profile, max_ttl, e)) < 0 ||
	    (ret = add ? check_client(s, name, false, e)
	               : describe(s, name, before, e)) < 0 ||
	    (ret = journal_note(s, &note, NULL, e)) < 0)
		return ret;
	st = store_statement(s, add ? SQL_CLIENT_ADD : SQL_CLIENT_CHANGE);
	store_bind_text(s, st, 1, name);
	store_bind_text(s, st, 2, default_profile);
	store_bind_number(s, st, 3, max_ttl);
	if (add)
		store_bind_time(s, st, 4, journal_now());
	return store_write(s, st, e);
}

int
client_add(struct store *s, const struct store_actor *actor, const char *name,
    const char *default_profile, uint64_t max_ttl, struct ht_error *e)
{
	return write_client(s, actor, name, default_profile, max_ttl, true, e);
}

int
client_change(struct store *s, const struct store_actor *actor,
    const char *name, const char *default_profile, uint64_t max_ttl,
    struct ht_error *e)
{
	return write_client(s, actor, name, default_profile, max_ttl, false, e);
}

int
client_set_disabled(struct store *s, const struct store_actor *actor,
    const char *name, bool disabled, struct ht_error *e)
{
	const struct journal_note note = {
		.kind = disabled ? "client-disabled" : "client-enabled",
		.actor = actor,
		.client = name,
		.offset = HT_NO_OFFSET,
	};
	sqlite3_stmt *st;
	int ret;

	if ((ret = check_client(s, name, true, e)) < 0 ||
	    (ret = journal_note(s, &note, NULL, e)) < 0)
		return ret;
	st = store_statement(s, SQL_CLIENT_DISABLE);
	store_bind_text(s, st, 1, name);
	store_bind_number(s, st, 2, disabled);
	return store_write(s, st, e);
}

/* Run a statement about a client, or about it and its new name. */
static int
write_name(struct store *s, enum store_sql sql, const char *name,
    const char *to, struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, sql);

	store_bind_text(s, st, 1, name);
	if (to != NULL)
		store_bind_text(s, st, 2, to);
	return store_write(s, st, e);
}

int
client_remove(struct store *s, const struct store_actor *actor,
    const char *name, struct ht_error *e)
{
	struct journal_note note = {
		.kind = "client-removed",
		.actor = actor,
		.client = name,
		.offset = HT_NO_OFFSET,
	};
	char before[BEFORE];
	int ret;

	note.text = before;
	if ((ret = describe(s, name, before, e)) < 0 ||
	    (ret = journal_note(s, &note, NULL, e)) < 0 ||
	    (ret = write_name(s, SQL_GRANTS_REMOVE, name, NULL, e)) < 0)
		return ret;
	return write_name(s, SQL_CLIENT_REMOVE, name, NULL, e);
}

int
client_rename(struct store *s, const struct store_actor *actor,
    const char *name, const char *to, struct ht_error *e)
{
	const struct journal_note note = {
		.kind = "client-renamed",
		.actor = actor,
		.client = name,
		.name = to,
		.offset = HT_NO_OFFSET,
	};
	int ret;

	if ((ret = check_client(s, name, true, e)) < 0 ||
	    (ret = check_client(s, to, false, e)) < 0 ||
	    (ret = journal_note(s, &note, NULL, e)) < 0 ||
	    (ret = write_name(s, SQL_CLIENT_COPY, name, to, e)) < 0 ||
	    (ret = write_name(s, SQL_GRANTS_MOVE, name, to, e)) < 0)
		return ret;
	return write_name(s, SQL_CLIENT_REMOVE, name, NULL, e);
}

static int
write_grant(struct store *s, const struct store_actor *actor, const char *name,
    const char *profile, bool add, struct ht_error *e)
{
	const struct journal_note note = {
		.kind = add ? "granted" : "grant-revoked",
		.actor = actor,
		.client = name,
		.profile = profile,
		.offset = HT_NO_OFFSET,
	};
	sqlite3_stmt *st;
	int ret;

	if ((ret = check_client(s, name, true, e)) < 0 ||
	    (ret = check_name("profile", profile, e)) < 0 ||
	    (ret = has_row(s, SQL_GRANT_FIND, name, profile, e)) < 0)
		return ret;
	if ((ret > 0) == add)
		return ht_error_set(e, HT_ERR_USAGE,
		    "client %s %s the profile %s", name,
		    add ? "already has" : "does not have", profile);
	if ((ret = journal_note(s, &note, NULL, e)) < 0)
		return ret;
	st = store_statement(s, add ? SQL_GRANT_ADD : SQL_GRANT_REMOVE);
	store_bind_text(s, st, 1, name);
	store_bind_text(s, st, 2, profile);
	return store_write(s, st, e);
}

int
client_grant(struct store *s, const struct store_actor *actor, const char *name,
    const char *profile, struct ht_error *e)
{
	return write_grant(s, actor, name, profile, true, e);
}

int
client_revoke_grant(struct store *s, const struct store_actor *actor,
    const char *name, const char *profile, struct ht_error *e)
{
	return write_grant(s, actor, name, profile, false, e);
}

int
client_each(struct store *s, client_fn *fn, void *cookie, struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_CLIENT_EACH);
	struct client client;
	int ret;

	while ((ret = store_step(s, st, e)) > 0) {
		fill_client(&client, st);
		if ((ret = fn(cookie, &client)) < 0) {
			(void)ht_error_set(e, ret, "the reader ended");
			break;
		}
	}
	(void)sqlite3_reset(st);
	return ret;
}

int
client_find(struct store *s, const char *name, struct client *client,
    struct ht_error *e)
{
	sqlite3_stmt *st;
	int ret;

	memset(client, 0, sizeof(*client));
	if ((ret = check_client(s, name, true, e)) < 0)
		return ret;
	st = store_statement(s, SQL_CLIENT_FIND);
	store_bind_text(s, st, 1, name);
	if ((ret = store_step(s, st, e)) <= 0)
		return ret;
	fill_client(client, st);
	s->held = st;
	return 0;
}

bool
client_has_grant(const struct client *client, const char *profile)
{
	const char *grants = client->grants, *at;
	size_t n = strlen(profile);

	for (at = grants; (at = strstr(at, profile)) != NULL; at += n)
		if ((at == grants || at[-1] == ' ') &&
		    (at[n] == ' ' || at[n] == '\0'))
			return true;
	return false;
}

int
client_granted(struct store *s, const char *name, const char *profile,
    struct ht_error *e)
{
	return has_row(s, SQL_GRANTED, name, profile, e);
}
