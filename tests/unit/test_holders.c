/*
 * Who may use a ticket: the children of the process whose child came with it
 * first, within a minute.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keys/keyd/holders.h"
#include "lib/proc.h"

#define NOW UINT64_C(1780000000)

static struct holders holders;
static pid_t sshd[2]; /* each has two children, the shells */
static pid_t shells[2][2];

static pid_t
start_shell(int out)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	return write(out, &pid, sizeof(pid)) == sizeof(pid) ? pid : -1;
}

static void
start_sshd(int i)
{
	int out[2];

	assert_int_equal(pipe(out), 0);
	sshd[i] = fork();
	assert_true(sshd[i] >= 0);
	if (sshd[i] == 0) {
		if (start_shell(out[1]) > 0 && start_shell(out[1]) > 0)
			(void)pause();
		_exit(1);
	}
	assert_int_equal(read(out[0], &shells[i][0], sizeof(pid_t)),
	    sizeof(pid_t));
	assert_int_equal(read(out[0], &shells[i][1], sizeof(pid_t)),
	    sizeof(pid_t));
	(void)close(out[0]);
	(void)close(out[1]);
}

static void
stop_sshd(int i)
{
	assert_int_equal(kill(sshd[i], SIGKILL), 0);
	assert_int_equal(waitpid(sshd[i], NULL, 0), sshd[i]);
}

static int
setup(void **state)
{
	(void)state;
	memset(&holders, 0, sizeof(holders));
	start_sshd(0);
	start_sshd(1);
	return 0;
}

static int
teardown(void **state)
{
	int i, j;

	(void)state;
	for (i = 0; i < 2; i++) {
		for (j = 0; j < 2; j++)
			(void)kill(shells[i][j], SIGKILL);
		if (kill(sshd[i], SIGKILL) == 0)
			(void)waitpid(sshd[i], NULL, 0);
	}
	holders_free(&holders);
	return 0;
}

static struct ticket
ticket_of(uint8_t number, uint64_t made)
{
	struct ticket t;

	memset(&t, 0, sizeof(t));
	t.nonce[TICKET_NONCE - 1] = number;
	t.expires = made + TICKET_LIFETIME;
	return t;
}

static void
expect(pid_t shell, const struct ticket *t, uint64_t now, const char *word)
{
	const char *reason = NULL;
	struct ht_error e;
	int rc = holders_admit(&holders, t, shell, now, &reason, &e);

	if (word == NULL) {
		assert_int_equal(rc, 0);
		return;
	}
	assert_int_equal(rc,
	    strcmp(word, SSHCERT_INTERNAL) == 0 ? HT_ERR_INTERNAL
	                                        : HT_ERR_DENIED);
	assert_string_equal(reason, word);
}

static void
the_connection_that_comes_first_has_it(void **state)
{
	struct ticket one = ticket_of(1, NOW), two = ticket_of(2, NOW);

	(void)state;
	expect(shells[0][0], &one, NOW + 59, NULL);
	expect(shells[0][1], &one, NOW + 59, NULL);
	expect(shells[0][1], &one, NOW + 120, NULL);
	expect(shells[0][0], &one, NOW + 100000, NULL);
	expect(shells[1][0], &one, NOW + 59, TICKET_HELD);
	expect(shells[1][1], &one, NOW + 100000, TICKET_HELD);
	/* Neither another ticket nor another bit of one is the same. */
	expect(shells[1][0], &two, NOW, NULL);
	expect(shells[0][0], &two, NOW, TICKET_HELD);
	one.nonce[0] ^= 1;
	expect(shells[1][0], &one, NOW, NULL);
}

static void
a_stale_one_is_not_bound(void **state)
{
	struct ticket t = ticket_of(1, NOW);

	(void)state;
	expect(shells[0][0], &t, NOW + 60, TICKET_STALE);
	expect(shells[0][0], &t, NOW - 1, TICKET_STALE);
	expect(shells[0][0], &t, NOW + 59, NULL);
}

static void
an_orphan_gets_nothing(void **state)
{
	struct ticket t = ticket_of(1, NOW);
	const char *reason;
	struct ht_error e;

	(void)state;
	expect(shells[0][0], &t, NOW, NULL);
	stop_sshd(0);
	expect(shells[1][0], &t, NOW, TICKET_HELD);
	/* Its parent is now init, or who reaps in place of that. */
	assert_true(
	    holders_admit(&holders, &t, shells[0][0], NOW, &reason, &e) < 0);
	expect(1000000000, &t, NOW, SSHCERT_INTERNAL);
}

/* A ticket that is forgotten could be bound again, so it must be stale. */
static void
ended_connections_are_forgotten(void **state)
{
	struct ticket old = ticket_of(1, NOW), young = ticket_of(2, NOW + 30);
	struct ticket last = ticket_of(3, NOW + 65);

	(void)state;
	expect(shells[0][0], &old, NOW + 1, NULL);
	expect(shells[0][0], &young, NOW + 30, NULL);
	stop_sshd(0);
	expect(shells[1][0], &last, NOW + 65, NULL);
	expect(shells[1][1], &young, NOW + 65, TICKET_HELD);
	expect(shells[1][1], &old, NOW + 65, TICKET_STALE);
	expect(shells[1][1], &last, NOW + 1000, NULL);
}

static void
a_number_used_again_is_another_process(void **state)
{
	struct proc_id id;
	struct ht_error e;

	(void)state;
	assert_int_equal(proc_parent(shells[0][0], &id, &e), 0);
	assert_int_equal(id.pid, sshd[0]);
	assert_true(proc_lives(&id));
	id.start++;
	assert_false(proc_lives(&id));
	id.start--;
	stop_sshd(0);
	assert_false(proc_lives(&id));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_connection_that_comes_first_has_it),
		TEST(a_stale_one_is_not_bound),
		TEST(an_orphan_gets_nothing),
		TEST(ended_connections_are_forgotten),
		TEST(a_number_used_again_is_another_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
