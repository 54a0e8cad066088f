/*
 * The events that belong to no request.
 */

#include "config.h"

#include <stdio.h>
#include <string.h>

#include "store/journal/journal-note.h"

int
journal_auth_failed(struct store *s, const char *door, const char *reason,
    const char *prefix, uint64_t count, struct ht_error *e)
{
	const struct journal_note note = {
		.kind = "auth-failed",
		.door = door,
		.reason = reason,
		.peer = prefix,
		.count = count,
		.offset = HT_NO_OFFSET,
	};

	return journal_note(s, &note, NULL, e);
}

/* Somebody with a certificate was refused something, so many times. */
static int
refused(struct store *s, const char *kind, const struct journal_request *who,
    const struct journal_end *why, uint64_t count, struct ht_error *e)
{
	const struct journal_note note = {
		.kind = kind,
		.client = who->client,
		.door = who->door,
		.peer = who->peer,
		.serial = who->serial,
		.exit = (uint64_t)why->status,
		.code = why->code,
		.text = why->text,
		.count = count,
		.offset = HT_NO_OFFSET,
	};

	return journal_note(s, &note, NULL, e);
}

int
journal_refused_login(struct store *s, const struct journal_request *who,
    const struct journal_end *why, uint64_t count, struct ht_error *e)
{
	return refused(s, "refused-login", who, why, count, e);
}

int
journal_refused_request(struct store *s, const struct journal_request *who,
    const struct journal_end *why, uint64_t count, struct ht_error *e)
{
	return refused(s, "refused-request", who, why, count, e);
}

int
journal_refused_command(struct store *s, const struct store_actor *actor,
    const char *text, uint64_t count, struct ht_error *e)
{
	const struct journal_note note = {
		.kind = "refused-command",
		.actor = actor,
		.count = count,
		.text = text,
		.offset = HT_NO_OFFSET,
	};

	return journal_note(s, &note, NULL, e);
}

int
journal_started(struct store *s, const char *version, bool test,
    struct ht_error *e)
{
	const struct journal_note note = {
		.kind = "started",
		.version = version,
		.test = test,
		.offset = HT_NO_OFFSET,
	};

	return journal_note(s, &note, NULL, e);
}

int
journal_stopped(struct store *s, const char *text, struct ht_error *e)
{
	const struct journal_note note = {
		.kind = "stopped",
		.text = text,
		.offset = HT_NO_OFFSET,
	};

	return journal_note(s, &note, NULL, e);
}

int
journal_configured(struct store *s, const struct store_actor *actor,
    const char *text, struct ht_error *e)
{
	const struct journal_note note = {
		.kind = "configured",
		.actor = actor,
		.text = text,
		.offset = HT_NO_OFFSET,
	};

	return journal_note(s, &note, NULL, e);
}

int
journal_clock(struct store *s, uint64_t behind, struct ht_error *e)
{
	const struct journal_note note = {
		.kind = "clock",
		.seconds = behind,
		.offset = HT_NO_OFFSET,
	};

	return journal_note(s, &note, NULL, e);
}

int
journal_token(struct store *s, const struct store_actor *actor,
    enum journal_token_change change, const char *token, const char *text,
    struct ht_error *e)
{
	static const char *const words[] = {
		[JOURNAL_TOKEN_UNLOCKED] = "token-unlocked",
		[JOURNAL_TOKEN_LOCKED] = "token-locked",
		[JOURNAL_TOKEN_PIN_REFUSED] = "pin-refused",
		[JOURNAL_TOKEN_PIN_HELD] = "pin-held",
		[JOURNAL_TOKEN_PIN_REPEATED] = "pin-repeated",
		[JOURNAL_TOKEN_PIN_CLEARED] = "pin-cleared",
		[JOURNAL_TOKEN_RESTARTED] = "token-restarted",
		[JOURNAL_TOKEN_OPENED] = "token-opened",
		[JOURNAL_TOKEN_EXTRACTABLE] = "key-extractable",
	};
	const struct journal_note note = {
		.kind = words[change],
		.actor = actor,
		.token = token,
		.text = text,
		.offset = HT_NO_OFFSET,
	};

	return journal_note(s, &note, NULL, e);
}

/* --- our certificates ------------------------------------------------ */

static int
note_signer(struct store *s, const struct journal_signer *signer,
    struct journal_note *note, struct ht_error *e)
{
	char hex[2 * JOURNAL_SHA256 + 1];
	size_t i;

	for (i = 0; i < JOURNAL_SHA256; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", signer->fingerprint[i]);
	note->certificate = signer->certificate;
	note->fingerprint = hex;
	note->offset = HT_NO_OFFSET;
	return journal_note(s, note, NULL, e);
}

int
journal_signer_looked(struct store *s, const struct journal_signer *signer,
    const char *verdict, const char *text, int64_t revoked, struct ht_error *e)
{
	char kind[32];
	struct journal_note note = { .kind = kind, .text = text };

	(void)snprintf(kind, sizeof(kind), "signer-%s", verdict);
	note.revoked = revoked;
	return note_signer(s, signer, &note, e);
}

int
journal_signer_expires(struct store *s, const struct journal_signer *signer,
    unsigned int days, int64_t until, struct ht_error *e)
{
	struct journal_note note = { .kind = "signer-expires" };

	note.days = days;
	note.valid_before = until;
	return note_signer(s, signer, &note, e);
}

int
journal_signer_known(struct store *s, const uint8_t fingerprint[JOURNAL_SHA256],
    struct journal_signer_known *out, struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_SIGNER_VERDICT);
	int ret;

	memset(out, 0, sizeof(*out));
	store_bind_hex(s, st, 1, fingerprint, JOURNAL_SHA256);
	if ((ret = store_step(s, st, e)) < 0)
		return ret;
	if (ret > 0)
		(void)snprintf(out->verdict, sizeof(out->verdict), "%s",
		    store_column(st, 0));
	(void)sqlite3_reset(st);
	st = store_statement(s, SQL_SIGNER_DAYS);
	store_bind_hex(s, st, 1, fingerprint, JOURNAL_SHA256);
	if ((ret = store_step(s, st, e)) < 0)
		return ret;
	out->days = (unsigned int)sqlite3_column_int(st, 0);
	(void)sqlite3_reset(st);
	return 0;
}
