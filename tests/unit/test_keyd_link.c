/*
 * The listener's questions to keyd, which the test plays, and what becomes of
 * them when keyd goes away.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "sshd-sign/keyd-link.h"
#include "tests/support/scratch.h"

/* Seconds that have passed besides those of the system's clock. */
static time_t waited;

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int
__wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	int rc = __real_clock_gettime(clock, now);

	now->tv_sec += waited;
	return rc;
}

struct question {
	struct keyd_link_ask *ask;
	unsigned int answers;
	enum protocol_type type; /* of the answer */
};

static struct loop *loop;
static struct keyd_link *k;
static int listening;
static struct protocol_link keyd;

static void
revoked(void *cookie, const struct protocol_revoked *what)
{
	(void)cookie;
	(void)what;
}

static void
wake(void *cookie)
{
	(void)cookie;
}

/* One turn of the listener's loop. */
static void
turn(void)
{
	struct ht_error e;

	assert_non_null(loop_timer_add(loop, 10, wake, NULL));
	assert_int_equal(loop_once(loop, &e), 0);
}

/* keyd comes, and the listener connects to it. */
static void
come(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "s" };
	struct ht_error e;
	int fd;

	(void)unlink("s");
	listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listening, (struct sockaddr *)&un, sizeof(un)),
	    0);
	assert_int_equal(listen(listening, 1), 0);
	while (!keyd_link_present(k))
		turn();
	fd = accept(listening, NULL, NULL);
	assert_true(fd >= 0);
	assert_int_equal(
	    protocol_open(&keyd, fd, PROTOCOL_LINK_SSHD, false, &e), 0);
}

static void
go(void)
{
	protocol_close(&keyd);
	(void)close(listening);
	while (keyd_link_present(k))
		turn();
}

/* The next message must be this LOGIN.  Returns its tag. */
static uint32_t
hear(const char *blob)
{
	union protocol_body body;
	struct ht_error e;
	struct msg m;

	turn();
	assert_int_equal(protocol_wait(&keyd, &m, &body, 5000, &e), 1);
	assert_int_equal(m.type, PROTOCOL_LOGIN);
	assert_string_equal(body.relayed.peer, "192.0.2.7");
	assert_int_equal(body.relayed.blob.left, strlen(blob));
	assert_memory_equal(body.relayed.blob.p, blob, strlen(blob));
	return m.tag;
}

static void
on_answer(void *cookie, struct keyd_link_answer *answer)
{
	struct question *q = cookie;

	q->ask = NULL;
	q->answers++;
	q->type = answer->type;
}

static void
ask(struct question *q, const char *blob)
{
	struct protocol_relayed relayed = { .peer = "192.0.2.7" };
	char copy[16];

	memset(q, 0, sizeof(*q));
	memcpy(copy, blob, strlen(blob));
	relayed.blob = cursor_over(copy, strlen(blob));
	q->ask = keyd_link_ask(k, PROTOCOL_LOGIN, &relayed, on_answer, q);
	/* It was copied. */
	memset(copy, 0, sizeof(copy));
}

static void
admit(struct question *q, uint32_t tag)
{
	struct protocol_admit admit = { .name = "ci" };
	struct ht_error e;

	assert_int_equal(
	    protocol_send(&keyd, PROTOCOL_ADMIT, tag, &admit, NULL, 0, &e), 0);
	while (q->answers == 0)
		turn();
	assert_int_equal(q->type, PROTOCOL_ADMIT);
}

static int
set_up(void **state)
{
	(void)state;
	waited = 0;
	loop = loop_new();
	k = keyd_link_new(loop, "s", revoked, NULL);
	assert_non_null(k);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	keyd_link_free(k);
	loop_free(loop);
	return unlink("s");
}

static void
a_question_waits_for_keyd(void **state)
{
	struct question q;

	(void)state;
	ask(&q, "early");
	assert_non_null(q.ask);
	turn();
	come();
	admit(&q, hear("early"));
	assert_int_equal(q.answers, 1);
	go();
}

static void
a_question_is_put_to_two_keyds(void **state)
{
	struct question first, second, late;
	uint32_t tag;

	(void)state;
	come();
	ask(&first, "poison");
	tag = hear("poison");
	go();
	come();
	assert_int_equal(hear("poison"), tag);
	ask(&second, "other");
	(void)hear("other");
	go();
	assert_int_equal(first.answers, 1);
	assert_int_equal(first.type, PROTOCOL_REFUSE);
	assert_int_equal(second.answers, 0);
	ask(&late, "late");
	come();
	(void)hear("late");
	admit(&second, hear("other"));
	go();
}

static void
a_question_of_one_who_has_left_is_forgotten(void **state)
{
	struct question left, other;

	(void)state;
	come();
	ask(&left, "left");
	(void)hear("left");
	keyd_link_ask_cancel(left.ask);
	go();
	ask(&other, "other");
	come();
	admit(&other, hear("other"));
	assert_int_equal(left.answers, 0);
	go();
}

static void
nobody_waits_for_a_keyd_that_is_not_expected(void **state)
{
	struct question q, late;

	(void)state;
	come();
	ask(&q, "q");
	(void)hear("q");
	go();
	waited = 9;
	turn();
	turn();
	assert_int_equal(q.answers, 0);
	waited = 11;
	while (q.answers == 0)
		turn();
	assert_int_equal(q.type, PROTOCOL_REFUSE);
	ask(&late, "late");
	assert_null(late.ask);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(a_question_waits_for_keyd),
		CASE(a_question_is_put_to_two_keyds),
		CASE(a_question_of_one_who_has_left_is_forgotten),
		CASE(nobody_waits_for_a_keyd_that_is_not_expected),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
