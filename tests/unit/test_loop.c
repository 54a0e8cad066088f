#include "config.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/loop.h"

#define PEERS 4

struct fixture {
	struct loop *loop;
	int pair[PEERS][2];
	struct loop_watch *watch[PEERS];
	int calls[PEERS];
	short revents;
	struct loop_timer *timer;
	char order[16];
};

/* One peer as its callback sees it. */
struct peer {
	struct fixture *f;
	int i;
};

static int
setup(void **state)
{
	static struct fixture f;
	int i;

	memset(&f, 0, sizeof(f));
	f.loop = loop_new();
	assert_non_null(f.loop);
	for (i = 0; i < PEERS; i++)
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, f.pair[i]),
		    0);
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	int i;

	loop_free(f->loop);
	for (i = 0; i < PEERS; i++) {
		(void)close(f->pair[i][0]);
		(void)close(f->pair[i][1]);
	}
	return 0;
}

static void
once(struct fixture *f)
{
	struct ht_error e;

	assert_int_equal(loop_once(f->loop, &e), 0);
}

static void
count(void *cookie, short revents)
{
	struct peer *peer = cookie;

	peer->f->calls[peer->i]++;
	peer->f->revents = revents;
}

static void
poke(struct fixture *f, int i)
{
	assert_int_equal(write(f->pair[i][1], "x", 1), 1);
}

static void
only_the_ready_are_called(void **state)
{
	struct fixture *f = *state;
	struct peer peers[PEERS];
	int i;

	for (i = 0; i < PEERS; i++) {
		peers[i].f = f;
		peers[i].i = i;
		f->watch[i] = loop_watch_add(f->loop, f->pair[i][0], POLLIN,
		    count, &peers[i]);
		assert_non_null(f->watch[i]);
	}
	poke(f, 2);
	once(f);
	assert_int_equal(f->calls[2], 1);
	assert_int_equal(f->revents, POLLIN);
	assert_int_equal(f->calls[0] + f->calls[1] + f->calls[3], 0);
	/* Not asked for any more, and for something else. */
	loop_watch_events(f->watch[2], 0);
	loop_watch_events(f->watch[1], POLLOUT);
	once(f);
	assert_int_equal(f->calls[2], 1);
	assert_int_equal(f->calls[1], 1);
	assert_int_equal(f->revents, POLLOUT);
}

static void
a_peer_that_left_is_reported_unasked(void **state)
{
	struct fixture *f = *state;
	struct peer peer = { f, 0 };

	assert_non_null(
	    loop_watch_add(f->loop, f->pair[0][0], 0, count, &peer));
	(void)close(f->pair[0][1]);
	once(f);
	assert_int_equal(f->calls[0], 1);
	assert_true(f->revents & POLLHUP);
	f->pair[0][1] = -1;
}

static void
a_closed_descriptor_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct peer peer = { f, 0 };
	int fd = dup(f->pair[0][0]);

	assert_non_null(loop_watch_add(f->loop, fd, POLLIN, count, &peer));
	(void)close(fd);
	once(f);
	assert_int_equal(f->calls[0], 1);
	assert_true(f->revents & POLLERR);
}

/* Removes every watch, its own included. */
static void
remove_all(void *cookie, short revents)
{
	struct peer *peer = cookie;
	int i;

	(void)revents;
	peer->f->calls[peer->i]++;
	for (i = 0; i < PEERS; i++) {
		loop_watch_remove(peer->f->watch[i]);
		peer->f->watch[i] = NULL;
	}
}

static void
what_was_removed_is_not_called(void **state)
{
	struct fixture *f = *state;
	struct peer peers[PEERS];
	int i, calls = 0;

	for (i = 0; i < PEERS; i++) {
		peers[i].f = f;
		peers[i].i = i;
		f->watch[i] = loop_watch_add(f->loop, f->pair[i][0], POLLIN,
		    remove_all, &peers[i]);
		poke(f, i);
	}
	once(f);
	for (i = 0; i < PEERS; i++)
		calls += f->calls[i];
	assert_int_equal(calls, 1);
	loop_watch_remove(NULL);
}

/*
 * Closes the other's descriptor and watches a new one, which gets the same
 * number: what the round found out about the old one is not for the new.
 */
static void
replace_other(void *cookie, short revents)
{
	struct peer *peer = cookie;
	struct fixture *f = peer->f;
	int old = f->pair[1][0], fresh[2];

	(void)revents;
	f->calls[0]++;
	loop_watch_remove(f->watch[1]);
	(void)close(old);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fresh), 0);
	assert_int_equal(fresh[0], old);
	(void)close(f->pair[1][1]);
	f->pair[1][1] = fresh[1];
	peer[1].i = 2;
	f->watch[1] = loop_watch_add(f->loop, old, POLLIN, count, &peer[1]);
	loop_watch_remove(f->watch[0]);
}

static void
a_reused_descriptor_is_a_new_one(void **state)
{
	struct fixture *f = *state;
	struct peer peers[2] = { { f, 0 }, { f, 1 } };

	f->watch[0] = loop_watch_add(f->loop, f->pair[0][0], POLLIN,
	    replace_other, peers);
	f->watch[1] =
	    loop_watch_add(f->loop, f->pair[1][0], POLLIN, count, &peers[1]);
	poke(f, 0);
	poke(f, 1);
	once(f);
	assert_int_equal(f->calls[0], 1);
	assert_int_equal(f->calls[1], 0);
	assert_int_equal(f->calls[2], 0);
	poke(f, 1);
	once(f);
	assert_int_equal(f->calls[2], 1);
}

/* Takes the other's interest away in the round in which that is ready. */
static void
mute_other(void *cookie, short revents)
{
	struct peer *peer = cookie;

	count(cookie, revents);
	loop_watch_events(peer->f->watch[1], 0);
}

static void
changed_interest_counts_at_once(void **state)
{
	struct fixture *f = *state;
	struct peer peers[2] = { { f, 0 }, { f, 1 } };

	f->watch[0] = loop_watch_add(f->loop, f->pair[0][0], POLLIN, mute_other,
	    &peers[0]);
	f->watch[1] =
	    loop_watch_add(f->loop, f->pair[1][0], POLLIN, count, &peers[1]);
	poke(f, 0);
	poke(f, 1);
	once(f);
	assert_int_equal(f->calls[0], 1);
	assert_int_equal(f->calls[1], 0);
}

static void
many_watches(void **state)
{
	struct fixture *f = *state;
	struct peer peer = { f, 0 };
	struct loop_watch *watch[300];
	size_t i;

	poke(f, 0);
	for (i = 0; i < 300; i++) {
		watch[i] = loop_watch_add(f->loop, f->pair[0][0], POLLIN, count,
		    &peer);
		assert_non_null(watch[i]);
		if (i % 100 == 0)
			once(f);
	}
	f->calls[0] = 0;
	for (i = 0; i < 300; i += 2)
		loop_watch_remove(watch[i]);
	once(f);
	assert_int_equal(f->calls[0], 150);
}

static void
note(struct fixture *f, char what)
{
	size_t n = strlen(f->order);

	assert_true(n + 1 < sizeof(f->order));
	f->order[n] = what;
}

static void
note_a(void *cookie)
{
	note(cookie, 'a');
}

static void
note_b(void *cookie)
{
	note(cookie, 'b');
}

static void
note_c(void *cookie)
{
	note(cookie, 'c');
}

/* Each counts from its own addition: they must be made at about one time. */
static void
timers_come_in_order(void **state)
{
	struct fixture *f = *state;
	struct loop_timer *timers[3] = { NULL, NULL, NULL };
	uint64_t start;
	int i;

	do {
		for (i = 0; i < 3; i++)
			loop_timer_remove(timers[i]);
		start = loop_now();
		timers[0] = loop_timer_add(f->loop, 30, note_c, f);
		timers[1] = loop_timer_add(f->loop, 10, note_a, f);
		timers[2] = loop_timer_add(f->loop, 20, note_b, f);
		for (i = 0; i < 3; i++)
			assert_non_null(timers[i]);
	} while (loop_now() - start >= 10);
	while (strlen(f->order) < 3)
		once(f);
	assert_string_equal(f->order, "abc");
	assert_true(loop_now() - start >= 30);
}

static void
equal_timers_keep_their_order(void **state)
{
	struct fixture *f = *state;

	assert_non_null(loop_timer_add(f->loop, 0, note_a, f));
	assert_non_null(loop_timer_add(f->loop, 0, note_b, f));
	assert_non_null(loop_timer_add(f->loop, 0, note_a, f));
	once(f);
	assert_string_equal(f->order, "aba");
}

static void
remove_other_timer(void *cookie)
{
	struct fixture *f = cookie;

	note(f, 'r');
	loop_timer_remove(f->timer);
}

static void
a_removed_timer_is_not_called(void **state)
{
	struct fixture *f = *state;

	assert_non_null(loop_timer_add(f->loop, 0, remove_other_timer, f));
	f->timer = loop_timer_add(f->loop, 0, note_b, f);
	loop_timer_remove(loop_timer_add(f->loop, 0, note_c, f));
	loop_timer_remove(NULL);
	once(f);
	assert_string_equal(f->order, "r");
}

static void
again(void *cookie)
{
	struct fixture *f = cookie;

	note(f, 't');
	assert_non_null(loop_timer_add(f->loop, 0, again, f));
}

static void
drain(void *cookie, short revents)
{
	struct peer *peer = cookie;
	char byte;

	(void)revents;
	note(peer->f, 'w');
	assert_int_equal(read(peer->f->pair[0][0], &byte, 1), 1);
}

static void
a_timer_of_nothing_does_not_starve_watches(void **state)
{
	struct fixture *f = *state;
	struct peer peer = { f, 0 };

	assert_non_null(loop_timer_add(f->loop, 0, again, f));
	assert_non_null(
	    loop_watch_add(f->loop, f->pair[0][0], POLLIN, drain, &peer));
	once(f);
	poke(f, 0);
	once(f);
	assert_string_equal(f->order, "twt");
}

static void
a_timer_does_not_fire_early(void **state)
{
	struct fixture *f = *state;
	struct peer peer = { f, 0 };

	assert_non_null(loop_timer_add(f->loop, 60000, note_a, f));
	/* Overflow is for ever. */
	assert_non_null(loop_timer_add(f->loop, UINT64_MAX, note_b, f));
	assert_non_null(
	    loop_watch_add(f->loop, f->pair[0][0], POLLIN, drain, &peer));
	poke(f, 0);
	once(f);
	assert_string_equal(f->order, "w");
}

static void
ignore(int sig)
{
	(void)sig;
}

/* A loop with nothing to wait for sleeps until a signal. */
static void
a_signal_counts(void **state)
{
	struct fixture *f = *state;
	struct sigaction action = { .sa_handler = ignore };
	/* Again and again: under load the first one may come too early. */
	struct itimerval soon = { { 0, 20000 }, { 0, 20000 } };
	struct itimerval never = { { 0, 0 }, { 0, 0 } };
	uint64_t start = loop_now();

	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
	once(f);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_true(loop_now() - start >= 15);
}

static void
free_takes_everything_along(void **state)
{
	struct fixture *f = *state;
	struct loop *l = loop_new();

	assert_non_null(l);
	assert_non_null(loop_watch_add(l, f->pair[0][0], 0, count, NULL));
	assert_non_null(loop_timer_add(l, 1, note_a, f));
	loop_free(l);
	loop_free(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_the_ready_are_called),
		TEST(a_peer_that_left_is_reported_unasked),
		TEST(a_closed_descriptor_is_an_error),
		TEST(what_was_removed_is_not_called),
		TEST(a_reused_descriptor_is_a_new_one),
		TEST(changed_interest_counts_at_once),
		TEST(many_watches),
		TEST(timers_come_in_order),
		TEST(equal_timers_keep_their_order),
		TEST(a_removed_timer_is_not_called),
		TEST(a_timer_of_nothing_does_not_starve_watches),
		TEST(a_timer_does_not_fire_early),
		TEST(a_signal_counts),
		TEST(free_takes_everything_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
