#include "config.h"

#include <string.h>

#include "keys/keyd/admin/verbs-private.h"
#include "store/journal/journal.h"

static int help(struct verbs_command *c, struct ht_error *e);

static const struct verb general[] = {
	{ "help", "", 1, 1, VERBS_READERS, help, "this list" },
	{ .words = NULL },
};

static const struct verb *const tables[] = { general, verbs_of_clients,
	verbs_of_tokens, verbs_of_journal };
#define TABLES (sizeof(tables) / sizeof(tables[0]))

static void
put_trouble(struct verbs_command *c, const char *text)
{
	verbs_put_escaped(&c->out, text);
	buf_format(&c->out, "\n\n");
}

static void
put_token(struct verbs_command *c, const struct token *t)
{
	const char *what = strcmp(token_state(t), "locked") == 0 ? "is locked"
	    : token_unusable(t) ? "cannot be used"
	                        : NULL;

	if (what == NULL)
		return;
	buf_format(&c->out, "token %s %s: ", token_name(t), what);
	put_trouble(c, token_reason(t));
}

/* A token that is locked has been named. */
static void
put_certificate(struct verbs_command *c,
    const struct setup_certificate *certificate)
{
	int64_t now = journal_now() / 1000000, from, until;
	char expires[SETUP_EXPIRES];
	struct ht_error e;

	if (certificate->chain != NULL) {
		chain_validity(certificate->chain, &from, &until);
		if (setup_expires(until, now, SETUP_SOON, expires))
			buf_format(&c->out, "certificate %s %s\n\n",
			    certificate->conf->name, expires);
	}
	if (setup_usable(c->keyd->setup, certificate, now, &e) < 0) {
		put_trouble(c, e.text);
	} else if (strcmp(token_state(certificate->token), "locked") != 0 &&
	    token_check_now(certificate->token, certificate->key, &e) < 0) {
		buf_format(&c->out,
		    "certificate %s: ", certificate->conf->name);
		put_trouble(c, e.text);
	}
}

/* What waits for an administrator comes first: this is the greeting, too. */
static int
help(struct verbs_command *c, struct ht_error *e)
{
	const struct keyd *k = c->keyd;
	const struct verb *v;
	size_t i;

	(void)e;
	for (i = 0; i < tokens_count(k->tokens); i++)
		put_token(c, tokens_at(k->tokens, i));
	for (i = 0; i < k->setup->ncertificates; i++)
		put_certificate(c, &k->setup->certificates[i]);
	for (i = 0; i < TABLES; i++)
		for (v = tables[i]; v->words != NULL; v++)
			buf_format(&c->out, "%s%s%s\n    %s\n", v->words,
			    v->args[0] != '\0' ? " " : "", v->args, v->text);
	return 0;
}

/* True if the command starts with the verb's one or two words. */
static bool
named(const struct verb *v, const struct verbs_command *c)
{
	const char *space = strchr(v->words, ' ');
	size_t n =
	    space == NULL ? strlen(v->words) : (size_t)(space - v->words);

	if (c->nwords == 0 || strlen(c->words[0]) != n ||
	    strncmp(c->words[0], v->words, n) != 0)
		return false;
	return space == NULL ||
	    (c->nwords > 1 && strcmp(c->words[1], space + 1) == 0);
}

static const struct verb *
find(const struct verbs_command *c)
{
	const struct verb *v;
	size_t i;

	for (i = 0; i < TABLES; i++)
		for (v = tables[i]; v->words != NULL; v++)
			if (named(v, c))
				return v;
	return NULL;
}

/* What follows an option's name in the verb's arguments: '=', ']', or 0. */
static char
option_ends(const struct verb *v, const char *option, size_t n)
{
	const char *at = v->args;

	while ((at = strstr(at, "[--")) != NULL) {
		at += 3;
		if (strncmp(at, option, n) == 0 && strcspn(at, "=]") == n)
			return at[n];
	}
	return '\0';
}

static int
check_option(const struct verb *v, const struct verbs_command *c, size_t i,
    struct ht_error *e)
{
	const char *option = c->options[i];
	size_t n = strcspn(option, "="), j;
	char end = option_ends(v, option, n);

	if (end == '\0')
		return ht_error_set(e, HT_ERR_USAGE, "%s has no option --%s",
		    v->words, option);
	if (option[n] != (end == '=' ? '=' : '\0') ||
	    (end == '=' && option[n + 1] == '\0'))
		return ht_error_set(e, HT_ERR_USAGE, "usage: %s %s", v->words,
		    v->args);
	for (j = 0; j < i; j++) {
		if (strncmp(c->options[j], option, n) == 0 &&
		    strcspn(c->options[j], "=") == n)
			return ht_error_set(e, HT_ERR_USAGE,
			    "--%.*s is there twice", (int)n, option);
	}
	return 0;
}

static int
check_options(const struct verb *v, const struct verbs_command *c,
    struct ht_error *e)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < c->noptions; i++)
		rc = check_option(v, c, i, e);
	return rc;
}

int
verbs_run(struct verbs_command *c, struct ht_error *e)
{
	const struct verb *v = find(c);
	int rc;

	if (v == NULL)
		return ht_error_set(e, HT_ERR_USAGE,
		    "%s: no such command; `help` lists them",
		    c->nwords > 0 ? c->words[0] : "nothing");
	if ((v->roles & 1u << c->who->role) == 0)
		return ht_error_set(e, HT_ERR_DENIED,
		    "%s is not for the role %s", v->words,
		    names_role_text(c->who->role));
	if (c->nwords < v->min || c->nwords > v->max)
		return ht_error_set(e, HT_ERR_USAGE, "usage: %s %s", v->words,
		    v->args);
	rc = check_options(v, c, e);
	if (rc == 0)
		rc = v->run(c, e);
	if (rc != VERBS_LATER && buf_failed(&c->out) < 0)
		return ht_error_set(e, HT_ERR_USAGE,
		    "the answer is too long: ask for less, as with --limit");
	return rc;
}
