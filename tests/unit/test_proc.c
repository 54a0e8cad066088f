#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/loop.h"
#include "lib/proc.h"
#include "tests/support/builddir.h"

/* nobody's, on Debian; any number that is not ours does. */
#define OTHER_ID 65534

/* Valgrind 3.19 does not know the call. */
static bool
has_pidfd(void)
{
	int fd = pidfd_open(getpid(), 0);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0 || errno != ENOSYS;
}

static struct proc_spec
shell(const char *script, const char *argv[4])
{
	struct proc_spec spec = { .uid = PROC_SAME, .gid = PROC_SAME };

	argv[0] = "/bin/sh";
	argv[1] = "-c";
	argv[2] = script;
	argv[3] = NULL;
	spec.argv = argv;
	return spec;
}

/* Start it, and read what it says on descriptor out until it ends. */
static int
finish(const struct proc_spec *spec, int out, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;
	int status;
	pid_t pid;
	struct ht_error e;

	assert_int_equal(proc_start(spec, &pid, NULL, &e), 0);
	(void)close(spec->fds[out]);
	while ((n = read(spec->fds[0], text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* The same for a script whose stdin is the pipe's other end: it never reads. */
static int
say(const struct proc_spec *script, char *text, size_t size)
{
	struct proc_spec spec = *script;
	int fds[3];
	int pipes[2], status;

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	fds[0] = pipes[0];
	fds[1] = pipes[1];
	fds[2] = dup(STDERR_FILENO);
	spec.fds = fds;
	spec.nfds = 3;
	status = finish(&spec, 1, text, size);
	(void)close(pipes[0]);
	(void)close(fds[2]);
	return status;
}

static void
a_child_starts_clean(void **state)
{
	const char *argv[] = { "/bin/sed", "-nE",
		"/^(SigBlk|SigIgn|SigCgt|NoNewPrivs)/p", "/proc/self/status",
		NULL };
	struct proc_spec spec = { .argv = argv,
		.uid = PROC_SAME,
		.gid = PROC_SAME };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t block, before;
	char text[512];

	(void)state;
	assert_int_equal(sigaction(SIGINT, &ignore, NULL), 0);
	assert_int_equal(sigaction(SIGRTMIN + 3, &ignore, NULL), 0);
	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	assert_int_equal(sigprocmask(SIG_BLOCK, &block, &before), 0);
	assert_int_equal(say(&spec, text, sizeof(text)), 0);
	assert_string_equal(text,
	    "SigBlk:\t0000000000000000\n"
	    "SigIgn:\t0000000000000000\n"
	    "SigCgt:\t0000000000000000\n"
	    "NoNewPrivs:\t1\n");
	/* Our own mask is as it was. */
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, &block), 0);
	assert_true(sigismember(&block, SIGTERM));
	assert_false(sigismember(&block, SIGHUP));
}

static void
only_the_given_environment(void **state)
{
	static const char *const env[] = { "HTSIGN_NAME=a b", NULL };
	const char *argv[] = { "/usr/bin/env", NULL };
	struct proc_spec spec = { .argv = argv,
		.uid = PROC_SAME,
		.gid = PROC_SAME };
	char text[512];

	(void)state;
	assert_int_equal(setenv("LD_PRELOAD_NOT", "x", 1), 0);
	assert_int_equal(say(&spec, text, sizeof(text)), 0);
	assert_string_equal(text, "");
	spec.env = env;
	assert_int_equal(say(&spec, text, sizeof(text)), 0);
	assert_string_equal(text, "HTSIGN_NAME=a b\n");
}

/* Become the leader of a session, with or without a terminal. */
static void
new_session(bool terminal)
{
	int fd;

	if (setsid() < 0)
		_exit(2);
	if (!terminal)
		return;
	fd = posix_openpt(O_RDWR | O_NOCTTY);
	if (fd < 0 || grantpt(fd) < 0 || unlockpt(fd) < 0 ||
	    open(ptsname(fd), O_RDWR) < 0)
		_exit(3);
}

/* Whether a child of ours, in a session so made, gets a session of its own. */
static int
leaves(bool terminal)
{
	const char *argv[4];
	struct proc_spec spec = shell("read -r pid comm st ppid pgrp sid rest "
	                              "</proc/self/stat; echo $$ $pgrp $sid",
	    argv);
	char text[128];
	int pid, group, session, status;
	pid_t child = fork();

	if (child == 0) {
		new_session(terminal);
		if (say(&spec, text, sizeof(text)) != 0 ||
		    sscanf(text, "%d %d %d", &pid, &group, &session) != 3)
			_exit(4);
		if (pid == group && pid == session)
			_exit(1);
		_exit(session == getpid() ? 0 : 5);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
no_terminal_of_others(void **state)
{
	(void)state;
	assert_int_equal(leaves(true), 1);
	assert_int_equal(leaves(false), 0);
}

/* Another's niceness is not passed on, but that of what goes first. */
static void
first_or_as_usual(void **state)
{
	const char *argv[4];
	struct proc_spec spec =
	    shell("read -r pid comm st ppid pgrp sid tty tpgid flags a b c d e "
	          "f g h prio nice rest </proc/self/stat; echo $nice",
	        argv);
	char text[128];
	int status;
	pid_t child;

	(void)state;
	if (geteuid() != 0)
		skip();
	child = fork();
	if (child == 0) {
		new_session(false);
		if (setpriority(PRIO_PROCESS, 0, -5) < 0 ||
		    say(&spec, text, sizeof(text)) != 0 ||
		    strcmp(text, "0\n") != 0)
			_exit(1);
		spec.first = true;
		if (say(&spec, text, sizeof(text)) != 0 ||
		    strcmp(text, "-10\n") != 0)
			_exit(2);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
no_other_descriptors(void **state)
{
	const char *argv[] = { "/bin/ls", "/proc/self/fd", NULL };
	struct proc_spec spec = { .argv = argv,
		.uid = PROC_SAME,
		.gid = PROC_SAME };
	int leak = fcntl(STDERR_FILENO, F_DUPFD, 50);
	char text[128];

	(void)state;
	assert_true(leak >= 50);
	assert_int_equal(say(&spec, text, sizeof(text)), 0);
	(void)close(leak);
	/* 3 is the folder that ls reads. */
	assert_string_equal(text, "0\n1\n2\n3\n");
}

/*
 * Each target is another's source: 0 from the file at 1, 1 from that at 3, 3
 * from that at 0, and 4 from nothing.
 */
static void
descriptors_may_change_places(void **state)
{
	const char *argv[4];
	struct proc_spec spec = shell("readlink /proc/self/fd/0 && "
	                              "readlink /proc/self/fd/3 && "
	                              "readlink /proc/self/fd/4",
	    argv);
	char text[512];
	int kept[2], fds[5], pipes[2], status, i;
	ssize_t n;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	for (i = 0; i < 2; i++)
		kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 20);
	assert_true(dup2(open("/dev/zero", O_RDWR | O_CLOEXEC), 1) == 1);
	assert_true(dup2(open("/dev/full", O_RDWR | O_CLOEXEC), 0) == 0);
	fds[0] = 1;
	fds[1] = pipes[1];
	fds[2] = kept[1];
	fds[3] = 0;
	fds[4] = -1;
	spec.fds = fds;
	spec.nfds = 5;
	status = proc_start(&spec, &pid, NULL, NULL);
	for (i = 0; i < 2; i++) {
		assert_true(dup2(kept[i], i) == i);
		(void)close(kept[i]);
	}
	(void)close(pipes[1]);
	assert_int_equal(status, 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	n = read(pipes[0], text, sizeof(text) - 1);
	(void)close(pipes[0]);
	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, "/dev/zero\n/dev/full\n/dev/null\n");
}

static void
without_descriptors_only_stderr_stays(void **state)
{
	const char *argv[4];
	struct proc_spec spec = shell("test $(readlink /proc/$$/fd/0) = "
	                              "/dev/null -a $(readlink /proc/$$/fd/1) ="
	                              " /dev/null && echo here >&2",
	    argv);
	int pipes[2], kept = dup(STDERR_FILENO), status;
	char text[64];
	ssize_t n;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_true(dup2(pipes[1], STDERR_FILENO) >= 0);
	status = proc_start(&spec, &pid, NULL, NULL);
	assert_true(dup2(kept, STDERR_FILENO) >= 0);
	(void)close(kept);
	(void)close(pipes[1]);
	assert_int_equal(status, 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	n = read(pipes[0], text, sizeof(text));
	assert_int_equal(n, 5);
	assert_memory_equal(text, "here\n", 5);
	(void)close(pipes[0]);
}

static void
a_missing_program_is_127_and_one_line(void **state)
{
	const char *argv[] = { "/no/such/program", NULL };
	int fds[3], pipes[2], status;
	struct proc_spec spec = { .argv = argv,
		.fds = fds,
		.nfds = 3,
		.uid = PROC_SAME,
		.gid = PROC_SAME };
	char text[128];

	(void)state;
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	fds[0] = pipes[0];
	fds[1] = -1;
	fds[2] = pipes[1];
	status = finish(&spec, 2, text, sizeof(text));
	(void)close(pipes[0]);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 127);
	assert_string_equal(text,
	    "/no/such/program: cannot run: No such file or directory\n");
}

static void
what_cannot_be_started(void **state)
{
	const char *argv[] = { "true", NULL };
	struct proc_spec spec = { .argv = argv,
		.uid = PROC_SAME,
		.gid = PROC_SAME };
	struct ht_error e;
	pid_t pid = 1;
	int pidfd = 1;

	(void)state;
	assert_int_equal(proc_start(&spec, &pid, &pidfd, &e), HT_ERR_INTERNAL);
	assert_int_equal(pid, -1);
	assert_int_equal(pidfd, -1);
	argv[0] = "/bin/true";
	spec.nfds = PROC_FDS + 1;
	assert_int_equal(proc_start(&spec, &pid, NULL, &e), HT_ERR_INTERNAL);
}

static void
the_pidfd_tells_the_end(void **state)
{
	const char *argv[4];
	struct proc_spec spec = shell("exit 3", argv);
	struct pollfd p;
	siginfo_t info;
	pid_t pid;

	(void)state;
	if (!has_pidfd())
		skip();
	assert_int_equal(proc_start(&spec, &pid, &p.fd, NULL), 0);
	assert_true(fcntl(p.fd, F_GETFD) & FD_CLOEXEC);
	p.events = POLLIN;
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_int_equal(waitid(P_PIDFD, (id_t)p.fd, &info, WEXITED), 0);
	assert_int_equal(info.si_pid, pid);
	assert_int_equal(info.si_status, 3);
	(void)close(p.fd);
}

/*
 * A process in the middle starts one that would sleep, and dies.  The pipe ends
 * when the last of them is gone.
 */
static void
a_child_dies_with_its_parent(void **state)
{
	const char *argv[] = { "/bin/sleep", "60", NULL };
	int fds[3] = { -1, -1, -1 };
	struct proc_spec spec = { .argv = argv,
		.fds = fds,
		.nfds = 3,
		.uid = PROC_SAME,
		.gid = PROC_SAME };
	struct pollfd p = { -1, 0, 0 };
	int pipes[2], status;
	pid_t middle, pid;

	(void)state;
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	fds[1] = pipes[1];
	middle = fork();
	if (middle == 0) {
		if (proc_start(&spec, &pid, NULL, NULL) < 0)
			_exit(1);
		for (;;)
			(void)pause();
	}
	(void)close(pipes[1]);
	p.fd = pipes[0];
	/* Both live on... */
	assert_int_equal(poll(&p, 1, 300), 0);
	assert_int_equal(kill(middle, SIGKILL), 0);
	assert_int_equal(waitpid(middle, &status, 0), middle);
	/* ...until the middle one does not. */
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_true(p.revents & POLLHUP);
	(void)close(pipes[0]);
}

static void
another_user_has_no_way_back(void **state)
{
	const char *argv[4];
	struct proc_spec spec = shell("exec grep -E '^(Uid|Gid|Groups|CapEff|"
	                              "CapPrm)' /proc/self/status",
	    argv);
	char text[512];

	(void)state;
	if (geteuid() != 0)
		skip();
	spec.uid = OTHER_ID;
	spec.gid = OTHER_ID;
	assert_int_equal(say(&spec, text, sizeof(text)), 0);
	assert_string_equal(text,
	    "Uid:\t65534\t65534\t65534\t65534\n"
	    "Gid:\t65534\t65534\t65534\t65534\n"
	    "Groups:\t \n"
	    "CapPrm:\t0000000000000000\n"
	    "CapEff:\t0000000000000000\n");
}

static void
without_root_nothing_can_be_given_up(void **state)
{
	struct ht_error e;

	(void)state;
	assert_int_equal(proc_drop(PROC_SAME, PROC_SAME, &e), 0);
	if (geteuid() == 0)
		skip();
	assert_int_equal(proc_drop(OTHER_ID, OTHER_ID, &e), HT_ERR_INTERNAL);
}

/* What dropping leaves: in a child, which cannot come back. */
static int
drop(void)
{
	struct ht_error e;
	int death = 0;

	if (prctl(PR_SET_PDEATHSIG, SIGUSR1) < 0 || proc_harden(&e) < 0 ||
	    proc_drop(OTHER_ID, OTHER_ID, &e) < 0)
		return 1;
	if (prctl(PR_GET_PDEATHSIG, &death) < 0 || death != SIGUSR1)
		return 2;
#ifndef HT_NO_SANDBOX
	if (prctl(PR_GET_DUMPABLE) != 0)
		return 3;
#endif
	if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0)
		return 4;
	return getuid() == OTHER_ID && getegid() == OTHER_ID ? 0 : 5;
}

static void
dropping_keeps_what_the_kernel_forgets(void **state)
{
	int status;
	pid_t child;

	(void)state;
	if (geteuid() != 0)
		skip();
	child = fork();
	if (child == 0)
		_exit(drop());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static int
harden(void)
{
	struct rlimit limit;
	struct stat st;
	struct ht_error e;
	int i;

	for (i = 0; i < 3; i++)
		(void)close(i);
	if (proc_harden(&e) < 0)
		return 1;
	for (i = 0; i < 3; i++) {
		if (fstat(i, &st) < 0 || !S_ISCHR(st.st_mode))
			return 2;
	}
	if (fcntl(3, F_GETFD) >= 0)
		return 3;
	if (getrlimit(RLIMIT_CORE, &limit) < 0 || limit.rlim_max != 0)
		return 4;
#ifndef HT_NO_SANDBOX
	if (prctl(PR_GET_DUMPABLE) != 0)
		return 5;
#endif
	return signal(SIGPIPE, SIG_DFL) == SIG_IGN ? 0 : 6;
}

static void
hardened(void **state)
{
	int status;
	pid_t child;

	(void)state;
	child = fork();
	if (child == 0) {
		(void)close_range(3, ~0U, 0);
		_exit(harden());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
programs_of_the_build_tree(void **state)
{
	char path[4096];
	struct ht_error e;

	(void)state;
	assert_int_equal(proc_program("htsign-token", path, sizeof(path), &e),
	    0);
	assert_string_equal(path, HT_BUILDDIR "/keys/token/htsign-token");
	assert_int_equal(proc_program("htsign-shell", path, sizeof(path), &e),
	    0);
	assert_string_equal(path, HT_BUILDDIR "/htsign-shell/htsign-shell");
	assert_int_equal(proc_program("sshd-sign", path, sizeof(path), &e), 0);
	assert_string_equal(path, HT_BUILDDIR "/sshd-sign/sshd-sign");
	assert_int_equal(proc_program("sh", path, sizeof(path), &e),
	    HT_ERR_INTERNAL);
	assert_int_equal(proc_program("sshd-sign", path, 10, &e),
	    HT_ERR_INTERNAL);
}

static void
back_off_doubles_and_forgets(void **state)
{
	struct proc_backoff b = { 0, 0, false };
	unsigned int wait = 100;
	int i;

	(void)state;
	for (i = 0; i < 12; i++) {
		proc_backoff_started(&b);
		assert_int_equal(proc_backoff_next(&b), wait);
		wait = wait * 2 > 30000 ? 30000 : wait * 2;
	}
	assert_int_equal(wait, 30000);
	/* One that lived for a minute. */
	b.started = loop_now() - 60000;
	assert_int_equal(proc_backoff_next(&b), 100);
	assert_int_equal(proc_backoff_next(&b), 100);
	proc_backoff_started(&b);
	assert_int_equal(proc_backoff_next(&b), 200);
}

static void
back_off_is_short_for_what_has_served(void **state)
{
	static const unsigned int waits[] = { 100, 200, 400, 800, 1600, 1600 };
	struct proc_backoff b = { 0, 0, true };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
		proc_backoff_started(&b);
		assert_int_equal(proc_backoff_next(&b), waits[i]);
	}
	/* It waits no longer than that, however long it waited before. */
	b.wait = 30000;
	assert_int_equal(proc_backoff_next(&b), 1600);
}

static void
pairs_are_safe_to_keep(void **state)
{
	struct ht_error e;
	int pair[2], pipes[2], i;

	(void)state;
	assert_int_equal(proc_socketpair(pair, &e), 0);
	for (i = 0; i < 2; i++) {
		assert_true(fcntl(pair[i], F_GETFD) & FD_CLOEXEC);
		assert_true(fcntl(pair[i], F_GETFL) & O_NONBLOCK);
		(void)close(pair[i]);
	}
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(proc_nonblock(pipes[0], &e), 0);
	assert_true(fcntl(pipes[0], F_GETFL) & O_NONBLOCK);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
	assert_int_equal(proc_nonblock(-1, &e), HT_ERR_INTERNAL);
}

static void
the_nicest_get_what_is_left(void **state)
{
	int own =
	    getpriority(PRIO_PROCESS, 0) > 0 ? getpriority(PRIO_PROCESS, 0) : 0;
	int status = 0;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(proc_nicer(pid, 4), 0);
	assert_int_equal(sched_getscheduler(pid), SCHED_OTHER);
	assert_int_equal(getpriority(PRIO_PROCESS, (id_t)pid),
	    own + 4 < PROC_NICEST ? own + 4 : PROC_NICEST);
	assert_int_equal(proc_nicer(pid, PROC_NICEST), 0);
	assert_int_equal(sched_getscheduler(pid), SCHED_IDLE);
	if (geteuid() == 0) {
		assert_int_equal(proc_nicer(pid, 0), 0);
		assert_int_equal(sched_getscheduler(pid), SCHED_OTHER);
		assert_int_equal(getpriority(PRIO_PROCESS, (id_t)pid), own);
	}
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(proc_nicer(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_starts_clean),
		cmocka_unit_test(only_the_given_environment),
		cmocka_unit_test(no_terminal_of_others),
		cmocka_unit_test(first_or_as_usual),
		cmocka_unit_test(no_other_descriptors),
		cmocka_unit_test(descriptors_may_change_places),
		cmocka_unit_test(without_descriptors_only_stderr_stays),
		cmocka_unit_test(a_missing_program_is_127_and_one_line),
		cmocka_unit_test(what_cannot_be_started),
		cmocka_unit_test(the_pidfd_tells_the_end),
		cmocka_unit_test(a_child_dies_with_its_parent),
		cmocka_unit_test(another_user_has_no_way_back),
		cmocka_unit_test(without_root_nothing_can_be_given_up),
		cmocka_unit_test(dropping_keeps_what_the_kernel_forgets),
		cmocka_unit_test(hardened),
		cmocka_unit_test(programs_of_the_build_tree),
		cmocka_unit_test(back_off_doubles_and_forgets),
		cmocka_unit_test(back_off_is_short_for_what_has_served),
		cmocka_unit_test(pairs_are_safe_to_keep),
		cmocka_unit_test(the_nicest_get_what_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
