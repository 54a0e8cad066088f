/*
 * What the programs do all day, and so must work in their sandboxes.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/proc.h"
#include "tests/support/sandbox_needs.h"

static int
result(long rc)
{
	return rc < 0 ? errno : WORKS;
}

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
	if (more == NULL) {
		free(p);
		return ENOMEM;
	}
	memset(more + size, 2, size * 3);
	qsort(more, size / 2, 8, compare);
	free(more);
	return WORKS;
}

static int
do_pipe(const struct attack_target *t)
{
	struct pollfd p = { fixture.pipes[0], POLLIN, 0 };
	char byte;

	if (write(fixture.pipes[1], "x", 1) != 1 || poll(&p, 1, 1000) != 1 ||
	    read(fixture.pipes[0], &byte, 1) != 1 ||
	    pread(t->fd, &byte, 1, 0) != 1)
		return errno;
	return WORKS;
}

/* What fstat(3) is made of takes a path as well. */
static int
do_stat(const struct attack_target *t)
{
	struct stat st;

	if (fstatat(AT_FDCWD, t->file, &st, AT_EMPTY_PATH) < 0)
		return errno;
	return result(fstat(t->fd, &st));
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
	if (recvmsg(fixture.pair[1], &msg, MSG_CMSG_CLOEXEC) != 1)
		return errno;
	if (CMSG_FIRSTHDR(&msg) == NULL)
		return EBADMSG;
	return result(send(fixture.pair[1], "answer", 6, MSG_NOSIGNAL));
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
	int fd = fcntl(fixture.pipes[0], F_DUPFD_CLOEXEC, 10);

	(void)t;
	if (fd < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || close(fd) < 0)
		return errno;
	return result(getrlimit(RLIMIT_FSIZE, &limit));
}

/* More than it can need is not there to be taken. */
static int
do_limits(const struct attack_target *t)
{
	struct rlimit limit;
	void *p;

	(void)t;
	if (getrlimit(RLIMIT_CPU, &limit) < 0 ||
	    limit.rlim_max == RLIM_INFINITY)
		return EBADMSG;
	p = mmap(NULL, (size_t)1 << 30, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED ? errno : WORKS;
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

	(void)t;
	return result(
	    getsockopt(fixture.pair[0], SOL_SOCKET, SO_PEERCRED, &who, &n));
}

/* That the socket has no such options is the kernel's word. */
static int
do_tcp_options(const struct attack_target *t)
{
	static const int options[] = { TCP_NODELAY, TCP_QUICKACK };
	int on = 1;
	size_t i;

	(void)t;
	for (i = 0; i < 2; i++) {
		if (setsockopt(fixture.pair[0], IPPROTO_TCP, options[i], &on,
		        sizeof(on)) == 0 ||
		    errno != EOPNOTSUPP)
			return EBADMSG;
	}
	return WORKS;
}

static int
do_accept(const struct attack_target *t)
{
	int s[2], m;

	(void)t;
	if (accept4(fixture.listener, NULL, NULL, SOCK_CLOEXEC) < 0 ||
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
	(void)snprintf(from, sizeof(from), "%s/a", fixture.folder);
	(void)snprintf(to, sizeof(to), "%s/b", fixture.folder);
	fd = open(from, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || fcntl(fd, F_SETLK, &lock) < 0 || flock(fd, LOCK_EX) < 0 ||
	    ftruncate(fd, 32768) < 0 || fsync(fd) < 0 || fdatasync(fd) < 0)
		return errno;
	p = mmap(NULL, 32768, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED || rename(from, to) < 0 || unlink(to) < 0)
		return errno;
	return result(
	    open(fixture.folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
}

static int
do_read_only(const struct attack_target *t)
{
	char path[96];
	int fd;

	(void)t;
	(void)snprintf(path, sizeof(path), "%s/file", fixture.readonly);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fixture.landlock > 0 && (fd >= 0 || errno != EACCES))
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
	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", t->socket_path);
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
		_exit(fixture_enter(SANDBOX_SHELL) < 0
		        ? NO_SANDBOX
		        : attack_find("open")->run(t));
	if (waitpid(child, &status, 0) != child)
		return errno;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? WORKS : EIO;
}

#define ALL_ROLES 0x3f
#define BARE (1 << SANDBOX_SHELL | 1 << SANDBOX_NETWORK)
#define FILES (1 << SANDBOX_KEYD | 1 << SANDBOX_TOKEN | 1 << SANDBOX_PARENT)
#define THREADS (1 << SANDBOX_TOKEN | 1 << SANDBOX_PARENT | 1 << SANDBOX_FETCH)

const struct need needs[] = {
	{ "memory", do_memory, ALL_ROLES, WORKS },
	{ "pipe", do_pipe, ALL_ROLES, WORKS },
	{ "stat", do_stat, BARE, EPERM },
	{ "stat", do_stat, FILES | 1 << SANDBOX_FETCH, WORKS },
	{ "receive", do_receive, ALL_ROLES, WORKS },
	{ "time", do_time, ALL_ROLES, WORKS },
	{ "flags", do_flags, ALL_ROLES, WORKS },
	{ "limits", do_limits, 1 << SANDBOX_SHELL, ENOMEM },
	{ "abort", do_abort, ALL_ROLES, KILLED + SIGABRT },
	{ "sockopt", do_sockopt, ALL_ROLES & ~(1 << SANDBOX_SHELL), WORKS },
	{ "TCP options", do_tcp_options,
	    1 << SANDBOX_NETWORK | 1 << SANDBOX_FETCH, WORKS },
	{ "accept", do_accept, 1 << SANDBOX_KEYD, WORKS },
	{ "files", do_files, FILES, WORKS },
	{ "read only", do_read_only,
	    (FILES & ~(1 << SANDBOX_PARENT)) | 1 << SANDBOX_FETCH, WORKS },
	{ "thread", do_thread, THREADS, WORKS },
	{ "client", do_client, THREADS, WORKS },
	{ "start", do_start, 1 << SANDBOX_PARENT, WORKS },
	{ "nested", do_nested, 1 << SANDBOX_PARENT, WORKS },
	{ NULL, NULL, 0, 0 },
};
