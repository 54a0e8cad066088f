#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/schema.h"
#include "store/store-private.h"

/* Step i upgrades version i to version i + 1, and sets user_version. */
static const char *const steps[] = { store_schema };

#define SCHEMA_VERSION ((int)(sizeof(steps) / sizeof(steps[0])))
#define APPLICATION 0x68747367 /* "htsg"; schema.sql sets it */

/* How long to wait for a killed process to exit, in milliseconds. */
#define LEAVING 2000

/*
 * The first lock on the file is exclusive, so the index of the WAL needs no
 * shared memory.  Each commit is synced.  Deleted bytes are overwritten.  Pages
 * are checked and never mapped, because the file may be damaged.
 */
static const char settings[] = "PRAGMA locking_mode = EXCLUSIVE;"
                               "PRAGMA journal_mode = WAL;"
                               "PRAGMA synchronous = FULL;"
                               "PRAGMA foreign_keys = ON;"
                               "PRAGMA recursive_triggers = ON;"
                               "PRAGMA secure_delete = ON;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA mmap_size = 0;"
                               "PRAGMA cell_size_check = ON;";

/* --- errors ---------------------------------------------------------- */

/* The last error of the engine as an HT_ERR_*. */
static int
engine_error(struct store *s, struct ht_error *e)
{
	int rc = sqlite3_extended_errcode(s->db);
	int reason = sqlite3_system_errno(s->db);

	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "the journal is in use by another process");
	case SQLITE_FULL:
		return ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "the journal cannot be written: no room");
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return ht_error_set(e, HT_ERR_DATA,
		    "the journal is damaged: %s", sqlite3_errmsg(s->db));
	case SQLITE_IOERR:
		errno = reason;
		return ht_error_errno(e, "the journal");
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

/* --- opening --------------------------------------------------------- */

/*
 * Create the file with mode 0600; SQLite would use the umask.  This descriptor
 * must be closed before SQLite locks the file: closing any descriptor of a file
 * drops all POSIX locks on it.
 */
static int
create_file(const char *path, struct ht_error *e)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return ht_error_errno(e, "%s", path);
	(void)close(fd);
	return 0;
}

static int
run_script(struct store *s, const char *sql, struct ht_error *e)
{
	if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return engine_error(s, e);
	return 0;
}

/* Run a statement that returns one number. */
static int
ask_number(struct store *s, const char *sql, int *value, struct ht_error *e)
{
	sqlite3_stmt *st = NULL;
	int ret = 0;

	if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK ||
	    sqlite3_step(st) != SQLITE_ROW)
		ret = engine_error(s, e);
	else
		*value = sqlite3_column_int(st, 0);
	(void)sqlite3_finalize(st);
	return ret;
}

/* If SQLite cannot use a WAL, it keeps another mode and reports no error. */
static int
check_wal(struct store *s, struct ht_error *e)
{
	sqlite3_stmt *st = NULL;
	bool wal;

	wal = sqlite3_prepare_v2(s->db, "PRAGMA journal_mode", -1, &st, NULL) ==
	        SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW &&
	    strcmp(store_column(st, 0), "wal") == 0;
	(void)sqlite3_finalize(st);
	return wal ? 0
	           : ht_error_set(e, HT_ERR_INTERNAL,
	                 "the journal cannot have a write-ahead log here");
}

/* *version is that of the schema, 0 in a new file.  Fails if it is not ours. */
static int
find_version(struct store *s, int *version, struct ht_error *e)
{
	int ret, tables = 0, application = 0;

	ret = ask_number(s, "SELECT count(*) FROM sqlite_schema", &tables, e);
	if (ret == 0)
		ret = ask_number(s, "PRAGMA application_id", &application, e);
	if (ret == 0)
		ret = ask_number(s, "PRAGMA user_version", version, e);
	if (ret < 0)
		return ret;
	if (application != (tables > 0 ? APPLICATION : 0) ||
	    (tables > 0) != (*version > 0))
		return ht_error_set(e, HT_ERR_DATA,
		    "the file is a database, but no store of htsign");
	if (*version > SCHEMA_VERSION)
		return ht_error_set(e, HT_ERR_USAGE,
		    "the store has version %d of its tables; this htsign "
		    "knows up to %d",
		    *version, SCHEMA_VERSION);
	return 0;
}

static int
upgrade(struct store *s, struct ht_error *e)
{
	int ret, version = 0;

	ret = find_version(s, &version, e);
	if (ret < 0 || version == SCHEMA_VERSION)
		return ret;
	ret = run_script(s, "BEGIN EXCLUSIVE", e);
	while (ret == 0 && version < SCHEMA_VERSION)
		ret = run_script(s, steps[version++], e);
	if (ret == 0)
		ret = run_script(s, "COMMIT", e);
	return ret;
}

static int
prepare_all(struct store *s, struct ht_error *e)
{
	size_t i;
	int rc;

	for (i = 0; i < SQL_STATEMENTS; i++) {
		rc = sqlite3_prepare_v3(s->db, store_statements[i], -1,
		    SQLITE_PREPARE_PERSISTENT, &s->prepared[i], NULL);
		if (rc != SQLITE_OK)
			return engine_error(s, e);
	}
	return 0;
}

static int
read_last_time(struct store *s, struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_LAST_TIME);
	int ret = store_step(s, st, e);

	if (ret < 0)
		return ret;
	s->last_time = sqlite3_column_int64(st, 0);
	(void)sqlite3_reset(st);
	return 0;
}

static int
open_database(struct store *s, const char *path, struct ht_error *e)
{
	int ret;

	if (sqlite3_open_v2(path, &s->db,
	        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
	            SQLITE_OPEN_EXRESCODE,
	        NULL) != SQLITE_OK)
		return s->db == NULL ? ht_error_memory(e) : engine_error(s, e);
	(void)sqlite3_busy_timeout(s->db, LEAVING);
	/* Do not trust the schema: the file may be damaged. */
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	ret = run_script(s, settings, e);
	if (ret == 0)
		ret = check_wal(s, e);
	if (ret == 0)
		ret = upgrade(s, e);
	if (ret == 0)
		ret = prepare_all(s, e);
	if (ret == 0)
		ret = read_last_time(s, e);
	return ret;
}

struct store *
store_open(const char *path, struct ht_error *e)
{
	struct store *s = calloc(1, sizeof(*s));
	struct ht_error why;
	int ret;

	if (s == NULL) {
		(void)ht_error_memory(e);
		return NULL;
	}
	ht_error_clear(&why);
	ret = create_file(path, e);
	if (ret == 0 && (ret = open_database(s, path, &why)) < 0)
		(void)ht_error_set(e, ret, "%s: %s", path, why.text);
	if (ret < 0) {
		store_close(s);
		return NULL;
	}
	return s;
}

void
store_close(struct store *s)
{
	size_t i;

	if (s == NULL)
		return;
	for (i = 0; i < SQL_STATEMENTS; i++)
		(void)sqlite3_finalize(s->prepared[i]);
	(void)sqlite3_close(s->db);
	free(s);
}

/* --- transactions ---------------------------------------------------- */

bool
store_dirty(const struct store *s)
{
	/* With a failure too: the caller notices it in store_commit. */
	return s->open || s->failure.code != 0;
}

int
store_begin(struct store *s, struct ht_error *e)
{
	sqlite3_stmt *st;

	if (s->failure.code != 0)
		return store_spoil(s, &s->failure, e);
	if (s->open)
		return 0;
	st = store_statement(s, SQL_BEGIN);
	if (store_write(s, st, e) < 0)
		return s->failure.code;
	s->open = true;
	return 0;
}

/* Write the pages without the PIN hashes to the file, and empty the WAL. */
static int
wipe_log(struct store *s, struct ht_error *e)
{
	sqlite3_stmt *st = store_statement(s, SQL_CHECKPOINT);

	if (!s->wipe_log)
		return 0;
	s->wipe_log = false;
	return store_write(s, st, e);
}

int
store_commit(struct store *s, struct ht_error *e)
{
	int ret;

	if (s->failure.code != 0)
		return store_spoil(s, &s->failure, e);
	if (!s->open)
		return 0;
	ret = store_write(s, store_statement(s, SQL_COMMIT), e);
	if (ret < 0)
		return ret;
	s->open = false;
	return wipe_log(s, e);
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
		ret = engine_error(s, e);
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
	return ret < 0 ? store_spoil(s, &why, e) : 0;
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
