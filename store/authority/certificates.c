#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "protocol/names.h"
#include "store/authority/clients.h"
#include "store/journal/journal-note.h"

/* The latest time, in seconds (year 36812).  Far later times would overflow. */
#define LATEST ((int64_t)1 << 40)

/* Fill in a certificate from the current row of a CERTIFICATE_ROW. */
static void
fill_certificate(struct user_certificate *certificate, sqlite3_stmt *st)
{
	memset(certificate, 0, sizeof(*certificate));
	certificate->serial = (uint64_t)sqlite3_column_int64(st, 0);
	certificate->principal = store_column(st, 1);
	certificate->name = store_column(st, 2);
	certificate->key_id = store_column(st, 3);
	certificate->fingerprint = store_column(st, 4);
	certificate->valid_after = sqlite3_column_int64(st, 5);
	certificate->valid_before = sqlite3_column_int64(st, 6);
	certificate->issued_by = store_column(st, 7);
	certificate->issued = sqlite3_column_int64(st, 8);
	certificate->revoked = sqlite3_column_int64(st, 9);
	certificate->json = store_column(st, 10);
	if (sqlite3_column_type(st, 11) != SQLITE_NULL)
		certificate->source = store_column(st, 11);
	if (sqlite3_column_type(st, 12) != SQLITE_NULL)
		certificate->profile = store_column(st, 12);
	certificate->uses = (uint32_t)sqlite3_column_int64(st, 13);
	certificate->used = (uint64_t)sqlite3_column_int64(st, 14);
}

/* Check that the client may have a certificate that is valid for so long. */
static int
check_client(struct store *s, const struct user_certificate *what,
    struct ht_error *e)
{
	struct client client;
	int ret;

	if ((ret = client_find(s, what->name, &client, e)) < 0)
		return ret;
	if (client.disabled)
		return ht_error_set(e, HT_ERR_USAGE, "client %s is disabled",
		    what->name);
	if ((uint64_t)(what->valid_before - what->valid_after) > client.max_ttl)
		return ht_error_set(e, HT_ERR_USAGE,
		    "a certificate of client %s is valid for %ju seconds at "
		    "most (`client change %s --ttl=TIME` allows more)",
		    what->name, (uintmax_t)client.max_ttl, what->name);
	return 0;
}

static int
check_certificate(struct store *s, const struct user_certificate *what,
    struct ht_error *e)
{
	struct names_principal principal;
	int ret;

	if (names_principal_parse(what->principal, &principal, e) < 0)
		return ht_error_set(e, HT_ERR_USAGE, "\"%s\" is no principal",
		    what->principal);
	if (!names_valid(what->name) ||
	    (principal.role == NAMES_CLIENT &&
	        strcmp(principal.client, what->name) != 0))
		return ht_error_set(e, HT_ERR_USAGE,
		    "\"%s\" is no name for a holder of %s", what->name,
		    what->principal);
	if (what->valid_after < 0 || what->valid_before > LATEST ||
	    what->valid_after >= what->valid_before)
		return ht_error_set(e, HT_ERR_USAGE,
		    "a certificate must begin before it ends");
	if ((ret = user_key_revoked(s, what->fingerprint, e)) < 0)
		return ret;
	if (ret > 0)
		return ht_error_set(e, HT_ERR_USAGE, "key %s is revoked",
		    what->fingerprint);
	return principal.role == NAMES_CLIENT ? check_client(s, what, e) : 0;
}

/* Insert the certificate.  The database assigns the serial. */
static int
add_certificate(struct store *s, const struct user_certificate *what,
    uint64_t *serial, struct ht_error *e)
{
	sqlite3_stmt *st;
	int64_t row[2];
	int ret;

	if ((ret = store_begin(s, e)) < 0)
		return ret;
	st = store_statement(s, SQL_CERTIFICATE_ADD);
	store_bind_text(s, st, 1, what->principal);
	store_bind_text(s, st, 2, what->name);
	store_bind_text(s, st, 3, what->fingerprint);
	store_bind_time(s, st, 4, what->valid_after);
	store_bind_time(s, st, 5, what->valid_before);
	store_bind_text(s, st, 6,
	    what->issued_by != NULL ? what->issued_by : "");
	store_bind_time(s, st, 7, journal_now());
	store_bind_number(s, st, 8, arc4random_uniform(1U << 20));
	store_bind_text(s, st, 9, what->source);
	store_bind_text(s, st, 10, what->profile);
	store_bind_number(s, st, 11, what->uses);
	if ((ret = store_write_returning(s, st, row, e)) < 0)
		return ret;
	*serial = (uint64_t)row[0];
	return 0;
}

int
user_certificate_issue(struct store *s, const struct store_actor *actor,
    const struct user_certificate *what, uint64_t *serial, struct ht_error *e)
{
	struct journal_note note = {
		.kind = "certificate-issued",
		.actor = actor,
		.principal = what->principal,
		.name = what->name,
		.fingerprint = what->fingerprint,
		.valid_after = what->valid_after,
		.valid_before = what->valid_before,
		.source = what->source,
		.profile = what->profile,
		.uses = what->uses,
		.offset = HT_NO_OFFSET,
	};
	int ret;

	*serial = 0;
	if ((ret = check_certificate(s, what, e)) < 0 ||
	    (ret = add_certificate(s, what, &note.serial, e)) < 0 ||
	    (ret = journal_note(s, &note, NULL, e)) < 0)
		return ret;
	*serial = note.serial;
	return 0;
}

/*
 * Revoke a serial, which is not revoked yet.  The event has what stood: was is
 * NULL if another endpoint issued it.
 */
static int
revoke(struct store *s, const struct store_actor *actor, uint64_t serial,
    const struct user_certificate *was, struct ht_error *e)
{
	struct journal_note note = {
		.kind = "certificate-revoked",
		.actor = actor,
		.serial = serial,
		.offset = HT_NO_OFFSET,
	};
	char name[NAMES_SIZE], fingerprint[64];
	sqlite3_stmt *st;
	int ret;

	if (was != NULL) { /* its texts go with the next statement */
		(void)snprintf(name, sizeof(name), "%s", was->name);
		(void)snprintf(fingerprint, sizeof(fingerprint), "%s",
		    was->fingerprint);
		note.name = name;
		note.fingerprint = fingerprint;
		note.valid_before = was->valid_before;
	}
	if ((ret = journal_note(s, &note, NULL, e)) < 0)
		return ret;
	st = store_statement(s,
	    was != NULL ? SQL_CERTIFICATE_REVOKE
	                : SQL_CERTIFICATE_REVOKE_ELSEWHERE);
	store_bind_number(s, st, 1, serial);
	store_bind_time(s, st, 2, journal_now());
	return store_write(s, st, e);
}

int
user_certificate_revoked(struct store *s, uint64_t serial, struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_CERTIFICATE_REVOKED);
	int ret;

	store_bind_number(s, st, 1, serial);
	ret = store_step(s, st, e);
	(void)sqlite3_reset(st);
	return ret;
}

int
user_certificate_revoke(struct store *s, const struct store_actor *actor,
    uint64_t serial, bool *here, struct ht_error *e)
{
	struct user_certificate certificate;
	int ret;

	if ((ret = user_certificate_revoked(s, serial, e)) < 0)
		return ret;
	if (ret > 0)
		return ht_error_set(e, HT_ERR_USAGE,
		    "certificate %ju is revoked already", (uintmax_t)serial);
	ret = user_certificate_find(s, serial, &certificate, e);
	if (here != NULL)
		*here = ret == 0;
	if (ret == HT_ERR_USAGE)
		return revoke(s, actor, serial, NULL, e);
	if (ret < 0)
		return ret;
	return revoke(s, actor, serial, &certificate, e);
}

/*
 * Find the first certificate of a name that is neither revoked nor expired.
 * Returns 1, or 0 if there is none.
 */
static int
next_valid(struct store *s, const char *name, uint64_t *serial,
    struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_CERTIFICATE_VALID);
	int ret;

	store_bind_text(s, st, 1, name);
	store_bind_time(s, st, 2, journal_now() / 1000000);
	ret = store_step(s, st, e);
	if (ret > 0)
		*serial = (uint64_t)sqlite3_column_int64(st, 0);
	(void)sqlite3_reset(st);
	return ret;
}

int
user_certificate_revoke_name(struct store *s, const struct store_actor *actor,
    const char *name, uint64_t *count, struct ht_error *e)
{
	struct user_certificate certificate;
	uint64_t serial, revoked = 0;
	int ret;

	if (count != NULL)
		*count = 0;
	if (!names_valid(name))
		return ht_error_set(e, HT_ERR_USAGE, "\"%s\" is no name",
		    name != NULL ? name : "");
	while ((ret = next_valid(s, name, &serial, e)) > 0) {
		ret = user_certificate_find(s, serial, &certificate, e);
		if (ret == 0)
			ret = revoke(s, actor, serial, &certificate, e);
		if (ret < 0)
			break;
		revoked++;
	}
	if (ret == 0 && count != NULL)
		*count = revoked;
	return ret;
}

int
user_certificate_find(struct store *s, uint64_t serial,
    struct user_certificate *certificate, struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_CERTIFICATE_FIND);
	int ret;

	memset(certificate, 0, sizeof(*certificate));
	store_bind_number(s, st, 1, serial);
	if ((ret = store_step(s, st, e)) < 0)
		return ret;
	if (ret == 0)
		return ht_error_set(e, HT_ERR_USAGE,
		    "certificate %ju was never issued", (uintmax_t)serial);
	fill_certificate(certificate, st);
	s->held = st;
	return 0;
}

int
user_certificate_each(struct store *s, const char *name,
    user_certificate_fn *fn, void *cookie, struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_CERTIFICATE_EACH);
	struct user_certificate certificate;
	int ret;

	store_bind_text(s, st, 1, name);
	while ((ret = store_step(s, st, e)) > 0) {
		fill_certificate(&certificate, st);
		if ((ret = fn(cookie, &certificate)) < 0) {
			(void)ht_error_set(e, ret, "the reader ended");
			break;
		}
	}
	(void)sqlite3_reset(st);
	return ret;
}

/* --- keys, and what is revoked ---------------------------------------- */

int
user_key_revoked(struct store *s, const char *fingerprint, struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_KEY_REVOKED);
	int ret;

	store_bind_text(s, st, 1, fingerprint);
	ret = store_step(s, st, e);
	(void)sqlite3_reset(st);
	return ret;
}

int
user_key_revoke(struct store *s, const struct store_actor *actor,
    const char *fingerprint, struct ht_error *e)
{
	const struct journal_note note = {
		.kind = "key-revoked",
		.actor = actor,
		.fingerprint = fingerprint,
		.offset = HT_NO_OFFSET,
	};
	sqlite3_stmt *st;
	int ret;

	if ((ret = user_key_revoked(s, fingerprint, e)) < 0)
		return ret;
	if (ret > 0)
		return ht_error_set(e, HT_ERR_USAGE,
		    "key %s is revoked already", fingerprint);
	if ((ret = journal_note(s, &note, NULL, e)) < 0)
		return ret;
	st = store_statement(s, SQL_KEY_REVOKE);
	store_bind_text(s, st, 1, fingerprint);
	store_bind_time(s, st, 2, journal_now());
	return store_write(s, st, e);
}

int
user_revocation_each(struct store *s, user_revocation_fn *fn, void *cookie,
    struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_CERTIFICATE_REVOCATIONS);
	bool key;
	int ret;

	while ((ret = store_step(s, st, e)) > 0) {
		key = sqlite3_column_type(st, 1) != SQLITE_NULL;
		/* A serial above INT64_MAX is a text. */
		ret = fn(cookie, strtoull(store_column(st, 0), NULL, 10),
		    key ? store_column(st, 1) : NULL);
		if (ret < 0) {
			(void)ht_error_set(e, ret, "the reader ended");
			break;
		}
	}
	(void)sqlite3_reset(st);
	return ret;
}

/* --- requests ---------------------------------------------------------- */

int
user_certificate_used(struct store *s, uint64_t serial, uint64_t *count,
    struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_CERTIFICATE_USED);
	int ret;

	*count = 0;
	store_bind_number(s, st, 1, serial);
	if ((ret = store_step(s, st, e)) > 0)
		*count = (uint64_t)sqlite3_column_int64(st, 0);
	(void)sqlite3_reset(st);
	return ret < 0 ? ret : 0;
}

int
user_certificate_of_request(struct store *s, uint64_t number, uint64_t *serial,
    struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_REQUEST_CERTIFICATE);
	int ret;

	*serial = 0;
	store_bind_number(s, st, 1, number);
	if ((ret = store_step(s, st, e)) < 0)
		return ret;
	if (ret > 0)
		*serial = strtoull(store_column(st, 0), NULL, 10);
	(void)sqlite3_reset(st);
	if (ret == 0)
		return ht_error_set(e, HT_ERR_USAGE, "there is no request %ju",
		    (uintmax_t)number);
	if (*serial == 0)
		return ht_error_set(e, HT_ERR_USAGE,
		    "request %ju had no user certificate with a serial: revoke "
		    "its key",
		    (uintmax_t)number);
	return 0;
}
