#include "config.h"

#include <string.h>

#include "store/journal/queries.h"
#include "store/journal/walk.h"
#include "store/store-private.h"

/* How many keys a step looks at. */
#define STEP 4096

static int
last_key(struct store *s, enum store_sql sql, uint64_t *last,
    struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, sql);
	int ret = store_step(s, st, e);

	if (ret < 0)
		return ret;
	*last = (uint64_t)sqlite3_column_int64(st, 0);
	(void)sqlite3_reset(st);
	return 0;
}

int
journal_walk_rows(struct store *s, const struct journal_filter *filter,
    struct journal_walk *w, struct ht_error *e)
{
	int ret;

	memset(w, 0, sizeof(*w));
	w->filter = *filter;
	ret = last_key(s, SQL_LAST_REQUEST, &w->to, e);
	w->wanted = filter->limit;
	w->from = w->wanted > 0 ? w->to + 1 : 1;
	return ret;
}

/* No event was ever deleted, so their numbers have no gaps. */
int
journal_walk_events(struct store *s, uint64_t request, unsigned int limit,
    struct journal_walk *w, struct ht_error *e)
{
	int ret;

	memset(w, 0, sizeof(*w));
	w->request = request;
	ret = last_key(s, SQL_LAST_EVENT, &w->to, e);
	w->from = limit > 0 && limit < w->to ? w->to - limit + 1 : 1;
	return ret;
}

static sqlite3_stmt *
filtered(struct store *s, enum store_sql sql, const struct journal_walk *w,
    uint64_t from, uint64_t to)
{
	sqlite3_stmt *st = store_statement(s, sql);

	store_bind_text(s, st, 1, w->filter.client);
	store_bind_text(s, st, 2, w->filter.profile);
	store_bind_text(s, st, 3, w->filter.status);
	store_bind_number(s, st, 4, from);
	store_bind_text(s, st, 5, w->filter.result);
	store_bind_number(s, st, 6, to);
	return st;
}

/* Go back from w->from, until as many are found as are wanted. */
static int
seek(struct store *s, struct journal_walk *w, struct ht_error *e)
{
	uint64_t from = w->from > STEP ? w->from - STEP : 1;
	sqlite3_stmt *st = filtered(s, SQL_WALK_SEEK, w, from, w->from - 1);
	uint64_t found;
	int ret;

	store_bind_number(s, st, 7, w->wanted);
	if ((ret = store_step(s, st, e)) < 0)
		return ret;
	found = (uint64_t)sqlite3_column_int64(st, 0);
	w->wanted -= found;
	w->from = w->wanted == 0 ? (uint64_t)sqlite3_column_int64(st, 1) : from;
	if (w->from == 1)
		w->wanted = 0;
	(void)sqlite3_reset(st);
	return 1;
}

static uint64_t
step_ends(const struct journal_walk *w)
{
	return w->to - w->from < STEP ? w->to : w->from + STEP - 1;
}

int
journal_walk_row(struct store *s, struct journal_walk *w, journal_row_fn *fn,
    void *cookie, struct ht_error *e)
{
	uint64_t end = step_ends(w);
	struct journal_row row;
	sqlite3_stmt *st;
	int ret;

	if (w->wanted > 0 && w->to > 0)
		return seek(s, w, e);
	if (w->from > w->to)
		return 0;
	st = filtered(s, SQL_WALK_ROWS, w, w->from, end);
	while ((ret = store_step(s, st, e)) > 0) {
		queries_fill_row(&row, st);
		w->from = row.request + 1;
		if ((ret = fn(cookie, &row)) != 0)
			break;
	}
	(void)sqlite3_reset(st);
	if (ret == 0)
		w->from = end + 1;
	return ret < 0 ? ret : w->from <= w->to;
}

int
journal_walk_event(struct store *s, struct journal_walk *w,
    journal_event_fn *fn, void *cookie, struct ht_error *e)
{
	bool one = w->request != 0;
	/* Those of one request are found by an index. */
	uint64_t end = one ? w->to : step_ends(w);
	struct journal_event event;
	sqlite3_stmt *st;
	int ret;

	if (w->from > w->to)
		return 0;
	st = store_statement(s, one ? SQL_WALK_OF : SQL_WALK_EVENTS);
	store_bind_number(s, st, 1, w->from);
	store_bind_number(s, st, 2, end);
	if (one)
		store_bind_number(s, st, 3, w->request);
	while ((ret = store_step(s, st, e)) > 0) {
		queries_fill_event(&event, st);
		w->from = event.sequence + 1;
		if ((ret = fn(cookie, &event)) != 0)
			break;
	}
	(void)sqlite3_reset(st);
	if (ret == 0)
		w->from = end + 1;
	return ret < 0 ? ret : w->from <= w->to;
}
