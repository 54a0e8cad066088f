#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "store/journal/queries.h"

void
queries_fill_row(struct journal_row *row, sqlite3_stmt *st)
{
	row->request = (uint64_t)sqlite3_column_int64(st, 0);
	row->asked = store_column(st, 1);
	row->client = store_column(st, 2);
	row->profile = store_column(st, 3);
	row->status = store_column(st, 4);
	row->name = store_column(st, 5);
	row->description = store_column(st, 6);
	row->certificate = store_column(st, 7);
	row->error = store_column(st, 8);
	row->json = store_column(st, 9);
}

void
queries_fill_event(struct journal_event *event, sqlite3_stmt *st)
{
	event->sequence = (uint64_t)sqlite3_column_int64(st, 0);
	event->request = (uint64_t)sqlite3_column_int64(st, 1);
	event->at = store_column(st, 2);
	event->kind = store_column(st, 3);
	event->actor = store_column(st, 4);
	event->detail = store_column(st, 5);
	event->json = store_column(st, 6);
}

/* Call fn for every row.  Adds their number to *rows; rows may be NULL. */
static int
each_row(struct store *s, sqlite3_stmt *st, journal_row_fn *fn, void *cookie,
    size_t *rows, struct ht_error *e)
{
	struct journal_row row;
	int ret;

	while ((ret = store_step(s, st, e)) > 0) {
		if (rows != NULL)
			++*rows;
		queries_fill_row(&row, st);
		if (fn != NULL && (ret = fn(cookie, &row)) < 0) {
			(void)ht_error_set(e, ret, "the reader ended");
			break;
		}
	}
	(void)sqlite3_reset(st);
	return ret;
}

static int
each_event(struct store *s, sqlite3_stmt *st, journal_event_fn *fn,
    void *cookie, struct ht_error *e)
{
	struct journal_event event;
	int ret;

	while ((ret = store_step(s, st, e)) > 0) {
		queries_fill_event(&event, st);
		if ((ret = fn(cookie, &event)) < 0) {
			(void)ht_error_set(e, ret, "the reader ended");
			break;
		}
	}
	(void)sqlite3_reset(st);
	return ret;
}

/* In SQL, a negative limit means none. */
static void
bind_limit(struct store *s, sqlite3_stmt *st, int i, unsigned int limit)
{
	store_bind_time(s, st, i, limit == 0 ? -1 : (int64_t)limit);
}

int
journal_log(struct store *s, const struct journal_filter *filter,
    journal_row_fn *fn, void *cookie, struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_LOG);

	store_bind_text(s, st, 1, filter->client);
	store_bind_text(s, st, 2, filter->profile);
	store_bind_text(s, st, 3, filter->status);
	bind_limit(s, st, 4, filter->limit);
	store_bind_text(s, st, 5, filter->result);
	return each_row(s, st, fn, cookie, NULL, e);
}

int
journal_show(struct store *s, uint64_t number, journal_row_fn *row,
    journal_event_fn *event, void *cookie, struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_SHOW);
	size_t rows = 0;
	int ret;

	store_bind_number(s, st, 1, number);
	if ((ret = each_row(s, st, row, cookie, &rows, e)) < 0)
		return ret;
	if (rows == 0)
		return ht_error_set(e, HT_ERR_USAGE, "there is no request %ju",
		    (uintmax_t)number);
	if (event == NULL)
		return 0;
	st = store_statement(s, SQL_SHOW_EVENTS);
	store_bind_number(s, st, 1, number);
	return each_event(s, st, event, cookie, e);
}

int
journal_fields(struct store *s, uint64_t number, journal_field_fn *fn,
    void *cookie, struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_SHOW_FIELDS);
	size_t n = 0;
	int ret;

	store_bind_number(s, st, 1, number);
	for (; (ret = store_step(s, st, e)) > 0; n++)
		if ((ret = fn(cookie, store_column(st, 0),
		         store_column(st, 1))) < 0) {
			(void)ht_error_set(e, ret, "the reader ended");
			break;
		}
	(void)sqlite3_reset(st);
	if (ret == 0 && n == 0)
		return ht_error_set(e, HT_ERR_USAGE, "there is no request %ju",
		    (uintmax_t)number);
	return ret;
}

int
journal_events(struct store *s, unsigned int limit, journal_event_fn *fn,
    void *cookie, struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_EVENTS);

	bind_limit(s, st, 1, limit);
	return each_event(s, st, fn, cookie, e);
}

/* Requests have their numbers in the order of time: the rest are older. */
int
journal_recent(struct store *s, int64_t since, journal_recent_fn *fn,
    void *cookie, struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_RECENT);
	struct journal_recent was;
	int ret;

	while ((ret = store_step(s, st, e)) > 0) {
		was.client = store_column(st, 0);
		was.profile = store_column(st, 1);
		was.token = store_column(st, 2);
		was.asked = sqlite3_column_int64(st, 3);
		was.decided = sqlite3_column_int64(st, 4);
		was.ended = sqlite3_column_int64(st, 5);
		was.size = (uint64_t)sqlite3_column_int64(st, 6);
		was.let_in = sqlite3_column_int(st, 7) != 0;
		was.exit = sqlite3_column_int(st, 8);
		if (was.asked < since)
			break;
		fn(cookie, &was);
	}
	(void)sqlite3_reset(st);
	return ret < 0 ? ret : 0;
}

/* Append column i, which may be NULL. */
static void
put_blob(sqlite3_stmt *st, int i, struct buf *out)
{
	const void *p = sqlite3_column_blob(st, i);

	buf_bytes(out, p, (size_t)sqlite3_column_bytes(st, i));
}

int
journal_pkcs7(struct store *s, uint64_t number, struct buf *out,
    struct buf *token, struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_PKCS7);
	int ret;

	store_bind_number(s, st, 1, number);
	if ((ret = store_step(s, st, e)) < 0)
		return ret;
	if (ret == 0)
		return ht_error_set(e, HT_ERR_USAGE,
		    "no signature of request %ju was released and kept",
		    (uintmax_t)number);
	put_blob(st, 0, out);
	put_blob(st, 1, token);
	(void)sqlite3_reset(st);
	return 0;
}

/* --- kept files ---------------------------------------------------------- */

int
journal_archive_has(struct store *s, const char *sha256, struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_ARCHIVE_HAS);
	int ret;

	store_bind_text(s, st, 1, sha256);
	ret = store_step(s, st, e);
	(void)sqlite3_reset(st);
	return ret;
}

int
journal_archive_held(struct store *s, const char *client, uint64_t *all,
    uint64_t *own, struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_ARCHIVE_HELD);
	int ret;

	store_bind_text(s, st, 1, client);
	if ((ret = store_step(s, st, e)) < 0)
		return ret;
	*all = (uint64_t)sqlite3_column_int64(st, 0);
	*own = (uint64_t)sqlite3_column_int64(st, 1);
	(void)sqlite3_reset(st);
	return 0;
}

int
journal_archive_oldest(struct store *s, int64_t before, struct journal_old *old,
    struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_ARCHIVE_OLDEST);
	int ret;

	store_bind_time(s, st, 1, before);
	if ((ret = store_step(s, st, e)) <= 0)
		return ret;
	(void)snprintf(old->sha256, sizeof(old->sha256), "%s",
	    store_column(st, 0));
	old->size = (uint64_t)sqlite3_column_int64(st, 1);
	(void)sqlite3_reset(st);
	return 1;
}

/* The bytes of a SHA-256 in hexadecimal digits, as the store has them. */
static void
from_hex(const char *hex, uint8_t out[JOURNAL_SHA256])
{
	unsigned int byte;
	size_t i;

	memset(out, 0, JOURNAL_SHA256);
	for (i = 0; i < JOURNAL_SHA256; i++)
		if (sscanf(hex + 2 * i, "%2x", &byte) == 1)
			out[i] = (uint8_t)byte;
}

int
journal_archive_find(struct store *s, uint64_t number,
    struct journal_archive *out, struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_ARCHIVE_FIND);
	int ret;

	store_bind_number(s, st, 1, number);
	if ((ret = store_step(s, st, e)) < 0)
		return ret;
	if (ret == 0)
		return ht_error_set(e, HT_ERR_USAGE, "there is no request %ju",
		    (uintmax_t)number);
	out->kept = store_column(st, 0)[0] != '\0';
	out->both = strcmp(store_column(st, 0), "both") == 0;
	out->released = strcmp(store_column(st, 1), "delivered") == 0 ||
	    strcmp(store_column(st, 1), "undelivered") == 0 ||
	    strcmp(store_column(st, 1), "kept") == 0;
	out->size = (uint64_t)sqlite3_column_int64(st, 2);
	(void)snprintf(out->name, sizeof(out->name), "%s", store_column(st, 3));
	from_hex(out->name, out->sha256);
	out->output_size = (uint64_t)sqlite3_column_int64(st, 4);
	from_hex(store_column(st, 5), out->output_sha256);
	out->as_it_came =
	    memcmp(out->sha256, out->output_sha256, JOURNAL_SHA256) == 0;
	put_blob(st, 6, &out->recipe);
	(void)snprintf(out->pruned, sizeof(out->pruned), "%s",
	    store_column(st, 7));
	(void)sqlite3_reset(st);
	return 0;
}
