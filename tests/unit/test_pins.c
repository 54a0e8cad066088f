#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sqlite3.h>

#include "store/journal/pins.h"
#include "tests/support/scratch.h"
#include "tests/support/store_scratch.h"

/* What the database has of a hash. */
static void
keyed(const uint8_t hash[PIN_HASH], uint8_t out[PIN_HASH])
{
	int fd = open(STORE_PIN_KEY, O_RDONLY);
	uint8_t key[32];

	assert_int_equal(read(fd, key, sizeof(key)), sizeof(key));
	(void)close(fd);
	assert_non_null(
	    HMAC(EVP_sha256(), key, sizeof(key), hash, PIN_HASH, out, NULL));
}

/* Whether the n bytes at p stand in the file, or in its WAL. */
static bool
on_disk(const char *suffix, const uint8_t *p, size_t n)
{
	static uint8_t text[1 << 20];
	char name[160];
	ssize_t got;
	int fd;

	(void)snprintf(name, sizeof(name), STORE_PATH "%s", suffix);
	fd = open(name, O_RDONLY);
	assert_true(fd >= 0);
	got = read(fd, text, sizeof(text));
	assert_true(got >= 0 && (size_t)got < sizeof(text));
	(void)close(fd);
	return memmem(text, (size_t)got, p, n) != NULL;
}

static void
test_pins(void **state)
{
	const struct pin_attempt first = { .unknown = 1 },
	                         later = { .flags = 3, .unknown = 7 };
	uint8_t salt[PIN_SALT], again[PIN_SALT], one[PIN_HASH], two[PIN_HASH];
	struct pin_attempt a;
	struct ht_error e;
	uint64_t count;

	memset(one, 0xa5, sizeof(one));
	memset(two, 0x5a, sizeof(two));
	assert_int_equal(pin_salt(store, "t1", salt, &e), 0);
	assert_int_equal(pin_attempt_stands(store, "t1", one, &a, &e), 0);
	assert_int_equal(a.unknown, 0);
	assert_int_equal(pin_attempt_add(store, "t1", salt, one, &first, &e),
	    0);
	assert_int_equal(pin_attempt_add(store, "t1", salt, one, &later, &e),
	    0);
	assert_int_equal(pin_attempt_add(store, "t1", salt, two, &first, &e),
	    0);
	assert_int_equal(store_commit(store, &e), 0);
	store_close(store);
	assert_int_equal(store_set_up(state), 0);

	assert_int_equal(pin_salt(store, "t1", again, &e), 0);
	assert_memory_equal(salt, again, PIN_SALT);
	assert_int_equal(pin_salt(store, "t2", again, &e), 0);
	assert_memory_not_equal(salt, again, PIN_SALT);
	assert_int_equal(pin_attempt_stands(store, "t1", one, &a, &e), 1);
	assert_int_equal(a.flags, 3);
	assert_int_equal(a.unknown, 7);
	assert_int_equal(pin_attempt_stands(store, "t1", two, &a, &e), 1);
	assert_int_equal(a.flags, 0);
	assert_int_equal(a.unknown, 1);
	assert_int_equal(pin_attempt_stands(store, "t2", one, &a, &e), 0);

	assert_int_equal(pin_attempt_refused(store, "t2", &e), 0);
	assert_int_equal(pin_attempt_stands(store, "t1", two, &a, &e), 1);
	assert_int_equal(a.unknown, 1);
	assert_int_equal(pin_attempt_refused(store, "t1", &e), 0);
	assert_int_equal(pin_attempt_stands(store, "t1", one, &a, &e), 1);
	assert_int_equal(a.unknown, 0);
	assert_int_equal(pin_attempt_stands(store, "t1", two, &a, &e), 1);
	assert_int_equal(a.unknown, 0);
	assert_int_equal(store_commit(store, &e), 0);
	/* What is there is keyed: a PIN cannot be tried on it. */
	assert_false(on_disk("", one, sizeof(one)));
	assert_false(on_disk("-wal", one, sizeof(one)));
	keyed(one, one);
	keyed(two, two);
	assert_true(on_disk("", one, sizeof(one)));

	assert_int_equal(pin_attempt_clear(store, "t2", &count, &e), 0);
	assert_int_equal(count, 0);
	assert_int_equal(pin_attempt_clear(store, "t1", &count, &e), 0);
	assert_int_equal(count, 2);
	assert_int_equal(store_commit(store, &e), 0);
	assert_false(on_disk("", one, sizeof(one)));
	assert_false(on_disk("-wal", one, sizeof(one)));
	assert_false(on_disk("", two, sizeof(two)));
}

/* A lost secret leaves nothing to compare a PIN with: the attempt stands. */
static void
test_lost_key(void **state)
{
	const struct pin_attempt first = { .flags = 3, .unknown = 1 };
	uint8_t salt[PIN_SALT] = { 1 }, one[PIN_HASH] = { 2 };
	uint8_t other[PIN_HASH] = { 3 };
	struct pin_attempt a;
	struct ht_error e;
	uint64_t count;

	assert_int_equal(pin_attempt_add(store, "t1", salt, one, &first, &e),
	    0);
	assert_int_equal(store_commit(store, &e), 0);
	assert_int_equal(pin_attempt_stands(store, "t1", other, &a, &e), 0);
	store_close(store);
	assert_int_equal(unlink(STORE_PIN_KEY), 0);
	assert_int_equal(store_set_up(state), 0);
	assert_int_equal(pin_attempt_stands(store, "t1", one, &a, &e), 1);
	assert_true(a.lost);
	assert_int_equal(pin_attempt_stands(store, "t1", other, &a, &e), 1);
	assert_true(a.lost);
	assert_int_equal(pin_attempt_stands(store, "t2", one, &a, &e), 0);
	assert_false(a.lost);
	/* Neither another attempt nor its refusal makes it go. */
	assert_int_equal(pin_attempt_add(store, "t1", salt, other, &first, &e),
	    0);
	assert_int_equal(pin_attempt_refused(store, "t1", &e), 0);
	assert_int_equal(pin_attempt_stands(store, "t1", other, &a, &e), 1);
	assert_true(a.lost);
	assert_int_equal(pin_attempt_clear(store, "t1", &count, &e), 0);
	assert_int_equal(count, 2);
	assert_int_equal(pin_attempt_stands(store, "t1", one, &a, &e), 0);
}

/* clang-format off */
#define A5 "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"
#define X5A "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"
static const char old[] =
    "INSERT INTO pin_attempt (token, salt, hash, at, flags, unknown) VALUES "
    "('t', zeroblob(16), x'" A5 A5 "', 0, 1, 2), "
    "('t', zeroblob(16), x'" X5A X5A "', 0, 0, 0)";
/* clang-format on */

/* What an older version left is keyed, and nothing else is left of it. */
static void
test_unkeyed(void **state)
{
	uint8_t one[PIN_HASH], two[PIN_HASH];
	struct pin_attempt a;
	struct ht_error e;
	sqlite3 *db;

	store_close(store);
	store = NULL;
	memset(one, 0xa5, sizeof(one));
	memset(two, 0x5a, sizeof(two));
	assert_int_equal(sqlite3_open(STORE_PATH, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, old, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_true(on_disk("", one, sizeof(one)));
	assert_int_equal(store_set_up(state), 0);
	assert_false(store_dirty(store));
	assert_int_equal(pin_attempt_stands(store, "t", one, &a, &e), 1);
	assert_int_equal(a.flags, 1);
	assert_int_equal(a.unknown, 2);
	assert_false(a.lost);
	assert_int_equal(pin_attempt_stands(store, "t", two, &a, &e), 1);
	assert_int_equal(a.unknown, 0);
	assert_false(on_disk("", one, sizeof(one)));
	assert_false(on_disk("-wal", one, sizeof(one)));
	assert_false(on_disk("", two, sizeof(two)));
	assert_false(on_disk("-wal", two, sizeof(two)));
}

static void
refuse_key(const char *expected)
{
	struct ht_error e;

	assert_int_equal(pin_key_open(store, STORE_PIN_KEY, &e), HT_ERR_USAGE);
	if (strstr(e.text, expected) == NULL)
		fail_msg("%s", e.text);
}

static void
test_key_file(void **state)
{
	uint8_t salt[PIN_SALT] = { 0 }, hash[PIN_HASH] = { 0 };
	const struct pin_attempt first = { .unknown = 1 };
	struct ht_error e;
	struct stat sb;

	(void)state;
	assert_int_equal(stat(STORE_PIN_KEY, &sb), 0);
	assert_int_equal(sb.st_mode & 07777, 0600);
	assert_int_equal(sb.st_size, 32);
	assert_int_equal(access(STORE_PIN_KEY ".new", F_OK), -1);
	assert_int_equal(chmod(STORE_PIN_KEY, 0640), 0);
	refuse_key("chmod");
	assert_int_equal(chmod(STORE_PIN_KEY, 0600), 0);
	assert_int_equal(truncate(STORE_PIN_KEY, 31), 0);
	refuse_key(STORE_PIN_KEY " has 31 bytes instead of 32: bring it back, "
	                         "or remove it; then ");
	assert_int_equal(truncate(STORE_PIN_KEY, 33), 0);
	refuse_key(" has 33 bytes");
	/* Without it nothing is compared, and nothing recorded. */
	assert_int_equal(pin_attempt_add(store, "t", salt, hash, &first, &e),
	    HT_ERR_INTERNAL);
	assert_false(store_dirty(store));
	assert_int_equal(pin_key_open(store, "nowhere/pin.key", &e),
	    HT_ERR_INTERNAL);
	assert_string_equal(e.text,
	    "nowhere/pin.key.new: No such file or directory");
}

int
main(void)
{
#define CASE(name)                                                             \
	cmocka_unit_test_setup_teardown(name, store_set_up, store_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_pins),
		CASE(test_lost_key),
		CASE(test_unkeyed),
		CASE(test_key_file),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
