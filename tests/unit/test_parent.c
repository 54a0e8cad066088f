/*
 * htsign-keyd's parent, which is root, and what a keyd that is not itself any
 * more may make it do.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "keys/keyd/parent/parent.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "protocol/messages.h"

#define SAME UINT32_MAX

/* More than a parent that does not hang needs, in seconds. */
#define PATIENCE 60

struct fixture {
	pid_t parent;
	struct protocol_link link; /* keyd's end */
};

static int
set_up(void **state)
{
	static struct fixture f;
	struct ht_error e;
	int pair[2];

	assert_int_equal(proc_socketpair(pair, &e), 0);
	f.parent = fork();
	assert_true(f.parent >= 0);
	if (f.parent == 0) {
		(void)close(pair[0]);
		_exit(parent_serve(pair[1], &e) < 0);
	}
	(void)close(pair[1]);
	assert_int_equal(
	    protocol_open(&f.link, pair[0], PROTOCOL_LINK_PARENT, true, &e), 0);
	(void)alarm(PATIENCE);
	*state = &f;
	return 0;
}

/* It ends with its link, and has not crashed. */
static int
tear_down(void **state)
{
	struct fixture *f = *state;
	int status;

	protocol_close(&f->link);
	assert_int_equal(waitpid(f->parent, &status, 0), f->parent);
	assert_int_equal(status, 0);
	(void)alarm(0);
	return 0;
}

static int
say(struct fixture *f, enum protocol_type type, const void *body)
{
	struct ht_error e;
	int rc = protocol_queue(&f->link, type, 0, body, NULL, 0, &e);

	return rc < 0 ? rc : msg_drain(f->link.channel, -1, &e);
}

static void
ready(struct fixture *f, uint32_t uid, uint32_t gid, uint32_t tokens)
{
	struct protocol_ready body = { uid, gid, tokens, uid, gid, uid, gid };

	assert_int_equal(say(f, PROTOCOL_READY, &body), 0);
}

static int
answer(struct fixture *f, struct msg *m)
{
	union protocol_body body;
	struct ht_error e;

	return protocol_wait(&f->link, m, &body, -1, &e);
}

static void
expect_end(struct fixture *f)
{
	struct msg m;

	assert_int_equal(answer(f, &m), HT_ERR_UNAVAILABLE);
}

static void
expect_worker(struct fixture *f, uint32_t index)
{
	struct protocol_worker body = { index };
	struct msg m;

	assert_int_equal(say(f, PROTOCOL_SPAWN, &body), 0);
	assert_int_equal(answer(f, &m), 1);
	assert_int_equal(m.type, PROTOCOL_SPAWNED);
	msg_close_fds(&m);
}

static void
starts_the_workers_it_was_told_of(void **state)
{
	struct fixture *f = *state;
	struct protocol_worker fifth = { 4 };

	ready(f, SAME, SAME, 2);
	expect_worker(f, 0);
	expect_worker(f, 1);
	expect_worker(f, 0);
	expect_worker(f, 2); /* htsign-pump */
	expect_worker(f, 3); /* htsign-reader */
	assert_int_equal(say(f, PROTOCOL_SPAWN, &fifth), 0);
	expect_end(f);
}

static void
uids_are_told_once(void **state)
{
	struct fixture *f = *state;

	/* Without tokens, too. */
	ready(f, 64102, 64102, 0);
	f->link.state = PROTOCOL_NEW;
	ready(f, SAME, SAME, 1);
	expect_end(f);
}

/* Neither root's uid nor its group, nor one of the two left as it is. */
static void
no_worker_is_roots(void **state)
{
	static const uint32_t ids[][2] = { { 0, 0 }, { 0, 64102 }, { 64102, 0 },
		{ SAME, 0 }, { 0, SAME }, { SAME, 64102 }, { 64102, SAME } };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		ready(f, ids[i][0], ids[i][1], 1);
		expect_end(f);
		(void)tear_down(state);
		(void)set_up(state);
	}
}

/* It would wait for ever, and could not be stopped either. */
static void
does_not_wait_for_a_keyd_that_does_not_read(void **state)
{
	struct protocol_worker body = { 0 };
	struct fixture *f = *state;
	int i, rc = 0;

	ready(f, SAME, SAME, 1);
	for (i = 0; i < 100000 && rc == 0; i++)
		rc = say(f, PROTOCOL_SPAWN, &body);
	assert_int_equal(rc, HT_ERR_UNAVAILABLE);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		T(starts_the_workers_it_was_told_of),
		T(uids_are_told_once),
		T(no_worker_is_roots),
		T(does_not_wait_for_a_keyd_that_does_not_read),
	};

	log_open("test-parent", false, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
