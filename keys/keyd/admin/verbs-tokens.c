#include "config.h"

#include <string.h>

#include "keys/keyd/admin/verbs-private.h"

static int
find_token(const struct verbs_command *c, struct token **token,
    struct ht_error *e)
{
	*token = tokens_find(c->keyd->tokens, c->words[1]);
	if (*token == NULL)
		return ht_error_set(e, HT_ERR_USAGE, "there is no token %s",
		    c->words[1]);
	return 0;
}

static int
lock(struct verbs_command *c, struct ht_error *e)
{
	struct store_actor actor = identity_actor(c->who);
	struct token *token;
	int rc = find_token(c, &token, e);

	return rc < 0 ? rc : token_lock(token, &actor, e);
}

static int
unlock(struct verbs_command *c, struct ht_error *e)
{
	struct store_actor actor = identity_actor(c->who);
	struct token *token;
	int rc = find_token(c, &token, e);

	if (rc < 0)
		return rc;
	if (strcmp(c->who->door, PROTOCOL_DOOR_SSHD_SIGN) == 0)
		return ht_error_set(e, HT_ERR_DENIED,
		    "sshd-sign takes no PIN: use OpenSSH, or the server");
	rc = token_unlock(token, &actor, c->input.p, c->input.left, c->later,
	    c->cookie, e);
	return rc == 0 ? VERBS_LATER : rc;
}

static int
list_tokens(struct verbs_command *c, struct ht_error *e)
{
	const struct token *t;
	size_t i;

	(void)e;
	for (i = 0; i < tokens_count(c->keyd->tokens); i++) {
		t = tokens_at(c->keyd->tokens, i);
		buf_format(&c->out, "%-20s %-10s ", token_name(t),
		    token_state(t));
		put_escaped(&c->out, token_serial(t));
		buf_format(&c->out, " %zu waiting, %ju signed%s", token_jobs(t),
		    (uintmax_t)token_signatures(t),
		    token_reason(t)[0] ? ": " : "");
		put_escaped(&c->out, token_reason(t));
		buf_u8(&c->out, '\n');
	}
	return 0;
}

const struct verb verbs_of_tokens[] = {
	{ "tokens", "", 1, 1, VERBS_READERS, list_tokens,
	    "tokens and their states" },
	{ "unlock", "TOKEN < PIN", 2, 2, VERBS_ADMINS, unlock,
	    "log in to a token" },
	{ "lock", "TOKEN", 2, 2, VERBS_ADMINS, lock,
	    "log out of a token, which signs nothing until it is unlocked" },
	{ .words = NULL },
};

void
verbs_forget(struct keyd *k, void *cookie)
{
	size_t i;

	for (i = 0; i < tokens_count(k->tokens); i++)
		token_unlock_forget(tokens_at(k->tokens, i), cookie);
}
