/*
 * What one client can take of the disk: spools, and rows of the journal; and a
 * disk that is full.
 */

#include "config.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "keys/keyd/disk-ledger.h"
#include "keys/keyd/failures.h"
#include "keys/keyd/quota.h"
#include "keys/keyd/request/request.h"
#include "keys/keyd/spools.h"
#include "store/store-private.h"
#include "tests/support/core_client.h"

#define MIB ((uint64_t)1 << 20)

/* The file system, by the name that the linker gives to what takes its place:
   what is free is what nobody holds of its size. */
static uint64_t fs_size, fs_used;
static const struct disk_ledger *fs_ledger;

int __wrap_fstatvfs(int fd, struct statvfs *fs);

int
__wrap_fstatvfs(int fd, struct statvfs *fs)
{
	uint64_t held =
	    fs_ledger != NULL ? disk_held(fs_ledger, NULL, NULL) : 0;

	if (fd < 0)
		return -1;
	memset(fs, 0, sizeof(*fs));
	fs->f_frsize = 1;
	fs->f_blocks = fs_size;
	fs->f_bavail = fs_size - fs_used - held;
	return 0;
}

static int
set_up(void **state)
{
	fs_size = 64 * MIB;
	fs_used = 0;
	fs_ledger = NULL;
	return core_client_set_up(state);
}

/* --- the ledger ---------------------------------------------------------- */

static void
a_client_may_hold_half_of_what_others_leave(void **state)
{
	struct disk_ledger *l = disk_ledger_new(0);
	struct disk_account *a = disk_account_open(l, "a", "spool");
	struct disk_account *b = disk_account_open(l, "b", "spool");
	struct disk_account *kept = disk_account_open(l, "a", "kept");

	(void)state;
	fs_ledger = l;
	/* 64 MiB, of which 8 are left to others. */
	assert_int_equal(disk_left(l, "a"), 28 * MIB);
	disk_charge(a, 20 * MIB);
	assert_int_equal(disk_left(l, "a"), 8 * MIB);
	assert_int_equal(disk_over(l, "a"), 0);
	assert_int_equal(disk_left(l, "b"), 18 * MIB);
	disk_charge(b, 18 * MIB);
	assert_int_equal(disk_left(l, "b"), 0);
	/* Of all kinds together; and b takes from what a may hold. */
	disk_charge(kept, 10 * MIB);
	assert_int_equal(disk_over(l, "a"), 11 * MIB);
	assert_int_equal(disk_over(l, "b"), 5 * MIB);
	assert_int_equal(disk_over(l, "c"), 0);
	assert_int_equal(disk_held(l, "a", NULL), 30 * MIB);
	assert_int_equal(disk_held(l, NULL, "spool"), 38 * MIB);
	disk_release(a, 20 * MIB);
	assert_int_equal(disk_over(l, "a"), 0);
	/* What somebody else takes of the disk nobody may hold. */
	fs_used = 60 * MIB;
	disk_release(b, 18 * MIB);
	disk_release(kept, 10 * MIB);
	assert_int_equal(disk_left(l, "a"), 0);
	disk_account_close(a);
	disk_account_close(b);
	disk_account_close(kept);
	assert_int_equal(disk_held(l, NULL, NULL), 0);
	disk_ledger_free(l);
}

/* --- spools -------------------------------------------------------------- */

static void
fill(int fd, uint64_t mib)
{
	static char block[MIB];
	uint64_t i;

	memset(block, 'x', sizeof(block));
	for (i = 0; i < mib; i++)
		assert_int_equal(write(fd, block, sizeof(block)),
		    sizeof(block));
	fs_used += mib * MIB;
}

static off_t
size_of(int fd)
{
	struct stat sb;

	assert_int_equal(fstat(fd, &sb), 0);
	return sb.st_size;
}

/* Connect, BEGIN, and take the spool. */
static int
begin_with_spool(struct keyd_client *a)
{
	struct protocol_begin begin = core_client_request("plain");
	union protocol_body body;
	struct msg m;

	core_client_open(a);
	core_client_say(a, PROTOCOL_BEGIN, &begin);
	core_client_hear(a, PROTOCOL_GO, &m, &body);
	return m.fd[0];
}

static void
a_spool_over_the_share_is_emptied(void **state)
{
	struct keyd_client a, b;
	int small, large;

	(void)state;
	small = begin_with_spool(&a);
	large = begin_with_spool(&b);
	fill(small, 1);
	fill(large, 27);
	core_wait(2);
	assert_int_equal(size_of(large), 27 * MIB);
	fill(large, 2);
	core_wait(2);
	assert_int_equal(size_of(large), 0);
	fs_used -= 29 * MIB;
	assert_int_equal(size_of(small), MIB);
	core_client_hear_no(&b, HT_ERR_TEMPORARY, "room",
	    "ci holds more than its share of the room for uploads");
	assert_int_equal(core_events("failed", "\"room\""), 1);
	/* It counts on, for as long as somebody has it open. */
	fill(large, 30);
	core_wait(2);
	assert_int_equal(size_of(large), 0);
	(void)close(large);
	core_wait(2);
	core_client_close(&a);
	(void)close(small);
}

static bool
never(void *cookie)
{
	(void)cookie;
	fail_msg("the owner of a spool that is kept was ended");
	return false;
}

static void
a_spool_that_is_released_is_never_emptied(void **state)
{
	struct spool *p;
	struct ht_error e;
	int fd, other;

	(void)state;
	p = spool_new(core.spools, "ci", never, NULL, &fd, &e);
	assert_non_null(p);
	spool_keep(p);
	fill(fd, 40);
	core_wait(2);
	assert_int_equal(size_of(fd), 40 * MIB);
	/* It counts: there is no more for this client, but for another. */
	assert_null(spool_new(core.spools, "ci", never, NULL, &other, &e));
	assert_int_equal(other, -1);
	assert_int_equal(e.code, HT_ERR_TEMPORARY);
	assert_string_equal(e.text,
	    "ci holds its share of the room for uploads");
	spool_leave(p);
	(void)close(fd);
}

static void
what_a_request_has_released_is_never_emptied(void **state)
{
	const struct cursor sha256 =
	    cursor_over(core_client_sha256, JOURNAL_SHA256);
	const struct protocol_kept kept = { "pe", 100, sha256, 100, sha256 };
	const struct protocol_begin begin = core_client_request("keep");
	union protocol_body body;
	struct keyd_client a;
	struct msg m;
	int fd;

	(void)state;
	core_client_open(&a);
	core_client_say(&a, PROTOCOL_BEGIN, &begin);
	core_client_hear(&a, PROTOCOL_GO, &m, &body);
	fd = m.fd[0];
	core_client_say(&a, PROTOCOL_KEPT, &kept);
	core_client_hear(&a, PROTOCOL_RELEASE, &m, &body);
	fill(fd, 40);
	core_wait(2);
	assert_int_equal(size_of(fd), 40 * MIB);
	core_client_close(&a);
	(void)close(fd);
}

/* --- the journal --------------------------------------------------------- */

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

static void
without_room_a_request_is_refused_first(void **state)
{
	struct protocol_begin begin = core_client_request("plain");
	struct keyd_client a;
	struct ht_error e;
	char text[8192];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	core_client_open(&a);
	assert_int_equal(store_reserve(core.store, KEYD_RESERVE, &e), 0);
	limit_files(KEYD_RESERVE + (256 << 10));
	while (store_reserve(core.store, KEYD_RESERVE, &e) == 0) {
		assert_int_equal(journal_stopped(core.store, text, &e), 0);
		core_settle();
	}
	core_client_say(&a, PROTOCOL_BEGIN, &begin);
	core_client_hear_no(&a, HT_ERR_UNAVAILABLE, "full",
	    "there is no room on the disk of the journal");
	core_client_open(&a);
	core_client_say(&a, PROTOCOL_BEGIN, &begin);
	core_client_hear_no(&a, HT_ERR_UNAVAILABLE, "full",
	    "there is no room on the disk of the journal");
	assert_int_equal(core_events("refused-request", ""), 0);
	/* An administrator can do something about it. */
	core_client_disable();
	core_settle();
	limit_files(0);
	core_wait(61);
	assert_int_equal(core_events("refused-request", "\"code\":\"full\""),
	    1);
	assert_int_equal(core_events("refused-request", "\"count\":2"), 1);
	assert_int_equal(core_events("client-disabled", ""), 1);
}

/* Whether the disk has no room for the write-ahead log. */
static bool full;
int __real_posix_fallocate(int fd, off_t offset, off_t len);
int __wrap_posix_fallocate(int fd, off_t offset, off_t len);

int
__wrap_posix_fallocate(int fd, off_t offset, off_t len)
{
	return full ? ENOSPC : __real_posix_fallocate(fd, offset, len);
}

static void
an_undone_commit_ends_what_stood_on_it(void **state)
{
	struct protocol_begin begin = core_client_request("plain");
	struct keyd_client a, b;
	unsigned int asked;

	(void)state;
	core_client_begin(&a, &begin);
	asked = core_events("asked", "");
	core_client_open(&b);
	/* The room that was promised is gone. */
	limit_files(4096);
	core_client_say(&b, PROTOCOL_BEGIN, &begin);
	core_client_hear_end(&a);
	core_client_hear_end(&b);
	assert_false(store_dirty(core.store));
	assert_int_equal(core_events("asked", ""), asked);
	assert_int_equal(core_events("aborted", ""), 0);
	/* Who comes now is told so, since no room can be promised. */
	core.store->allocated = 0;
	full = true;
	core_client_open(&b);
	core_client_say(&b, PROTOCOL_BEGIN, &begin);
	core_client_hear_no(&b, HT_ERR_UNAVAILABLE, "full",
	    "there is no room on the disk of the journal");
	full = false;
	limit_files(0);
	core_client_begin(&b, &begin);
	assert_int_equal(core_events("aborted", "no room on the disk"), 1);
	assert_int_equal(core_events("asked", ""), asked + 1);
	core_client_close(&b);
}

static void
a_client_has_a_quota(void **state)
{
	struct protocol_begin begin = core_client_request("plain");
	struct protocol_fail fail = { 65, "format", 0, "no MZ" };
	union protocol_body body;
	struct keyd_client a;
	unsigned int i, asked;
	struct msg m;

	(void)state;
	quota_charge(core.quota, "ci", QUOTA_ROWS - 1, 0);
	core_client_begin(&a, &begin);
	core_client_close(&a);
	quota_charge(core.quota, "ci", 100, 0);
	asked = core_events("asked", "");
	for (i = 0; i < 9; i++) {
		core_client_open(&a);
		if (i % 2 == 0)
			core_client_say(&a, PROTOCOL_BEGIN, &begin);
		else
			core_client_say(&a, PROTOCOL_FAIL, &fail);
		core_client_hear(&a, PROTOCOL_REFUSE, &m, &body);
		assert_int_equal(body.refuse.status, -HT_ERR_TEMPORARY);
		assert_int_equal(body.refuse.number, 0);
		assert_int_equal(strncmp(body.refuse.text,
		                     "ci has made too many requests: wait 1",
		                     37),
		    0);
		assert_true(body.refuse.retry >= 160);
		core_client_hear_end(&a);
	}
	assert_int_equal(core_events("asked", ""), asked);
	assert_int_equal(core_events("refused", ""), 0);
	assert_int_equal(core_events("refused-request", "\"quota\""), 1);
	assert_int_equal(quota_wait(core.quota, "other"), 0);
	core_wait(body.refuse.retry);
	core_client_begin(&a, &begin);
	core_client_close(&a);
	/* Bytes count, too: a megabyte takes three minutes. */
	quota_charge(core.quota, "ci", 0, QUOTA_BYTES + MIB);
	i = quota_wait(core.quota, "ci");
	assert_true(i >= 160 && i <= 180);
	core_wait(i);
	assert_int_equal(quota_wait(core.quota, "ci"), 0);
}

/* All that is refused in a minute, and what it adds to the journal. */
static void
refusals_are_summed(void **state)
{
	struct identity who = core_client_who;
	struct protocol_refuse why;
	uint64_t before, grown;
	struct ht_error e;
	int i;

	(void)state;
	keyd_refusal(&why, HT_ERR_DENIED, "revoked", "%0200d", 7);
	before = store_written(core.store);
	for (i = 0; i < 2560; i++) {
		(void)snprintf(who.name, sizeof(who.name), "%063d", i % 300);
		assert_int_equal(failures_login(core.failures, &who, &why, &e),
		    0);
	}
	core_wait(61);
	grown = store_written(core.store) - before;
	print_message("512 events: %" PRIu64 " bytes\n", grown);
	assert_int_equal(core_events("refused-login", ""), 256 + 255);
	assert_int_equal(core_events("refused-login", "\"count\":8"), 160);
	assert_int_equal(core_events("auth-failed", "\"other\""), 1);
	assert_true(grown <= FAILURES_DAY / 1440);
}

int
main(void)
{
#define CASE(name)                                                             \
	cmocka_unit_test_setup_teardown(name, set_up, core_client_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(a_client_may_hold_half_of_what_others_leave),
		CASE(a_spool_over_the_share_is_emptied),
		CASE(a_spool_that_is_released_is_never_emptied),
		CASE(what_a_request_has_released_is_never_emptied),
		CASE(without_room_a_request_is_refused_first),
		CASE(an_undone_commit_ends_what_stood_on_it),
		CASE(a_client_has_a_quota),
		CASE(refusals_are_summed),
	};

	return cmocka_run_group_tests(tests, core_client_enter,
	    core_client_leave);
}
