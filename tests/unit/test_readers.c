/*
 * One process writes the store and others read it.
 */

#include "config.h"

#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "store/journal/journal.h"
#include "store/journal/pins.h"
#include "tests/support/scratch.h"
#include "tests/support/store_scratch.h"

/* No account of the machine has them. */
#define READER 64109
#define GROUP 64110

static const struct journal_request ask = { .client = "ci",
	.door = "sshd-sign",
	.profile = "p" };

static void
ask_times(unsigned int n)
{
	struct ht_error e;
	uint64_t number;

	while (n-- > 0) {
		assert_int_equal(store_reserve(store, 1 << 20, &e), 0);
		assert_int_equal(journal_asked(store, &ask, &number, &e), 0);
		assert_int_equal(store_commit(store, &e), 0);
	}
}

static off_t
size_of(const char *path)
{
	struct stat sb;

	assert_int_equal(stat(path, &sb), 0);
	return sb.st_size;
}

/* --- rights ------------------------------------------------------------ */

static bool
sees(struct store *s, uint64_t request)
{
	struct ht_error e;

	return journal_show(s, request, NULL, NULL, NULL, &e) == 0;
}

/* What a reader can do, under a uid of its own.  Returns its exit status. */
static int
read_as(uid_t uid, uint64_t last)
{
	static const char *const files[] = { STORE_PATH, STORE_PATH "-wal",
		STORE_PATH "-shm" };
	const gid_t group = GROUP;
	struct ht_error e;
	struct store *s;
	size_t i;

	if (setgroups(0, NULL) < 0 || setresgid(group, group, group) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		return 1;
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (open(files[i], O_WRONLY | O_CLOEXEC) >= 0 ||
		    open(files[i], O_RDONLY | O_CLOEXEC) < 0)
			return 2;
	if (open(STORE_PATH "-lock", O_RDONLY | O_CLOEXEC) >= 0 ||
	    open(STORE_PIN_KEY, O_RDONLY | O_CLOEXEC) >= 0)
		return 3;
	s = store_open_reader(STORE_PATH, &e);
	if (s == NULL) {
		(void)fprintf(stderr, "%s\n", e.text);
		return 4;
	}
	if (!sees(s, last) || sees(s, last + 1))
		return 5;
	if (journal_asked(s, &ask, &last, &e) == 0)
		return 6;
	store_close(s);
	return 0;
}

static void
assert_can_read(uint64_t last)
{
	int out[2], status = -1;
	pid_t pid;

	assert_int_equal(pipe(out), 0);
	pid = fork();
	if (pid == 0) {
		status = read_as(READER, last);
		(void)!write(out[1], &status, sizeof(status));
		/* At an exit valgrind takes the parent's memory for lost. */
		(void)raise(SIGKILL);
	}
	assert_int_equal(read(out[0], &status, sizeof(status)), sizeof(status));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(status, 0);
	(void)close(out[0]);
	(void)close(out[1]);
}

static void
assert_shared(const char *path)
{
	struct stat sb;

	assert_int_equal(stat(path, &sb), 0);
	assert_int_equal(sb.st_mode & 07777, 0640);
	assert_int_equal(sb.st_gid, GROUP);
	assert_int_equal(sb.st_uid, geteuid());
}

/* With the right to read alone: while it runs, and after it was killed. */
static void
test_reads_alone(void **state)
{
	struct ht_error e;
	uint64_t number;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(".", 0711), 0);
	assert_int_equal(store_share(store, GROUP, &e), 0);
	assert_shared(STORE_PATH);
	assert_shared(STORE_PATH "-wal");
	assert_shared(STORE_PATH "-shm");
	ask_times(1);
	assert_can_read(1);
	ask_times(2);
	assert_can_read(3);
	/* What is not committed is not seen. */
	assert_int_equal(journal_asked(store, &ask, &number, &e), 0);
	assert_can_read(3);
	assert_int_equal(store_commit(store, &e), 0);
	assert_can_read(4);
	/* Through checkpoints, and when the WAL is emptied. */
	ask_times(1100);
	assert_can_read(1104);
	assert_int_equal(pin_attempt_clear(store, "t", NULL, &e), 0);
	assert_int_equal(store_commit(store, &e), 0);
	assert_can_read(1104);
	/* After an end by itself, and by a kill. */
	store_close(store);
	store = NULL;
	assert_can_read(1104);
	if ((pid = fork()) == 0) {
		assert_int_equal(store_set_up(state), 0);
		ask_times(1);
		(void)journal_asked(store, &ask, &number, &e);
		(void)raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_can_read(1105);
	/* The next start changes nothing of that. */
	assert_int_equal(store_set_up(state), 0);
	assert_shared(STORE_PATH "-shm");
	ask_times(1);
	assert_can_read(1106);
}

static void
test_reader_mistakes(void **state)
{
	struct ht_error e;
	sqlite3 *db;

	(void)state;
	assert_null(store_open_reader("nowhere.db", &e));
	assert_int_equal(e.code, HT_ERR_INTERNAL);
	assert_string_equal(e.text,
	    "nowhere.db: the journal: unable to open database file");
	store_close(store);
	store = NULL;
	assert_int_equal(sqlite3_open(STORE_PATH, &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db, "PRAGMA user_version = 8", NULL, NULL, NULL), 0);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_null(store_open_reader(STORE_PATH, &e));
	assert_int_equal(e.code, HT_ERR_USAGE);
	assert_string_equal(e.text,
	    STORE_PATH ": the store has version 8 of its tables, and is "
	               "upgraded to 12 when htsign-keyd starts");
}

/* --- the WAL ----------------------------------------------------------- */

/* Somebody who has begun to read, and reads on. */
static sqlite3 *
begin_to_read(void)
{
	sqlite3 *db;

	assert_int_equal(
	    sqlite3_open_v2(STORE_PATH, &db, SQLITE_OPEN_READONLY, NULL), 0);
	assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM event",
	                     NULL, NULL, NULL),
	    SQLITE_OK);
	return db;
}

static void
end_to_read(sqlite3 *db)
{
	assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), 0);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Who reads makes the WAL grow, and only as long as that. */
static void
test_wal_behind_a_reader(void **state)
{
	sqlite3 *db;
	off_t size;

	(void)state;
	ask_times(600);
	size = size_of(STORE_PATH "-wal");
	db = begin_to_read();
	ask_times(600);
	assert_true(size_of(STORE_PATH "-wal") > size);
	end_to_read(db);
	size = size_of(STORE_PATH "-wal");
	ask_times(2000);
	/* As much as is reserved may be added. */
	assert_true(size_of(STORE_PATH "-wal") <= size + (1 << 20));
	assert_true(size < 32 << 20);
}

/* Readers that come and go at any time do not keep the WAL from its beginning.
 */
static void
test_wal_between_readers(void **state)
{
	sqlite3 *db;
	int i;

	(void)state;
	for (i = 0; i < 300; i++) {
		ask_times(3);
		db = begin_to_read();
		ask_times(7);
		end_to_read(db);
	}
	assert_true(size_of(STORE_PATH "-wal") < 16 << 20);
}

/* What was reserved is there, with a reader that stands in the way. */
static void
test_reserve_behind_a_reader(void **state)
{
	struct rlimit limit, old;
	struct ht_error e;
	uint64_t number;
	sqlite3 *db;
	int i;

	(void)state;
	(void)signal(SIGXFSZ, SIG_IGN);
	ask_times(900);
	db = begin_to_read();
	ask_times(300);
	assert_int_equal(store_reserve(store, 1 << 20, &e), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = old;
	limit.rlim_cur = (rlim_t)size_of(STORE_PATH "-wal");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (i = 0; i < 14; i++) {
		assert_int_equal(journal_asked(store, &ask, &number, &e), 0);
		assert_int_equal(store_commit(store, &e), 0);
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	end_to_read(db);
}

/* The index of a WAL of 24 MiB has its blocks before it needs them. */
static void
test_index_is_reserved(void **state)
{
	struct ht_error e;

	(void)state;
	assert_int_equal(size_of(STORE_PATH "-shm"), 32 << 10);
	assert_int_equal(store_reserve(store, 16 << 20, &e), 0);
	assert_true(size_of(STORE_PATH "-shm") >= 64 << 10);
}

static int64_t
attempts_in_wal(void)
{
	static uint8_t bytes[8 << 20];
	int fd = open(STORE_PATH "-wal", O_RDONLY);
	ssize_t n = read(fd, bytes, sizeof(bytes));

	(void)close(fd);
	assert_true(n >= 0 && (size_t)n < sizeof(bytes));
	return memmem(bytes, (size_t)n, "pin-of-a-token", 14) != NULL;
}

/* PINs are wiped when nobody reads any more. */
static void
test_wipe_behind_a_reader(void **state)
{
	const struct pin_attempt a = { .unknown = 1 };
	uint8_t salt[PIN_SALT] = { 1 }, hash[PIN_HASH] = { 2 };
	struct ht_error e;
	sqlite3 *db;

	(void)state;
	assert_int_equal(
	    pin_attempt_add(store, "pin-of-a-token", salt, hash, &a, &e), 0);
	assert_int_equal(store_commit(store, &e), 0);
	db = begin_to_read();
	assert_int_equal(pin_attempt_clear(store, "pin-of-a-token", NULL, &e),
	    0);
	assert_int_equal(store_commit(store, &e), 0);
	assert_true(attempts_in_wal());
	end_to_read(db);
	ask_times(1);
	assert_false(attempts_in_wal());
}

int
main(void)
{
#define CASE(name)                                                             \
	cmocka_unit_test_setup_teardown(name, store_set_up, store_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_reads_alone),
		CASE(test_reader_mistakes),
		CASE(test_wal_behind_a_reader),
		CASE(test_wal_between_readers),
		CASE(test_reserve_behind_a_reader),
		CASE(test_index_is_reserved),
		CASE(test_wipe_behind_a_reader),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
