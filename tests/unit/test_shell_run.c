/* The sessions of a connection until they have a shell. */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "protocol/messages.h"
#include "sshd-sign/connection-private.h"

/* What keyd was asked and has not answered. */
struct question {
	keyd_link_answer_fn *fn;
	void *cookie;
	struct connection *c;
};
static struct question asked[16];
static size_t nasked;
static unsigned int said[RELAY_TYPES];

static struct keyd_link_ask *
ask(struct connection *c, enum protocol_type type, struct cursor blob,
    keyd_link_answer_fn *fn, void *cookie)
{
	assert_int_equal(type, PROTOCOL_SESSION);
	assert_int_equal(blob.left, 4);
	assert_memory_equal(blob.p, "blob", 4);
	if (nasked == sizeof(asked) / sizeof(asked[0]))
		return NULL;
	asked[nasked] = (struct question){ fn, cookie, c };
	return (struct keyd_link_ask *)&asked[nasked++];
}

static int
say(struct connection *c, enum relay_type type, uint32_t channel,
    struct cursor payload, const int *fds)
{
	(void)c;
	(void)channel;
	(void)payload;
	(void)fds;
	said[type]++;
	return 0;
}

/* By the name that the linker gives it. */
void __wrap_keyd_link_ask_cancel(struct keyd_link_ask *a);

void
__wrap_keyd_link_ask_cancel(struct keyd_link_ask *a)
{
	if (a != NULL)
		((struct question *)a)->fn = NULL;
}

/* keyd refuses the session that it was asked for first. */
static void
answer(void)
{
	struct keyd_link_answer no = { .type = PROTOCOL_REFUSE, .fd = -1 };
	struct question q = asked[0];
	size_t i;

	nasked--;
	for (i = 0; i < nasked; i++)
		asked[i] = asked[i + 1];
	q.fn(q.cookie, &no);
}

static const struct connection_ops ops = { .say = say, .ask = ask };
static const struct conf conf = { .ssh.max_connections = 8 };
static struct server server;
static struct loop *loop; /* of all tests */

static struct connection
connection(const char *name)
{
	struct connection c = { .ops = &ops,
		.server = &server,
		.authenticated = true,
		.placed = true };

	LIST_INIT(&c.runs);
	(void)snprintf(c.who.name, sizeof(c.who.name), "%s", name);
	return c;
}

static int
set_up(void **state)
{
	(void)state;
	memset(&server, 0, sizeof(server));
	memset(said, 0, sizeof(said));
	nasked = 0;
	server.conf = &conf;
	server.loop = loop;
	connection_prepare(&server);
	return 0;
}

static void
session(struct connection *c, uint32_t number)
{
	assert_int_equal(
	    shell_run_on_session(c, number, cursor_over("blob", 4)), 0);
}

static void
many_of_one_client_do_not_delay_others(void **state)
{
	struct connection greedy = connection("greedy");
	struct connection more = connection("greedy");
	struct connection other = connection("other");
	uint32_t i;

	(void)state;
	for (i = 0; i < 6; i++)
		session(&greedy, i);
	session(&more, 0);
	assert_int_equal(nasked, 4);
	session(&other, 0);
	assert_int_equal(nasked, 5);
	assert_ptr_equal(asked[4].c, &other);

	/* Each answer makes room for the next. */
	answer();
	assert_int_equal(said[RELAY_REFUSED], 1);
	assert_int_equal(nasked, 5);
	assert_ptr_equal(asked[4].c, &greedy);

	/* Who leaves while it waits is not asked for. */
	assert_int_equal(shell_run_on_kill(&greedy, 5), 0);
	assert_int_equal(said[RELAY_EXITED], 1);
	answer();
	assert_int_equal(nasked, 5);
	assert_ptr_equal(asked[4].c, &more);
	while (nasked > 0)
		answer();
	assert_int_equal(said[RELAY_REFUSED], 7);
	assert_int_equal(server.starting[0].held, 0);
	assert_int_equal(server.shells[0].held, 0);
}

static void
a_connection_that_ends_makes_room(void **state)
{
	struct connection one = connection("greedy");
	struct connection two = connection("greedy");
	uint32_t i;

	(void)state;
	for (i = 0; i < 6; i++)
		session(&one, i);
	session(&two, 0);
	assert_int_equal(nasked, 4);
	shell_run_end_all(&one);
	assert_int_equal(nasked, 5);
	assert_ptr_equal(asked[4].c, &two);
	assert_int_equal(server.starting[0].held, 1);
	shell_run_end_all(&two);
	assert_int_equal(server.starting[0].held, 0);
	assert_true(TAILQ_EMPTY(&server.waiting));
}

/* Who has many gets its next ones slowly, and no less of them in the end. */
static void
the_next_of_many_are_slow(void **state)
{
	struct connection greedy = connection("greedy");
	struct connection more = connection("greedy");
	struct connection other = connection("other");
	uint64_t before = loop_now();
	struct ht_error e;
	uint32_t i;

	(void)state;
	for (i = 0; i < 19; i++)
		session(&greedy, i);
	assert_int_equal(nasked, 4);
	/* There are 19, 18 and 17 of them when these are answered, then 16. */
	for (i = 0; i < 3; i++)
		answer();
	assert_int_equal(nasked, 1);
	session(&other, 0);
	assert_int_equal(nasked, 2);
	answer();
	assert_int_equal(nasked, 2);
	assert_ptr_equal(asked[1].c, &greedy);
	while (nasked < 5)
		assert_int_equal(loop_once(server.loop, &e), 0);
	assert_in_range(loop_now() - before, 200, 10000);
	while (nasked > 0)
		answer();
	assert_int_equal(said[RELAY_REFUSED], 20);
	assert_int_equal(server.starting[0].held, 0);

	/* Nor are they faster if one of its connections ends. */
	for (i = 0; i < 4; i++)
		session(&greedy, i);
	for (i = 0; i < 17; i++)
		session(&more, i);
	assert_int_equal(nasked, 4);
	shell_run_end_all(&greedy);
	assert_int_equal(nasked, 4);
	shell_run_end_all(&more);
	while (server.starting[0].held > 0)
		assert_int_equal(loop_once(server.loop, &e), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(many_of_one_client_do_not_delay_others,
		    set_up),
		cmocka_unit_test_setup(a_connection_that_ends_makes_room,
		    set_up),
		cmocka_unit_test_setup(the_next_of_many_are_slow, set_up),
	};

	int failed;

	loop = loop_new();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	loop_free(loop);
	return failed;
}
