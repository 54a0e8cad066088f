/*
 * Verbs that show what is configured, as it is now.
 */

#include "config.h"

#include <stdio.h>
#include <string.h>

#include "keys/keyd/admin/record.h"
#include "keys/keyd/admin/verbs-private.h"
#include "keys/keyd/request/policy.h"
#include "store/authority/clients.h"
#include "store/authority/freezes.h"
#include "store/journal/journal.h"

static const char *const degrees[] = { "none", "attempt", "required" };
_Static_assert(CONF_TIMESTAMP_REQUIRED == 2 && CONF_SCAN_REQUIRED == 2,
    "both count alike");

static bool
is_frozen(struct verbs_command *c, enum freeze_kind kind, const char *name)
{
	struct freeze freeze;
	struct ht_error e;

	return freeze_find(c->keyd->store, kind, name, &freeze, &e) > 0;
}

/* --- profiles ------------------------------------------------------------ */

/* Whether somebody could sign under it: "ready", or why not. */
static const char *
profile_state(struct verbs_command *c, const struct conf_profile *p,
    struct ht_error *e)
{
	return policy_can_sign(c->keyd, "", p, e) < 0 ? e->text : "ready";
}

static void
join(char *out, size_t size, const char *word)
{
	size_t n = strlen(out);

	(void)snprintf(out + n, size - n, "%s%s", n > 0 ? " " : "", word);
}

static void
profile_certificates(const struct conf_profile *p, char out[PROTOCOL_TEXT])
{
	size_t i;

	out[0] = '\0';
	for (i = 0; i < p->ncertificates; i++)
		join(out, PROTOCOL_TEXT, p->certificates[i]->name);
}

static void
put_profile(struct verbs_command *c, const struct conf_profile *p)
{
	static const char *const archives[] = { "none", "input", "both" };
	char text[PROTOCOL_TEXT];
	struct record r;
	struct ht_error e;

	record_begin(&r, c);
	record_text(&r, "profile", p->name);
	record_text(&r, "state", profile_state(c, p, &e));
	record_text(&r, "text", p->text[0] != '\0' ? p->text : NULL);
	profile_certificates(p, text);
	record_text(&r, "certificates", text);
	record_text(&r, "digest", conf_digest_text(p->digest));
	conf_formats_text(p->formats, text, sizeof(text));
	record_text(&r, "formats", text);
	record_text(&r, "doors",
	    p->doors == CONF_DOOR_OPENSSH         ? "openssh"
	        : p->doors == CONF_DOOR_SSHD_SIGN ? "sshd-sign"
	                                          : "sshd-sign, openssh");
	record_text(&r, "existing", conf_existing_text(p->existing));
	record_text(&r, "timestamp", degrees[p->timestamp]);
	record_text(&r, "clamav", degrees[p->clamav]);
	record_text(&r, "virustotal", degrees[p->virustotal]);
	record_text(&r, "archive", archives[p->archive]);
	record_number(&r, "max_size", p->max_size);
	record_number(&r, "deadline", p->deadline);
	record_end(&r);
}

static int
list_profiles(struct verbs_command *c, struct ht_error *e)
{
	const struct conf *conf = c->keyd->setup->conf;
	const struct conf_profile *p;
	size_t i;

	(void)e;
	for (i = 0; i < conf->nprofiles; i++) {
		p = &conf->profiles[i];
		if (verbs_option(c, "json") != NULL) {
			put_profile(c, p);
			continue;
		}
		put_column(&c->out, 20, p->name);
		put_escaped(&c->out, profile_state(c, p, e));
		buf_u8(&c->out, '\n');
	}
	return 0;
}

static int
show_profile(struct verbs_command *c, struct ht_error *e)
{
	int rc = verbs_check_profile(c, c->words[2], e);

	if (rc == 0)
		put_profile(c, conf_profile(c->keyd->setup->conf, c->words[2]));
	return rc;
}

/* Those who have the grant, and what keeps them from using it. */
static int
put_who(void *cookie, const struct client *client)
{
	struct verbs_command *c = cookie;
	const char *state = client->disabled            ? "disabled"
	    : is_frozen(c, FREEZE_CLIENT, client->name) ? "frozen"
	                                                : "may sign";
	struct record r;
	struct ht_error e;

	if (!client_has_grant(client, c->words[1]))
		return 0;
	if (verbs_option(c, "json") != NULL) {
		record_begin(&r, c);
		record_text(&r, "client", client->name);
		record_text(&r, "state", state);
		record_end(&r);
		return 0;
	}
	(void)e;
	put_column(&c->out, 20, client->name);
	buf_format(&c->out, "%s\n", state);
	return 0;
}

static int
who_can(struct verbs_command *c, struct ht_error *e)
{
	int rc = verbs_check_profile(c, c->words[1], e);

	if (rc == 0)
		rc = client_each(c->keyd->store, put_who, c, e);
	return rc;
}

/* --- certificates -------------------------------------------------------- */

static const char *
certificate_state(struct verbs_command *c, const struct setup_certificate *s,
    struct ht_error *e)
{
	if (setup_usable(c->keyd->setup, s, journal_now() / 1000000, e) < 0 ||
	    token_check_now(s->token, s->key, e) < 0)
		return e->text;
	if (is_frozen(c, FREEZE_CERTIFICATE, s->conf->name))
		return "frozen";
	return "ready";
}

static void
put_certificate(struct verbs_command *c, const struct setup_certificate *s)
{
	int64_t from, until, now = journal_now() / 1000000;
	char fingerprint[2 * JOURNAL_SHA256 + 1];
	uint8_t sha256[JOURNAL_SHA256];
	struct record r;
	struct ht_error e;
	size_t i;

	record_begin(&r, c);
	record_text(&r, "certificate", s->conf->name);
	record_text(&r, "state", certificate_state(c, s, &e));
	record_text(&r, "token", token_name(s->token));
	if (s->chain != NULL) {
		chain_fingerprint(s->chain, sha256);
		for (i = 0; i < JOURNAL_SHA256; i++)
			(void)snprintf(fingerprint + 2 * i, 3, "%02x",
			    sha256[i]);
		chain_validity(s->chain, &from, &until);
		record_text(&r, "subject", chain_subject(s->chain));
		record_text(&r, "sha256", fingerprint);
		record_time(&r, "valid_from", from);
		record_time(&r, "valid_until", until);
		record_number(&r, "days_left",
		    until > now ? (uint64_t)(until - now) / 86400 : 0);
		record_text(&r, "weak", chain_weak(s->chain));
	}
	record_number(&r, "signatures", token_signatures(s->token));
	record_end(&r);
}

/* All of them, or the one that is named. */
static int
show_certificates(struct verbs_command *c, struct ht_error *e)
{
	const struct setup *setup = c->keyd->setup;
	const char *name = c->nwords > 2 ? c->words[2] : NULL;
	const struct setup_certificate *s;
	size_t i, n = 0;

	for (i = 0; i < setup->ncertificates; i++) {
		s = &setup->certificates[i];
		if (name != NULL && strcmp(s->conf->name, name) != 0)
			continue;
		n++;
		put_certificate(c, s);
	}
	if (name != NULL && n == 0)
		return ht_error_set(e, HT_ERR_USAGE,
		    "there is no certificate %s in the configuration", name);
	return 0;
}

/* --- administrators ------------------------------------------------------ */

static int
list_admins(struct verbs_command *c, struct ht_error *e)
{
	const struct setup *setup = c->keyd->setup;
	char fingerprint[SSHKEY_FINGERPRINT_SIZE];
	const struct setup_admin *a;
	struct record r;
	size_t i;
	int rc;

	for (i = 0; i < setup->nadmins; i++) {
		a = &setup->admins[i];
		rc = sshkey_fingerprint(a->key, fingerprint, e);
		if (rc < 0)
			return rc;
		record_begin(&r, c);
		record_text(&r, "name", a->conf->name);
		record_text(&r, "role", names_role_text(a->conf->role));
		record_text(&r, "key", fingerprint);
		record_text(&r, "security_key",
		    sshkey_is_sk(a->key) ? "yes" : NULL);
		record_end(&r);
	}
	if (setup->admin_ca == NULL)
		return 0;
	rc = sshkey_fingerprint(setup->admin_ca, fingerprint, e);
	if (rc < 0)
		return rc;
	record_begin(&r, c);
	record_text(&r, "name", "(whoever has a certificate of admin_ca)");
	record_text(&r, "key", fingerprint);
	record_end(&r);
	return 0;
}

const struct verb verbs_of_setup[] = {
	{ "profile list", "[--json]", 2, 2, VERBS_READERS, list_profiles,
	    "profiles, and whether they can sign now" },
	{ "profile show", "PROFILE [--json]", 3, 3, VERBS_READERS, show_profile,
	    "what a profile allows and wants" },
	{ "who-can", "PROFILE [--json]", 2, 2, VERBS_READERS, who_can,
	    "clients that have a grant for a profile" },
	{ "certificate list", "[--json]", 2, 2, VERBS_READERS,
	    show_certificates, "code-signing certificates" },
	{ "certificate show", "CERTIFICATE [--json]", 3, 3, VERBS_READERS,
	    show_certificates, "one of them" },
	{ "admins", "[--json]", 1, 1, VERBS_READERS, list_admins,
	    "who may administer, by which keys" },
	{ .words = NULL },
};
