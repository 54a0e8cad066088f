/*
 * User certificates: to issue them, to list them, to revoke them.
 */

#include "config.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "keys/keyd/admin/verbs-private.h"
#include "keys/sshcert/krl.h"
#include "store/authority/clients.h"

/* Seconds that a certificate is valid without --ttl. */
#define TTL_DEFAULT 3600

/* A certificate is valid from this many seconds ago, because clocks differ. */
#define TTL_LEEWAY 60

/* --- issue --------------------------------------------------------------- */

/* Take a serial and sign.  The store has the row before the text leaves. */
static int
issue_for(struct verbs_command *c, const struct sshkey *key,
    struct sshcert_request *request, uint64_t ttl, struct ht_error *e)
{
	struct store_actor actor = identity_actor(c->who);
	char fingerprint[SSHKEY_FINGERPRINT_SIZE];
	struct user_certificate row;
	char principal[NAMES_PRINCIPAL_SIZE];
	uint64_t now = (uint64_t)time(NULL);
	int rc;

	memset(&row, 0, sizeof(row));
	if (!names_valid(c->words[1]))
		return ht_error_set(e, HT_ERR_USAGE, "%s is not a name",
		    c->words[1]);
	(void)snprintf(request->principal.client,
	    sizeof(request->principal.client), "%s", c->words[1]);
	names_principal_format(&request->principal, principal);
	rc = sshkey_fingerprint(key, fingerprint, e);
	if (rc < 0)
		return rc;
	request->key = key;
	request->valid_after = now - TTL_LEEWAY;
	request->valid_before = now + ttl;
	row.principal = principal;
	row.name = c->words[1];
	row.fingerprint = fingerprint;
	row.valid_after = (int64_t)now;
	row.valid_before = (int64_t)request->valid_before;
	row.source = request->source_address;
	row.profile = request->profile;
	row.uses = request->uses;
	row.issued_by = c->who->name;
	rc = user_certificate_issue(c->keyd->store, &actor, &row,
	    &request->serial, e);
	if (rc == 0)
		rc =
		    sshcert_issue(c->keyd->setup->user_ca, request, &c->out, e);
	if (rc == 0)
		buf_u8(&c->out, '\n');
	return rc;
}

/* A pair of its own, whose private key goes out before the certificate. */
static int
issue_new(struct verbs_command *c, struct sshcert_request *request,
    uint64_t ttl, struct ht_error *e)
{
	struct sshkey_private *key;
	int rc;

	if (c->input.left > 0)
		return ht_error_set(e, HT_ERR_USAGE,
		    "--new-key makes a key: none is expected on standard "
		    "input");
	key = sshkey_private_new(e);
	if (key == NULL)
		return e->code;
	rc = sshkey_private_save(key, c->words[1], &c->out, e);
	if (rc == 0)
		rc = issue_for(c, sshkey_private_public(key), request, ttl, e);
	sshkey_private_free(key);
	return rc;
}

static int
issue(struct verbs_command *c, struct ht_error *e)
{
	struct sshcert_request request = { .source_address =
		                               verbs_option(c, "source"),
		.profile = verbs_option(c, "profile") };
	const char *ttl = verbs_option(c, "ttl");
	const char *uses = verbs_option(c, "uses");
	uint64_t seconds = TTL_DEFAULT, n = 0;
	struct sshkey *key;
	int rc = 0;

	if (ttl != NULL)
		rc = verbs_duration(ttl, &seconds, e);
	if (rc == 0 && request.profile != NULL)
		rc = verbs_check_profile(c, request.profile, e);
	if (rc < 0)
		return rc;
	if (uses != NULL &&
	    (verbs_number(uses, &n) < 0 || n == 0 || n > UINT32_MAX))
		return ht_error_set(e, HT_ERR_USAGE,
		    "--uses=%s: a number from 1 to %u is expected", uses,
		    (unsigned int)UINT32_MAX);
	request.uses = (uint32_t)n;
	if (request.source_address != NULL &&
	    !sshcert_addresses_valid(request.source_address))
		return ht_error_set(e, HT_ERR_USAGE,
		    "%s is not a list of addresses and networks",
		    request.source_address);
	if (verbs_option(c, "new-key") != NULL)
		return issue_new(c, &request, seconds, e);
	if (c->input.left == 0)
		return ht_error_set(e, HT_ERR_USAGE,
		    "a public key is expected on standard input (or say "
		    "--new-key)");
	key = sshkey_parse_line(c->input, e);
	if (key == NULL)
		return ht_error_set(e, HT_ERR_USAGE,
		    "standard input is not an SSH public key that can be used");
	rc = issue_for(c, key, &request, seconds, e);
	sshkey_free(key);
	return rc;
}

/* --- revoke -------------------------------------------------------------- */

static void
say_revoked(struct verbs_command *c, uint64_t count, const char *more)
{
	(void)snprintf(c->text, sizeof(c->text), "%llu certificate%s revoked%s",
	    (unsigned long long)count, count == 1 ? "" : "s", more);
}

static int
revoke_serial(struct verbs_command *c, const char *text, struct ht_error *e)
{
	struct store_actor actor = identity_actor(c->who);
	struct protocol_revoked what = { 0 };
	bool here = true;
	int rc;

	if (verbs_number(text, &what.serial) < 0)
		return ht_error_set(e, HT_ERR_USAGE, "%s is not a serial",
		    text);
	rc = user_certificate_revoke(c->keyd->store, &actor, what.serial, &here,
	    e);
	if (rc < 0)
		return rc;
	keyd_revoked(c->keyd, &what);
	say_revoked(c, 1, here ? "" : ", which was not issued here");
	return 0;
}

static int
revoke_client(struct verbs_command *c, const char *name, struct ht_error *e)
{
	struct store_actor actor = identity_actor(c->who);
	struct protocol_revoked what = { 0 };
	struct client client;
	uint64_t count = 0;
	int rc;

	rc = client_find(c->keyd->store, name, &client, e);
	if (rc == 0)
		rc = user_certificate_revoke_name(c->keyd->store, &actor, name,
		    &count, e);
	if (rc < 0)
		return rc;
	(void)snprintf(what.name, sizeof(what.name), "%s", name);
	keyd_revoked(c->keyd, &what);
	say_revoked(c, count, "");
	return 0;
}

static int
revoke_key(struct verbs_command *c, const char *fingerprint, struct ht_error *e)
{
	struct store_actor actor = identity_actor(c->who);
	struct protocol_revoked what = { 0 };
	uint8_t hash[SSHKEY_HASH];
	int rc;

	if (sshkey_fingerprint_read(fingerprint, hash) < 0)
		return ht_error_set(e, HT_ERR_USAGE,
		    "%s is not the fingerprint of a key: `ssh-keygen -l -f "
		    "KEY.pub` shows it, with SHA256: before it",
		    fingerprint);
	rc = user_key_revoke(c->keyd->store, &actor, fingerprint, e);
	if (rc < 0)
		return rc;
	(void)snprintf(what.key, sizeof(what.key), "%s", fingerprint);
	keyd_revoked(c->keyd, &what);
	(void)snprintf(c->text, sizeof(c->text),
	    "the key is revoked, with all "
	    "certificates that it has");
	return 0;
}

static int
revoke_request(struct verbs_command *c, const char *text, struct ht_error *e)
{
	char digits[24];
	uint64_t number;
	int rc;

	if (verbs_number(text, &number) < 0)
		return ht_error_set(e, HT_ERR_USAGE,
		    "%s is not the number of a request", text);
	rc = user_certificate_of_request(c->keyd->store, number, &number, e);
	if (rc < 0)
		return rc;
	(void)snprintf(digits, sizeof(digits), "%ju", (uintmax_t)number);
	return revoke_serial(c, digits, e);
}

static const struct {
	const char *word;
	int (*revoke)(struct verbs_command *c, const char *text,
	    struct ht_error *e);
} kinds[] = {
	{ "serial", revoke_serial },
	{ "client", revoke_client },
	{ "key", revoke_key },
	{ "request", revoke_request },
};

static int
revoke(struct verbs_command *c, struct ht_error *e)
{
	uint64_t serial;
	size_t i;

	if (c->nwords == 2 && verbs_number(c->words[1], &serial) == 0)
		return revoke_serial(c, c->words[1], e);
	if (c->nwords == 2)
		return revoke_client(c, c->words[1], e);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(c->words[1], kinds[i].word) == 0)
			return kinds[i].revoke(c, c->words[2], e);
	return ht_error_set(e, HT_ERR_USAGE,
	    "what is to be revoked: serial, client, key or request?");
}

static int
put_revocation(void *cookie, uint64_t serial, const char *fingerprint)
{
	struct krl *krl = cookie;
	uint8_t hash[SSHKEY_HASH];

	if (fingerprint == NULL)
		krl_add_serial(krl, serial);
	else if (sshkey_fingerprint_read(fingerprint, hash) == 0)
		krl_add_key(krl, hash);
	return 0;
}

static int
print_krl(struct verbs_command *c, struct ht_error *e)
{
	const struct sshkey *ca =
	    sshkey_private_public(c->keyd->setup->user_ca);
	struct krl krl = KRL_INIT;
	int rc;

	rc = user_revocation_each(c->keyd->store, put_revocation, &krl, e);
	if (rc == 0)
		krl_put(&krl, ca, (uint64_t)time(NULL), &c->out);
	krl_free(&krl);
	return rc;
}

/* --- certificates -------------------------------------------------------- */

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

int
verbs_put_certificate(void *cookie, const struct user_certificate *certificate)
{
	struct verbs_command *c = cookie;

	if (verbs_option(c, "json") != NULL) {
		put_json(&c->out, certificate->json);
		return 0;
	}
	buf_format(&c->out, "%-16llu %-20s until ",
	    (unsigned long long)certificate->serial, certificate->name);
	put_time(&c->out, certificate->valid_before);
	buf_format(&c->out, " %s", certificate->fingerprint);
	if (certificate->source != NULL)
		buf_format(&c->out, " from %s", certificate->source);
	if (certificate->profile != NULL)
		buf_format(&c->out, " for %s", certificate->profile);
	if (certificate->uses != 0)
		buf_format(&c->out, " used %llu of %u",
		    (unsigned long long)certificate->used,
		    (unsigned int)certificate->uses);
	buf_format(&c->out, "%s\n",
	    certificate->revoked != 0 ? " (revoked)" : "");
	return 0;
}

static int
list_certificates(struct verbs_command *c, struct ht_error *e)
{
	return user_certificate_each(c->keyd->store,
	    c->nwords > 1 ? c->words[1] : NULL, verbs_put_certificate, c, e);
}

const struct verb verbs_of_certificates[] = {
	{ "issue",
	    "CLIENT [--ttl=TIME] [--source=ADDRESSES] [--profile=PROFILE] "
	    "[--uses=N] [--new-key] < KEY.pub",
	    2, 2, VERBS_ADMINS, issue,
	    "issue a user certificate, to standard output" },
	{ "certificates", "[CLIENT] [--json]", 1, 2, VERBS_READERS,
	    list_certificates, "user certificates that were issued" },
	{ "revoke", "serial|client|key|request WHICH", 2, 3, VERBS_ADMINS,
	    revoke,
	    "revoke a user certificate, all of a client's or of a key's" },
	{ "krl", "", 1, 1, VERBS_READERS, print_krl,
	    "all that is revoked, in OpenSSH's format, to standard output" },
	{ .words = NULL },
};
