/*
 * Who is asked: the breaker, the intervals, and chance.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fetch/servers.h"

#define ALL UINT64_MAX

static struct servers s;
static size_t index_;
static uint64_t until;

static void
add(const char *name, uint64_t interval)
{
	struct buf roots = BUF_INIT;
	struct ht_error e;

	buf_format(&roots, "roots of %s", name);
	assert_int_equal(
	    servers_add(&s, name, "http://x/", interval, &roots, &e), 0);
	assert_null(roots.data);
}

static int
three(void **state)
{
	(void)state;
	memset(&s, 0, sizeof(s));
	add("a", 0);
	add("b", 0);
	add("c", 15000);
	return 0;
}

static int
clear(void **state)
{
	(void)state;
	servers_clear(&s);
	return 0;
}

static enum servers_choice
choose(uint64_t among, uint64_t now, uint64_t random)
{
	until = UINT64_MAX;
	return servers_choose(&s, among, now, random, &index_, &until);
}

static void
names_have_bits(void **state)
{
	(void)state;
	assert_int_equal(servers_bit(&s, cursor_over("a", 1)), 1);
	assert_int_equal(servers_bit(&s, cursor_over("c", 1)), 4);
	assert_int_equal(servers_bit(&s, cursor_over("d", 1)), 0);
	assert_int_equal(servers_bit(&s, cursor_over("aa", 2)), 0);
	assert_int_equal(servers_bit(&s, cursor_over("", 0)), 0);
}

static void
chance_decides_among_the_good(void **state)
{
	int seen[3] = { 0, 0, 0 };
	uint64_t i;

	(void)state;
	for (i = 0; i < 300; i++) {
		assert_int_equal(choose(ALL, 0, i), SERVERS_ASK);
		seen[index_]++;
	}
	assert_int_equal(seen[0], 100);
	assert_int_equal(seen[1], 100);
	assert_int_equal(seen[2], 100);
	/* Only those that are left. */
	for (i = 0; i < 10; i++) {
		assert_int_equal(choose(2, 0, i), SERVERS_ASK);
		assert_int_equal(index_, 1);
	}
	assert_int_equal(choose(0, 0, 7), SERVERS_NONE);
	assert_int_equal(choose(8, 0, 7), SERVERS_NONE);
}

static void
one_failure_is_enough(void **state)
{
	(void)state;
	servers_said(&s, 0, SERVERS_FAILED, 0, 1000);
	assert_int_equal(choose(1, 1000, 0), SERVERS_NONE);
	assert_int_equal(choose(1, 1000000000, 0), SERVERS_NONE);
	assert_int_equal(choose(3, 1000, 0), SERVERS_ASK);
	assert_int_equal(index_, 1);
}

static void
a_probe_lets_it_in_again(void **state)
{
	(void)state;
	assert_false(servers_probe(&s, 0, &index_));
	servers_said(&s, 0, SERVERS_FAILED, 0, 1000);
	assert_false(servers_probe(&s, 1000 + SERVERS_OUT - 1, &index_));
	assert_true(servers_probe(&s, 1000 + SERVERS_OUT, &index_));
	assert_int_equal(index_, 0);
	/* One probe at a time, for which others wait. */
	assert_false(servers_probe(&s, 1000 + SERVERS_OUT, &index_));
	assert_int_equal(choose(1, 1000 + SERVERS_OUT, 0), SERVERS_WAIT);
	assert_true(until == UINT64_MAX);
	servers_said(&s, 0, SERVERS_GOOD, 0, 1000 + SERVERS_OUT);
	servers_probe_over(&s, 0);
	assert_int_equal(choose(1, 1000 + SERVERS_OUT, 0), SERVERS_ASK);
	assert_false(servers_probe(&s, 1000000000, &index_));
}

static void
it_is_out_for_longer_each_time(void **state)
{
	uint64_t now = 1000, ms = SERVERS_OUT;
	int i;

	(void)state;
	servers_said(&s, 0, SERVERS_FAILED, 0, now);
	for (i = 0; i < 12; i++) {
		assert_false(servers_probe(&s, now + ms - 1, &index_));
		assert_true(servers_probe(&s, now + ms, &index_));
		now += ms;
		servers_said(&s, 0, SERVERS_FAILED, 0, now);
		servers_probe_over(&s, 0);
		ms = ms * 2 < SERVERS_OUT_MAX ? ms * 2 : SERVERS_OUT_MAX;
	}
	/* It has begun anew when it fails after an answer. */
	servers_said(&s, 0, SERVERS_GOOD, 0, now);
	servers_said(&s, 0, SERVERS_FAILED, 0, now);
	assert_true(servers_probe(&s, now + SERVERS_OUT, &index_));
}

/* Sixteen that were under way when it failed are one failure. */
static void
failures_at_a_time_count_once(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 16; i++)
		servers_said(&s, 0, SERVERS_FAILED, 0, 1000);
	assert_true(servers_probe(&s, 1000 + SERVERS_OUT, &index_));
}

static void
intervals_are_kept(void **state)
{
	(void)state;
	servers_asked(&s, 2, 1000);
	servers_said(&s, 2, SERVERS_GOOD, 0, 1200);
	assert_int_equal(choose(4, 15999, 0), SERVERS_WAIT);
	assert_int_equal(until, 16000);
	assert_int_equal(choose(4, 16000, 0), SERVERS_ASK);
	/* Who has no interval is asked at once. */
	servers_asked(&s, 0, 1000);
	assert_int_equal(choose(5, 1000, 1), SERVERS_ASK);
	assert_int_equal(index_, 0);
	/* Who cannot wait for so long is told so. */
	until = 16000;
	assert_int_equal(servers_choose(&s, 4, 15999, 0, &index_, &until),
	    SERVERS_NONE);
	until = 16001;
	assert_int_equal(servers_choose(&s, 4, 15999, 0, &index_, &until),
	    SERVERS_WAIT);
	assert_int_equal(until, 16000);
	/* Neither does a probe come early. */
	servers_said(&s, 2, SERVERS_FAILED, 0, 1000);
	servers_asked(&s, 2, 15000);
	assert_false(servers_probe(&s, 29999, &index_));
	assert_true(servers_probe(&s, 30000, &index_));
}

static void
the_busy_rest(void **state)
{
	(void)state;
	servers_said(&s, 0, SERVERS_BUSY, 5000, 1000);
	assert_int_equal(choose(1, 5999, 0), SERVERS_WAIT);
	assert_int_equal(until, 6000);
	assert_int_equal(choose(1, 6000, 0), SERVERS_ASK);
	servers_said(&s, 0, SERVERS_BUSY, 0, 6000);
	assert_int_equal(choose(1, 6000, 0), SERVERS_WAIT);
	assert_int_equal(until, 6000 + SERVERS_REST);
	/* What it has said before stands. */
	servers_said(&s, 0, SERVERS_BUSY, 2000, 6000);
	assert_int_equal(choose(1, 6000, 0), SERVERS_WAIT);
	assert_int_equal(until, 6000 + SERVERS_REST);
	/* It cannot keep itself away for good, nor be asked all the time. */
	servers_said(&s, 1, SERVERS_BUSY, UINT64_MAX, 0);
	(void)choose(2, 0, 0);
	assert_int_equal(until, SERVERS_REST_MAX);
	servers_said(&s, 2, SERVERS_BUSY, 1, 0);
	(void)choose(4, 0, 0);
	assert_int_equal(until, SERVERS_REST_MIN);
}

static void
there_is_an_end_to_them(void **state)
{
	struct buf roots = BUF_INIT;
	struct ht_error e;

	(void)state;
	while (s.n < SERVERS_MAX)
		add("x", 0);
	assert_int_equal(servers_add(&s, "y", "http://y/", 0, &roots, &e),
	    HT_ERR_USAGE);
	assert_int_equal(choose((uint64_t)1 << 63, 0, 5), SERVERS_ASK);
	assert_int_equal(index_, 63);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, three, clear)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(names_have_bits),
		EACH(chance_decides_among_the_good),
		EACH(one_failure_is_enough),
		EACH(a_probe_lets_it_in_again),
		EACH(it_is_out_for_longer_each_time),
		EACH(failures_at_a_time_count_once),
		EACH(intervals_are_kept),
		EACH(the_busy_rest),
		EACH(there_is_an_end_to_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
