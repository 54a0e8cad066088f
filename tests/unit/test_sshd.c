#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/fds.h"
#include "lib/proc.h"
#include "sshd-sign/keyd-link.h"
#include "sshd-sign/relay.h"
#include "sshd-sign/shell-process.h"
#include "sshd-sign/startups.h"
#include "tests/support/builddir.h"

/* --- startups ------------------------------------------------------------- */

static void
startups_follow_the_line(void **state)
{
	struct startups s = { .start = 10, .rate = 30, .full = 100 };

	(void)state;
	assert_false(startups_crowded(&s, 0));
	s.now = 9;
	assert_false(startups_crowded(&s, 0));
	s.now = 10;
	assert_true(startups_crowded(&s, 29));
	assert_false(startups_crowded(&s, 30));
	/* Half way between 10 and 100: half way between 30 and 100 percent. */
	s.now = 55;
	assert_true(startups_crowded(&s, 64));
	assert_false(startups_crowded(&s, 65));
	s.now = 100;
	assert_true(startups_crowded(&s, 99));
	s.now = 4000000000U;
	assert_true(startups_crowded(&s, 99));
}

static void
startups_without_a_slope(void **state)
{
	struct startups s = { .start = 5, .rate = 100, .full = 5, .now = 4 };

	(void)state;
	assert_false(startups_crowded(&s, 0));
	s.now = 5;
	assert_true(startups_crowded(&s, 99));
}

static struct sockaddr_storage
from(const char *text)
{
	struct sockaddr_storage address;

	memset(&address, 0, sizeof(address));
	address.ss_family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
	if (address.ss_family == AF_INET6)
		assert_int_equal(
		    inet_pton(AF_INET6, text,
		        &((struct sockaddr_in6 *)&address)->sin6_addr),
		    1);
	else
		assert_int_equal(
		    inet_pton(AF_INET, text,
		        &((struct sockaddr_in *)&address)->sin_addr),
		    1);
	return address;
}

/* Add one from an address that has been there for so many milliseconds. */
static void
start_from(struct startups *s, struct startup *one, const char *text,
    uint64_t ms)
{
	struct sockaddr_storage address = from(text);

	memset(one, 0, sizeof(*one));
	startups_add(s, one, &address);
	one->began -= ms;
}

static struct startup *
choose(struct startups *s, const char *newcomer)
{
	struct sockaddr_storage address = from(newcomer);

	return startups_choose(s, &address);
}

static void
startups_choose_from_the_largest_network(void **state)
{
	struct startups s = { .full = 1 };
	struct startup one[6];

	(void)state;
	assert_null(choose(&s, "192.0.2.1"));
	start_from(&s, &one[0], "198.51.100.1", 9000);
	assert_ptr_equal(choose(&s, "192.0.2.1"), &one[0]);
	start_from(&s, &one[1], "192.0.2.1", 5000);
	start_from(&s, &one[2], "192.0.2.2", 4000);
	start_from(&s, &one[3], "192.0.2.2", 2000);
	assert_int_equal(s.now, 4);
	/* Of the network with three, the address with two, and its oldest. */
	assert_ptr_equal(choose(&s, "203.0.113.1"), &one[2]);
	assert_ptr_equal(choose(&s, "192.0.2.3"), &one[2]);
	startups_remove(&s, &one[2]);
	startups_remove(&s, &one[2]);
	assert_int_equal(s.now, 3);
	assert_ptr_equal(choose(&s, "203.0.113.1"), &one[1]);
	startups_remove(&s, &one[1]);
	assert_ptr_equal(choose(&s, "203.0.113.1"), &one[0]);
}

static void
startups_know_networks_of_both_kinds(void **state)
{
	struct startups s = { .full = 1 };
	struct startup one[4];

	(void)state;
	start_from(&s, &one[0], "::1", 5000);
	start_from(&s, &one[1], "0.0.0.1", 5000);
	start_from(&s, &one[2], "2001:db8:1:1::1", 5000);
	start_from(&s, &one[3], "2001:db8:1:2::1", 5000);
	assert_int_equal(one[0].of_network, 1);
	assert_int_equal(one[1].of_network, 1);
	assert_int_equal(one[3].of_network, 2);
	assert_int_equal(one[3].of_address, 1);
	assert_ptr_equal(choose(&s, "192.0.2.1"), &one[2]);
	startups_remove(&s, &one[3]);
	start_from(&s, &one[3], "2001:db8:1:1::2", 5000);
	assert_int_equal(one[3].of_address, 2);
	startups_remove(&s, &one[3]);
	start_from(&s, &one[3], "2001:db8:2::", 5000);
	assert_int_equal(one[3].of_network, 1);
}

/* A flood pushes out nobody but itself, and is refused. */
static void
startups_refuse_a_flood(void **state)
{
	struct startups s = { .full = 1 };
	struct startup one[2];

	(void)state;
	start_from(&s, &one[0], "192.0.2.1", 0);
	start_from(&s, &one[1], "192.0.2.2", 0);
	assert_null(choose(&s, "192.0.2.3"));
	assert_ptr_equal(choose(&s, "198.51.100.1"), &one[0]);
	one[0].began -= 1001;
	assert_ptr_equal(choose(&s, "192.0.2.3"), &one[0]);
}

/* --- what keyd says of itself ---------------------------------------------- */

static struct protocol_revoked revoked_last;

static void
note_revoked(void *cookie, const struct protocol_revoked *what)
{
	(void)cookie;
	revoked_last = *what;
}

/* --- relay ---------------------------------------------------------------- */

struct relay_fixture {
	int pair[2]; /* listener, network process */
	struct relay_message m;
};

static int
set_up(void **state)
{
	static struct relay_fixture f;
	struct ht_error e;

	memset(&f, 0, sizeof(f));
	*state = &f;
	return relay_pair(f.pair, &e);
}

static int
tear_down(void **state)
{
	struct relay_fixture *f = *state;

	(void)close(f->pair[0]);
	(void)close(f->pair[1]);
	return 0;
}

static void
relay_carries_a_blob(void **state)
{
	static uint8_t blob[PROTOCOL_SESSION_MAX];
	struct relay_fixture *f = *state;
	struct ht_error e;

	memset(blob, 'x', sizeof(blob));
	assert_int_equal(relay_receive(f->pair[0], RELAY_NETWORK, &f->m, &e),
	    0);
	assert_int_equal(relay_send(f->pair[1], RELAY_SESSION, 0xfedcba98,
	                     cursor_over(blob, sizeof(blob)), NULL, &e),
	    0);
	assert_int_equal(relay_receive(f->pair[0], RELAY_NETWORK, &f->m, &e),
	    1);
	assert_int_equal(f->m.type, RELAY_SESSION);
	assert_int_equal(f->m.channel, 0xfedcba98);
	assert_int_equal(f->m.payload.left, sizeof(blob));
	assert_memory_equal(f->m.payload.p, blob, sizeof(blob));
}

static void
relay_sends_nothing_too_long(void **state)
{
	static uint8_t blob[PROTOCOL_SESSION_MAX + 1];
	struct relay_fixture *f = *state;
	struct ht_error e;

	assert_int_equal(relay_send(f->pair[1], RELAY_LOGIN, 0,
	                     cursor_over(blob, sizeof(blob)), NULL, &e),
	    HT_ERR_INTERNAL);
	assert_int_equal(relay_send(f->pair[1], RELAY_KILL, 0,
	                     cursor_over(blob, 1), NULL, &e),
	    HT_ERR_INTERNAL);
}

/* Bytes as a subverted network process may send them, and the answer. */
static void
expect_refused(struct relay_fixture *f, const void *bytes, size_t n)
{
	struct ht_error e;

	assert_int_equal(send(f->pair[1], bytes, n, 0), n);
	assert_int_equal(relay_receive(f->pair[0], RELAY_NETWORK, &f->m, &e),
	    HT_ERR_DATA);
	assert_int_equal(f->m.nfds, 0);
}

static void
relay_refuses_what_the_table_does_not_have(void **state)
{
	static uint8_t long_blob[RELAY_MAX + 1] = { RELAY_SESSION };
	struct relay_fixture *f = *state;
	uint8_t message[6] = { 0 };
	unsigned int type;

	expect_refused(f, message, 6); /* no type 0 */
	for (type = RELAY_ADMIT; type < 256; type++) {
		message[0] = (uint8_t)type; /* the listener's own, or none */
		expect_refused(f, message, 5);
	}
	message[0] = RELAY_END;
	expect_refused(f, message, 6); /* a payload too many */
	expect_refused(f, message, 4); /* a header too short */
	message[0] = RELAY_LOGIN;
	expect_refused(f, message, 5); /* a payload too few */
	expect_refused(f, long_blob, sizeof(long_blob));
}

/* Descriptors that a listener may not be given are closed. */
static void
relay_refuses_descriptors_from_below(void **state)
{
	struct relay_fixture *f = *state;
	uint8_t message[5] = { RELAY_END };
	struct ht_error e;
	int pipes[2];
	char c;

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(
	    fds_send(f->pair[1], message, sizeof(message), &pipes[1], 1),
	    sizeof(message));
	(void)close(pipes[1]);
	assert_int_equal(relay_receive(f->pair[0], RELAY_NETWORK, &f->m, &e),
	    HT_ERR_DATA);
	/* The end: nobody has the other end any more. */
	assert_int_equal(read(pipes[0], &c, 1), 0);
	(void)close(pipes[0]);
}

static void
relay_passes_three_descriptors(void **state)
{
	static const struct cursor nothing = { NULL, 0 };
	struct relay_fixture *f = *state;
	int fds[RELAY_FDS] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };
	struct ht_error e;
	int i;

	assert_int_equal(
	    relay_send(f->pair[0], RELAY_STARTED, 7, nothing, fds, &e), 0);
	assert_int_equal(relay_receive(f->pair[1], RELAY_LISTENER, &f->m, &e),
	    1);
	assert_int_equal(f->m.type, RELAY_STARTED);
	assert_int_equal(f->m.channel, 7);
	assert_int_equal(f->m.nfds, RELAY_FDS);
	for (i = 0; i < RELAY_FDS; i++) {
		assert_int_equal(fcntl(f->m.fd[i], F_GETFD), FD_CLOEXEC);
		(void)close(f->m.fd[i]);
	}
	assert_int_equal(
	    relay_send(f->pair[0], RELAY_STARTED, 7, nothing, NULL, &e),
	    HT_ERR_INTERNAL);
}

/* A network process that does not read must not hold up the listener. */
static void
relay_does_not_block_the_listener(void **state)
{
	static const struct cursor nothing = { NULL, 0 };
	struct relay_fixture *f = *state;
	struct ht_error e;
	int i, rc = 0;

	for (i = 0; i < 100000 && rc == 0; i++)
		rc = relay_send(f->pair[0], RELAY_DRAIN, 0, nothing, NULL, &e);
	assert_int_equal(rc, HT_ERR_UNAVAILABLE);
	/* There was room for what a full connection can have to be told. */
	assert_true(i > RELAY_SESSIONS_MAX * 3);
}

static void
relay_sees_the_end(void **state)
{
	struct relay_fixture *f = *state;
	struct ht_error e;

	(void)shutdown(f->pair[1], SHUT_RDWR);
	assert_int_equal(relay_receive(f->pair[0], RELAY_NETWORK, &f->m, &e),
	    HT_ERR_UNAVAILABLE);
}

/* --- keyd ----------------------------------------------------------------- */

static void
no_answer(void *cookie, struct keyd_link_answer *answer)
{
	(void)cookie;
	(void)answer;
	fail();
}

/* A keyd that takes connections. */
struct fake_keyd {
	char folder[32];
	char path[48];
	int listening;
	struct loop *loop;
	struct keyd_link *keyd;
	struct protocol_link link; /* its own end */
	unsigned int answers;
};

static int
fake_keyd(void **state)
{
	static struct fake_keyd f;
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct ht_error e;

	memset(&f, 0, sizeof(f));
	(void)snprintf(f.folder, sizeof(f.folder), "/tmp/test-sshd.XXXXXX");
	assert_non_null(mkdtemp(f.folder));
	(void)snprintf(f.path, sizeof(f.path), "%s/s", f.folder);
	memcpy(un.sun_path, f.path, strlen(f.path));
	f.listening = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(f.listening, (struct sockaddr *)&un, sizeof(un)),
	    0);
	assert_int_equal(listen(f.listening, 5), 0);
	f.loop = loop_new();
	f.keyd = keyd_link_new(f.loop, f.path, note_revoked, NULL);
	assert_true(keyd_link_present(f.keyd));
	assert_int_equal(protocol_open(&f.link, accept(f.listening, NULL, NULL),
	                     PROTOCOL_LINK_SSHD, false, &e),
	    0);
	*state = &f;
	return 0;
}

static int
no_keyd(void **state)
{
	struct fake_keyd *f = *state;

	keyd_link_free(f->keyd);
	loop_free(f->loop);
	protocol_close(&f->link);
	(void)close(f->listening);
	(void)unlink(f->path);
	(void)rmdir(f->folder);
	return 0;
}

static void
wake(void *cookie)
{
	(void)cookie;
}

static void
run_for(struct loop *loop, uint64_t ms)
{
	uint64_t end = loop_now() + ms;
	struct ht_error e;

	while (loop_now() < end) {
		assert_non_null(loop_timer_add(loop, 10, wake, NULL));
		assert_int_equal(loop_once(loop, &e), 0);
	}
}

/* A keyd that served is connected to at once when it is back. */
static void
a_lost_keyd_is_found_at_once(void **state)
{
	struct fake_keyd *f = *state;
	struct ht_error e;
	int i;

	for (i = 0; i < 3; i++) {
		run_for(f->loop, 1100);
		protocol_close(&f->link);
		run_for(f->loop, 10);
		assert_false(keyd_link_present(f->keyd));
		assert_true(keyd_link_expected(f->keyd));
		run_for(f->loop, 150);
		assert_true(keyd_link_present(f->keyd));
		assert_int_equal(protocol_open(&f->link,
		                     accept(f->listening, NULL, NULL),
		                     PROTOCOL_LINK_SSHD, false, &e),
		    0);
	}
	/* One that ends each link as soon as it is made is not. */
	run_for(f->loop, 10);
	protocol_close(&f->link);
	run_for(f->loop, 500);
	assert_false(keyd_link_present(f->keyd));
	run_for(f->loop, 600);
	assert_true(keyd_link_present(f->keyd));
	assert_int_equal(protocol_open(&f->link,
	                     accept(f->listening, NULL, NULL),
	                     PROTOCOL_LINK_SSHD, false, &e),
	    0);
}

static void
count_answer(void *cookie, struct keyd_link_answer *answer)
{
	struct fake_keyd *f = cookie;

	assert_int_equal(answer->type, PROTOCOL_REFUSE);
	f->answers++;
}

/* One question read, and its answer taken. */
static void
answer_one(struct fake_keyd *f)
{
	struct protocol_refuse no = { .status = 77 };
	union protocol_body body;
	struct ht_error e;
	struct msg m;

	while (protocol_next(&f->link, &m, &body, &e) == 0)
		assert_int_equal(loop_once(f->loop, &e), 0);
	assert_int_equal(
	    protocol_send(&f->link, PROTOCOL_REFUSE, m.tag, &no, NULL, 0, &e),
	    0);
	assert_int_equal(loop_once(f->loop, &e), 0);
}

/* A client that asks and goes, and again, while keyd has other work. */
static void
keyd_owes_a_limited_number_of_answers(void **state)
{
	static uint8_t blob[1000];
	struct protocol_relayed relayed = { .peer = "192.0.2.1",
		.blob = { blob, sizeof(blob) } };
	struct fake_keyd *f = *state;
	struct keyd_link_ask *ask;
	int i;

	for (i = 0; i < 100000; i++) {
		ask = keyd_link_ask(f->keyd, PROTOCOL_SESSION, &relayed,
		    no_answer, NULL);
		if (ask == NULL)
			break;
		keyd_link_ask_cancel(ask);
	}
	assert_true(i >= 100 && i <= 10000);
	assert_true(keyd_link_present(f->keyd));
	answer_one(f);
	assert_non_null(keyd_link_ask(f->keyd, PROTOCOL_SESSION, &relayed,
	    count_answer, f));
	assert_null(keyd_link_ask(f->keyd, PROTOCOL_SESSION, &relayed,
	    no_answer, NULL));
	while (f->answers == 0)
		answer_one(f);
	assert_int_equal(f->answers, 1);
}

static void
keyd_says_who_is_revoked(void **state)
{
	const struct protocol_revoked what = { "ci", 7, "SHA256:x" };
	struct fake_keyd *f = *state;
	struct ht_error e;

	assert_int_equal(
	    protocol_send(&f->link, PROTOCOL_REVOKED, 0, &what, NULL, 0, &e),
	    0);
	assert_int_equal(loop_once(f->loop, &e), 0);
	assert_string_equal(revoked_last.name, "ci");
	assert_int_equal(revoked_last.serial, 7);
	assert_string_equal(revoked_last.key, "SHA256:x");
	assert_true(keyd_link_present(f->keyd));
}

/* --- sessions ------------------------------------------------------------- */

#define BLOB "what the client said"

/* Valgrind 3.19 does not know the call. */
static bool
has_pidfd(void)
{
	int fd = pidfd_open(getpid(), 0);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0 || errno != ENOSYS;
}

/* A shell that reads what its session is, and would have it otherwise. */
static int
be_shell(void)
{
	char bytes[sizeof(BLOB)];
	const ssize_t n = sizeof(BLOB) - 1;

	if (read(3, bytes, sizeof(bytes)) != n || memcmp(bytes, BLOB, n) != 0)
		return 1;
	if (pwrite(3, "W", 1, 0) >= 0 || errno != EPERM)
		return 2;
	if (ftruncate(3, 0) == 0 || ftruncate(3, n + 1) == 0)
		return 3;
	if (fcntl(3, F_ADD_SEALS, 0) == 0)
		return 4;
	return 42;
}

static void
keep_status(void *cookie, int status)
{
	*(int *)cookie = status;
}

static void
session_cannot_be_changed(void **state)
{
	struct shell_process_spec spec = {
		.shell = HT_BUILDDIR "/tests/unit/test_sshd",
		.admin = true,
		.uid = PROC_SAME,
		.gid = (gid_t)-1,
		.bound = STDERR_FILENO,
		.blob = cursor_over(BLOB, sizeof(BLOB) - 1),
	};
	int fds[RELAY_FDS], status = -1, i;
	struct loop *loop;
	struct ht_error e;

	(void)state;
	if (!has_pidfd())
		skip();
	loop = loop_new();
	if (shell_process_start(loop, &spec, fds, keep_status, &status, &e) ==
	    NULL)
		fail_msg("%s", e.text);
	while (status == -1)
		assert_int_equal(loop_once(loop, &e), 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
	for (i = 0; i < RELAY_FDS; i++)
		(void)close(fds[i]);
	loop_free(loop);
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(startups_follow_the_line),
		cmocka_unit_test(startups_without_a_slope),
		cmocka_unit_test(startups_choose_from_the_largest_network),
		cmocka_unit_test(startups_know_networks_of_both_kinds),
		cmocka_unit_test(startups_refuse_a_flood),
		cmocka_unit_test_setup_teardown(relay_carries_a_blob, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(relay_sends_nothing_too_long,
		    set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    relay_refuses_what_the_table_does_not_have, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    relay_refuses_descriptors_from_below, set_up, tear_down),
		cmocka_unit_test_setup_teardown(relay_passes_three_descriptors,
		    set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    relay_does_not_block_the_listener, set_up, tear_down),
		cmocka_unit_test_setup_teardown(relay_sees_the_end, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    keyd_owes_a_limited_number_of_answers, fake_keyd, no_keyd),
		cmocka_unit_test_setup_teardown(keyd_says_who_is_revoked,
		    fake_keyd, no_keyd),
		cmocka_unit_test_setup_teardown(a_lost_keyd_is_found_at_once,
		    fake_keyd, no_keyd),
		cmocka_unit_test(session_cannot_be_changed),
	};

	if (argc > 1 && strcmp(argv[1], "--session") == 0)
		return be_shell();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
