#include "config.h"

#include <string.h>

#include "store/journal/journal-note.h"

/* --- the table of requests from the events --------------------------- */

int
journal_rebuild(struct store *s, const struct store_actor *actor,
    uint64_t *events, struct ht_error *e)
{
	struct journal_note note = {
		.kind = "rebuilt",
		.actor = actor,
		.offset = HT_NO_OFFSET,
	};
	struct ht_error why;
	sqlite3_stmt *st;
	char kind[32];
	int64_t seq;
	int ret;

	*events = 0;
	if ((ret = store_begin(s, e)) < 0)
		return ret;
	ret = store_write(s, store_statement(s, SQL_SIGNING_CLEAR), e);
	if (ret == 0)
		ret = store_write(s, store_statement(s, SQL_ARCHIVE_CLEAR), e);
	if (ret == 0)
		ret = store_write(s, store_statement(s, SQL_SHARES_CLEAR), e);
	if (ret == 0)
		ret = store_write(s, store_statement(s, SQL_USED_CLEAR), e);
	if (ret == 0)
		ret = store_write(s, store_statement(s, SQL_USES_CLEAR), e);
	if (ret < 0)
		return ret;
	st = store_statement(s, SQL_REQUEST_EVENTS);
	while ((ret = store_step(s, st, &why)) > 0) {
		seq = sqlite3_column_int64(st, 0);
		(void)snprintf(kind, sizeof(kind), "%s", store_column(st, 1));
		if ((ret = journal_project(s, kind, seq, &why)) < 0)
			break;
		note.count++;
	}
	(void)sqlite3_reset(st);
	if (ret < 0) /* half a table is none */
		return store_spoil(s, &why, e);
	*events = note.count;
	return journal_note(s, &note, NULL, e);
}

/* --- after a crash --------------------------------------------------- */

/* Find the first request that has not ended.  Returns 1, or 0 if none. */
static int
next_open(struct store *s, uint64_t *number, char *status, size_t size,
    struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_REQUEST_OPEN);
	int ret = store_step(s, st, e);

	if (ret > 0) {
		*number = (uint64_t)sqlite3_column_int64(st, 0);
		(void)snprintf(status, size, "%s", store_column(st, 1));
		(void)sqlite3_reset(st);
	}
	return ret;
}

/*
 * End a request.  If it was handed to a token, that may have signed it.  So
 * record maybe-signed first: it stays the status of a request that ends without
 * a signature.
 */
static int
close_request(struct store *s, uint64_t number, const char *status,
    const char *text, struct ht_error *e)
{
	int ret = 0;

	if (strcmp(status, "finished") == 0 || strcmp(status, "kept") == 0)
		return journal_undelivered(s, number, JOURNAL_ENDPOINT, text,
		    e);
	if (strcmp(status, "decided") == 0)
		ret = journal_maybe_signed(s, number, text, e);
	return ret < 0 ? ret
	               : journal_aborted(s, number, JOURNAL_ENDPOINT, text, e);
}

int
journal_close_open(struct store *s, const char *text, uint64_t *closed,
    struct ht_error *e)
{
	uint64_t number, count = 0;
	char status[32];
	int ret;

	if (closed != NULL)
		*closed = 0;
	while ((ret = next_open(s, &number, status, sizeof(status), e)) > 0) {
		ret = close_request(s, number, status, text, e);
		if (ret < 0)
			break;
		count++;
	}
	if (ret == 0 && closed != NULL)
		*closed = count;
	return ret;
}

int
journal_recover(struct store *s, uint64_t *closed, struct ht_error *e)
{
	int ret = journal_close_open(s, "endpoint restarted", closed, e);

	return ret == 0 ? store_commit(s, e) : ret;
}
