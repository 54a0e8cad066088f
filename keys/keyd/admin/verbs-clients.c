#include "config.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "keys/keyd/admin/verbs-private.h"
#include "keys/keyd/request/request.h"
#include "store/authority/clients.h"

static int
add(struct verbs_command *c, struct ht_error *e)
{
	struct store_actor actor = identity_actor(c->who);
	const char *profile = verbs_option(c, "default");
	const char *ttl = verbs_option(c, "ttl");
	uint64_t max_ttl = CLIENT_MAX_TTL_DEFAULT;
	int rc = 0;

	if (ttl != NULL)
		rc = verbs_duration(ttl, &max_ttl, e);
	if (rc == 0 && profile != NULL)
		rc = verbs_check_profile(c, profile, e);
	if (rc == 0)
		rc = client_add(c->keyd->store, &actor, c->words[2], profile,
		    max_ttl, e);
	return rc;
}

static int
change(struct verbs_command *c, struct ht_error *e)
{
	struct store_actor actor = identity_actor(c->who);
	const char *profile = verbs_option(c, "default");
	const char *ttl = verbs_option(c, "ttl");
	char kept[NAMES_SIZE] = "";
	struct client client;
	uint64_t max_ttl;
	int rc;

	rc = client_find(c->keyd->store, c->words[2], &client, e);
	if (rc < 0)
		return rc;
	max_ttl = client.max_ttl;
	if (profile == NULL && client.default_profile != NULL)
		profile =
		    strncpy(kept, client.default_profile, sizeof(kept) - 1);
	if (ttl != NULL)
		rc = verbs_duration(ttl, &max_ttl, e);
	if (rc == 0 && verbs_option(c, "default") != NULL)
		rc = verbs_check_profile(c, profile, e);
	if (rc == 0)
		rc = client_change(c->keyd->store, &actor, c->words[2], profile,
		    max_ttl, e);
	return rc;
}

static int
disable(struct verbs_command *c, struct ht_error *e)
{
	struct store_actor actor = identity_actor(c->who);
	struct protocol_revoked what = { 0 };
	bool disabled = strcmp(c->words[1], "disable") == 0;
	int rc;

	rc = client_set_disabled(c->keyd->store, &actor, c->words[2], disabled,
	    e);
	(void)snprintf(what.name, sizeof(what.name), "%s", c->words[2]);
	if (rc == 0 && disabled)
		keyd_revoked(c->keyd, &what);
	return rc;
}

/* Its certificates are revoked, so nothing stays open under its name. */
static int
remove_client(struct verbs_command *c, struct ht_error *e)
{
	struct store_actor actor = identity_actor(c->who);
	struct protocol_revoked what = { 0 };
	bool rename = strcmp(c->words[1], "rename") == 0;
	uint64_t count;
	int rc;

	rc = rename
	    ? client_rename(c->keyd->store, &actor, c->words[2], c->words[3], e)
	    : client_remove(c->keyd->store, &actor, c->words[2], e);
	if (rc == 0)
		rc = user_certificate_revoke_name(c->keyd->store, &actor,
		    c->words[2], &count, e);
	if (rc < 0)
		return rc;
	(void)snprintf(what.name, sizeof(what.name), "%s", c->words[2]);
	keyd_revoked(c->keyd, &what);
	(void)snprintf(c->text, sizeof(c->text),
	    "%llu certificate%s of %s revoked%s", (unsigned long long)count,
	    count == 1 ? "" : "s", c->words[2],
	    rename ? ": issue new ones under the new name" : "");
	return 0;
}

static int
put_client(void *cookie, const struct client *client)
{
	struct verbs_command *c = cookie;

	if (verbs_option(c, "json") != NULL)
		put_json(&c->out, client->json);
	else
		buf_format(&c->out, "%-20s %s%s\n", client->name,
		    client->grants[0] != '\0' ? client->grants : "-",
		    client->disabled ? " (disabled)" : "");
	return 0;
}

static int
list_clients(struct verbs_command *c, struct ht_error *e)
{
	return client_each(c->keyd->store, put_client, c, e);
}

/* A client is what it was, but for its default profile, which may be NULL. */
static int
set_default(struct verbs_command *c, const char *name, const char *profile,
    struct ht_error *e)
{
	struct store_actor actor = identity_actor(c->who);
	struct client client;
	int rc = client_find(c->keyd->store, name, &client, e);

	if (rc == 0)
		rc = client_change(c->keyd->store, &actor, name, profile,
		    client.max_ttl, e);
	return rc;
}

static int
grant(struct verbs_command *c, struct ht_error *e)
{
	struct store_actor actor = identity_actor(c->who);
	int rc;

	rc = verbs_check_profile(c, c->words[2], e);
	if (rc == 0)
		rc = client_grant(c->keyd->store, &actor, c->words[1],
		    c->words[2], e);
	if (rc == 0 && verbs_option(c, "default") != NULL)
		rc = set_default(c, c->words[1], c->words[2], e);
	return rc;
}

/* A profile that is not granted is no default, either. */
static int
ungrant(struct verbs_command *c, struct ht_error *e)
{
	struct store_actor actor = identity_actor(c->who);
	struct client client;
	int rc = client_revoke_grant(c->keyd->store, &actor, c->words[1],
	    c->words[2], e);

	if (rc == 0)
		rc = client_find(c->keyd->store, c->words[1], &client, e);
	if (rc == 0 && client.default_profile != NULL &&
	    strcmp(client.default_profile, c->words[2]) == 0)
		rc = set_default(c, c->words[1], NULL, e);
	if (rc == 0)
		request_revoke_refused(c->keyd);
	return rc;
}

/* Its certificates follow that are neither revoked nor out. */
static int
put_valid(void *cookie, const struct user_certificate *certificate)
{
	if (certificate->revoked != 0 ||
	    certificate->valid_before <= (int64_t)time(NULL))
		return 0;
	return verbs_put_certificate(cookie, certificate);
}

static int
show_client(struct verbs_command *c, struct ht_error *e)
{
	struct client client;
	int rc = client_find(c->keyd->store, c->words[2], &client, e);

	if (rc < 0)
		return rc;
	if (verbs_option(c, "json") != NULL) {
		put_json(&c->out, client.json);
	} else {
		buf_format(&c->out,
		    "client           %s%s\nprofiles         %s\n"
		    "default profile  %s\ncertificates     of %llu s at most\n",
		    client.name, client.disabled ? " (disabled)" : "",
		    client.grants[0] != '\0' ? client.grants : "-",
		    client.default_profile != NULL ? client.default_profile
		                                   : "-",
		    (unsigned long long)client.max_ttl);
	}
	return user_certificate_each(c->keyd->store, c->words[2], put_valid, c,
	    e);
}

const struct verb verbs_of_clients[] = {
	{ "client add", "NAME [--default=PROFILE] [--ttl=TIME]", 3, 3,
	    VERBS_ADMINS, add,
	    "add a client; its certificates live for TIME at most" },
	{ "client change", "NAME [--default=PROFILE] [--ttl=TIME]", 3, 3,
	    VERBS_ADMINS, change,
	    "change the default profile or the longest TIME" },
	{ "client disable", "NAME", 3, 3, VERBS_ADMINS, disable,
	    "refuse everything to a client" },
	{ "client enable", "NAME", 3, 3, VERBS_ADMINS, disable,
	    "let a disabled client act again" },
	{ "client rename", "NAME NEW-NAME", 4, 4, VERBS_ADMINS, remove_client,
	    "rename a client, and revoke its certificates" },
	{ "client remove", "NAME", 3, 3, VERBS_ADMINS, remove_client,
	    "remove a client and its grants, and revoke its certificates" },
	{ "client show", "NAME [--json]", 3, 3, VERBS_READERS, show_client,
	    "a client, its grants and its certificates" },
	{ "client list", "[--json]", 2, 2, VERBS_READERS, list_clients,
	    "clients and their profiles" },
	{ "grant", "CLIENT PROFILE [--default]", 3, 3, VERBS_ADMINS, grant,
	    "let a client sign under a profile, which is its default" },
	{ "ungrant", "CLIENT PROFILE", 3, 3, VERBS_ADMINS, ungrant,
	    "take a grant back" },
	{ .words = NULL },
};
