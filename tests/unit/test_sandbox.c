/*
 * In a child for each: enter a role's sandbox, try one thing, and see whether
 * it works, fails or kills.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/sandbox.h"
#include "tests/support/attack.h"
#include "tests/support/sandbox_needs.h"

#ifdef HT_NO_SANDBOX
#define SKIP_UNPROTECTED() skip()
#else
#define SKIP_UNPROTECTED() ((void)0)
#endif

#define ROLES 6
static const char *const role_names[ROLES] = { "SHELL", "NETWORK", "KEYD",
	"TOKEN", "PARENT", "FETCH" };

struct fixture fixture;
static char dir[] = "/tmp/htsign-sandbox-XXXXXX";
static char outside[64], useless[64], socket_path[96];
static struct attack_target target;
static int client;

typedef int attempt_fn(const struct attack_target *t);

int
fixture_enter(int role)
{
	const struct sandbox_path paths[] = {
		{ fixture.folder, SANDBOX_READ_WRITE },
		{ fixture.readonly, SANDBOX_READ },
		{ "/dev/null", SANDBOX_READ_WRITE },
	};
	bool bare = role == SANDBOX_SHELL || role == SANDBOX_NETWORK;
	struct ht_error e;
	int abi;

	if (sandbox_enter((enum sandbox_role)role, paths, bare ? 0 : 3, &abi,
	        &e) == 0 &&
	    abi == fixture.landlock)
		return 0;
	print_message("%s\n", e.text);
	return -1;
}

/* --- what must be stopped ------------------------------------------------ */

#define K KILLED
#define P EPERM
#define A EACCES
#define W WORKS

/*
 * The other ABIs of a kernel for x86-64 can be called at any time.  ARM's needs
 * a program, which a worker may not start; and x32 is not there.
 */
#ifdef __x86_64__
#define X32 K
#define BY_PROGRAM K
#else
#define X32 ENOSYS
#define BY_PROGRAM P
#endif

static const struct {
	const char *name;
	int expected[ROLES]; /* SHELL, NETWORK, KEYD, TOKEN, PARENT, FETCH */
	bool control;        /* must work outside any sandbox */
} attempts[] = {
	{ "open", { K, K, A, A, W, A }, true },
	{ "create", { K, K, A, A, W, A }, true },
	{ "stat", { K, K, W, W, W, W }, true },
	{ "unlink", { K, K, A, A, W, K }, false },
	{ "socket", { K, K, P, W, W, W }, true },
	{ "connect", { K, K, P, EISCONN, EISCONN, EISCONN }, false },
	{ "bind", { K, K, P, P, W, K }, true },
	{ "sendto", { K, K, K, EISCONN, EISCONN, K }, false },
	{ "exec", { K, K, K, P, W, K }, true },
	{ "fork", { K, K, K, P, W, K }, true },
	{ "clone", { K, K, K, P, W, K }, true },
	{ "clone3", { K, K, K, ENOSYS, W, ENOSYS }, true },
	{ "ptrace", { K, K, K, P, P, K }, false },
	{ "kill", { K, K, K, P, W, K }, true },
	{ "tgkill", { K, K, K, P, W, K }, true },
	{ "pidfd-signal", { K, K, K, P, W, K }, true },
	{ "prlimit", { K, K, K, P, W, K }, true },
	{ "pidfd_getfd", { K, K, K, P, P, K }, false },
	{ "process_vm_readv", { K, K, K, P, P, K }, false },
	{ "process_vm_writev", { K, K, K, P, P, K }, false },
	{ "descriptor", { K, K, W, W, W, K }, true },
	{ "filter", { K, K, K, W, W, K }, true },
	{ "splice", { K, K, K, EINVAL, EINVAL, K }, false },
	{ "out-of-band", { K, K, K, W, W, K }, true },
	{ "io_uring", { K, K, K, P, P, K }, false },
	{ "mmap-exec", { K, K, K, W, W, P }, true },
	{ "mprotect-exec", { K, K, K, W, W, K }, true },
	{ "TIOCSTI", { K, K, K, P, P, K }, false },
	{ "wide-TIOCSTI", { K, K, K, P, P, K }, false },
	{ "unshare", { K, K, K, P, P, K }, false },
	{ "keyctl", { K, K, K, P, P, K }, false },
	{ "bpf", { K, K, K, P, P, K }, false },
	{ "x32", { K, K, K, X32, X32, K }, false },
	{ "32-bit", { K, K, K, BY_PROGRAM, K, K }, false },
};

/* --- the harness -------------------------------------------------------- */

static void
make_file(const char *folder_of, const char *name)
{
	char path[96];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", folder_of, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "some text", 9) != 9 || close(fd) < 0)
		abort();
}

/* What one attempt uses up, so each child has its own. */
static void
prepare(void)
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fixture.pair) < 0 ||
	    pipe2(fixture.pipes, O_CLOEXEC) < 0)
		abort();
	target.socket = fixture.pair[0];
	if (attack_find("descriptor")->run(&target) != 0)
		abort();
	make_file(dir, "useless");
}

/* role -1: no sandbox. */
static int
run(int role, attempt_fn *attempt)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		(void)signal(SIGABRT, SIG_DFL);
		prepare();
		if (role >= 0 && fixture_enter(role) < 0)
			_exit(NO_SANDBOX);
		_exit(attempt(&target));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	if (WTERMSIG(status) == SIGSYS)
		return KILLED;
	return KILLED + WTERMSIG(status);
}

/* Without Landlock, files outside are open to those that may open files. */
static int
wanted(int expected)
{
	return expected == EACCES && fixture.landlock == 0 ? WORKS : expected;
}

static void
check(const char *name, int role, int got, int expected)
{
	if (got != expected)
		fail_msg("%s in %s: %d instead of %d", name, role_names[role],
		    got, expected);
}

static void
forbidden_things_are_stopped(void **state)
{
	int role, unbound, got;
	size_t i;

	(void)state;
	SKIP_UNPROTECTED();
	for (i = 0; attacks[i].name != NULL; i++) {
		assert_string_equal(attempts[i].name, attacks[i].name);
		unbound = run(-1, attacks[i].run);
		if (attempts[i].control && unbound != WORKS)
			fail_msg("%s does not work anyway", attacks[i].name);
		for (role = 0; role < ROLES; role++) {
			got = run(role, attacks[i].run);
			/* Some processors run no 32-bit programs. */
			if (got != ENOEXEC || unbound != ENOEXEC)
				check(attacks[i].name, role, got,
				    wanted(attempts[i].expected[role]));
		}
	}
	assert_int_equal(i, sizeof(attempts) / sizeof(attempts[0]));
}

static void
needed_things_work(void **state)
{
	size_t i;
	int role;

	(void)state;
	SKIP_UNPROTECTED();
	for (i = 0; needs[i].name != NULL; i++) {
		for (role = 0; role < ROLES; role++) {
			if (needs[i].roles & 1 << role)
				check(needs[i].name, role,
				    run(role, needs[i].attempt),
				    needs[i].expected);
		}
	}
}

/* Whether the status file of a child in role says so of it. */
static bool
status_has(pid_t child, const char *line)
{
	char path[64], text[8192];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)child);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	n = read(fd, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	(void)close(fd);
	return strstr(text, line) != NULL;
}

static void
kernel_says_so(void **state)
{
	int role, ready[2], status;
	pid_t child;
	char byte;

	(void)state;
	SKIP_UNPROTECTED();
	for (role = 0; role < ROLES; role++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ready), 0);
		child = fork();
		if (child == 0) {
			(void)close(ready[0]);
			if (fixture_enter(role) < 0 ||
			    write(ready[1], "x", 1) != 1)
				_exit(NO_SANDBOX);
			_exit(read(ready[1], &byte, 1) == 0 ? 0 : 1);
		}
		(void)close(ready[1]);
		assert_int_equal(read(ready[0], &byte, 1), 1);
		assert_true(status_has(child, "\nSeccomp:\t2\n"));
		assert_true(status_has(child, "\nNoNewPrivs:\t1\n"));
		(void)close(ready[0]);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
}

static int
enter_nowhere(const struct attack_target *t)
{
	const struct sandbox_path path = { "/no/such/folder", SANDBOX_READ };
	struct ht_error e;
	int abi, rc;

	(void)t;
	rc = sandbox_enter(SANDBOX_KEYD, &path, 1, &abi, &e);
	if (abi == 0)
		return WORKS;
	return rc == HT_ERR_INTERNAL && strstr(e.text, path.path) != NULL
	    ? WORKS
	    : EIO;
}

static int family;

static int
open_socket(const struct attack_target *t)
{
	(void)t;
	return socket(family, SOCK_DGRAM, 0) >= 0 ? WORKS : errno;
}

/* A number whose low half is that of netlink, as the kernel reads it. */
static int
wide_netlink(const struct attack_target *t)
{
	(void)t;
	return syscall(SYS_socket, (1UL << 32) + AF_NETLINK, SOCK_DGRAM, 0) >= 0
	    ? WORKS
	    : errno;
}

static void
a_token_has_few_families(void **state)
{
	static const struct {
		int family, plain, usb;
	} wanted_of[] = {
		{ AF_UNIX, WORKS, WORKS },
		{ AF_INET, WORKS, WORKS },
		{ AF_INET6, WORKS, WORKS },
		{ AF_NETLINK, EPERM, WORKS },
		{ AF_VSOCK, EPERM, EPERM },
		{ AF_PACKET, EPERM, EPERM },
		{ AF_ALG, EPERM, EPERM },
		{ AF_BLUETOOTH, EPERM, EPERM },
		{ AF_UNSPEC, EPERM, EPERM },
		{ AF_MAX, EPERM, EPERM },
		{ -1, EPERM, EPERM },
	};
	size_t i;

	(void)state;
	SKIP_UNPROTECTED();
	for (i = 0; i < sizeof(wanted_of) / sizeof(wanted_of[0]); i++) {
		family = wanted_of[i].family;
		if (wanted_of[i].plain == WORKS &&
		    run(-1, open_socket) != WORKS)
			continue; /* a kernel without IPv6 */
		assert_int_equal(run(SANDBOX_TOKEN, open_socket),
		    wanted_of[i].plain);
		assert_int_equal(run(SANDBOX_TOKEN_USB, open_socket),
		    wanted_of[i].usb);
	}
	assert_int_equal(run(SANDBOX_TOKEN, wide_netlink), EPERM);
}

static void
missing_path_is_an_error(void **state)
{
	(void)state;
	SKIP_UNPROTECTED();
	assert_int_equal(run(-1, enter_nowhere), WORKS);
}

static void
start_victim(void)
{
	target.pid = fork();
	assert_true(target.pid >= 0);
	if (target.pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void)pause();
	}
	target.pidfd = pidfd_open(target.pid, 0);
	assert_true(target.pidfd >= 0);
}

static void
start_listener(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", socket_path);
	fixture.listener = socket(AF_UNIX, SOCK_STREAM, 0);
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(
	    bind(fixture.listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fixture.listener, 64), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(at)),
	    0);
}

static void
open_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);

	assert_true(master >= 0);
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	target.terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	assert_true(target.terminal >= 0);
}

static int
group_setup(void **state)
{
	(void)state;
#ifdef HT_NO_SANDBOX
	return 0;
#endif
	assert_non_null(mkdtemp(dir));
	(void)snprintf(fixture.folder, sizeof(fixture.folder), "%s/state", dir);
	(void)snprintf(fixture.readonly, sizeof(fixture.readonly), "%s/config",
	    dir);
	(void)snprintf(outside, sizeof(outside), "%s/outside", dir);
	(void)snprintf(useless, sizeof(useless), "%s/useless", dir);
	(void)snprintf(socket_path, sizeof(socket_path), "%s/socket",
	    fixture.folder);
	assert_int_equal(mkdir(fixture.folder, 0700), 0);
	assert_int_equal(mkdir(fixture.readonly, 0700), 0);
	make_file(dir, "outside");
	make_file(fixture.readonly, "file");
	make_file(fixture.folder, "input");
	target.fd =
	    openat(open(fixture.folder, O_PATH | O_CLOEXEC), "input", O_RDONLY);
	assert_true(target.fd >= 0);
	target.file = outside;
	target.useless_file = useless;
	target.socket_path = socket_path;
	fixture.landlock =
	    (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
	if (fixture.landlock < 0)
		fixture.landlock = 0;
	start_victim();
	start_listener();
	open_terminal();
	return 0;
}

static int
group_teardown(void **state)
{
	static const char *const files[] = { "state/socket", "state/input",
		"config/file", "useless", "outside" };
	char path[96];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		(void)unlink(path);
	}
	(void)rmdir(fixture.folder);
	(void)rmdir(fixture.readonly);
	(void)rmdir(dir);
	if (target.pid > 0) {
		(void)kill(target.pid, SIGKILL);
		(void)waitpid(target.pid, NULL, 0);
	}
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forbidden_things_are_stopped),
		cmocka_unit_test(needed_things_work),
		cmocka_unit_test(kernel_says_so),
		cmocka_unit_test(a_token_has_few_families),
		cmocka_unit_test(missing_path_is_an_error),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
