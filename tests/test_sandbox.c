/*
 * In a child for each: enter a role's sandbox, try one thing, and see whether
 * it works, fails or kills.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/proc.h"
#include "lib/sandbox.h"
#include "tests/attack.h"

/* Exit statuses of the child; errno values are below them. */
#define WORKS 0
#define NO_SANDBOX 200
#define KILLED 1000 /* by SIGSYS, as the parent sees it */

#ifdef HT_NO_SANDBOX
#define SKIP_UNPROTECTED() skip()
#else
#define SKIP_UNPROTECTED() ((void)0)
#endif

#define ROLES 5
static const char *const role_names[ROLES] = { "SHELL", "NETWORK", "KEYD",
	"TOKEN", "PARENT" };

/* What the attempts use, made before the sandbox. */
static char dir[] = "/tmp/htsign-sandbox-XXXXXX";
static char folder[64], readonly[64], outside[64], useless[64];
static char socket_path[96];
static struct attack_target target;
static int pair[2], pipes[2], listener, client;

/* The kernel's version of Landlock, or 0. */
static int landlock;

typedef int attempt_fn(const struct attack_target *t);

static int
result(long rc)
{
	return rc < 0 ? errno : WORKS;
}

static int
enter(int role)
{
	const struct sandbox_path paths[] = {
		{ folder, SANDBOX_READ_WRITE },
		{ readonly, SANDBOX_READ },
		{ "/dev/null", SANDBOX_READ_WRITE },
	};
	bool bare = role == SANDBOX_SHELL || role == SANDBOX_NETWORK;
	struct ht_error e;
	int abi;

	if (sandbox_enter((enum sandbox_role)role, paths, bare ? 0 : 3, &abi,
	        &e) == 0 &&
	    abi == landlock)
		return 0;
	print_message("%s\n", e.text);
	return -1;
}

/* --- what must be stopped ------------------------------------------------ */

#define K KILLED
#define P EPERM
#define A EACCES
#define W WORKS

static const struct {
	const char *name;
	int expected[ROLES]; /* SHELL, NETWORK, KEYD, TOKEN, PARENT */
	bool control;        /* must work outside any sandbox */
} attempts[] = {
	{ "open", { K, K, A, A, W }, true },
	{ "create", { K, K, A, A, W }, true },
	{ "stat", { K, K, W, W, W }, true },
	{ "unlink", { K, K, A, A, W }, false },
	{ "socket", { K, K, P, W, W }, true },
	{ "connect", { K, K, P, EISCONN, EISCONN }, false },
	{ "bind", { K, K, P, P, W }, true },
	{ "sendto", { K, K, K, EISCONN, EISCONN }, false },
	{ "exec", { K, K, K, P, W }, true },
	{ "fork", { K, K, K, P, W }, true },
	{ "clone", { K, K, K, P, W }, true },
	{ "clone3", { K, K, K, ENOSYS, W }, true },
	{ "ptrace", { K, K, K, P, P }, false },
	{ "kill", { K, K, K, P, W }, true },
	{ "tgkill", { K, K, K, P, W }, true },
	{ "pidfd-signal", { K, K, K, P, W }, true },
	{ "prlimit", { K, K, K, P, W }, true },
	{ "pidfd_getfd", { K, K, K, P, P }, false },
	{ "process_vm_readv", { K, K, K, P, P }, false },
	{ "process_vm_writev", { K, K, K, P, P }, false },
	{ "descriptor", { K, K, W, W, W }, true },
	{ "io_uring", { K, K, K, P, P }, false },
	{ "mmap-exec", { K, K, K, W, W }, true },
	{ "mprotect-exec", { K, K, K, W, W }, true },
	{ "TIOCSTI", { K, K, K, P, P }, false },
	{ "wide-TIOCSTI", { K, K, K, P, P }, false },
	{ "unshare", { K, K, K, P, P }, false },
	{ "keyctl", { K, K, K, P, P }, false },
	{ "bpf", { K, K, K, P, P }, false },
	{ "x32", { K, K, K, K, K }, false },
	{ "i386", { K, K, K, K, K }, false },
};

/* --- what must go on working ---------------------------------------------- */

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, 8);
}

static int
do_memory(const struct attack_target *t)
{
	size_t size = (size_t)4 << 20;
	char *p = malloc(size), *more;

	(void)t;
	if (p == NULL)
		return errno;
	memset(p, 1, size);
	more = realloc(p, size * 4);
	if (more == NULL)
		return errno;
	memset(more + size, 2, size * 3);
	qsort(more, size / 2, 8, compare);
	free(more);
	return WORKS;
}

static int
do_pipe(const struct attack_target *t)
{
	struct pollfd p = { pipes[0], POLLIN, 0 };
	struct stat st;
	char byte;

	if (write(pipes[1], "x", 1) != 1 || poll(&p, 1, 1000) != 1 ||
	    read(pipes[0], &byte, 1) != 1 || fstat(t->fd, &st) < 0 ||
	    pread(t->fd, &byte, 1, 0) != 1)
		return errno;
	return WORKS;
}

static int
do_splice(const struct attack_target *t)
{
	off_t at = 0;

	if (splice(t->fd, &at, pipes[1], NULL, 4, 0) != 4)
		return errno;
	return WORKS;
}

/* A descriptor waits in the socket since before the sandbox. */
static int
do_receive(const struct attack_target *t)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { "" };
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space) };

	(void)t;
	if (recvmsg(pair[1], &msg, MSG_CMSG_CLOEXEC) != 1)
		return errno;
	if (CMSG_FIRSTHDR(&msg) == NULL)
		return EBADMSG;
	return result(send(pair[1], "answer", 6, MSG_NOSIGNAL));
}

static int
do_time(const struct attack_target *t)
{
	struct timespec now, nap = { 0, 1000 };

	(void)t;
	(void)t;
	if (time(NULL) < 1 || clock_gettime(CLOCK_REALTIME, &now) < 0)
		return EINVAL;
	return result(nanosleep(&nap, NULL));
}

static int
do_flags(const struct attack_target *t)
{
	struct rlimit limit;
	int fd = fcntl(pipes[0], F_DUPFD_CLOEXEC, 10);

	(void)t;
	if (fd < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || close(fd) < 0)
		return errno;
	return result(getrlimit(RLIMIT_FSIZE, &limit));
}

static int
do_abort(const struct attack_target *t)
{
	(void)t;
	abort();
}

static int
do_sockopt(const struct attack_target *t)
{
	struct ucred who;
	socklen_t n = sizeof(who);
	int on = 1;

	(void)t;
	if (getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &who, &n) < 0)
		return errno;
	return result(
	    setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
}

static int
do_accept(const struct attack_target *t)
{
	int s[2], m;

	(void)t;
	if (accept4(listener, NULL, NULL, SOCK_CLOEXEC) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0)
		return errno;
	m = memfd_create("content", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return result(m < 0 ? m : fcntl(m, F_ADD_SEALS, F_SEAL_WRITE));
}

/* As SQLite works: lock, extend, map, sync, rename, delete. */
static int
do_files(const struct attack_target *t)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char from[96], to[96];
	void *p;
	int fd;

	(void)t;
	(void)snprintf(from, sizeof(from), "%s/a", folder);
	(void)snprintf(to, sizeof(to), "%s/b", folder);
	fd = open(from, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || fcntl(fd, F_SETLK, &lock) < 0 || flock(fd, LOCK_EX) < 0 ||
	    ftruncate(fd, 32768) < 0 || fsync(fd) < 0 || fdatasync(fd) < 0)
		return errno;
	p = mmap(NULL, 32768, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED || rename(from, to) < 0 || unlink(to) < 0)
		return errno;
	return result(open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
}

static int
do_read_only(const struct attack_target *t)
{
	char path[96];
	int fd;

	(void)t;
	(void)snprintf(path, sizeof(path), "%s/file", readonly);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (landlock > 0 && (fd >= 0 || errno != EACCES))
		return EBADMSG;
	return WORKS;
}

static void *
nothing(void *cookie)
{
	return cookie;
}

static int
do_thread(const struct attack_target *t)
{
	pthread_t thread;
	int rc = pthread_create(&thread, NULL, nothing, NULL);

	(void)t;
	return rc != 0 ? rc : pthread_join(thread, NULL);
}

static int
do_client(const struct attack_target *t)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)t;
	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", socket_path);
	return result(
	    s < 0 ? s : connect(s, (struct sockaddr *)&to, sizeof(to)));
}

static int
do_start(const struct attack_target *t)
{
	const char *const argv[] = { "/bin/true", NULL };
	struct proc_spec spec = { .argv = argv,
		.uid = PROC_SAME,
		.gid = PROC_SAME };
	int pidfd, status;
	pid_t pid;

	(void)t;
	if (proc_start(&spec, &pid, &pidfd, NULL) < 0)
		return EBADMSG;
	return waitpid(pid, &status, 0) == pid && status == 0 ? WORKS : EIO;
}

/* A parent's filter stays with its children, which add their own. */
static int
do_nested(const struct attack_target *t)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(enter(SANDBOX_SHELL) < 0 ? NO_SANDBOX
		                               : attack_find("open")->run(t));
	if (waitpid(child, &status, 0) != child)
		return errno;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? WORKS : EIO;
}

#define ALL_ROLES 0x1f
#define FILES (1 << SANDBOX_KEYD | 1 << SANDBOX_TOKEN | 1 << SANDBOX_PARENT)

static const struct {
	const char *name;
	attempt_fn *attempt;
	int roles;
	int expected;
} works[] = {
	{ "memory", do_memory, ALL_ROLES, WORKS },
	{ "pipe", do_pipe, ALL_ROLES, WORKS },
	{ "splice", do_splice, ALL_ROLES & ~(1 << SANDBOX_KEYD), WORKS },
	{ "receive", do_receive, ALL_ROLES, WORKS },
	{ "time", do_time, ALL_ROLES, WORKS },
	{ "flags", do_flags, ALL_ROLES, WORKS },
	{ "abort", do_abort, ALL_ROLES, KILLED + SIGABRT },
	{ "sockopt", do_sockopt, ALL_ROLES & ~(1 << SANDBOX_SHELL), WORKS },
	{ "accept", do_accept, 1 << SANDBOX_KEYD, WORKS },
	{ "files", do_files, FILES, WORKS },
	{ "read only", do_read_only, FILES & ~(1 << SANDBOX_PARENT), WORKS },
	{ "thread", do_thread, 1 << SANDBOX_TOKEN | 1 << SANDBOX_PARENT,
	    WORKS },
	{ "client", do_client, 1 << SANDBOX_TOKEN | 1 << SANDBOX_PARENT,
	    WORKS },
	{ "start", do_start, 1 << SANDBOX_PARENT, WORKS },
	{ "nested", do_nested, 1 << SANDBOX_PARENT, WORKS },
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
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 ||
	    pipe2(pipes, O_CLOEXEC) < 0)
		abort();
	target.socket = pair[0];
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
		if (role >= 0 && enter(role) < 0)
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
	return expected == EACCES && landlock == 0 ? WORKS : expected;
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
	size_t i;
	int role;

	(void)state;
	SKIP_UNPROTECTED();
	for (i = 0; attacks[i].name != NULL; i++) {
		assert_string_equal(attempts[i].name, attacks[i].name);
		if (attempts[i].control && run(-1, attacks[i].run) != WORKS)
			fail_msg("%s does not work anyway", attacks[i].name);
		for (role = 0; role < ROLES; role++)
			check(attacks[i].name, role, run(role, attacks[i].run),
			    wanted(attempts[i].expected[role]));
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
	for (i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		for (role = 0; role < ROLES; role++) {
			if (works[i].roles & 1 << role)
				check(works[i].name, role,
				    run(role, works[i].attempt),
				    works[i].expected);
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
			if (enter(role) < 0 || write(ready[1], "x", 1) != 1)
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
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 64), 0);
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
	(void)snprintf(folder, sizeof(folder), "%s/state", dir);
	(void)snprintf(readonly, sizeof(readonly), "%s/config", dir);
	(void)snprintf(outside, sizeof(outside), "%s/outside", dir);
	(void)snprintf(useless, sizeof(useless), "%s/useless", dir);
	(void)snprintf(socket_path, sizeof(socket_path), "%s/socket", folder);
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_equal(mkdir(readonly, 0700), 0);
	make_file(dir, "outside");
	make_file(readonly, "file");
	make_file(folder, "input");
	target.fd = openat(open(folder, O_PATH | O_CLOEXEC), "input", O_RDONLY);
	assert_true(target.fd >= 0);
	target.file = outside;
	target.useless_file = useless;
	target.socket_path = socket_path;
	landlock = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
	if (landlock < 0)
		landlock = 0;
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
	(void)rmdir(folder);
	(void)rmdir(readonly);
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
		cmocka_unit_test(missing_path_is_an_error),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
