/*
 * Verbs that show how the endpoint is.
 */

#include "config.h"

#include <stdio.h>
#include <string.h>

#include "keys/keyd/admin/record.h"
#include "keys/keyd/admin/verbs-private.h"
#include "keys/keyd/archive.h"
#include "keys/keyd/fetch-link.h"
#include "keys/keyd/pump-link.h"
#include "keys/keyd/request/policy.h"
#include "keys/keyd/request/request.h"
#include "keys/keyd/spools.h"
#include "store/authority/freezes.h"
#include "store/journal/journal.h"

/* A disk with fewer bytes free is named. */
#define LOW ((uint64_t)256 << 20)

/* --- what is wrong ------------------------------------------------------- */

struct troubles {
	struct verbs_command *c;
	unsigned int n;
};

/* One line; do, if it is not NULL, says what to type. */
static void
trouble(struct troubles *t, const char *what, const char *does)
{
	put_escaped(&t->c->out, what);
	if (does != NULL)
		buf_format(&t->c->out, ": %s", does);
	buf_u8(&t->c->out, '\n');
	t->n++;
}

static void
look_at_token(struct troubles *t, const struct token *token)
{
	const char *what = strcmp(token_state(token), "locked") == 0
	    ? "is locked"
	    : token_unusable(token) ? "cannot be used"
	                            : NULL;
	char text[PROTOCOL_TEXT];

	if (what == NULL)
		return;
	(void)snprintf(text, sizeof(text), "token %s %s: %s", token_name(token),
	    what, token_reason(token));
	trouble(t, text, NULL);
}

/* A token that is locked has been named. */
static void
look_at_certificate(struct troubles *t, const struct setup_certificate *s)
{
	int64_t now = journal_now() / 1000000, from, until;
	char expires[SETUP_EXPIRES], text[PROTOCOL_TEXT];
	struct ht_error e;

	if (s->chain != NULL) {
		chain_validity(s->chain, &from, &until);
		(void)setup_expires(until, now, SETUP_SOON, expires);
		(void)snprintf(text, sizeof(text), "certificate %s %s",
		    s->conf->name, expires);
		if (expires[0] != '\0')
			trouble(t, text, NULL);
	}
	if (setup_usable(t->c->keyd->setup, s, now, &e) < 0) {
		trouble(t, e.text, NULL);
	} else if (strcmp(token_state(s->token), "locked") != 0 &&
	    token_check_now(s->token, s->key, &e) < 0) {
		(void)snprintf(text, sizeof(text), "certificate %s: %s",
		    s->conf->name, e.text);
		trouble(t, text, NULL);
	}
}

/* The programs that a profile needs, and what they need. */
static void
look_at_helpers(struct troubles *t)
{
	const struct keyd *k = t->c->keyd;
	const struct setup *setup = k->setup;
	bool scans = false;
	struct ht_error e;
	size_t i;

	for (i = 0; i < setup->nservers; i++)
		if (setup->servers[i].fault != NULL)
			trouble(t, setup->servers[i].fault, NULL);
	if (!fetch_is_there(k->fetch))
		trouble(t, "htsign-fetch is away: no timestamps, no revocation",
		    "systemctl start htsign-fetch");
	for (i = 0; i < setup->conf->nprofiles; i++)
		scans |= setup->conf->profiles[i].clamav != CONF_SCAN_NONE;
	if (scans && pump_can_scan(k->pump, &e) < 0)
		trouble(t, e.text, NULL);
	if (k->nconnections[PROTOCOL_LINK_SSHD] == 0 &&
	    setup->conf->ssh.nlisten > 0)
		trouble(t, "sshd-sign is not connected",
		    "systemctl start sshd-sign");
}

static int
put_frozen(void *cookie, const struct freeze *freeze)
{
	struct troubles *t = cookie;
	char what[PROTOCOL_TEXT], does[PROTOCOL_TEXT];
	const char *space = freeze->name[0] != '\0' ? " " : "";

	(void)snprintf(what, sizeof(what), "%s%s%s is frozen by %s since %s",
	    freeze->kind, space, freeze->name, freeze->by, freeze->at);
	(void)snprintf(does, sizeof(does), "thaw %s%s%s", freeze->kind, space,
	    freeze->name);
	trouble(t, what, does);
	return 0;
}

static void
look_at_disk(struct troubles *t, const char *path, uint64_t bytes)
{
	char text[PROTOCOL_TEXT];

	if (bytes >= LOW)
		return;
	(void)snprintf(text, sizeof(text),
	    "%s has %llu MiB free: what finds no room is refused", path,
	    (unsigned long long)(bytes >> 20));
	trouble(t, text, NULL);
}

unsigned int
verbs_put_troubles(struct verbs_command *c)
{
	const struct setup *setup = c->keyd->setup;
	struct troubles t = { c, 0 };
	struct ht_error e;
	size_t i;

	for (i = 0; i < tokens_count(c->keyd->tokens); i++)
		look_at_token(&t, tokens_at(c->keyd->tokens, i));
	for (i = 0; i < setup->ncertificates; i++)
		look_at_certificate(&t, &setup->certificates[i]);
	look_at_helpers(&t);
	(void)freeze_each(c->keyd->store, put_frozen, &t, &e);
	if (!policy_clock(c->keyd))
		trouble(&t,
		    "the clock is behind the journal: nothing is signed",
		    "set it");
	look_at_disk(&t, setup->conf->state, archive_disk(c->keyd->archive));
	look_at_disk(&t, setup->conf->spool, spools_room(c->keyd->spools));
	return t.n;
}

static int
check(struct verbs_command *c, struct ht_error *e)
{
	unsigned int n = verbs_put_troubles(c);

	(void)e;
	(void)snprintf(c->text, sizeof(c->text), "%s",
	    n == 0 ? "nothing is wrong" : "");
	return 0;
}

/* --- all of it ----------------------------------------------------------- */

static void
put_parts(struct verbs_command *c, struct record *r)
{
	const struct keyd *k = c->keyd;
	size_t i, jobs = 0;
	struct ht_error e;
	char text[PROTOCOL_TEXT];

	for (i = 0; i < tokens_count(k->tokens); i++) {
		jobs += token_jobs(tokens_at(k->tokens, i));
		(void)snprintf(text, sizeof(text), "token_%s",
		    token_name(tokens_at(k->tokens, i)));
		record_text(r, text, token_state(tokens_at(k->tokens, i)));
	}
	record_number(r, "requests_open", request_open(k, NULL));
	record_number(r, "tokens_queue", jobs);
	record_number(r, "links_clients", k->nconnections[PROTOCOL_LINK_SIGN]);
	record_number(r, "links_admins", k->nconnections[PROTOCOL_LINK_ADMIN]);
	record_text(r, "sshd-sign",
	    k->nconnections[PROTOCOL_LINK_SSHD] > 0 ? "connected" : "away");
	record_text(r, "htsign-fetch",
	    fetch_is_there(k->fetch) ? "there" : "away");
	if (conf_pumps(k->setup->conf))
		record_text(r, "clamav",
		    pump_can_scan(k->pump, &e) < 0 ? e.text
		                                   : pump_database(k->pump));
	record_number(r, "state_free_bytes", archive_disk(k->archive));
	record_number(r, "spool_free_bytes", spools_room(k->spools));
}

static int
status(struct verbs_command *c, struct ht_error *e)
{
	struct record r;

	(void)e;
	record_begin(&r, c);
	record_text(&r, "version", PACKAGE_VERSION);
	record_time(&r, "time", journal_now() / 1000000);
	record_text(&r, "clock", policy_clock(c->keyd) ? "good" : "behind");
	put_parts(c, &r);
	record_end(&r);
	if (!r.as_json)
		(void)verbs_put_troubles(c);
	return 0;
}

const struct verb verbs_of_status[] = {
	{ "status", "[--json]", 1, 1, VERBS_READERS, status,
	    "how the endpoint is" },
	{ "check", "", 1, 1, VERBS_READERS, check,
	    "what is wrong with it, a line each, and what to do" },
	{ .words = NULL },
};
