#include "config.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "lib/buf.h"
#include "store/authority/clients.h"
#include "store/journal/journal.h"
#include "store/journal/pins.h"
#include "tests/support/scratch.h"
#include "tests/support/store_scratch.h"

static const struct journal_request ask = { .client = "ci",
	.door = "sshd-sign",
	.profile = "p" };

static struct store *
open_store(void)
{
	struct ht_error e = { .text = "" };
	struct store *s = store_open(STORE_PATH, &e);

	assert_string_equal(e.text, "");
	assert_non_null(s);
	return s;
}

/* Run SQL on the closed store, as somebody who is not the store would. */
static int
run_sql(const char *sql, char *message, size_t size)
{
	sqlite3 *db = NULL;
	int rc;

	assert_int_equal(sqlite3_open(STORE_PATH, &db), SQLITE_OK);
	rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
	if (message != NULL)
		(void)snprintf(message, size, "%s", sqlite3_errmsg(db));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return rc;
}

static int64_t
ask_sql(const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *st = NULL;
	int64_t value;

	assert_int_equal(sqlite3_open(STORE_PATH, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	value = sqlite3_column_int64(st, 0);
	assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return value;
}

static void
check_integrity(void)
{
	assert_int_equal(
	    ask_sql("SELECT count(*) = 1 AND max(integrity_check) = 'ok' "
	            "FROM pragma_integrity_check"),
	    1);
	assert_int_equal(
	    ask_sql("SELECT count(*) FROM pragma_foreign_key_check"), 0);
}

static uint64_t
ask_once(struct store *s)
{
	struct ht_error e;
	uint64_t number;

	assert_int_equal(journal_asked(s, &ask, &number, &e), 0);
	return number;
}

static void
test_new_file(void **state)
{
	mode_t before = umask(0);
	struct store *s = open_store();
	struct stat sb;

	(void)state;
	(void)umask(before);
	assert_int_equal(stat(STORE_PATH, &sb), 0);
	assert_int_equal(sb.st_mode & 07777, 0600);
	assert_false(store_dirty(s));
	assert_int_equal(store_commit(s, NULL), 0);
	assert_int_equal(journal_last_time(s), 0);
	store_close(s);
	store_close(NULL);
	assert_int_equal(ask_sql("PRAGMA user_version"), 12);
	assert_int_equal(
	    ask_sql("SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
}

static void
test_commit_and_close(void **state)
{
	struct store *s = open_store();
	struct ht_error e;

	(void)state;
	assert_int_equal(ask_once(s), 1);
	assert_true(store_dirty(s));
	assert_int_equal(store_commit(s, &e), 0);
	assert_false(store_dirty(s));
	assert_int_equal(ask_once(s), 2);
	store_close(s);

	s = open_store();
	assert_int_equal(journal_show(s, 1, NULL, NULL, NULL, &e), 0);
	assert_int_equal(journal_show(s, 2, NULL, NULL, NULL, &e),
	    HT_ERR_USAGE);
	assert_string_equal(e.text, "there is no request 2");
	store_close(s);
}

static void
test_second_opener(void **state)
{
	struct store *s = open_store();
	static const char expected[] =
	    STORE_PATH ": the journal is in use by another process";
	struct ht_error e;
	pid_t pid;
	int status;

	(void)state;
	assert_null(store_open(STORE_PATH, &e));
	assert_int_equal(e.code, HT_ERR_UNAVAILABLE);
	assert_string_equal(e.text, expected);
	if ((pid = fork()) == 0) {
		if (store_open(STORE_PATH, &e) != NULL ||
		    e.code != HT_ERR_UNAVAILABLE ||
		    strcmp(e.text, expected) != 0)
			_exit(1);
		/* What it has of its parent's is not for it to free. */
		(void)raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	/* The first is none the worse for it. */
	(void)ask_once(s);
	assert_int_equal(store_commit(s, &e), 0);
	store_close(s);
	store_close(open_store());
}

static void
refuse_open(int code, const char *text)
{
	char expected[256];
	struct ht_error e;

	(void)snprintf(expected, sizeof(expected), "%s: %s", STORE_PATH, text);
	assert_null(store_open(STORE_PATH, &e));
	assert_string_equal(e.text, expected);
	assert_int_equal(e.code, code);
}

static void
test_newer_schema(void **state)
{
	(void)state;
	store_close(open_store());
	assert_int_equal(run_sql("PRAGMA user_version = 13", NULL, 0), 0);
	refuse_open(HT_ERR_USAGE,
	    "the store has version 13 of its tables; this htsign knows up to "
	    "12");
}

static void
test_foreign_files(void **state)
{
	static const char garbage[] = "not a database at all, just some text\n";
	struct ht_error e;
	int fd;

	(void)state;
	assert_int_equal(run_sql("CREATE TABLE t (a)", NULL, 0), 0);
	refuse_open(HT_ERR_DATA,
	    "the file is a database, but no store of htsign");
	(void)store_remove(state);
	fd = open(STORE_PATH, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, garbage, sizeof(garbage)), sizeof(garbage));
	(void)close(fd);
	refuse_open(HT_ERR_DATA,
	    "the journal is damaged: file is not a database");
	assert_null(store_open("/nonexistent/store.db", &e));
	assert_int_equal(e.code, HT_ERR_INTERNAL);
	assert_string_equal(e.text,
	    "/nonexistent/store.db-lock: No such file or directory");
}

/* An upgrade that was cut leaves nothing, and is done again. */
static void
test_interrupted_upgrade(void **state)
{
	(void)state;
	assert_int_equal(
	    run_sql("BEGIN EXCLUSIVE; CREATE TABLE event (a);", NULL, 0), 0);
	store_close(open_store());
	check_integrity();
}

/* The text of a file in the source tree; the caller frees it. */
static char *
read_source(const char *name)
{
	const char *srcdir = getenv("srcdir");
	char path[PATH_MAX];
	struct stat sb;
	char *text;
	FILE *f;

	assert_non_null(srcdir);
	(void)snprintf(path, sizeof(path), "%s/%s", srcdir, name);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fstat(fileno(f), &sb), 0);
	text = calloc(1, (size_t)sb.st_size + 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, (size_t)sb.st_size, f), sb.st_size);
	(void)fclose(f);
	return text;
}

static int
append_row(void *cookie, const struct journal_row *row)
{
	buf_format(cookie, "%s\n", row->json);
	return 0;
}

/* The rows of an older store stay, and are those that its events make. */
static void
test_upgrade(void **state)
{
	const struct journal_filter all = { .limit = 0 };
	struct buf before = BUF_INIT, after = BUF_INIT;
	char *sql = read_source("tests/unit/store-8.sql");
	struct store *s;
	uint64_t events, uses, again;

	(void)state;
	assert_int_equal(run_sql(sql, NULL, 0), 0);
	free(sql);
	s = open_store();
	assert_int_equal(journal_log(s, &all, append_row, &before, NULL), 0);
	assert_int_equal(journal_has_used(s, "ci", "production", NULL), 1);
	assert_int_equal(journal_has_used(s, "old", "other", NULL), 1);
	assert_int_equal(journal_has_used(s, "ci", "other", NULL), 0);
	assert_int_equal(user_certificate_used(s, 5, &uses, NULL), 0);
	assert_true(uses > 1);
	assert_int_equal(journal_rebuild(s, NULL, &events, NULL), 0);
	assert_int_equal(events, 29);
	assert_int_equal(journal_log(s, &all, append_row, &after, NULL), 0);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.data, after.data, before.len);
	assert_int_equal(journal_has_used(s, "ci", "production", NULL), 1);
	assert_int_equal(journal_has_used(s, "old", "other", NULL), 1);
	assert_int_equal(user_certificate_used(s, 5, &again, NULL), 0);
	assert_int_equal(again, uses);
	assert_int_equal(store_commit(s, NULL), 0);
	store_close(s);
	buf_free(&before);
	buf_free(&after);
	assert_int_equal(ask_sql("PRAGMA user_version"), 12);
	assert_int_equal(ask_sql("SELECT count(*) FROM signing"), 8);
	assert_int_equal(ask_sql(
	                     "SELECT asked < pumped AND pumped < archived AND "
	                     "archived < checked AND checked < decided AND "
	                     "virustotal_date = 1764547200 "
	                     "FROM signing WHERE request = 1"),
	    1);
	assert_int_equal(
	    ask_sql("SELECT group_concat(ifnull(result, '?'), ' ') = 'success "
	            "success virus internal-error cancelled sign-error "
	            "cancelled ?' "
	            "FROM (SELECT result FROM signing ORDER BY request)"),
	    1);
	check_integrity();
}

static void
refuse_sql(const char *sql, const char *expected)
{
	char message[128];

	assert_int_not_equal(run_sql(sql, message, sizeof(message)), 0);
	assert_string_equal(message, expected);
}

static void
test_append_only(void **state)
{
	const struct journal_decision decision = { .input.format = "pe" };
	const uint8_t der[4] = { 1 };
	const struct journal_timestamp stamp = { "tsa", 1, "0a", 1, der, 4 };
	struct store *s = open_store();
	uint64_t number = ask_once(s);

	(void)state;
	assert_int_equal(journal_decided(s, number, &decision, NULL), 0);
	assert_int_equal(journal_signed(s, number, der, sizeof(der), NULL), 0);
	assert_int_equal(journal_stamped(s, number, &stamp, NULL), 0);
	assert_int_equal(store_commit(s, NULL), 0);
	store_close(s);
#define APPEND_ONLY "the journal is append-only"
#define NEVER_CHANGES "a kept signature never changes"
	refuse_sql("UPDATE event SET at = 0", APPEND_ONLY);
	refuse_sql("DELETE FROM event WHERE seq = 1", APPEND_ONLY);
	refuse_sql("PRAGMA recursive_triggers = ON; INSERT OR REPLACE INTO "
	           "event VALUES (1, 0, NULL, 'x', '', '{}')",
	    APPEND_ONLY);
	refuse_sql("UPDATE pkcs7 SET der = x'00'", NEVER_CHANGES);
	refuse_sql("DELETE FROM pkcs7", NEVER_CHANGES);
	refuse_sql("UPDATE timestamp SET der = x'00'",
	    "a kept timestamp never changes");
	refuse_sql("DELETE FROM timestamp", "a kept timestamp never changes");
	assert_int_equal(ask_sql("SELECT count(*) FROM event"), 4);
}

/* --- crashes --------------------------------------------------------- */

/*
 * A process that signs on its own: one request a transaction, and its number
 * to fd once that is committed; every other time it goes on to write what it
 * never commits.
 */
static void
run_signer(int fd)
{
	const struct journal_decision decision = { .input.format = "pe",
		.attempt = 1 };
	struct store *s = store_open(STORE_PATH, NULL);
	uint64_t number, other;

	for (;;) {
		if (s == NULL || journal_asked(s, &ask, &number, NULL) < 0 ||
		    journal_decided(s, number, &decision, NULL) < 0 ||
		    store_commit(s, NULL) < 0 ||
		    write(fd, &number, sizeof(number)) != sizeof(number))
			_exit(1);
		if (number % 2 == 0 && journal_asked(s, &ask, &other, NULL) < 0)
			_exit(1);
		if (number % 2 == 0) {
			store_close(s);
			s = store_open(STORE_PATH, NULL);
		}
	}
}

/* Let a signer run, kill it after so many microseconds; the last it claimed. */
static uint64_t
kill_signer(useconds_t after)
{
	uint64_t number, last = 0;
	int pair[2];
	pid_t pid;

	assert_int_equal(pipe(pair), 0);
	if ((pid = fork()) == 0) {
		(void)close(pair[0]);
		run_signer(pair[1]);
	}
	(void)close(pair[1]);
	assert_int_equal(read(pair[0], &last, sizeof(last)), sizeof(last));
	(void)usleep(after);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	while (read(pair[0], &number, sizeof(number)) == sizeof(number))
		last = number;
	(void)close(pair[0]);
	return last;
}

static void
test_killed(void **state)
{
	uint64_t claimed, closed;
	struct store *s;
	struct ht_error e;
	useconds_t round;

	(void)state;
	for (round = 0; round < 8; round++) {
		claimed = kill_signer(round * 1700);
		check_integrity();
		assert_true((uint64_t)ask_sql("SELECT max(request) "
		                              "FROM signing") >= claimed);
		/* Every transaction is there whole or not at all. */
		assert_int_equal(ask_sql(
		                     "SELECT count(*) FROM signing AS s WHERE "
		                     "(SELECT count(*) FROM event AS e "
		                     "WHERE e.request = s.request) < 2"),
		    0);
		s = open_store();
		assert_int_equal(journal_recover(s, &closed, &e), 0);
		assert_true(closed >= 1);
		store_close(s);
		assert_int_equal(ask_sql("SELECT count(*) FROM signing "
		                         "WHERE status <> 'maybe-signed' "
		                         "OR ended IS NULL"),
		    0);
	}
}

/* --- errors of the disk ---------------------------------------------- */

/*
 * For a child under strace: open the store and write.  0: that works, with a
 * write-ahead log; 1: an error says what does not; 2: neither.
 */
static int
open_only(void)
{
	uint8_t header[20] = { 0 };
	struct ht_error e = { .text = "" };
	struct store *s = store_open(STORE_PATH, &e);
	uint64_t number;
	int fd;

	if (s != NULL && journal_asked(s, &ask, &number, &e) == 0)
		(void)store_commit(s, &e);
	if (e.text[0] != '\0')
		return 1;
	fd = open(STORE_PATH, O_RDONLY | O_CLOEXEC);
	if (s == NULL || fd < 0 ||
	    read(fd, header, sizeof(header)) != sizeof(header))
		return 2;
	return header[18] == 2 ? 0 : 2; /* the file format's read version */
}

/* Open a new store while the nth call of this kind fails with EIO. */
static int
open_with_error(const char *call, int nth)
{
	char inject[64], program[256];
	int status;
	ssize_t n;
	pid_t pid;

	(void)snprintf(inject, sizeof(inject), "inject=%s:error=EIO:when=%d",
	    call, nth);
	n = readlink("/proc/self/exe", program, sizeof(program) - 1);
	assert_true(n > 0);
	program[n] = '\0';
	if ((pid = fork()) == 0) {
		(void)execlp("strace", "strace", "-qq", "-o", "/dev/null", "-e",
		    inject, program, "open", (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* SQLite's, by the name that the linker gives to what takes its place: a script
   that begins with this does nothing and is no error. */
static const char *ignored;
int __real_sqlite3_exec(sqlite3 *db, const char *sql,
    int (*fn)(void *, int, char **, char **), void *cookie, char **message);
int __wrap_sqlite3_exec(sqlite3 *db, const char *sql,
    int (*fn)(void *, int, char **, char **), void *cookie, char **message);

int
__wrap_sqlite3_exec(sqlite3 *db, const char *sql,
    int (*fn)(void *, int, char **, char **), void *cookie, char **message)
{
	if (ignored != NULL && strncmp(sql, ignored, strlen(ignored)) == 0)
		return SQLITE_OK;
	return __real_sqlite3_exec(db, sql, fn, cookie, message);
}

/* A setting that SQLite did not make is no store. */
static void
test_settings_are_read_back(void **state)
{
	static const char *const settings[] = { "journal_mode", "foreign_keys",
		"recursive_triggers", "temp_store", "wal_autocheckpoint" };
	char sql[64];
	struct ht_error e;
	size_t i;

	for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		(void)store_remove(state);
		(void)snprintf(sql, sizeof(sql), "PRAGMA %s =", settings[i]);
		ignored = sql;
		assert_null(store_open(STORE_PATH, &e));
		ignored = NULL;
		assert_int_equal(e.code, HT_ERR_INTERNAL);
		(void)snprintf(sql, sizeof(sql),
		    STORE_PATH ": the journal cannot be used here: %s is \"",
		    settings[i]);
		assert_int_equal(strncmp(e.text, sql, strlen(sql)), 0);
	}
}

/* Whatever call fails, it is an error or makes no difference. */
static void
test_errors_of_the_disk(void **state)
{
	static const char *const calls[] = { "pread64", "pwrite64", "fdatasync",
		"ftruncate" };
	int failed = 0, status, nth;
	size_t i;

	if (access("/usr/bin/strace", X_OK) < 0)
		skip();
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		for (nth = 1; nth <= 16; nth++) {
			(void)store_remove(state);
			status = open_with_error(calls[i], nth);
			if (status == 127 << 8)
				continue; /* it was the loader's call */
			if (status != 0 && status != 1 << 8)
				fail_msg("%s %d: %d", calls[i], nth, status);
			failed += status != 0;
		}
	assert_true(failed >= 10);
}

/* --- no room --------------------------------------------------------- */

/* Limit the size of files to n bytes; 0: not at all. */
static void
limit_files(rlim_t n)
{
	struct rlimit limit;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = n > 0 ? n : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Ask until there is no room; return the last number that is on record. */
static uint64_t
fill_up(struct store *s)
{
	uint64_t number, last = 0;
	struct ht_error e;
	int ret;

	while ((ret = journal_asked(s, &ask, &number, &e)) == 0 &&
	    (ret = store_commit(s, &e)) == 0 && number < 100000)
		last = number;
	assert_string_equal(e.text, "the journal cannot be written: no room");
	assert_int_equal(ret, HT_ERR_UNAVAILABLE);
	return last;
}

/* Without room a transaction is undone, and the same process goes on. */
static void
test_no_room(void **state)
{
	struct store *s = open_store();
	uint64_t last, number;
	struct ht_error e;

	(void)state;
	limit_files(1 << 20);
	last = fill_up(s);
	assert_true(last > 10);
	assert_false(store_dirty(s));
	/* As often as it is tried, and what was there can be read. */
	assert_int_equal(fill_up(s), 0);
	assert_int_equal(journal_show(s, last, NULL, NULL, NULL, &e), 0);
	assert_int_equal(journal_show(s, last + 1, NULL, NULL, NULL, &e),
	    HT_ERR_USAGE);
	limit_files(0);
	assert_int_equal(ask_once(s), last + 1);
	assert_int_equal(journal_asked(s, &ask, &number, &e), 0);
	assert_int_equal(store_commit(s, &e), 0);
	assert_int_equal(number, last + 2);
	store_close(s);
	check_integrity();
	assert_int_equal(ask_sql("SELECT count(*) FROM signing"), number);
	assert_int_equal(ask_sql("SELECT count(*) FROM event"), number);
}

/* One that is larger than SQLite's cache fails before its commit. */
static void
test_no_room_before_commit(void **state)
{
	struct store *s = open_store();
	struct ht_error e, again;
	uint64_t number;
	int ret = 0;

	(void)state;
	limit_files(1 << 20);
	while (ret == 0)
		ret = journal_asked(s, &ask, &number, &e);
	assert_int_equal(ret, HT_ERR_UNAVAILABLE);
	assert_int_equal(number, 0);
	limit_files(0);
	/* Half of it is never committed. */
	assert_int_equal(journal_asked(s, &ask, &number, &again), ret);
	assert_string_equal(again.text, e.text);
	assert_int_equal(store_commit(s, &again), ret);
	assert_string_equal(again.text, e.text);
	assert_int_equal(ask_once(s), 1);
	assert_int_equal(store_commit(s, &e), 0);
	store_close(s);
	check_integrity();
	assert_int_equal(ask_sql("SELECT count(*) FROM event"), 1);
}

/* --- room that is kept ------------------------------------------------- */

static off_t
wal_size(void)
{
	struct stat sb;

	assert_int_equal(stat(STORE_PATH "-wal", &sb), 0);
	return sb.st_size;
}

/* What was reserved can be written, even when not a byte more is given out. */
static void
test_reserve(void **state)
{
	struct store *s = open_store();
	struct ht_error e;
	off_t size;
	int i;

	(void)state;
	assert_int_equal(store_reserve(s, 1 << 20, &e), 0);
	size = wal_size();
	assert_true(size >= 1 << 20);
	limit_files((rlim_t)size);
	for (i = 0; i < 14; i++) {
		(void)ask_once(s); /* two writes and a commit */
		assert_int_equal(store_commit(s, &e), 0);
	}
	/* A checkpoint gives it back; more there is not. */
	assert_int_equal(store_reserve(s, 1 << 20, &e), 0);
	assert_int_equal(store_reserve(s, 2 << 20, &e), HT_ERR_UNAVAILABLE);
	assert_string_equal(e.text,
	    "there is no room on the disk of the journal");
	assert_false(store_dirty(s));
	(void)fill_up(s);
	assert_int_equal(wal_size(), size);
	limit_files(0);
	assert_int_equal(store_reserve(s, 2 << 20, &e), 0);
	assert_true(wal_size() > size);
	store_close(s);
	check_integrity();
}

/* The WAL is written from its start again, and keeps its size. */
static void
test_wal_keeps_its_size(void **state)
{
	struct store *s = open_store();
	struct ht_error e;
	off_t size = 0;
	int i;

	(void)state;
	for (i = 0; i < 1200; i++) {
		assert_int_equal(store_reserve(s, 1 << 20, &e), 0);
		(void)ask_once(s);
		assert_int_equal(store_commit(s, &e), 0);
		if (i == 600)
			size = wal_size();
	}
	assert_int_equal(wal_size(), size);
	assert_true(size < 6 << 20);
	assert_int_equal(pin_attempt_clear(s, "t", NULL, &e), 0);
	assert_int_equal(store_commit(s, &e), 0);
	assert_int_equal(wal_size(), size);
	store_close(s);
	assert_int_equal(wal_size(), size);
	store_close(open_store());
	check_integrity();
}

/* The store grows by no more than it says. */
static void
test_written(void **state)
{
	const struct journal_end why = { 77, "code", 1, "text", NULL };
	struct journal_request long_ask = ask;
	char text[1025];
	struct store *s = open_store();
	int64_t before, grown;
	struct ht_error e;
	uint64_t number;
	int i;

	(void)state;
	memset(text, '\001', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	long_ask.description = text;
	store_close(s);
	before = ask_sql("SELECT page_count * 4096 FROM pragma_page_count");
	s = open_store();
	for (i = 0; i < 2000; i++) {
		assert_int_equal(journal_asked(s, i % 8 == 0 ? &long_ask : &ask,
		                     &number, &e),
		    0);
		assert_int_equal(journal_refused(s, number, &why, &e), 0);
	}
	assert_int_equal(store_commit(s, &e), 0);
	grown = (int64_t)store_written(s);
	store_close(s);
	before =
	    ask_sql("SELECT page_count * 4096 FROM pragma_page_count") - before;
	print_message("2000 requests: %" PRId64 " bytes, at most %" PRId64 "\n",
	    before, grown);
	assert_true(before <= grown);
	assert_true(before * 2 >= grown);
}

int
main(int argc, char **argv)
{
#define CASE(name) cmocka_unit_test_teardown(name, store_remove)
	const struct CMUnitTest tests[] = {
		CASE(test_new_file),
		CASE(test_commit_and_close),
		CASE(test_second_opener),
		CASE(test_newer_schema),
		CASE(test_foreign_files),
		CASE(test_interrupted_upgrade),
		CASE(test_upgrade),
		CASE(test_append_only),
		CASE(test_killed),
		CASE(test_settings_are_read_back),
		CASE(test_errors_of_the_disk),
		CASE(test_no_room),
		CASE(test_no_room_before_commit),
		CASE(test_reserve),
		CASE(test_wal_keeps_its_size),
		CASE(test_written),
	};

	if (argc > 1 && strcmp(argv[1], "open") == 0)
		return open_only();
	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
