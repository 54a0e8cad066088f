#include "config.h"

#include <arpa/inet.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "keys/keyd/failures.h"
#include "keys/keyd/identity.h"
#include "store/authority/clients.h"

static bool
is_loopback(const char *address)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, address, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24) == 127;
	if (inet_pton(AF_INET6, address, &v6) != 1)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&v6))
		return v6.s6_addr[12] == 127;
	return IN6_IS_ADDR_LOOPBACK(&v6);
}

static int
code_of(const char *reason)
{
	return strcmp(reason, SSHCERT_INTERNAL) == 0 ? HT_ERR_INTERNAL
	                                             : HT_ERR_DENIED;
}

static int
denied(const char **reason, const char *word, struct ht_error *e,
    const char *text)
{
	*reason = word;
	return ht_error_set(e, code_of(word), "%s", text);
}

/* Fill in *who from a certificate that was checked. */
static int
take_certificate(const struct sshcert *cert, struct identity *who,
    struct ht_error *e)
{
	who->role = sshcert_principal(cert)->role;
	(void)snprintf(who->name, sizeof(who->name), "%s",
	    sshcert_person(cert));
	who->serial = sshcert_serial(cert);
	who->until = sshcert_valid_before(cert);
	who->sk = sshcert_is_sk(cert);
	(void)snprintf(who->profile, sizeof(who->profile), "%s",
	    sshcert_profile(cert));
	who->uses = sshcert_uses(cert);
	memcpy(who->certificate, sshcert_sha256(cert), SSHCERT_SHA256);
	return sshkey_fingerprint(sshcert_key(cert), who->fingerprint, e);
}

static int
prove_certificate(struct keyd *k, const struct sshcert *cert, const char *peer,
    struct identity *who, const char **reason, struct ht_error *e)
{
	const struct setup *s = k->setup;
	struct sshcert_authority authorities[2];
	size_t n = 0;
	int rc;

	authorities[n].key = sshkey_private_public(s->user_ca);
	authorities[n++].admin = false;
	if (s->admin_ca != NULL) {
		authorities[n].key = s->admin_ca;
		authorities[n++].admin = true;
	}
	rc = sshcert_check(cert, authorities, n, (uint64_t)time(NULL),
	    peer == NULL ? sshcert_any_peer : peer, reason, e);
	if (rc < 0)
		return rc;
	if (take_certificate(cert, who, e) < 0)
		return denied(reason, SSHCERT_INTERNAL, e, "no fingerprint");
	return 0;
}

/* A plain key must be that of a configured administrator. */
static int
prove_key(struct keyd *k, struct cursor blob, struct identity *who,
    const char **reason, struct ht_error *e)
{
	const struct setup *s = k->setup;
	struct sshkey *key = sshkey_parse(blob, e);
	size_t i;
	int rc;

	if (key == NULL && e->code == HT_ERR_INTERNAL)
		return denied(reason, SSHCERT_INTERNAL, e, "out of memory");
	if (key == NULL)
		return denied(reason, SSHCERT_MALFORMED, e,
		    "neither a certificate nor a key");
	for (i = 0; i < s->nadmins; i++)
		if (sshkey_equal(key, s->admins[i].key))
			break;
	who->sk = sshkey_is_sk(key);
	rc = sshkey_fingerprint(key, who->key, e);
	memcpy(who->fingerprint, who->key, sizeof(who->key));
	sshkey_free(key);
	if (rc < 0)
		return denied(reason, SSHCERT_INTERNAL, e, "no fingerprint");
	if (i == s->nadmins)
		return denied(reason, PROTOCOL_UNKNOWN_KEY, e,
		    "a key without a certificate");
	who->role = s->admins[i].conf->role;
	(void)snprintf(who->name, sizeof(who->name), "%s",
	    s->admins[i].conf->name);
	return 0;
}

/* True if the current configuration has the key, name and role of who. */
static bool
configured(const struct setup *s, const struct identity *who)
{
	char key[SSHKEY_FINGERPRINT_SIZE];
	struct ht_error e;
	size_t i;

	for (i = 0; i < s->nadmins; i++)
		if (s->admins[i].conf->role == who->role &&
		    strcmp(s->admins[i].conf->name, who->name) == 0 &&
		    sshkey_fingerprint(s->admins[i].key, key, &e) == 0 &&
		    strcmp(key, who->key) == 0)
			return true;
	return false;
}

/* The rules that are the same for certificates and plain keys. */
static int
check_manner(struct keyd *k, const struct identity *who, const char *user,
    const char **reason, struct ht_error *e)
{
	const struct conf_ssh *ssh = &k->setup->conf->ssh;
	bool client = who->role == NAMES_CLIENT;
	bool ours = strcmp(who->door, PROTOCOL_DOOR_SSHD_SIGN) == 0;

	if (who->sk && ours && !ssh->allow_sk)
		return denied(reason, "sk-key", e,
		    "sshd-sign cannot see whether a security key was touched");
	if (user != NULL && strcmp(user, client ? "sign" : "admin") != 0)
		return denied(reason, "user-name", e,
		    "the login name does not fit the role");
	if (!client && ours && !ssh->admin && !is_loopback(who->peer))
		return denied(reason, "admin-address", e,
		    "administrators must come from loopback (see ssh.admin)");
	return 0;
}

int
identity_prove(struct keyd *k, struct cursor key, const char *user,
    const char *door, const char *peer, struct identity *who,
    const char **reason, struct ht_error *e)
{
	const char *parse_reason = SSHCERT_MALFORMED;
	struct sshcert *cert;
	int rc;

	memset(who, 0, sizeof(*who));
	who->door = door;
	who->until = UINT64_MAX;
	if (peer != NULL)
		(void)snprintf(who->peer, sizeof(who->peer), "%s", peer);
	cert = sshcert_parse(key, &parse_reason, e);
	if (cert != NULL)
		rc = prove_certificate(k, cert, peer, who, reason, e);
	else if (strcmp(parse_reason, SSHCERT_MALFORMED) == 0)
		rc = prove_key(k, key, who, reason, e);
	else
		rc = denied(reason, parse_reason, e,
		    "not one of our certificates");
	sshcert_free(cert);
	if (rc == 0)
		rc = check_manner(k, who, user, reason, e);
	return rc;
}

int
identity_unproved(const char *reason, struct protocol_refuse *r)
{
	keyd_refusal(r, code_of(reason), reason, "not logged in: %s", reason);
	return code_of(reason);
}

int
identity_stands(struct keyd *k, const struct identity *who,
    struct protocol_refuse *r)
{
	struct client client;
	struct ht_error e;
	int rc;

	rc = who->fingerprint[0] == '\0'
	    ? 0
	    : user_key_revoked(k->store, who->fingerprint, &e);
	if (rc > 0) {
		keyd_refusal(r, HT_ERR_DENIED, "revoked", "key %s is revoked",
		    who->fingerprint);
		return HT_ERR_DENIED;
	}
	if (rc == 0 && who->role != NAMES_CLIENT)
		return 0;
	/*
	 * If our store does not have the certificate, another endpoint with the
	 * same CA issued it.  That is as good, and can be revoked as well.
	 */
	if (rc == 0)
		rc = user_certificate_revoked(k->store, who->serial, &e);
	if (rc > 0) {
		keyd_refusal(r, HT_ERR_DENIED, "revoked",
		    "certificate %s/%llu is revoked", who->name,
		    (unsigned long long)who->serial);
		return HT_ERR_DENIED;
	}
	if (rc == 0)
		rc = client_find(k->store, who->name, &client, &e);
	if (rc == HT_ERR_USAGE) {
		keyd_refusal(r, HT_ERR_DENIED, "no-client",
		    "there is no client %s", who->name);
		return HT_ERR_DENIED;
	}
	if (rc < 0) {
		keyd_refusal(r, HT_ERR_INTERNAL, "journal", "%s", e.text);
		return HT_ERR_INTERNAL;
	}
	if (client.disabled) {
		keyd_refusal(r, HT_ERR_DENIED, "disabled",
		    "client %s is disabled", who->name);
		return HT_ERR_DENIED;
	}
	return 0;
}

int
identity_current(struct keyd *k, const struct identity *who,
    struct protocol_refuse *r)
{
	if (who->key[0] != '\0' && !configured(k->setup, who)) {
		keyd_refusal(r, HT_ERR_DENIED, PROTOCOL_UNKNOWN_KEY,
		    "%s is no administrator any more", who->name);
		return HT_ERR_DENIED;
	}
	if ((uint64_t)time(NULL) >= who->until) {
		keyd_refusal(r, HT_ERR_DENIED, "expired",
		    "certificate %s/%llu has expired", who->name,
		    (unsigned long long)who->serial);
		return HT_ERR_DENIED;
	}
	return 0;
}

void
identity_refused(struct keyd *k, const struct identity *who,
    const struct protocol_refuse *r)
{
	struct ht_error e;

	keyd_must(k, failures_login(k->failures, who, r, &e), &e);
}

struct store_actor
identity_actor(const struct identity *who)
{
	struct store_actor actor = { who->name,
		strcmp(who->door, PROTOCOL_DOOR_LOCAL) == 0
		    ? "local"
		    : names_role_text(who->role),
		who->peer };

	return actor;
}
