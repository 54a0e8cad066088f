#include "config.h"

#include <errno.h>
#include <string.h>

#include "store/store-private.h"

#define NO_ROOM "the journal cannot be written: no room"

/* --- errors ---------------------------------------------------------- */

/* Why the system could not do something.  After a COMMIT the WAL's file knows. */
static int
system_reason(struct store *s)
{
	int reason = sqlite3_system_errno(s->db);
	sqlite3_file *wal = NULL;

	if (reason == 0 &&
	    sqlite3_file_control(s->db, NULL, SQLITE_FCNTL_JOURNAL_POINTER,
	        &wal) == SQLITE_OK &&
	    wal != NULL && wal->pMethods != NULL)
		(void)wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO,
		    &reason);
	return reason;
}

/* The last error of the engine as an HT_ERR_*. */
int
store_engine_error(struct store *s, struct ht_error *e)
{
	int rc = sqlite3_extended_errcode(s->db);
	int reason = system_reason(s);

	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "the journal is in use by another process");
	case SQLITE_FULL:
		return ht_error_set(e, HT_ERR_UNAVAILABLE, NO_ROOM);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return ht_error_set(e, HT_ERR_DATA,
		    "the journal is damaged: %s", sqlite3_errmsg(s->db));
	case SQLITE_IOERR:
		/* The index, a quota or a limit.  After a failed fsync nothing is sure. */
		if (rc == SQLITE_IOERR_SHMSIZE ||
		    (rc == SQLITE_IOERR_WRITE &&
		        (reason == EDQUOT || reason == EFBIG)))
			return ht_error_set(e, HT_ERR_UNAVAILABLE, NO_ROOM);
		return ht_error_set(e, HT_ERR_INTERNAL, "the journal: %s",
		    reason != 0 ? strerror(reason) : sqlite3_errstr(rc));
	default:
		return ht_error_set(e, HT_ERR_INTERNAL, "the journal: %s",
		    sqlite3_errmsg(s->db));
	}
}

int
store_spoil(struct store *s, const struct ht_error *why, struct ht_error *e)
{
	if (s->failure.code == 0)
		s->failure = *why;
	if (e != NULL)
		*e = s->failure;
	return s->failure.code;
}

/* --- statements ------------------------------------------------------ */

sqlite3_stmt *
store_statement(struct store *s, enum store_sql sql)
{
	sqlite3_stmt *st = s->prepared[sql];

	if (s->held != NULL) {
		(void)sqlite3_reset(s->held);
		s->held = NULL;
	}
	(void)sqlite3_reset(st);
	(void)sqlite3_clear_bindings(st);
	s->bind = SQLITE_OK;
	s->bound = 0;
	return st;
}

int
store_step(struct store *s, sqlite3_stmt *st, struct ht_error *e)
{
	int rc, ret = 0;

	if (s->bind != SQLITE_OK)
		return ht_error_set(e, HT_ERR_INTERNAL, "the journal: %s",
		    sqlite3_errstr(s->bind));
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		return 1;
	if (rc != SQLITE_DONE)
		ret = store_engine_error(s, e);
	(void)sqlite3_reset(st);
	return ret;
}

int
store_write(struct store *s, sqlite3_stmt *st, struct ht_error *e)
{
	struct ht_error why;
	int ret;

	do {
		ret = store_step(s, st, &why);
	} while (ret > 0);
	if (ret < 0) {
		s->hindered |=
		    (sqlite3_extended_errcode(s->db) & 0xff) == SQLITE_BUSY;
		return store_spoil(s, &why, e);
	}
	s->writes++;
	s->bytes += s->bound;
	s->written += STORE_WRITE + s->bound;
	s->bound = 0;
	return 0;
}

int
store_write_returning(struct store *s, sqlite3_stmt *st, int64_t out[2],
    struct ht_error *e)
{
	struct ht_error why;
	int ret;

	ret = store_step(s, st, &why);
	if (ret < 0)
		return store_spoil(s, &why, e);
	out[0] = sqlite3_column_int64(st, 0);
	out[1] = sqlite3_column_int64(st, 1);
	return store_write(s, st, e);
}
