#include "config.h"

#include <string.h>

#include "keys/keyd/admin/verbs-private.h"
#include "store/journal/journal.h"

#define READERS (1u << NAMES_ADMIN | 1u << NAMES_APPROVER | 1u << NAMES_AUDITOR)
#define ADMINS (1u << NAMES_ADMIN)

static int verbs_help(struct verbs_command *c, struct ht_error *e);

struct verb {
	const char *words;   /* "client add" */
	const char *args;    /* for people */
	const char *options; /* names, each followed by a space */
	size_t min, max;     /* words, the verb's included */
	unsigned int roles;
	int (*run)(struct verbs_command *c, struct ht_error *e);
	const char *text;
};

static const struct verb verbs[] = {
	{ "help", "", "", 1, 1, READERS, verbs_help, "this list" },
	{ "client add", "NAME [--default=PROFILE] [--ttl=TIME]", "default ttl ",
	    3, 3, ADMINS, verbs_client_add,
	    "add a client; its certificates live for TIME at most" },
	{ "client change", "NAME [--default=PROFILE] [--ttl=TIME]",
	    "default ttl ", 3, 3, ADMINS, verbs_client_change,
	    "change these of a client" },
	{ "client disable", "NAME", "", 3, 3, ADMINS, verbs_client_disable,
	    "let a client do nothing" },
	{ "client enable", "NAME", "", 3, 3, ADMINS, verbs_client_disable,
	    "end that" },
	{ "client list", "[--json]", "json ", 2, 2, READERS, verbs_client_list,
	    "clients and what they are granted" },
	{ "grant", "CLIENT PROFILE", "", 3, 3, ADMINS, verbs_grant,
	    "let a client sign under a profile" },
	{ "ungrant", "CLIENT PROFILE", "", 3, 3, ADMINS, verbs_ungrant,
	    "end that" },
	{ "issue", "CLIENT [--ttl=TIME] [--source=ADDRESSES] < KEY.pub",
	    "ttl source ", 2, 2, ADMINS, verbs_issue,
	    "issue a user certificate, to standard output" },
	{ "certificates", "[CLIENT] [--json]", "json ", 1, 2, READERS,
	    verbs_certificates, "user certificates that were issued" },
	{ "revoke", "SERIAL | CLIENT", "", 2, 2, ADMINS, verbs_revoke,
	    "revoke a user certificate, or all of a client's" },
	{ "tokens", "", "", 1, 1, READERS, verbs_tokens,
	    "tokens and how they are" },
	{ "unlock", "TOKEN < PIN", "", 2, 2, ADMINS, verbs_unlock,
	    "log in to a token" },
	{ "log",
	    "[--json] [--client=NAME] [--profile=NAME] [--status=WORD] "
	    "[--limit=N]",
	    "json client profile status limit ", 1, 1, READERS, verbs_log,
	    "requests, the newest last" },
	{ "show", "REQUEST [--json]", "json ", 2, 2, READERS, verbs_show,
	    "one request and its events" },
	{ "events", "[--json] [--limit=N]", "json limit ", 1, 1, READERS,
	    verbs_events, "events of all kinds, the newest last" },
};

#define NVERBS (sizeof(verbs) / sizeof(*verbs))

static int
verbs_help(struct verbs_command *c, struct ht_error *e)
{
	size_t i;

	(void)e;
	for (i = 0; i < NVERBS; i++)
		buf_format(&c->out, "%s%s%s\n    %s\n", verbs[i].words,
		    verbs[i].args[0] != '\0' ? " " : "", verbs[i].args,
		    verbs[i].text);
	return 0;
}

/* Whether the command starts with the verb's one or two words. */
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

static int
check_options(const struct verb *v, const struct verbs_command *c,
    struct ht_error *e)
{
	const char *at;
	size_t i, n;

	for (i = 0; i < c->noptions; i++) {
		n = strcspn(c->options[i], "=");
		for (at = v->options; *at != '\0'; at = strchr(at, ' ') + 1)
			if (strcspn(at, " ") == n &&
			    strncmp(at, c->options[i], n) == 0)
				break;
		if (*at == '\0' || n == 0)
			return ht_error_set(e, HT_ERR_USAGE,
			    "%s has no option --%s", v->words, c->options[i]);
	}
	return 0;
}

int
verbs_run(struct verbs_command *c, struct ht_error *e)
{
	const struct verb *v;
	int rc;

	for (v = verbs; v < verbs + NVERBS; v++)
		if (named(v, c))
			break;
	if (v == verbs + NVERBS)
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
		    "that is more than can be shown: ask for less, as with "
		    "--limit");
	return rc;
}
