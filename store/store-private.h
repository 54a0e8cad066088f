/*
 * Private to store/: the engine, and the statements by name.
 */

#ifndef STORE_STORE_PRIVATE_H
#define STORE_STORE_PRIVATE_H

#include <sqlite3.h>

#include "store/store.h"

/* Every statement that runs after store_open.  statements.c has their SQL. */
enum store_sql {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_LAST_TIME,

	SQL_ASKED,
	SQL_PUMPED,
	SQL_DECIDED,
	SQL_SIGNED,
	SQL_PKCS7_ADD,
	SQL_STAMPED,
	SQL_UNSTAMPED,
	SQL_TIMESTAMP_ADD,
	SQL_FINISHED,
	SQL_KEPT,
	SQL_ARCHIVED,
	SQL_RECIPE_ADD,
	SQL_CHECKED,
	SQL_PRUNED,
	SQL_NOTE,

	SQL_PROJECT_ASKED,
	SQL_PROJECT_PUMPED,
	SQL_PROJECT_DECIDED,
	SQL_PROJECT_MAYBE_SIGNED,
	SQL_PROJECT_SIGNED,
	SQL_PROJECT_STAMPED,
	SQL_PROJECT_UNSTAMPED,
	SQL_PROJECT_FINISHED,
	SQL_PROJECT_KEPT,
	SQL_PROJECT_ENDED,
	SQL_PROJECT_ARCHIVED,
	SQL_PROJECT_CHECKED,
	SQL_PROJECT_PRUNED,
	SQL_PROJECT_FIRST_USE,

	SQL_USED,
	SQL_USED_CLEAR,
	SQL_SIGNER_VERDICT,
	SQL_SIGNER_DAYS,
	SQL_REQUEST_STATE,
	SQL_REQUEST_OPEN,
	SQL_SIGNING_CLEAR,
	SQL_REQUEST_EVENTS,

	SQL_LOG,
	SQL_SHOW,
	SQL_SHOW_FIELDS,
	SQL_SHOW_EVENTS,
	SQL_EVENTS,
	SQL_LAST_REQUEST,
	SQL_LAST_EVENT,
	SQL_WALK_SEEK,
	SQL_WALK_ROWS,
	SQL_WALK_EVENTS,
	SQL_WALK_OF,
	SQL_PKCS7,
	SQL_RECENT,
	SQL_ARCHIVE_ADD,
	SQL_ARCHIVE_HAS,
	SQL_ARCHIVE_HELD,
	SQL_ARCHIVE_OLDEST,
	SQL_ARCHIVE_FIND,
	SQL_ARCHIVE_CLEAR,
	SQL_SHARES_CLEAR,
	SQL_RECIPE_CLEAR,

	SQL_CLIENT_ADD,
	SQL_CLIENT_CHANGE,
	SQL_CLIENT_DISABLE,
	SQL_CLIENT_FIND,
	SQL_CLIENT_EACH,
	SQL_GRANT_ADD,
	SQL_GRANT_REMOVE,
	SQL_GRANT_FIND,
	SQL_GRANTED,
	SQL_CLIENT_COPY,
	SQL_GRANTS_MOVE,
	SQL_GRANTS_REMOVE,
	SQL_CLIENT_REMOVE,

	SQL_FREEZE_FIND,
	SQL_FREEZE_EACH,
	SQL_FREEZE_ADD,
	SQL_FREEZE_REMOVE,

	SQL_CERTIFICATE_ADD,
	SQL_CERTIFICATE_REVOKE,
	SQL_CERTIFICATE_REVOKE_ELSEWHERE,
	SQL_CERTIFICATE_REVOKED,
	SQL_CERTIFICATE_REVOCATIONS,
	SQL_CERTIFICATE_USED,
	SQL_USES_CLEAR,
	SQL_KEY_REVOKE,
	SQL_KEY_REVOKED,
	SQL_REQUEST_CERTIFICATE,
	SQL_CERTIFICATE_FIND,
	SQL_CERTIFICATE_EACH,
	SQL_CERTIFICATE_VALID,

	SQL_PIN_SALT,
	SQL_PIN_UNKEYED,
	SQL_PIN_KEYED,
	SQL_PIN_LOST,
	SQL_PIN_STANDS,
	SQL_PIN_ADD,
	SQL_PIN_REFUSED,
	SQL_PIN_CLEAR,

	SQL_STATEMENTS
};

extern const char *const store_statements[SQL_STATEMENTS];

#define PIN_KEY 32 /* bytes of the secret of pin-key.c */

struct store {
	sqlite3 *db;
	sqlite3_stmt *prepared[SQL_STATEMENTS];
	sqlite3_stmt *held; /* a statement whose row the caller still reads */
	bool open;          /* a transaction is open */
	bool hindered;      /* store_hindered */
	int bind;           /* a bind that failed for the next statement */
	uint64_t bound;     /* bytes for the next statement */
	struct ht_error failure; /* code 0, or what spoilt the transaction */
	int64_t last_time;
	bool keyed; /* pin_key_open */
	uint8_t pin_key[PIN_KEY];
	uint64_t writes;  /* in the open transaction */
	uint64_t bytes;   /* bound for them */
	uint64_t written; /* store_written */
	/* Descriptors, or -1: the lock, the database, its WAL, its index. */
	int lock, file, wal, shm;
	/* The write-ahead log: wal.c. */
	bool wipe_wal;       /* wipe PIN hashes in it after the next commit */
	uint64_t frame;      /* bytes of a page in it */
	uint64_t frames;     /* in use */
	uint64_t checkpoint; /* frames that make a checkpoint due */
	uint64_t allocated;  /* bytes from the start that it surely has */
};

/*
 * What a write takes beside the bytes that are bound: its row, its indexes, the
 * fixed words of an event.  In bytes, for store_written.
 */
#define STORE_WRITE 160

/*
 * The last error of the engine as an HT_ERR_*.  HT_ERR_UNAVAILABLE is for a
 * write that found no room, and for a database that is in use.
 */
int store_engine_error(struct store *s, struct ht_error *e);

/* How long to wait for a killed process to exit, in milliseconds. */
#define STORE_LEAVING 2000

/*
 * Make this process the one that writes to the database at path, and open its
 * file.  Errors, with the path: HT_ERR_UNAVAILABLE if another one is that,
 * HT_ERR_INTERNAL.
 */
int store_files_open(struct store *s, const char *path, struct ht_error *e);

/*
 * Close the descriptors that are open, after SQLite has closed its own.
 */
void store_files_close(struct store *s);

/*
 * Watch the WAL, which exists, and its index.  page is the size of a page, in bytes.
 */
int store_wal_open(struct store *s, int page, struct ht_error *e);

/*
 * After a commit, copy the WAL to the database if that is due, and wipe it if
 * s->wipe_wal.  Having no room for that is no error.
 */
int store_wal_committed(struct store *s, struct ht_error *e);

/*
 * The prepared statement, reset and without bindings.  Borrowed.  Also resets
 * s->held.
 */
sqlite3_stmt *store_statement(struct store *s, enum store_sql sql);

/*
 * Bind parameter i.  A text or blob is borrowed until the statement has run.  A
 * NULL text is SQL's NULL.  Bytes that are not UTF-8 become U+FFFD.  A number
 * above INT64_MAX is bound as decimal text.  If a bind fails, running the
 * statement returns HT_ERR_INTERNAL.
 */
void store_bind_text(struct store *s, sqlite3_stmt *st, int i,
    const char *text);
void store_bind_number(struct store *s, sqlite3_stmt *st, int i,
    uint64_t value);
void store_bind_time(struct store *s, sqlite3_stmt *st, int i, int64_t value);
void store_bind_blob(struct store *s, sqlite3_stmt *st, int i, const void *p,
    size_t n);

/*
 * Bind n <= STORE_HEX_MAX bytes as lower-case hex.
 */
#define STORE_HEX_MAX 344
void store_bind_hex(struct store *s, sqlite3_stmt *st, int i, const uint8_t *p,
    size_t n);

/*
 * Open a transaction if none is open.  Call it before every write.  Fails with
 * the failure that spoilt the transaction, if any.
 */
int store_begin(struct store *s, struct ht_error *e);

/*
 * Step a statement.  Returns 1 if there is a row, 0 at the end, or a negative
 * HT_ERR_*.
 */
int store_step(struct store *s, sqlite3_stmt *st, struct ht_error *e);

/*
 * Run a statement to its end and drop its rows.  An error spoils the
 * transaction.
 */
int store_write(struct store *s, sqlite3_stmt *st, struct ht_error *e);

/*
 * The same for a statement that returns one row of two numbers, in out.
 */
int store_write_returning(struct store *s, sqlite3_stmt *st, int64_t out[2],
    struct ht_error *e);

/*
 * Mark the transaction as spoilt by *why, unless it is spoilt already.  Sets *e
 * to the first failure and returns its code.
 */
int store_spoil(struct store *s, const struct ht_error *why,
    struct ht_error *e);

/*
 * Column i as text, "" for NULL.  Valid until st is stepped or reset.
 */
const char *store_column(sqlite3_stmt *st, int i);

/*
 * Make the engine know result_word(kind, exit, code), which upgrades and
 * statements use: journal_result of store/journal/result.h.
 */
int store_result_word(struct store *s, struct ht_error *e);

#endif
