/*
 * Who may use this machine: clients, what they are granted, and the user
 * certificates issued to them.
 *
 * Every change records its event in the same transaction (store.h).  The
 * comments name the event.  HT_ERR_USAGE if names_valid refuses a name, if a
 * client does not exist or exists already, or if a serial was never issued.
 * Errors of the engine: store.h.
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
	const char *json;   /* all fields as one JSON object on one line */
};

#define CLIENT_MAX_TTL_DEFAULT ((uint64_t)24 * 3600)
#define CLIENT_MAX_TTL_LIMIT ((uint64_t)3653 * 24 * 3600) /* ten years */

/*
 * "client-added".  default_profile may be NULL.  It grants nothing.  max_ttl is
 * in seconds, 1 to CLIENT_MAX_TTL_LIMIT; otherwise HT_ERR_USAGE.
 */
int client_add(struct store *s, const struct store_actor *actor,
    const char *name, const char *default_profile, uint64_t max_ttl,
    struct ht_error *e);

/*
 * "client-changed": replace both fields of an existing client.
 */
int client_change(struct store *s, const struct store_actor *actor,
    const char *name, const char *default_profile, uint64_t max_ttl,
    struct ht_error *e);

/*
 * "client-disabled" or "client-enabled".  A disabled client keeps its grants
 * and certificates, but cannot use them.
 */
int client_set_disabled(struct store *s, const struct store_actor *actor,
    const char *name, bool disabled, struct ht_error *e);

/*
 * "client-removed" and "client-renamed".  Its requests keep its name.  A client
 * that is renamed keeps its settings and grants.  The caller revokes its
 * certificates, since they name a client that may come again.  HT_ERR_USAGE if
 * there is a client of the new name.
 */
int client_remove(struct store *s, const struct store_actor *actor,
    const char *name, struct ht_error *e);
int client_rename(struct store *s, const struct store_actor *actor,
    const char *name, const char *to, struct ht_error *e);

/*
 * "granted" and "grant-revoked".  The caller checks that the profile is
 * configured.  HT_ERR_USAGE for a second grant, and for revoking a profile that
 * is not granted.
 */
int client_grant(struct store *s, const struct store_actor *actor,
    const char *name, const char *profile, struct ht_error *e);
int client_revoke_grant(struct store *s, const struct store_actor *actor,
    const char *name, const char *profile, struct ht_error *e);

/*
 * Returns 0 to go on.  A negative HT_ERR_* ends the query, which returns it.
 * *client and its pointers are valid during the call.  Must not write to the
 * store.
 */
typedef int client_fn(void *cookie, const struct client *client);

/*
 * Call fn for each client, sorted by name.
 */
int client_each(struct store *s, client_fn *fn, void *cookie,
    struct ht_error *e);

/*
 * Find a client by name.  The pointers in *client are valid until the next
 * call on the store.
 */
int client_find(struct store *s, const char *name, struct client *client,
    struct ht_error *e);

/*
 * Whether the grants of a client have this profile.
 */
bool client_has_grant(const struct client *client, const char *profile);

/*
 * Whether a client is enabled and has the grant: 1, 0, or a negative HT_ERR_*.
 */
int client_granted(struct store *s, const char *name, const char *profile,
    struct ht_error *e);

struct user_certificate {
	uint64_t serial;         /* 1 or more; never used again */
	const char *principal;   /* "client:NAME", "role:admin", … */
	const char *name;        /* of the client or administrator */
	const char *key_id;      /* "NAME/SERIAL" */
	const char *fingerprint; /* of the public key, "SHA256:…" */
	int64_t valid_after;     /* seconds */
	int64_t valid_before;    /* seconds */
	const char *source;      /* addresses that it is for, or NULL */
	const char *profile;     /* the only one that it is for, or NULL */
	uint32_t uses;           /* decided requests that it is for, or 0 */
	uint64_t used;           /* its decided requests so far */
	const char *issued_by;   /* administrator */
	int64_t issued;
	int64_t revoked;  /* it or its key; 0 if not */
	const char *json; /* all fields as one JSON object on one line */
};
typedef int user_certificate_fn(void *cookie,
    const struct user_certificate *certificate);

/*
 * "certificate-issued": assign a serial to a certificate that is about to be
 * signed.  Ignores serial, key_id, used, issued, revoked and json of *what.
 * *serial is 0 on error.  The certificate may leave only after store_commit.
 * HT_ERR_USAGE if the principal is malformed or of another name, or if the
 * validity is empty or out of range.  Also if the key is revoked, if the client
 * is disabled, or if its max_ttl is shorter than the validity.
 *
 * A serial is the time in seconds since 1970, times 2^20, plus 20 random bits,
 * and above all that this store has assigned.  A store that was restored from a
 * backup does not know what it assigned after the backup.  That has earlier
 * seconds, and other random bits even if the clock was set back.  The same holds
 * for another endpoint with our CA.  Until the year 2242 a serial is below 2^53,
 * which every reader of JSON takes exactly.
 */
int user_certificate_issue(struct store *s, const struct store_actor *actor,
    const struct user_certificate *what, uint64_t *serial, struct ht_error *e);

/*
 * "certificate-revoked": revoke one serial.  *here is false if it was not issued
 * here: then another endpoint with the same CA may have, and this one will not.
 * here may be NULL.  HT_ERR_USAGE if it is revoked already.
 */
int user_certificate_revoke(struct store *s, const struct store_actor *actor,
    uint64_t serial, bool *here, struct ht_error *e);

/*
 * Whether a serial is revoked, wherever it was issued: 1, 0, or a negative
 * HT_ERR_*.
 */
int user_certificate_revoked(struct store *s, uint64_t serial,
    struct ht_error *e);

/*
 * "key-revoked": revoke all certificates of a key, wherever they were or will be
 * issued.  fingerprint is "SHA256:…", as sshkey_fingerprint writes it.
 * HT_ERR_USAGE if it is revoked already.
 */
int user_key_revoke(struct store *s, const struct store_actor *actor,
    const char *fingerprint, struct ht_error *e);

/*
 * Whether a key is revoked: 1, 0, or a negative HT_ERR_*.
 */
int user_key_revoked(struct store *s, const char *fingerprint,
    struct ht_error *e);

/*
 * Call fn for each serial that is revoked, wherever it was issued, in any order,
 * then for each key; fingerprint is NULL for a serial.  fn follows the rules of
 * client_fn.
 */
typedef int user_revocation_fn(void *cookie, uint64_t serial,
    const char *fingerprint);
int user_revocation_each(struct store *s, user_revocation_fn *fn, void *cookie,
    struct ht_error *e);

/*
 * *count is how many requests with this serial have been decided, even if the
 * token failed then.  The event "decided" counts in its own transaction.
 */
int user_certificate_used(struct store *s, uint64_t serial, uint64_t *count,
    struct ht_error *e);

/*
 * *serial is that of the user certificate of a request.  HT_ERR_USAGE if there
 * is no such request, or if its serial was 0.
 */
int user_certificate_of_request(struct store *s, uint64_t number,
    uint64_t *serial, struct ht_error *e);

/*
 * "certificate-revoked", once for each: revoke all certificates of a name that
 * are neither revoked nor expired.  *count is how many; count may be NULL.
 */
int user_certificate_revoke_name(struct store *s,
    const struct store_actor *actor, const char *name, uint64_t *count,
    struct ht_error *e);

/*
 * Find a certificate by its serial.  The pointers in *certificate are valid
 * until the next call on the store.
 */
int user_certificate_find(struct store *s, uint64_t serial,
    struct user_certificate *certificate, struct ht_error *e);

/*
 * Call fn for each certificate of name, or for all if name is NULL, sorted by
 * serial.  fn follows the rules of client_fn.
 */
int user_certificate_each(struct store *s, const char *name,
    user_certificate_fn *fn, void *cookie, struct ht_error *e);

#endif
