#include "config.h"

#include <string.h>

#include "lib/buf.h"
#include "store/schema.h"
#include "store/store-private.h"

/* Step i upgrades version i to version i + 1, and sets user_version. */
static const char *const steps[] = {
	store_schema,
	/* Certificates of our CA that another endpoint issued. */
	"CREATE TABLE revoked_elsewhere ("
	"serial ANY PRIMARY KEY NOT NULL, revoked INTEGER NOT NULL) STRICT;"
	"PRAGMA user_version = 2;",
	/*
	 * Of an attempt at a PIN: the token's flags before it, and how many in
	 * a row have no outcome; 0: it was refused, as all older ones are taken
	 * to be.
	 */
	"ALTER TABLE pin_attempt ADD COLUMN flags INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE pin_attempt ADD COLUMN unknown INTEGER NOT NULL DEFAULT 0;"
	"PRAGMA user_version = 3;",
	/* The timestamp tokens of signatures. */
	"CREATE TABLE timestamp ("
	"request INTEGER PRIMARY KEY, der BLOB NOT NULL) STRICT;"
	"CREATE TRIGGER timestamp_update BEFORE UPDATE ON timestamp BEGIN "
	"SELECT RAISE(ABORT, 'a kept timestamp never changes'); END;"
	"CREATE TRIGGER timestamp_delete BEFORE DELETE ON timestamp BEGIN "
	"SELECT RAISE(ABORT, 'a kept timestamp never changes'); END;"
	"ALTER TABLE signing ADD COLUMN stamped INTEGER;"
	"ALTER TABLE signing ADD COLUMN stamp_server TEXT;"
	"ALTER TABLE signing ADD COLUMN stamp_time INTEGER;" /* in seconds */
	"ALTER TABLE signing ADD COLUMN stamp_serial TEXT;"
	"ALTER TABLE signing ADD COLUMN stamp_tries INTEGER;"
	"ALTER TABLE signing ADD COLUMN stamp_error TEXT;"
	"PRAGMA user_version = 4;",
	/* What is known of our code-signing certificates. */
	"CREATE INDEX event_signer ON event (seq) "
	"WHERE kind GLOB 'signer-*';"
	"PRAGMA user_version = 5;",
	/* What the scanner said. */
	"ALTER TABLE signing ADD COLUMN scan TEXT;"
	"ALTER TABLE signing ADD COLUMN scan_text TEXT;"
	"ALTER TABLE signing ADD COLUMN scan_database TEXT;"
	"PRAGMA user_version = 6;",
	/*
	 * The kept files, each with the last request that had it and the client
	 * that it counts for; those that were pruned, with the reason; and how
	 * outputs are made of them.
	 */
	"ALTER TABLE signing ADD COLUMN archive TEXT;"
	"CREATE INDEX signing_sha256 ON signing (sha256);"
	"CREATE TABLE archive ("
	"sha256 TEXT PRIMARY KEY NOT NULL, size INTEGER NOT NULL, "
	"client TEXT NOT NULL, request INTEGER NOT NULL, "
	"at INTEGER NOT NULL, pruned INTEGER, why TEXT) "
	"STRICT, WITHOUT ROWID;"
	"CREATE INDEX archive_at ON archive (at) WHERE pruned IS NULL;"
	"CREATE TABLE archive_share ("
	"client TEXT PRIMARY KEY NOT NULL, bytes INTEGER NOT NULL) "
	"STRICT, WITHOUT ROWID;"
	"CREATE TRIGGER archive_insert AFTER INSERT ON archive BEGIN "
	"INSERT INTO archive_share VALUES (NEW.client, NEW.size) "
	"ON CONFLICT DO UPDATE SET bytes = bytes + NEW.size; END;"
	"CREATE TRIGGER archive_update AFTER UPDATE OF pruned ON archive BEGIN "
	"UPDATE archive_share SET bytes = bytes + "
	"((NEW.pruned IS NULL) - (OLD.pruned IS NULL)) * OLD.size "
	"WHERE client = OLD.client; END;"
	"CREATE TABLE recipe ("
	"request INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;"
	"CREATE TRIGGER recipe_update BEFORE UPDATE ON recipe BEGIN "
	"SELECT RAISE(ABORT, 'a kept recipe never changes'); END;"
	"PRAGMA user_version = 7;",
	/* What VirusTotal said. */
	"ALTER TABLE signing ADD COLUMN virustotal TEXT;"
	"ALTER TABLE signing ADD COLUMN virustotal_text TEXT;"
	"PRAGMA user_version = 8;",
	/*
	 * What a row had not, and the profiles that each client has used.  The
	 * rows that are there get what their events have.
	 */
	"ALTER TABLE signing ADD COLUMN version TEXT;"
	"ALTER TABLE signing ADD COLUMN port INTEGER;"
	"ALTER TABLE signing ADD COLUMN user_fingerprint TEXT;"
	"ALTER TABLE signing ADD COLUMN fingerprint TEXT;"
	"ALTER TABLE signing ADD COLUMN product TEXT;"
	"ALTER TABLE signing ADD COLUMN company TEXT;"
	"ALTER TABLE signing ADD COLUMN file_version TEXT;"
	"ALTER TABLE signing ADD COLUMN first_use INTEGER;"
	"ALTER TABLE signing ADD COLUMN virustotal_date INTEGER;" /* seconds */
	"ALTER TABLE signing ADD COLUMN result TEXT;"
	"ALTER TABLE signing ADD COLUMN received INTEGER;"
	"ALTER TABLE signing ADD COLUMN pumped INTEGER;"
	"ALTER TABLE signing ADD COLUMN archived INTEGER;"
	"ALTER TABLE signing ADD COLUMN checked INTEGER;"
	"UPDATE signing SET pumped = e.pumped, archived = e.archived, "
	"checked = e.checked, virustotal_date = e.date, result = e.result FROM "
	"(SELECT request, max(at) FILTER (WHERE kind = 'pumped') AS pumped, "
	"max(at) FILTER (WHERE kind = 'archived') AS archived, "
	"max(at) FILTER (WHERE kind = 'virustotal') AS checked, "
	"max(unixepoch(detail ->> 'date')) "
	"FILTER (WHERE kind = 'virustotal') AS date, "
	"max(result_word(kind, detail ->> 'exit', detail ->> 'code')) FILTER "
	"(WHERE kind IN ('delivered', 'undelivered', 'refused', 'failed', "
	"'aborted')) AS result "
	"FROM event WHERE request IS NOT NULL GROUP BY request) AS e "
	"WHERE e.request = signing.request;"
	"CREATE TABLE profile_used (client TEXT NOT NULL, "
	"profile TEXT NOT NULL, PRIMARY KEY (client, profile)) "
	"STRICT, WITHOUT ROWID;"
	"INSERT INTO profile_used SELECT DISTINCT client, profile "
	"FROM signing WHERE coalesce(decided, finished) IS NOT NULL "
	"AND client IS NOT NULL AND profile IS NOT NULL;"
	"CREATE TRIGGER signing_used AFTER UPDATE OF status ON signing "
	"WHEN NEW.status IN ('decided', 'kept') AND NEW.client IS NOT NULL "
	"AND NEW.profile IS NOT NULL BEGIN INSERT INTO profile_used "
	"VALUES (NEW.client, NEW.profile) ON CONFLICT DO NOTHING; END;"
	"PRAGMA user_version = 9;",
	/* What an administrator has frozen. */
	"CREATE TABLE freeze ("
	"kind TEXT NOT NULL, name TEXT NOT NULL, text TEXT, "
	"frozen_by TEXT NOT NULL, at INTEGER NOT NULL, "
	"PRIMARY KEY (kind, name)) STRICT, WITHOUT ROWID;"
	"PRAGMA user_version = 10;",
	/*
	 * How user certificates are limited, how many of their requests were
	 * decided, and keys whose certificates are all revoked.
	 */
	"ALTER TABLE user_certificate ADD COLUMN source TEXT;"
	"ALTER TABLE user_certificate ADD COLUMN profile TEXT;"
	"ALTER TABLE user_certificate ADD COLUMN uses INTEGER;"
	"CREATE TABLE revoked_key ("
	"fingerprint TEXT PRIMARY KEY NOT NULL, at INTEGER NOT NULL) "
	"STRICT, WITHOUT ROWID;"
	"CREATE TABLE certificate_use ("
	"serial ANY PRIMARY KEY NOT NULL, count INTEGER NOT NULL) "
	"STRICT, WITHOUT ROWID;"
	"INSERT INTO certificate_use SELECT serial, count(*) FROM signing "
	"WHERE serial IS NOT NULL AND decided IS NOT NULL GROUP BY serial;"
	"CREATE TRIGGER signing_use AFTER UPDATE OF decided ON signing "
	"WHEN NEW.serial IS NOT NULL AND NEW.decided IS NOT NULL "
	"AND OLD.decided IS NULL BEGIN INSERT INTO certificate_use "
	"VALUES (NEW.serial, 1) ON CONFLICT DO UPDATE SET count = count + 1; "
	"END;"
	"PRAGMA user_version = 11;",
	/* Which secret keys an attempt's hash; NULL: none, as in version 11. */
	"ALTER TABLE pin_attempt ADD COLUMN key BLOB;"
	"PRAGMA user_version = 12;",
};

#define SCHEMA_VERSION ((int)(sizeof(steps) / sizeof(steps[0])))
#define APPLICATION 0x68747367 /* "htsg"; schema.sql sets it */

/*
 * Others may read the file meanwhile, who only have the right to that.  Each
 * commit is synced.  Deleted bytes are overwritten.  Pages
 * are checked and never mapped, because the file may be damaged.  wal.c says
 * when a checkpoint is made, and the WAL keeps its size.
 */
static const struct {
	const char *name, *value;
	const char *answer; /* what SQLite says, once it is set */
} settings[] = {
	{ "journal_mode", "WAL", "wal" },
	{ "synchronous", "FULL", "2" },
	{ "foreign_keys", "ON", "1" },
	{ "recursive_triggers", "ON", "1" },
	{ "secure_delete", "ON", "1" },
	{ "temp_store", "MEMORY", "2" },
	{ "mmap_size", "0", "0" },
	{ "cell_size_check", "ON", "1" },
	{ "journal_size_limit", "-1", "-1" },
	{ "wal_autocheckpoint", "0", "0" },
};

/* --- opening --------------------------------------------------------- */

static int
run_script(struct store *s, const char *sql, struct ht_error *e)
{
	if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return store_engine_error(s, e);
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
		ret = store_engine_error(s, e);
	else
		*value = sqlite3_column_int(st, 0);
	(void)sqlite3_finalize(st);
	return ret;
}

/*
 * Set one of the settings and read it back.  If SQLite cannot do it, an error
 * of the disk for example, it may keep the old value and report no error.
 */
static int
set(struct store *s, size_t i, struct ht_error *e)
{
	sqlite3_stmt *st = NULL;
	char sql[64];
	int ret;

	(void)snprintf(sql, sizeof(sql), "PRAGMA %s = %s", settings[i].name,
	    settings[i].value);
	if ((ret = run_script(s, sql, e)) < 0)
		return ret;
	(void)snprintf(sql, sizeof(sql), "PRAGMA %s", settings[i].name);
	if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK ||
	    sqlite3_step(st) != SQLITE_ROW)
		ret = store_engine_error(s, e);
	else if (strcmp(store_column(st, 0), settings[i].answer) != 0)
		ret = ht_error_set(e, HT_ERR_INTERNAL,
		    "the journal cannot be used here: %s is \"%s\", not "
		    "\"%s\"",
		    settings[i].name, store_column(st, 0), settings[i].answer);
	(void)sqlite3_finalize(st);
	return ret;
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
			return store_engine_error(s, e);
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
connect(struct store *s, const char *path, int flags, struct ht_error *e)
{
	size_t i;
	int ret = 0;

	if (sqlite3_open_v2(path, &s->db,
	        flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
	        NULL) != SQLITE_OK)
		return s->db == NULL ? ht_error_memory(e)
		                     : store_engine_error(s, e);
	(void)sqlite3_busy_timeout(s->db, STORE_LEAVING);
	/* Do not trust the schema: the file may be damaged. */
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	for (i = 0; i < sizeof(settings) / sizeof(settings[0]) && ret == 0; i++)
		ret = set(s, i, e);
	if (ret == 0)
		ret = store_result_word(s, e);
	return ret;
}

static int
open_to_write(struct store *s, const char *path, struct ht_error *e)
{
	int ret, page = 0, keep = 1;

	ret = connect(s, path, SQLITE_OPEN_READWRITE, e);
	if (ret < 0)
		return ret;
	(void)sqlite3_file_control(s->db, NULL, SQLITE_FCNTL_PERSIST_WAL,
	    &keep);
	ret = upgrade(s, e);
	if (ret == 0)
		ret = prepare_all(s, e);
	if (ret == 0)
		ret = read_last_time(s, e);
	if (ret == 0)
		ret = ask_number(s, "PRAGMA page_size", &page, e);
	if (ret == 0)
		ret = store_wal_open(s, page, e);
	/* From here on only who reads can be in the way, and nobody waits. */
	(void)sqlite3_busy_timeout(s->db, 0);
	return ret;
}

/* A reader upgrades nothing: keyd has done that, or will. */
static int
open_to_read(struct store *s, const char *path, struct ht_error *e)
{
	int version = 0, ret;

	ret = connect(s, path, SQLITE_OPEN_READONLY, e);
	if (ret == 0)
		ret = find_version(s, &version, e);
	if (ret == 0 && version < SCHEMA_VERSION)
		ret = ht_error_set(e, HT_ERR_USAGE,
		    "the store has version %d of its tables, and is upgraded "
		    "to %d when htsign-keyd starts",
		    version, SCHEMA_VERSION);
	return ret < 0 ? ret : prepare_all(s, e);
}

static struct store *
open_store(const char *path, bool reads, struct ht_error *e)
{
	struct store *s = calloc(1, sizeof(*s));
	struct ht_error why;
	int ret = 0;

	if (s == NULL) {
		(void)ht_error_memory(e);
		return NULL;
	}
	s->lock = s->file = s->wal = s->shm = -1;
	ht_error_clear(&why);
	if (!reads)
		ret = store_files_open(s, path, e);
	if (ret == 0)
		ret = reads ? open_to_read(s, path, &why)
		            : open_to_write(s, path, &why);
	if (ret < 0 && why.code != 0)
		(void)ht_error_set(e, ret, "%s: %s", path, why.text);
	if (ret < 0) {
		store_close(s);
		return NULL;
	}
	return s;
}

struct store *
store_open(const char *path, struct ht_error *e)
{
	return open_store(path, false, e);
}

struct store *
store_open_reader(const char *path, struct ht_error *e)
{
	return open_store(path, true, e);
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
	store_files_close(s);
	ht_wipe(s->pin_key, sizeof(s->pin_key));
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

/*
 * A write found no room.  All of the transaction is undone: the store is as it
 * was after the last commit.
 */
static int
roll_back(struct store *s, struct ht_error *e)
{
	struct ht_error why = s->failure;

	ht_error_clear(&s->failure);
	s->writes = 0;
	s->bytes = 0;
	/* SQLite may have done it already. */
	if (sqlite3_get_autocommit(s->db) == 0 &&
	    store_write(s, store_statement(s, SQL_ROLLBACK), e) < 0)
		return s->failure.code;
	s->open = false;
	if (e != NULL)
		*e = why;
	return HT_ERR_UNAVAILABLE;
}

int
store_commit(struct store *s, struct ht_error *e)
{
	if (s->failure.code == 0 && !s->open)
		return 0;
	if (s->failure.code == 0)
		(void)store_write(s, store_statement(s, SQL_COMMIT), e);
	if (s->failure.code == HT_ERR_UNAVAILABLE)
		return roll_back(s, e);
	if (s->failure.code != 0)
		return store_spoil(s, &s->failure, e);
	s->open = false;
	s->writes = 0;
	s->bytes = 0;
	return store_wal_committed(s, e);
}

uint64_t
store_written(const struct store *s)
{
	return s->written;
}
