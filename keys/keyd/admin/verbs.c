#include "config.h"

#include <string.h>

#include "keys/keyd/admin/verbs-private.h"

static int help(struct verbs_command *c, struct ht_error *e);

static const struct verb general[] = {
	{ "help", "[VERB ...] [--verbs]", 1, 3, VERBS_READERS, help,
	    "this list, or what begins with VERB; --verbs: for programs" },
	{ .words = NULL },
};

static const struct verb *const tables[] = { general, verbs_of_status,
	verbs_of_clients, verbs_of_certificates, verbs_of_freezes,
	verbs_of_setup, verbs_of_tokens, verbs_of_journal };
#define TABLES (sizeof(tables) / sizeof(tables[0]))

/* Whether the verb begins with the words that help was given. */
static bool
is_asked_for(const struct verb *v, const struct verbs_command *c)
{
	const char *at = v->words;
	size_t i, n;

	for (i = 1; i < c->nwords; i++) {
		n = strlen(c->words[i]);
		if (strncmp(at, c->words[i], n) != 0 ||
		    (at[n] != ' ' && at[n] != '\0'))
			return false;
		at += at[n] == ' ' ? n + 1 : n;
	}
	return true;
}

/* For people, or a line of fields with tabs for a program. */
static void
put_verb(struct verbs_command *c, const struct verb *v)
{
	if (verbs_option(c, "verbs") == NULL)
		buf_format(&c->out, "%s%s%s\n    %s\n", v->words,
		    v->args[0] != '\0' ? " " : "", v->args, v->text);
	else if ((v->roles & 1u << c->who->role) != 0)
		buf_format(&c->out, "%s\t%s\t%s\n", v->words, v->args,
		    v->roles == VERBS_READERS ? "reads" : "acts");
}

/* What waits for an administrator comes first: this is the greeting, too. */
static int
help(struct verbs_command *c, struct ht_error *e)
{
	const struct verb *v;
	size_t i, before;

	if (c->nwords == 1 && verbs_put_troubles(c) > 0)
		buf_u8(&c->out, '\n');
	before = c->out.len;
	for (i = 0; i < TABLES; i++)
		for (v = tables[i]; v->words != NULL; v++)
			if (is_asked_for(v, c))
				put_verb(c, v);
	if (c->nwords > 1 && c->out.len == before)
		return ht_error_set(e, HT_ERR_USAGE,
		    "%s: no such command; `help` lists them", c->words[1]);
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
