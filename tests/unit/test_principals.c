#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/error.h"
#include "protocol/messages.h"
#include "tests/support/builddir.h"
#include "tests/support/scratch.h"

/* What keyd would answer, or nothing but a closed connection. */
struct reply {
	enum protocol_type type; /* 0: hang up */
	const char *ticket;
	const char *principal;
};

static char program[PROTOCOL_PATH], shell[PROTOCOL_PATH];

static int
enter(void **state)
{
	const char *build = getenv("builddir");

	if (build == NULL)
		return 1;
	(void)snprintf(program, sizeof(program),
	    "%s/keys/principals/htsign-principals", build);
	(void)snprintf(shell, sizeof(shell), "%s/htsign-shell/htsign-shell",
	    build);
	return scratch_enter(state);
}

static int
listen_as_keyd(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX,
		.sun_path = PROTOCOL_SOCKET_PRINCIPALS };
	int fd;

	(void)unlink(un.sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* In a process of its own: the answer to one question. */
static int
answer(int listener, const struct reply *reply)
{
	struct protocol_link link;
	struct protocol_ticket_for ticket;
	struct protocol_refuse refuse;
	union protocol_body body;
	struct ht_error e;
	struct msg m;
	int fd, rc;

	memset(&ticket, 0, sizeof(ticket));
	memset(&refuse, 0, sizeof(refuse));
	fd = accept(listener, NULL, NULL);
	if (fd < 0 ||
	    protocol_open(&link, fd, PROTOCOL_LINK_PRINCIPALS, false, &e) < 0)
		return 1;
	if (protocol_wait(&link, &m, &body, 10000, &e) < 0)
		return 2;
	if (strcmp(body.ask.user, "sign") != 0 ||
	    !cursor_is(body.ask.certificate, "blob"))
		return 3;
	if (reply->type == PROTOCOL_TICKET_FOR) {
		(void)snprintf(ticket.ticket, sizeof(ticket.ticket), "%s",
		    reply->ticket);
		(void)snprintf(ticket.principal, sizeof(ticket.principal), "%s",
		    reply->principal);
		rc = protocol_send(&link, reply->type, m.tag, &ticket, NULL, 0,
		    &e);
	} else {
		refuse.status = 77;
		rc = reply->type == 0 ? 0
		                      : protocol_send(&link, reply->type, m.tag,
		                            &refuse, NULL, 0, &e);
	}
	protocol_close(&link);
	return rc < 0 ? 4 : 0;
}

/* Run the program against a keyd that answers so; its exit status. */
static int
ask(const struct reply *reply, const char *rundir)
{
	int listener = listen_as_keyd(), status, rc;
	pid_t pid;

	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(answer(listener, reply));
	(void)close(listener);
	rc = RUN(program, "-r", rundir, "sign", "ci/7", "7", "YmxvYg==");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return rc;
}

static void
expect_output(const char *text)
{
	struct buf output = BUF_INIT;

	scratch_read("output", &output);
	buf_u8(&output, '\0');
	assert_string_equal((const char *)output.data, text);
	buf_free(&output);
}

static void
prints_the_line_of_a_client(void **state)
{
	const struct reply reply = { PROTOCOL_TICKET_FOR, "T-1_x",
		"client:ci" };
	char line[2 * PROTOCOL_PATH];

	(void)state;
	assert_int_equal(ask(&reply, "."), 0);
	(void)snprintf(line, sizeof(line),
	    "restrict,command=\"%s -r . --ticket T-1_x\" client:ci\n", shell);
	expect_output(line);
}

static void
administrators_get_a_terminal(void **state)
{
	const struct reply reply = { PROTOCOL_TICKET_FOR, "T", "role:admin" };
	char line[2 * PROTOCOL_PATH];

	(void)state;
	assert_int_equal(ask(&reply, "."), 0);
	(void)snprintf(line, sizeof(line),
	    "restrict,pty,command=\"%s -r . --ticket T\" role:admin\n",
	    HT_BUILDDIR "/htsign-admin/htsign-admin");
	expect_output(line);
}

static void
folders_are_quoted(void **state)
{
	const struct reply reply = { PROTOCOL_TICKET_FOR, "T", "client:ci" };

	(void)state;
	assert_int_equal(symlink(".", "run dir"), 0);
	assert_int_equal(ask(&reply, "run dir"), 0);
	assert_true(scratch_output_holds(" -r 'run dir' --ticket T\" "));
	assert_int_equal(symlink(".", "run\"dir"), 0);
	assert_int_equal(ask(&reply, "run\"dir"), 1);
	assert_int_equal(symlink(".", "run'dir"), 0);
	assert_int_equal(ask(&reply, "run'dir"), 1);
}

static void
nothing_is_printed_on_refusal(void **state)
{
	static const struct reply replies[] = {
		{ PROTOCOL_REFUSE, NULL, NULL },
		{ 0, NULL, NULL },
		{ PROTOCOL_TICKET_FOR, "", "client:ci" },
		{ PROTOCOL_TICKET_FOR, "a b", "client:ci" },
		{ PROTOCOL_TICKET_FOR, "a\"", "client:ci" },
		{ PROTOCOL_TICKET_FOR, "T", "root" },
		{ PROTOCOL_TICKET_FOR, "T", "client:ci\nroot" },
	};
	struct buf output = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		assert_int_equal(ask(&replies[i], "."), 1);
		scratch_read("output", &output);
		buf_u8(&output, '\0');
		assert_null(strstr((const char *)output.data, "command="));
		buf_reset(&output);
	}
	buf_free(&output);
}

static void
keyd_is_away(void **state)
{
	(void)state;
	(void)unlink(PROTOCOL_SOCKET_PRINCIPALS);
	assert_int_equal(
	    RUN(program, "-r", ".", "sign", "ci/7", "7", "YmxvYg=="), 1);
}

/* Anybody could listen there. */
static void
a_folder_of_all(void **state)
{
	int listener = listen_as_keyd();
	struct pollfd asked = { .fd = listener, .events = POLLIN };

	(void)state;
	assert_int_equal(chmod(".", 0777), 0);
	assert_int_equal(
	    RUN(program, "-r", ".", "sign", "ci/7", "7", "YmxvYg=="), 1);
	assert_int_equal(poll(&asked, 1, 0), 0);
	assert_int_equal(chmod(".", 0700), 0);
	(void)close(listener);
}

/* The listener is there, but must not be asked. */
static void
not_a_certificate(void **state)
{
	int listener = listen_as_keyd();

	(void)state;
	assert_int_equal(RUN(program, "-r", ".", "sign", "ci/7", "7", "YmxvYg"),
	    1);
	assert_int_equal(RUN(program, "-r", ".", "sign", "ci/7", "7", "!"), 1);
	(void)close(listener);
}

static void
arguments(void **state)
{
	(void)state;
	assert_int_equal(RUN(program), 1);
	assert_int_equal(RUN(program, "sign", "ci/7", "7"), 1);
	assert_int_equal(RUN(program, "-x", "sign", "ci/7", "7", "YmxvYg=="),
	    1);
	assert_true(scratch_output_holds("usage:"));
	/* A key id that looks like an option is none. */
	assert_int_equal(
	    RUN(program, "-r", "/nonexistent", "sign", "-r.", "7", "YmxvYg=="),
	    1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prints_the_line_of_a_client),
		cmocka_unit_test(administrators_get_a_terminal),
		cmocka_unit_test(folders_are_quoted),
		cmocka_unit_test(nothing_is_printed_on_refusal),
		cmocka_unit_test(keyd_is_away),
		cmocka_unit_test(a_folder_of_all),
		cmocka_unit_test(not_a_certificate),
		cmocka_unit_test(arguments),
	};

	return cmocka_run_group_tests(tests, enter, scratch_leave);
}
