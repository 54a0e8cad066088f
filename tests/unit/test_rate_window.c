/*
 * What is counted in a sliding span, by a clock of the test's own.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "keys/keyd/rate-window.h"

#define SPAN 60000
#define STEP (SPAN / RATE_STEPS)
#define START ((uint64_t)7 * SPAN + 123)

static struct rate_window w;

static int
set_up(void **state)
{
	(void)state;
	rate_window_init(&w, SPAN);
	return 0;
}

static void
one_leaves_after_the_span_and_at_most_a_step(void **state)
{
	uint64_t at, wait;

	(void)state;
	for (at = START; at < START + STEP; at += 97) {
		rate_window_init(&w, SPAN);
		assert_int_equal(rate_window_count(&w, at), 0);
		rate_window_add(&w, at, at, 1);
		assert_int_equal(rate_window_count(&w, at), 1);
		wait = rate_window_wait(&w, at, 1);
		assert_true(wait > SPAN && wait <= SPAN + STEP);
		assert_int_equal(rate_window_count(&w, at + SPAN), 1);
		assert_int_equal(rate_window_count(&w, at + wait - 1), 1);
		assert_int_equal(rate_window_wait(&w, at + wait - 1, 1), 1);
		assert_int_equal(rate_window_count(&w, at + wait), 0);
	}
}

/* Whatever comes when: after the wait that was told there is room. */
static void
the_wait_is_exact(void **state)
{
	uint64_t now = START, wait, n, left;
	unsigned int seed = 1, i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		seed = seed * 1103515245U + 12345U;
		now += (seed >> 16) % (3 * STEP);
		n = (seed >> 8) % 5;
		rate_window_add(&w, now, now, n);
		left = rate_window_count(&w, now);
		if (i % 16 != 0 || left < 3)
			continue;
		n = left - 2;
		wait = rate_window_wait(&w, now, n);
		assert_true(wait > 0 && wait <= SPAN + STEP);
		{
			struct rate_window copy = w;

			assert_true(
			    rate_window_count(&copy, now + wait - 1) > 2);
			assert_true(rate_window_count(&copy, now + wait) <= 2);
		}
	}
}

/* No span, wherever it begins, has more than was let in. */
static void
no_span_has_more_than_was_allowed(void **state)
{
	static uint64_t times[4000];
	uint64_t now = START;
	unsigned int seed = 7;
	size_t n = 0, first = 0;

	(void)state;
	while (n < sizeof(times) / sizeof(times[0])) {
		seed = seed * 1103515245U + 12345U;
		now += (seed >> 16) % STEP;
		if (rate_window_count(&w, now) >= 10)
			continue;
		rate_window_add(&w, now, now, 1);
		times[n++] = now;
		while (times[first] + SPAN < now)
			first++;
		assert_true(n - first <= 10);
	}
}

static void
what_was_before_is_counted_where_it_belongs(void **state)
{
	uint64_t now = START;

	(void)state;
	rate_window_add(&w, now, now - SPAN / 2, 3);
	assert_int_equal(rate_window_count(&w, now), 3);
	assert_true(rate_window_wait(&w, now, 3) <= SPAN / 2 + STEP);
	rate_window_add(&w, now, now - SPAN, 7); /* the oldest step */
	assert_int_equal(rate_window_count(&w, now), 10);
	now += STEP;
	assert_int_equal(rate_window_count(&w, now), 3);
	rate_window_add(&w, now, now - SPAN - STEP, 5);
	rate_window_add(&w, now, 0, 5);
	assert_int_equal(rate_window_count(&w, now), 3);
	rate_window_add(&w, now, now + 10 * STEP, 2); /* is now */
	assert_int_equal(rate_window_count(&w, now), 5);
	assert_int_equal(rate_window_count(&w, now + SPAN / 2 + STEP), 2);
}

static void
a_clock_that_goes_back_stands_still(void **state)
{
	uint64_t now = START;

	(void)state;
	rate_window_add(&w, now, now, 4);
	assert_int_equal(rate_window_count(&w, now - SPAN / 2), 4);
	rate_window_add(&w, now - SPAN / 2, now - SPAN / 2, 1);
	assert_int_equal(rate_window_count(&w, now), 5);
	assert_true(rate_window_wait(&w, 0, 5) <= SPAN + STEP);
	assert_int_equal(rate_window_count(&w, 0), 5);
	assert_int_equal(rate_window_count(&w, now + 100 * (uint64_t)SPAN), 0);
	assert_int_equal(rate_window_count(&w, now), 0);
	rate_window_add(&w, now, now + 100 * (uint64_t)SPAN, 1);
	assert_int_equal(rate_window_count(&w, now), 1);
}

static void
the_start_of_time_is_an_edge(void **state)
{
	(void)state;
	rate_window_add(&w, 0, 0, 2);
	assert_int_equal(rate_window_count(&w, 0), 2);
	assert_int_equal(rate_window_wait(&w, 0, 0), 0);
	assert_int_equal(rate_window_wait(&w, 0, 2), SPAN + STEP);
	assert_int_equal(rate_window_wait(&w, 0, 3), SPAN + STEP);
	assert_int_equal(rate_window_count(&w, SPAN + STEP - 1), 2);
	assert_int_equal(rate_window_count(&w, SPAN + STEP), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
		    one_leaves_after_the_span_and_at_most_a_step, set_up),
		cmocka_unit_test_setup(the_wait_is_exact, set_up),
		cmocka_unit_test_setup(no_span_has_more_than_was_allowed,
		    set_up),
		cmocka_unit_test_setup(
		    what_was_before_is_counted_where_it_belongs, set_up),
		cmocka_unit_test_setup(a_clock_that_goes_back_stands_still,
		    set_up),
		cmocka_unit_test_setup(the_start_of_time_is_an_edge, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
