#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "keys/verbs.h"
#include "lib/log.h"
#include "lib/utf8.h"
#include "store/clients.h"
#include "store/journal.h"

/* How long a certificate lives that nobody said a --ttl for. */
#define TTL_DEFAULT 3600

/* A certificate counts from a little earlier, for clocks that differ. */
#define TTL_LEEWAY 60

/* Rows that log and events show when nobody said a --limit. */
#define LIMIT_DEFAULT 100

/* --- options and words ------------------------------------------------- */

/* The value of --name=VALUE, "" for --name, or NULL. */
static const char *
option(const struct admin_command *c, const char *name)
{
	size_t i, n = strlen(name);

	for (i = 0; i < c->noptions; i++) {
		if (strncmp(c->options[i], name, n) != 0)
			continue;
		if (c->options[i][n] == '=')
			return c->options[i] + n + 1;
		if (c->options[i][n] == '\0')
			return c->options[i] + n;
	}
	return NULL;
}

static int
number(const char *text, uint64_t *n)
{
	char *rest;

	if (text[0] < '0' || text[0] > '9')
		return HT_ERR_USAGE;
	errno = 0;
	*n = strtoull(text, &rest, 10);
	return errno != 0 || *rest != '\0' ? HT_ERR_USAGE : 0;
}

/* Seconds from "90", "90s", "15m", "8h", "30d". */
static int
duration(const char *text, uint64_t *seconds, struct ht_error *e)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	uint64_t factor = 1;
	char digits[16];
	size_t i, n = strlen(text);

	if (n == 0 || n >= sizeof(digits))
		goto bad;
	memcpy(digits, text, n + 1);
	for (i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (digits[n - 1] == units[i].unit) {
			factor = units[i].seconds;
			digits[n - 1] = '\0';
			break;
		}
	if (number(digits, seconds) == 0 && *seconds > 0 &&
	    *seconds <= CLIENT_MAX_TTL_LIMIT / factor) {
		*seconds *= factor;
		return 0;
	}
bad:
	return ht_error_set(e, HT_ERR_USAGE,
	    "%s is not a time: say 90s, 15m, 8h or 30d", text);
}

static int
limit(const struct admin_command *c, unsigned int *rows, struct ht_error *e)
{
	const char *text = option(c, "limit");
	uint64_t n = LIMIT_DEFAULT;

	if (text != NULL && (number(text, &n) < 0 || n > UINT32_MAX))
		return ht_error_set(e, HT_ERR_USAGE, "--limit=%s: not a number",
		    text);
	*rows = (unsigned int)n;
	return 0;
}

/* What others wrote, made harmless for a terminal. */
static void
put_escaped(struct buf *out, const char *text)
{
	char line[1024];

	buf_bytes(out, line,
	    log_escape(line, sizeof(line), text, strlen(text)));
}

/* The same, as a column. */
static void
put_column(struct buf *out, int width, const char *text)
{
	char line[256];

	(void)log_escape(line, sizeof(line), text, strlen(text));
	buf_format(out, "%-*s ", width, line);
}

/* JSON, on a line: what is not ASCII as RFC 8259 escapes it. */
static void
put_json(struct buf *out, const char *json)
{
	const uint8_t *p = (const uint8_t *)json;
	size_t i, length, n = strlen(json);
	uint32_t point;

	for (i = 0; i < n; i += length) {
		length = utf8_next(p + i, n - i, &point);
		if (length == 0) {
			length = 1;
			point = 0xfffd;
		}
		if (point >= 0x20 && point < 0x7f)
			buf_u8(out, (uint8_t)point);
		else if (point < 0x10000)
			buf_format(out, "\\u%04x", (unsigned int)point);
		else
			buf_format(out, "\\u%04x\\u%04x",
			    0xd7c0 + (unsigned int)(point >> 10),
			    0xdc00 + (unsigned int)(point & 0x3ff));
	}
	buf_u8(out, '\n');
}

static int
say_profile_unknown(const struct admin_command *c, const char *profile,
    struct ht_error *e)
{
	if (conf_profile(c->keyd->setup->conf, profile) != NULL)
		return 0;
	return ht_error_set(e, HT_ERR_USAGE,
	    "there is no profile %s in the configuration", profile);
}

/* --- clients and grants ------------------------------------------------ */

static int
client_add_verb(struct admin_command *c, struct ht_error *e)
{
	struct store_actor actor = identity_actor(c->who);
	const char *profile = option(c, "default");
	const char *ttl = option(c, "ttl");
	uint64_t max_ttl = CLIENT_MAX_TTL_DEFAULT;
	int rc = 0;

	if (ttl != NULL)
		rc = duration(ttl, &max_ttl, e);
	if (rc == 0 && profile != NULL)
		rc = say_profile_unknown(c, profile, e);
	if (rc == 0)
		rc = client_add(c->keyd->store, &actor, c->words[2], profile,
		    max_ttl, e);
	return rc;
}

static int
client_change_verb(struct admin_command *c, struct ht_error *e)
{
	struct store_actor actor = identity_actor(c->who);
	const char *profile = option(c, "default");
	const char *ttl = option(c, "ttl");
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
		rc = duration(ttl, &max_ttl, e);
	if (rc == 0 && option(c, "default") != NULL)
		rc = say_profile_unknown(c, profile, e);
	if (rc == 0)
		rc = client_change(c->keyd->store, &actor, c->words[2], profile,
		    max_ttl, e);
	return rc;
}

static int
client_disable_verb(struct admin_command *c, struct ht_error *e)
{
	struct store_actor actor = identity_actor(c->who);

	return client_set_disabled(c->keyd->store, &actor, c->words[2],
	    strcmp(c->words[1], "disable") == 0, e);
}

static int
put_client(void *cookie, const struct client *client)
{
	struct admin_command *c = cookie;

	if (option(c, "json") != NULL)
		put_json(&c->out, client->json);
	else
		buf_format(&c->out, "%-20s %s%s\n", client->name,
		    client->grants[0] != '\0' ? client->grants : "-",
		    client->disabled ? " (disabled)" : "");
	return 0;
}

static int
client_list_verb(struct admin_command *c, struct ht_error *e)
{
	return client_each(c->keyd->store, put_client, c, e);
}

static int
grant_verb(struct admin_command *c, struct ht_error *e)
{
	struct store_actor actor = identity_actor(c->who);
	int rc;

	rc = say_profile_unknown(c, c->words[2], e);
	if (rc == 0)
		rc = client_grant(c->keyd->store, &actor, c->words[1],
		    c->words[2], e);
	return rc;
}

static int
ungrant_verb(struct admin_command *c, struct ht_error *e)
{
	struct store_actor actor = identity_actor(c->who);

	return client_revoke_grant(c->keyd->store, &actor, c->words[1],
	    c->words[2], e);
}

/* --- user certificates ------------------------------------------------- */

/* Give out a serial and sign; the store has the row before the text leaves. */
static int
issue_for(struct admin_command *c, const struct sshkey *key, uint64_t ttl,
    struct ht_error *e)
{
	struct store_actor actor = identity_actor(c->who);
	char fingerprint[SSHKEY_FINGERPRINT_SIZE];
	struct sshcert_request request = { .key = key,
		.source_address = option(c, "source") };
	struct user_certificate row;
	char principal[NAMES_PRINCIPAL_SIZE];
	uint64_t now = (uint64_t)time(NULL);
	int rc;

	memset(&row, 0, sizeof(row));
	if (!names_valid(c->words[1]))
		return ht_error_set(e, HT_ERR_USAGE, "%s is not a name",
		    c->words[1]);
	(void)snprintf(request.principal.client,
	    sizeof(request.principal.client), "%s", c->words[1]);
	names_principal_format(&request.principal, principal);
	rc = sshkey_fingerprint(key, fingerprint, e);
	if (rc < 0)
		return rc;
	request.valid_after = now - TTL_LEEWAY;
	request.valid_before = now + ttl;
	row.principal = principal;
	row.name = c->words[1];
	row.fingerprint = fingerprint;
	row.valid_after = (int64_t)now;
	row.valid_before = (int64_t)request.valid_before;
	row.issued_by = c->who->name;
	rc = user_certificate_issue(c->keyd->store, &actor, &row,
	    &request.serial, e);
	if (rc == 0)
		rc = sshcert_issue(c->keyd->setup->user_ca, &request, &c->out,
		    e);
	if (rc == 0)
		buf_u8(&c->out, '\n');
	return rc;
}

static int
issue_verb(struct admin_command *c, struct ht_error *e)
{
	const char *source = option(c, "source");
	const char *ttl = option(c, "ttl");
	uint64_t seconds = TTL_DEFAULT;
	struct sshkey *key;
	int rc = 0;

	if (ttl != NULL)
		rc = duration(ttl, &seconds, e);
	if (rc < 0)
		return rc;
	if (source != NULL && !sshcert_addresses_valid(source))
		return ht_error_set(e, HT_ERR_USAGE,
		    "%s is not a list of addresses and networks", source);
	if (c->input.left == 0)
		return ht_error_set(e, HT_ERR_USAGE,
		    "a public key is expected on standard input");
	key = sshkey_parse_line(c->input, e);
	if (key == NULL)
		return ht_error_set(e, HT_ERR_USAGE,
		    "standard input is not a public key of a kind that is "
		    "taken");
	rc = issue_for(c, key, seconds, e);
	sshkey_free(key);
	return rc;
}

static int
revoke_verb(struct admin_command *c, struct ht_error *e)
{
	struct store_actor actor = identity_actor(c->who);
	uint64_t serial, count = 1;
	int rc;

	if (number(c->words[1], &serial) == 0)
		rc = user_certificate_revoke(c->keyd->store, &actor, serial, e);
	else
		rc = user_certificate_revoke_name(c->keyd->store, &actor,
		    c->words[1], &count, e);
	if (rc == 0)
		(void)snprintf(c->text, sizeof(c->text),
		    "%llu certificate%s revoked", (unsigned long long)count,
		    count == 1 ? "" : "s");
	return rc;
}

static void
put_time(struct buf *out, int64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;
	char text[32] = "?";

	if (gmtime_r(&t, &tm) != NULL)
		(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	buf_format(out, "%s", text);
}

static int
put_certificate(void *cookie, const struct user_certificate *certificate)
{
	struct admin_command *c = cookie;

	if (option(c, "json") != NULL) {
		put_json(&c->out, certificate->json);
		return 0;
	}
	buf_format(&c->out, "%-8llu %-20s until ",
	    (unsigned long long)certificate->serial, certificate->name);
	put_time(&c->out, certificate->valid_before);
	buf_format(&c->out, " %s%s\n", certificate->fingerprint,
	    certificate->revoked != 0 ? " (revoked)" : "");
	return 0;
}

static int
certificates_verb(struct admin_command *c, struct ht_error *e)
{
	return user_certificate_each(c->keyd->store,
	    c->nwords > 1 ? c->words[1] : NULL, put_certificate, c, e);
}

/* --- tokens ------------------------------------------------------------ */

static void
unlocked(void *cookie, const struct ht_error *e)
{
	admin_later(cookie, e == NULL ? 0 : e->code, e);
}

static int
unlock_verb(struct admin_command *c, struct ht_error *e)
{
	struct store_actor actor = identity_actor(c->who);
	struct token *token = tokens_find(c->keyd->tokens, c->words[1]);
	int rc;

	if (token == NULL)
		return ht_error_set(e, HT_ERR_USAGE, "there is no token %s",
		    c->words[1]);
	if (strcmp(c->who->door, PROTOCOL_DOOR_SSHD_SIGN) == 0)
		return ht_error_set(e, HT_ERR_DENIED,
		    "a PIN is taken through OpenSSH or locally, not here");
	rc = token_unlock(token, &actor, c->input.p, c->input.left, unlocked,
	    c->cookie, e);
	return rc == 0 ? ADMIN_LATER : rc;
}

static int
tokens_verb(struct admin_command *c, struct ht_error *e)
{
	const struct token *t;
	size_t i;

	(void)e;
	for (i = 0; i < tokens_count(c->keyd->tokens); i++) {
		t = tokens_at(c->keyd->tokens, i);
		buf_format(&c->out, "%-20s %-10s ", token_name(t),
		    token_state(t));
		put_escaped(&c->out, token_serial(t));
		buf_format(&c->out, "%s", token_reason(t)[0] ? " " : "");
		put_escaped(&c->out, token_reason(t));
		buf_u8(&c->out, '\n');
	}
	return 0;
}

void
verbs_forget(struct keyd *k, void *cookie)
{
	size_t i;

	for (i = 0; i < tokens_count(k->tokens); i++)
		token_unlock_forget(tokens_at(k->tokens, i), cookie);
}

/* --- the journal ------------------------------------------------------- */

static int
put_row(void *cookie, const struct journal_row *row)
{
	struct admin_command *c = cookie;

	if (option(c, "json") != NULL) {
		put_json(&c->out, row->json);
		return buf_failed(&c->out);
	}
	buf_format(&c->out, "%-6llu %s %-12s ",
	    (unsigned long long)row->request, row->asked, row->client);
	put_column(&c->out, 12, row->profile);
	put_column(&c->out, 14, row->status);
	put_escaped(&c->out, row->name);
	buf_u8(&c->out, ' ');
	put_escaped(&c->out,
	    row->error[0] != '\0' ? row->error : row->description);
	buf_u8(&c->out, '\n');
	return buf_failed(&c->out);
}

static int
put_event(void *cookie, const struct journal_event *event)
{
	struct admin_command *c = cookie;

	if (option(c, "json") != NULL) {
		put_json(&c->out, event->json);
		return buf_failed(&c->out);
	}
	buf_format(&c->out, "%-8llu %s %-18s ",
	    (unsigned long long)event->sequence, event->at, event->kind);
	put_column(&c->out, 12, event->actor);
	put_escaped(&c->out, event->detail);
	buf_u8(&c->out, '\n');
	return buf_failed(&c->out);
}

static int
log_verb(struct admin_command *c, struct ht_error *e)
{
	struct journal_filter filter = { option(c, "client"),
		option(c, "profile"), option(c, "status"), 0 };
	int rc = limit(c, &filter.limit, e);

	if (rc == 0)
		rc = journal_log(c->keyd->store, &filter, put_row, c, e);
	return rc;
}

static int
show_verb(struct admin_command *c, struct ht_error *e)
{
	uint64_t request;

	if (number(c->words[1], &request) < 0)
		return ht_error_set(e, HT_ERR_USAGE,
		    "%s is not the number of a request", c->words[1]);
	return journal_show(c->keyd->store, request, put_row, put_event, c, e);
}

static int
events_verb(struct admin_command *c, struct ht_error *e)
{
	unsigned int rows;
	int rc = limit(c, &rows, e);

	if (rc == 0)
		rc = journal_events(c->keyd->store, rows, put_event, c, e);
	return rc;
}

/* --- the table --------------------------------------------------------- */

#define READERS (1u << NAMES_ADMIN | 1u << NAMES_APPROVER | 1u << NAMES_AUDITOR)
#define ADMINS (1u << NAMES_ADMIN)

static int help_verb(struct admin_command *c, struct ht_error *e);

struct verb {
	const char *words;   /* "client add" */
	const char *args;    /* for people */
	const char *options; /* names, each followed by a space */
	size_t min, max;     /* words, the verb's included */
	unsigned int roles;
	int (*run)(struct admin_command *c, struct ht_error *e);
	const char *text;
};

static const struct verb verbs[] = {
	{ "help", "", "", 1, 1, READERS, help_verb, "this list" },
	{ "client add", "NAME [--default=PROFILE] [--ttl=TIME]", "default ttl ",
	    3, 3, ADMINS, client_add_verb,
	    "add a client; its certificates live for TIME at most" },
	{ "client change", "NAME [--default=PROFILE] [--ttl=TIME]",
	    "default ttl ", 3, 3, ADMINS, client_change_verb,
	    "change these of a client" },
	{ "client disable", "NAME", "", 3, 3, ADMINS, client_disable_verb,
	    "let a client do nothing" },
	{ "client enable", "NAME", "", 3, 3, ADMINS, client_disable_verb,
	    "end that" },
	{ "client list", "[--json]", "json ", 2, 2, READERS, client_list_verb,
	    "clients and what they are granted" },
	{ "grant", "CLIENT PROFILE", "", 3, 3, ADMINS, grant_verb,
	    "let a client sign under a profile" },
	{ "ungrant", "CLIENT PROFILE", "", 3, 3, ADMINS, ungrant_verb,
	    "end that" },
	{ "issue", "CLIENT [--ttl=TIME] [--source=ADDRESSES] < KEY.pub",
	    "ttl source ", 2, 2, ADMINS, issue_verb,
	    "issue a user certificate, to standard output" },
	{ "certificates", "[CLIENT] [--json]", "json ", 1, 2, READERS,
	    certificates_verb, "user certificates that were issued" },
	{ "revoke", "SERIAL | CLIENT", "", 2, 2, ADMINS, revoke_verb,
	    "revoke a user certificate, or all of a client's" },
	{ "tokens", "", "", 1, 1, READERS, tokens_verb,
	    "tokens and how they are" },
	{ "unlock", "TOKEN < PIN", "", 2, 2, ADMINS, unlock_verb,
	    "log in to a token" },
	{ "log",
	    "[--json] [--client=NAME] [--profile=NAME] [--status=WORD] "
	    "[--limit=N]",
	    "json client profile status limit ", 1, 1, READERS, log_verb,
	    "requests, the newest last" },
	{ "show", "REQUEST [--json]", "json ", 2, 2, READERS, show_verb,
	    "one request and its events" },
	{ "events", "[--json] [--limit=N]", "json limit ", 1, 1, READERS,
	    events_verb, "events of all kinds, the newest last" },
};

#define NVERBS (sizeof(verbs) / sizeof(*verbs))

static int
help_verb(struct admin_command *c, struct ht_error *e)
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
named(const struct verb *v, const struct admin_command *c)
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
check_options(const struct verb *v, const struct admin_command *c,
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
verbs_run(struct admin_command *c, struct ht_error *e)
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
	if (rc != ADMIN_LATER && buf_failed(&c->out) < 0)
		return ht_error_set(e, HT_ERR_USAGE,
		    "that is more than can be shown: ask for less, as with "
		    "--limit");
	return rc;
}
