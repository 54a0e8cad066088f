/*
 * Who may use this machine: clients, what they are granted, and the user
 * certificates issued to them.
 *
 * Every change records its event in the same transaction (store.h).  Names are
 * checked with names_valid; a bad one is HT_ERR_USAGE, and so is a client that
 * does not exist or exists already, and a serial never issued.
 */

#ifndef STORE_AUTHORITY_CLIENTS_H
#define STORE_AUTHORITY_CLIENTS_H

#include "store/store.h"

struct client {
	const char *name;
	const char *default_profile; /* or NULL */
	uint64_t max_ttl;            /* longest certificate, seconds */
	bool disabled;
	int64_t created;
	const char *grants; /* profiles, sorted, joined by one space */
	const char *json;   /* all of it as one JSON object, in one line */
};

#define CLIENT_MAX_TTL_DEFAULT ((uint64_t)24 * 3600)
#define CLIENT_MAX_TTL_LIMIT ((uint64_t)3653 * 24 * 3600) /* ten years */

/*
 * "client-added".  default_profile may be NULL; it is no grant.  max_ttl is in
 * seconds, 1 to CLIENT_MAX_TTL_LIMIT.
 */
int client_add(struct store *s, const struct store_actor *actor,
    const char *name, const char *default_profile, uint64_t max_ttl,
    struct ht_error *e);

/*
 * "client-changed": the same fields of a client that exists.
 */
int client_change(struct store *s, const struct store_actor *actor,
    const char *name, const char *default_profile, uint64_t max_ttl,
    struct ht_error *e);

/*
 * "client-disabled", "client-enabled".  A disabled client keeps its grants and
 * certificates, and gets nothing.
 */
int client_set_disabled(struct store *s, const struct store_actor *actor,
    const char *name, bool disabled, struct ht_error *e);

/*
 * "granted" and "grant-revoked".  That the profile is configured is for the
 * caller to check.  Granting twice, or revoking what is not granted, is
 * HT_ERR_USAGE.
 */
int client_grant(struct store *s, const struct store_actor *actor,
    const char *name, const char *profile, struct ht_error *e);
int client_revoke_grant(struct store *s, const struct store_actor *actor,
    const char *name, const char *profile, struct ht_error *e);

/*
 * Return 0 to go on, or a negative HT_ERR_* which ends the query.  What it is
 * given is valid during the call.  Must not write to the store.
 */
typedef int client_fn(void *cookie, const struct client *client);

/*
 * Call fn for the client of that name, or with NULL for all, by name.
 * client_find is HT_ERR_USAGE if there is none such; the pointers of *client
 * hold until the next call on the store.
 */
int client_each(struct store *s, client_fn *fn, void *cookie,
    struct ht_error *e);
int client_find(struct store *s, const char *name, struct client *client,
    struct ht_error *e);

/*
 * Whether an enabled client has the grant: 1, 0, or a negative HT_ERR_*.
 */
int client_granted(struct store *s, const char *name, const char *profile,
    struct ht_error *e);

struct user_certificate {
	uint64_t serial;         /* 1 or more; unique for ever */
	const char *principal;   /* "client:NAME", "role:admin", … */
	const char *name;        /* the client's or administrator's */
	const char *key_id;      /* "NAME/serial" */
	const char *fingerprint; /* of the public key, "SHA256:…" */
	int64_t valid_after;     /* seconds */
	int64_t valid_before;    /* seconds */
	const char *issued_by;   /* administrator */
	int64_t issued;
	int64_t revoked; /* 0: it is not */
	const char *json;
};
typedef int user_certificate_fn(void *cookie,
    const struct user_certificate *certificate);

/*
 * "certificate-issued": give out the next serial for a certificate that is
 * about to be signed; serial, key_id, issued and revoked of *what are not
 * read.  Only after store_commit may the certificate leave.  A client must
 * exist and be enabled, and its certificate be no longer than max_ttl:
 * otherwise HT_ERR_USAGE.
 */
int user_certificate_issue(struct store *s, const struct store_actor *actor,
    const struct user_certificate *what, uint64_t *serial, struct ht_error *e);

/*
 * "certificate-revoked": one serial, or all of a holder's name that are
 * neither revoked nor expired; *count (may be NULL) is how many.  Revoking
 * twice is HT_ERR_USAGE.
 */
int user_certificate_revoke(struct store *s, const struct store_actor *actor,
    uint64_t serial, struct ht_error *e);
int user_certificate_revoke_name(struct store *s,
    const struct store_actor *actor, const char *name, uint64_t *count,
    struct ht_error *e);

/*
 * As client_find, by serial; as client_each, by serial, of one name or (NULL)
 * of all.
 */
int user_certificate_find(struct store *s, uint64_t serial,
    struct user_certificate *certificate, struct ht_error *e);
int user_certificate_each(struct store *s, const char *name,
    user_certificate_fn *fn, void *cookie, struct ht_error *e);

#endif
