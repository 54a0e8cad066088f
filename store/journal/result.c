#include "config.h"

#include <string.h>

#include "store/journal/result.h"
#include "store/store-private.h"

/*
 * By code and exit status; 0 is any other status.  Status 75 means that somebody
 * has too much of something, whatever that is, so only exceptions are here.
 */
static const struct rule {
	const char *code;
	int exit;
	const char *result;
} rules[] = {
	{ "archive", 0, JOURNAL_INTERNAL_ERROR },
	{ "certificate", 0, JOURNAL_NO_CERTIFICATE },
	{ "clock", 0, JOURNAL_INTERNAL_ERROR },
	{ "content", 65, JOURNAL_UNSUPPORTED_FORMAT },
	{ "content", 66, JOURNAL_NOT_ALLOWED },
	{ "content", 0, JOURNAL_INTERNAL_ERROR },
	{ "cut", 0, JOURNAL_CANCELLED },
	{ "damaged", 0, JOURNAL_UNSUPPORTED_FORMAT },
	{ "deadline", 0, JOURNAL_INTERNAL_ERROR },
	{ "disabled", 0, JOURNAL_NOT_ALLOWED },
	{ "door", 0, JOURNAL_NOT_ALLOWED },
	{ "empty", 0, JOURNAL_UNSUPPORTED_FORMAT },
	{ "ending", 75, JOURNAL_INTERNAL_ERROR },
	{ "endpoint", 0, JOURNAL_INTERNAL_ERROR },
	{ "existing", 0, JOURNAL_NOT_ALLOWED },
	{ "expired", 0, JOURNAL_NOT_ALLOWED },
	{ "format", 0, JOURNAL_UNSUPPORTED_FORMAT },
	{ "frozen", 0, JOURNAL_NOT_ALLOWED },
	{ "full", 0, JOURNAL_INTERNAL_ERROR },
	{ "internal", 0, JOURNAL_INTERNAL_ERROR },
	{ "journal", 0, JOURNAL_INTERNAL_ERROR },
	{ "kept", 65, JOURNAL_CANCELLED },
	{ "kept", 0, JOURNAL_NOT_ALLOWED },
	{ "locked", 0, JOURNAL_NO_CERTIFICATE },
	{ "name", 0, JOURNAL_NOT_ALLOWED },
	{ "no-client", 0, JOURNAL_NOT_ALLOWED },
	{ "no-default", 0, JOURNAL_NOT_ALLOWED },
	{ "not-signable", 0, JOURNAL_UNSUPPORTED_FORMAT },
	{ "output", 66, JOURNAL_TOO_BIG },
	{ "output", 0, JOURNAL_SIGN_ERROR },
	{ "profile", 0, JOURNAL_NOT_ALLOWED },
	{ "pump", 0, JOURNAL_INTERNAL_ERROR },
	{ "queue", 75, JOURNAL_RATE_LIMITED },
	{ "quota", 75, JOURNAL_RATE_LIMITED },
	{ "rate", 75, JOURNAL_RATE_LIMITED },
	{ "require", 0, JOURNAL_NOT_ALLOWED },
	{ "revoked", 0, JOURNAL_NOT_ALLOWED },
	{ "room", 75, JOURNAL_RATE_LIMITED },
	{ "scan", 0, JOURNAL_INTERNAL_ERROR },
	{ "sha256", 0, JOURNAL_NOT_ALLOWED },
	{ "signature", 0, JOURNAL_SIGN_ERROR },
	{ "size", 0, JOURNAL_TOO_BIG },
	{ "spool", 0, JOURNAL_INTERNAL_ERROR },
	{ "stalled", 0, JOURNAL_INTERNAL_ERROR },
	{ "timestamp", 0, JOURNAL_TIMESTAMP_ERROR },
	{ "token", 0, JOURNAL_SIGN_ERROR },
	{ "unknown-key", 0, JOURNAL_NOT_ALLOWED },
	{ "upload", 66, JOURNAL_TOO_BIG },
	{ "upload", 69, JOURNAL_CANCELLED },
	{ "upload", 75, JOURNAL_RATE_LIMITED },
	{ "upload", 0, JOURNAL_INTERNAL_ERROR },
	{ "usage", 0, JOURNAL_NOT_ALLOWED },
	{ "uses", 0, JOURNAL_NOT_ALLOWED },
	{ "version-info", 0, JOURNAL_NOT_ALLOWED },
	{ "virus", 0, JOURNAL_VIRUS },
	{ "virustotal", 0, JOURNAL_INTERNAL_ERROR },
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

const char journal_results[] = JOURNAL_SUCCESS
    ", " JOURNAL_SIGN_ERROR ", " JOURNAL_NO_CERTIFICATE ", " JOURNAL_VIRUS
    ", " JOURNAL_UNSUPPORTED_FORMAT ", " JOURNAL_NOT_ALLOWED
    ", " JOURNAL_CANCELLED ", " JOURNAL_TIMESTAMP_ERROR ", " JOURNAL_TOO_BIG
    ", " JOURNAL_RATE_LIMITED ", " JOURNAL_INTERNAL_ERROR;

static const char *
find(const char *code, int exit)
{
	size_t i;

	for (i = 0; i < RULES; i++)
		if (rules[i].exit == exit && strcmp(rules[i].code, code) == 0)
			return rules[i].result;
	return NULL;
}

static const char *
by_status(int exit)
{
	switch (-exit) {
	case HT_ERR_DATA:
		return JOURNAL_UNSUPPORTED_FORMAT;
	case HT_ERR_USAGE:
	case HT_ERR_REFUSED:
	case HT_ERR_DENIED:
		return JOURNAL_NOT_ALLOWED;
	case HT_ERR_TEMPORARY:
		return JOURNAL_RATE_LIMITED;
	default:
		return JOURNAL_INTERNAL_ERROR;
	}
}

const char *
journal_result(const char *kind, int exit, const char *code)
{
	const char *result = code == NULL ? NULL : find(code, exit);

	if (strcmp(kind, "delivered") == 0)
		return JOURNAL_SUCCESS;
	if (result == NULL && code != NULL && exit != -HT_ERR_TEMPORARY)
		result = find(code, 0);
	if (result != NULL)
		return result;
	if (strcmp(kind, "aborted") == 0 || strcmp(kind, "undelivered") == 0)
		return JOURNAL_CANCELLED;
	return by_status(exit);
}

bool
journal_result_exists(const char *word)
{
	size_t n = strlen(word);
	const char *at = journal_results;

	for (; at != NULL; at = strchr(at, ' ')) {
		at += *at == ' ';
		if (strncmp(at, word, n) == 0 && n == strcspn(at, ","))
			return true;
	}
	return false;
}

bool
journal_result_has_code(const char *code)
{
	size_t i;

	for (i = 0; i < RULES; i++)
		if (strcmp(rules[i].code, code) == 0)
			return true;
	return false;
}

/* --- for the engine ------------------------------------------------------ */

static void
result_word(sqlite3_context *context, int n, sqlite3_value **values)
{
	const char *kind = (const char *)sqlite3_value_text(values[0]);
	const char *code = (const char *)sqlite3_value_text(values[2]);

	(void)n;
	if (kind != NULL)
		sqlite3_result_text(context,
		    journal_result(kind, sqlite3_value_int(values[1]), code),
		    -1, SQLITE_STATIC);
}

int
store_result_word(struct store *s, struct ht_error *e)
{
	if (sqlite3_create_function(s->db, "result_word", 3,
	        SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL,
	        result_word, NULL, NULL) != SQLITE_OK)
		return store_engine_error(s, e);
	return 0;
}
