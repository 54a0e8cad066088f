#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/share.h"

/* Take one by one as long as that works. */
static size_t
take_all(struct share *s, const char *name)
{
	size_t n = 0;

	while (share_take(s, name, 1))
		n++;
	assert_int_equal(share_of(s, name), n);
	return n;
}

static void
half_of_what_others_leave(void **state)
{
	struct share s;

	(void)state;
	share_init(&s, 512);
	assert_int_equal(take_all(&s, "greedy"), 256);
	assert_int_equal(take_all(&s, "second"), 128);
	assert_int_equal(take_all(&s, "third"), 64);
	assert_false(share_take(&s, "greedy", 1));
	share_give(&s, "greedy", 256);
	assert_int_equal(share_of(&s, "greedy"), 0);
	assert_int_equal(s.held, 128 + 64);
	assert_int_equal(take_all(&s, "greedy"), 160);
	share_give(&s, "greedy", 160);
	share_give(&s, "second", 128);
	share_give(&s, "third", 64);
	assert_int_equal(s.held, 0);
	assert_true(LIST_EMPTY(&s.holders));
}

/* A share is rounded up: who is alone with one has that one. */
static void
a_share_of_little(void **state)
{
	struct share s;

	(void)state;
	share_init(&s, 1);
	assert_int_equal(take_all(&s, "a"), 1);
	assert_int_equal(take_all(&s, "b"), 0);
	share_give(&s, "a", 1);
	share_init(&s, 0);
	assert_int_equal(take_all(&s, "a"), 0);
	assert_true(share_take_one(&s, "a", 2));
	assert_true(share_take_one(&s, "a", 2));
	assert_false(share_take_one(&s, "a", 2));
	assert_true(share_take_one(&s, "b", 1));
	assert_int_equal(s.held, 3);
	assert_true(share_turn(&s, "a", 1));
	assert_false(share_turn(&s, "a", 1));
	assert_true(share_turn(&s, "b", 1));
	share_new_round(&s);
	assert_true(share_turn(&s, "a", 1));
	share_give(&s, "a", 2);
	share_give(&s, "b", 1);
}

static void
many_at_once(void **state)
{
	struct share s;

	(void)state;
	share_init(&s, 100);
	assert_false(share_take(&s, "a", 51));
	assert_false(share_take(&s, "a", SIZE_MAX));
	assert_true(share_take(&s, "a", 50));
	assert_false(share_take(&s, "a", SIZE_MAX));
	assert_true(share_take(&s, "b", 25));
	share_give(&s, "a", 20);
	assert_int_equal(share_of(&s, "a"), 30);
	assert_true(share_take(&s, "a", 8));
	assert_false(share_take(&s, "a", 1));
	share_give(&s, "a", 38);
	share_give(&s, "b", 25);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(half_of_what_others_leave),
		cmocka_unit_test(a_share_of_little),
		cmocka_unit_test(many_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
