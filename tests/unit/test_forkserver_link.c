/*
 * The forkserver of the clients' shells: its processes are of the real
 * htsign-shell, and so are the shells, which find that keyd is away.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/error.h"
#include "lib/loop.h"
#include "lib/proc.h"
#include "sshd-sign/forkserver-link.h"
#include "tests/support/builddir.h"

#define SHELL HT_BUILDDIR "/htsign-shell/htsign-shell"

/* More shells than one process of the forkserver forks. */
#define MANY 250

/* The shells are nicer than we are. */
#define NICER 7

struct shell {
	pid_t pid;
	int pidfd;
	int keyd; /* keyd's end */
	int err;  /* its stderr */
};

static struct loop *loop;
static struct forkserver_link *forkserver;

static int
set_up(void **state)
{
	(void)state;
	loop = loop_new();
	assert_non_null(loop);
	forkserver = forkserver_link_new(loop, SHELL, PROC_SAME, (gid_t)-1);
	assert_non_null(forkserver);
	return 0;
}

/* No client's byte, and a connection to keyd that we hold. */
static int
ask(struct shell *s)
{
	int keyd[2], err[2], fds[FORKSERVER_LINK_FDS], i, rc;
	struct ht_error e;

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, keyd), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	fds[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fds[1] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fds[2] = err[1];
	fds[3] = memfd_create("session", MFD_CLOEXEC);
	fds[4] = keyd[1];
	s->keyd = keyd[0];
	s->err = err[0];
	rc = forkserver_link_shell(forkserver, fds, NICER, &s->pid, &s->pidfd,
	    &e);
	for (i = 0; i < FORKSERVER_LINK_FDS; i++)
		(void)close(fds[i]);
	return rc;
}

/* Its exit status, once keyd has gone; text is what it said. */
static int
finish(struct shell *s, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;
	int status;

	(void)close(s->keyd);
	while ((n = read(s->err, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
	(void)close(s->err);
	(void)close(s->pidfd);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
line_of(pid_t pid, const char *name, char *line, size_t size)
{
	char path[64];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
	f = fopen(path, "r");
	assert_non_null(f);
	do
		assert_non_null(fgets(line, (int)size, f));
	while (strncmp(line, name, strlen(name)) != 0);
	(void)fclose(f);
}

/* Where the program of a process is: a sanitizer's own places come first. */
static void
place_of(pid_t pid, char *line, size_t size)
{
	char path[64];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%ld/maps", (long)pid);
	f = fopen(path, "r");
	assert_non_null(f);
	do
		assert_non_null(fgets(line, (int)size, f));
	while (strstr(line, SHELL) == NULL);
	(void)fclose(f);
}

/* Wait until the shell has read its session, and asks keyd or complains. */
static void
wait_until_up(const struct shell *s)
{
	struct pollfd p[2] = { { s->keyd, POLLIN, 0 }, { s->err, POLLIN, 0 } };

	assert_true(poll(p, 2, 10000) > 0);
}

static void
test_a_shell_is_our_child(void **state)
{
	char line[256], text[512];
	struct shell s;
	int nice;

	(void)state;
	assert_int_equal(ask(&s), 0);
	wait_until_up(&s);
	/* Of the forkserver, which root lets go first. */
	nice = geteuid() == 0 ? 0 : getpriority(PRIO_PROCESS, 0);
	nice += NICER;
	assert_int_equal(getpriority(PRIO_PROCESS, (id_t)s.pid),
	    nice < 19 ? nice : 19);
	line_of(s.pid, "PPid:", line, sizeof(line));
	assert_int_equal(strtol(line + 5, NULL, 10), (long)getpid());
	/* An empty session is nonsense, of which keyd is to be told. */
	assert_int_not_equal(finish(&s, text, sizeof(text)), 0);
	assert_int_not_equal(text[0], '\0');
}

static void
test_a_shell_is_locked_up(void **state)
{
	char line[256], text[512];
	struct shell s;

	(void)state;
	assert_int_equal(ask(&s), 0);
	wait_until_up(&s);
	line_of(s.pid, "Name:", line, sizeof(line));
	assert_string_equal(line, "Name:\thtsign-shell\n");
	line_of(s.pid, "NoNewPrivs:", line, sizeof(line));
	assert_string_equal(line, "NoNewPrivs:\t1\n");
#ifndef HT_NO_SANDBOX
	line_of(s.pid, "Seccomp:", line, sizeof(line));
	assert_string_equal(line, "Seccomp:\t2\n");
#endif
	(void)finish(&s, text, sizeof(text));
}

/* Nor does one process serve for ever. */
static void
test_places_change(void **state)
{
	char first[512], later[512], text[512];
	struct shell s;
	int i, changes = 0;

	(void)state;
	if (geteuid() != 0) {
		print_message("only root reads where a shell lies\n");
		skip();
	}
	first[0] = '\0';
	for (i = 0; i < MANY; i++) {
		assert_int_equal(ask(&s), 0);
		place_of(s.pid, later, sizeof(later));
		changes += strcmp(first, later) != 0;
		memcpy(first, later, sizeof(first));
		assert_int_not_equal(finish(&s, text, sizeof(text)), 0);
	}
	assert_true(changes >= 3);
	assert_true(changes < MANY / 10);
}

/* The process of the forkserver: our only child, when no shell is there. */
static pid_t
process(void)
{
	char path[64];
	long pid = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%ld/children",
	    (long)getpid());
	f = fopen(path, "r");
	if (f == NULL)
		return 0;
	while (fscanf(f, "%ld", &pid) == 1)
		;
	(void)fclose(f);
	return (pid_t)pid;
}

static void
test_a_killed_one_is_replaced(void **state)
{
	char text[512];
	struct ht_error e;
	struct shell s;
	pid_t before;

	(void)state;
	assert_int_equal(ask(&s), 0);
	(void)finish(&s, text, sizeof(text));
	before = process();
	if (before == 0)
		skip();
	assert_int_equal(kill(before, SIGKILL), 0);
	/* Seen by the loop, or only when it does not answer. */
	assert_int_equal(loop_once(loop, &e), 0);
	while (ask(&s) < 0)
		continue;
	assert_int_not_equal(process(), before);
	(void)finish(&s, text, sizeof(text));
}

/* Killed, and nobody has noticed: the client gets its shell all the same. */
static void
test_a_killed_one_costs_no_client(void **state)
{
	char text[512];
	struct shell s;
	siginfo_t info;
	pid_t before;

	(void)state;
	assert_int_equal(ask(&s), 0);
	(void)finish(&s, text, sizeof(text));
	before = process();
	if (before == 0)
		skip();
	assert_int_equal(kill(before, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)before, &info, WEXITED | WNOWAIT),
	    0);
	assert_int_equal(ask(&s), 0);
	(void)finish(&s, text, sizeof(text));
}

static void
test_one_that_cannot_start(void **state)
{
	struct forkserver_link *broken = forkserver_link_new(loop,
	    "/nonexistent/htsign-shell", PROC_SAME, (gid_t)-1);
	int fds[FORKSERVER_LINK_FDS] = { 0, 1, 2, 0, 1 }, pidfd;
	struct ht_error e;
	pid_t pid;

	(void)state;
	assert_non_null(broken);
	assert_true(
	    forkserver_link_shell(broken, fds, 0, &pid, &pidfd, &e) < 0);
	assert_int_equal(pid, -1);
	assert_int_equal(pidfd, -1);
}

/* Valgrind 3.19 does not know the call. */
static bool
has_pidfd(void)
{
	int fd = pidfd_open(getpid(), 0);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0 || errno != ENOSYS;
}

/* A forkserver that answers each word with somebody else's process. */
static int
lie(void)
{
	const pid_t other = getppid();
	char byte;

	while (recv(3, &byte, 1, 0) == 1)
		(void)send(3, &other, sizeof(other), MSG_NOSIGNAL);
	return 0;
}

static void
test_only_children_are_taken(void **state)
{
	struct forkserver_link *honest = forkserver;
	struct shell s;

	(void)state;
	forkserver =
	    forkserver_link_new(loop, "/proc/self/exe", PROC_SAME, (gid_t)-1);
	assert_non_null(forkserver);
	assert_int_equal(ask(&s), HT_ERR_INTERNAL);
	/* We would have killed ourselves otherwise. */
	assert_int_equal(s.pidfd, -1);
	(void)close(s.keyd);
	(void)close(s.err);
	forkserver = honest;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_shell_is_our_child),
		cmocka_unit_test(test_a_shell_is_locked_up),
		cmocka_unit_test(test_places_change),
		cmocka_unit_test(test_a_killed_one_is_replaced),
		cmocka_unit_test(test_a_killed_one_costs_no_client),
		cmocka_unit_test(test_one_that_cannot_start),
		cmocka_unit_test(test_only_children_are_taken),
	};

	if (argc == 3 && strcmp(argv[1], "--forkserver") == 0)
		return lie();
	if (!has_pidfd())
		return 77;
	return cmocka_run_group_tests(tests, set_up, NULL);
}
