#include "config.h"

#include <string.h>

#include "keys/keyd/admin/verbs-private.h"
#include "keys/keyd/request/request.h"
#include "store/authority/clients.h"
#include "store/authority/freezes.h"

static int
check_client(const struct verbs_command *c, const char *name,
    struct ht_error *e)
{
	struct client client;

	return client_find(c->keyd->store, name, &client, e);
}

/*
 * What the words name.  *name is NULL for all.  Whatever is frozen can be thawed,
 * even if it is not there any more.
 */
static int
read_what(const struct verbs_command *c, enum freeze_kind *kind,
    const char **name, struct ht_error *e)
{
	const char *word = c->words[1];
	size_t i;

	*name = c->nwords > 2 ? c->words[2] : NULL;
	for (i = FREEZE_ALL; i <= FREEZE_CERTIFICATE; i++)
		if (strcmp(word, freeze_text((enum freeze_kind)i)) == 0) {
			*kind = (enum freeze_kind)i;
			if ((*name == NULL) == (i == FREEZE_ALL))
				return 0;
		}
	return ht_error_set(e, HT_ERR_USAGE,
	    "say: %s client NAME, profile NAME, certificate NAME, or all",
	    c->words[0]);
}

static int
freeze(struct verbs_command *c, struct ht_error *e)
{
	struct store_actor actor = identity_actor(c->who);
	enum freeze_kind kind;
	const char *name;
	int rc = read_what(c, &kind, &name, e);

	if (rc == 0 && kind == FREEZE_CLIENT)
		rc = check_client(c, name, e);
	if (rc == 0 && kind == FREEZE_PROFILE)
		rc = verbs_check_profile(c, name, e);
	if (rc == 0 && kind == FREEZE_CERTIFICATE &&
	    conf_certificate(c->keyd->setup->conf, name) == NULL)
		rc = ht_error_set(e, HT_ERR_USAGE,
		    "there is no certificate %s in the configuration", name);
	if (rc == 0)
		rc = freeze_add(c->keyd->store, &actor, kind, name,
		    verbs_option(c, "why"), e);
	if (rc == 0)
		request_revoke_refused(c->keyd);
	return rc;
}

static int
thaw(struct verbs_command *c, struct ht_error *e)
{
	struct store_actor actor = identity_actor(c->who);
	enum freeze_kind kind;
	const char *name;
	int rc = read_what(c, &kind, &name, e);

	if (rc == 0)
		rc = freeze_remove(c->keyd->store, &actor, kind, name, e);
	return rc;
}

static int
put_freeze(void *cookie, const struct freeze *freeze)
{
	struct verbs_command *c = cookie;

	if (verbs_option(c, "json") != NULL) {
		put_json(&c->out, freeze->json);
		return 0;
	}
	buf_format(&c->out, "%-11s %-20s %s by %s%s", freeze->kind,
	    freeze->name, freeze->at, freeze->by,
	    freeze->text[0] != '\0' ? ": " : "");
	put_escaped(&c->out, freeze->text);
	buf_u8(&c->out, '\n');
	return 0;
}

static int
list(struct verbs_command *c, struct ht_error *e)
{
	return freeze_each(c->keyd->store, put_freeze, c, e);
}

const struct verb verbs_of_freezes[] = {
	{ "freeze",
	    "client NAME | profile NAME | certificate NAME | all [--why=TEXT]",
	    2, 3, VERBS_ADMINS, freeze,
	    "sign nothing that this has a part in, until it is thawed" },
	{ "thaw", "client NAME | profile NAME | certificate NAME | all", 2, 3,
	    VERBS_ADMINS, thaw, "let it sign again" },
	{ "frozen", "[--json]", 1, 1, VERBS_READERS, list,
	    "what is frozen, since when, and why" },
	{ .words = NULL },
};
