/*
 * What a process that was taken over would try.  The sandbox test runs each
 * attack in each role; tests/support/attack-shell runs one in a real
 * htsign-shell.
 */
#include "config.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/attack.h"

static int
result(long rc)
{
	return rc < 0 ? errno : 0;
}

static int
try_open(const struct attack_target *t)
{
	return result(open(t->file, O_RDONLY));
}

static int
try_create(const struct attack_target *t)
{
	return result(
	    openat(AT_FDCWD, t->file, O_WRONLY | O_CREAT | O_TRUNC, 0600));
}

static int
try_stat(const struct attack_target *t)
{
	struct stat st;

	return result(stat(t->file, &st));
}

static int
try_unlink(const struct attack_target *t)
{
	return result(unlink(t->useless_file));
}

static int
try_socket(const struct attack_target *t)
{
	(void)t;
	return result(socket(AF_INET, SOCK_STREAM, 0));
}

static int
try_connect(const struct attack_target *t)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", t->socket_path);
	return result(connect(t->socket, (struct sockaddr *)&to, sizeof(to)));
}

static int
try_bind(const struct attack_target *t)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	int s = socket(AF_INET, SOCK_STREAM, 0);

	(void)t;
	return result(
	    s < 0 ? s : bind(s, (struct sockaddr *)&any, sizeof(any)));
}

static int
try_sendto_address(const struct attack_target *t)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", t->socket_path);
	return result(
	    sendto(t->socket, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)));
}

static int
try_exec(const struct attack_target *t)
{
	char *const argv[] = { (char[]){ "true" }, NULL };

	(void)t;
	return result(execve("/bin/true", argv, argv + 1));
}

static int
reap(pid_t child)
{
	if (child < 0)
		return errno;
	if (child == 0)
		_exit(0);
	return result(waitpid(child, NULL, 0));
}

static int
try_fork(const struct attack_target *t)
{
	(void)t;
	return reap(fork());
}

static int
try_raw_clone(const struct attack_target *t)
{
	(void)t;
	return reap((pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static int
try_clone3(const struct attack_target *t)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal,
		    stack, stack_size, tls;
	} args = { .exit_signal = SIGCHLD };

	(void)t;
	return reap((pid_t)syscall(SYS_clone3, &args, sizeof(args)));
}

static int
try_ptrace(const struct attack_target *t)
{
	return result(ptrace(PTRACE_SEIZE, t->pid, 0, 0));
}

static int
try_kill(const struct attack_target *t)
{
	return result(kill(t->pid, 0));
}

static int
try_tgkill(const struct attack_target *t)
{
	return result(syscall(SYS_tgkill, t->pid, t->pid, 0));
}

static int
try_pidfd_signal(const struct attack_target *t)
{
	return result(syscall(SYS_pidfd_send_signal, t->pidfd, 0, 0, 0));
}

static int
try_prlimit_other(const struct attack_target *t)
{
	struct rlimit limit;

	return result(prlimit(t->pid, RLIMIT_CORE, NULL, &limit));
}

static int
try_pidfd_getfd(const struct attack_target *t)
{
	return result(syscall(SYS_pidfd_getfd, t->pidfd, 0, 0));
}

static int
try_vm_read(const struct attack_target *t)
{
	char here[8];
	struct iovec to = { here, sizeof(here) };
	struct iovec from = { (void *)(uintptr_t)t->file, sizeof(here) };

	return result(process_vm_readv(t->pid, &to, 1, &from, 1, 0));
}

static int
try_vm_write(const struct attack_target *t)
{
	char here[8] = "";
	struct iovec from = { here, sizeof(here) };
	struct iovec to = { (void *)(uintptr_t)t->file, sizeof(here) };

	return result(process_vm_writev(t->pid, &from, 1, &to, 1, 0));
}

static int
send_descriptor(const struct attack_target *t)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { "" };
	char byte = 'x';
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &t->fd, sizeof(int));
	return result(sendmsg(t->socket, &msg, 0));
}

/* A program for the kernel to run on what arrives: let all through. */
static int
try_filter(const struct attack_target *t)
{
	struct sock_filter all = { BPF_RET | BPF_K, 0, 0, UINT32_MAX };
	struct sock_fprog program = { 1, &all };

	return result(setsockopt(t->socket, SOL_SOCKET, SO_ATTACH_FILTER,
	    &program, sizeof(program)));
}

/* Past a pipe it fails anyway, but with another error. */
static int
try_splice(const struct attack_target *t)
{
	off_t at = 0;

	return result(splice(t->fd, &at, t->socket, NULL, 4, 0));
}

/* Not every kernel knows it of unix sockets, but it should not be asked. */
static int
try_out_of_band(const struct attack_target *t)
{
	if (send(t->socket, "x", 1, MSG_OOB | MSG_NOSIGNAL) < 0 &&
	    errno != EOPNOTSUPP)
		return errno;
	return 0;
}

static int
try_io_uring(const struct attack_target *t)
{
	struct io_uring_params params = { 0 };

	(void)t;
	return result(syscall(SYS_io_uring_setup, 1, &params));
}

static int
try_mmap_exec(const struct attack_target *t)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)t;
	return p == MAP_FAILED ? errno : 0;
}

static int
try_mprotect_exec(const struct attack_target *t)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)t;
	if (p == MAP_FAILED)
		return errno;
	return result(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

static int
try_tiocsti(const struct attack_target *t)
{
	return result(ioctl(t->terminal, TIOCSTI, "x"));
}

/* The kernel drops the upper half of the request: the filter must see that. */
static int
try_tiocsti_wide(const struct attack_target *t)
{
	return result(
	    syscall(SYS_ioctl, t->terminal, UINT64_C(1) << 32 | TIOCSTI, "x"));
}

static int
try_unshare(const struct attack_target *t)
{
	(void)t;
	return result(unshare(CLONE_NEWUSER));
}

static int
try_keyctl(const struct attack_target *t)
{
	(void)t;
	return result(syscall(SYS_keyctl, 0, -3, 0));
}

static int
try_bpf(const struct attack_target *t)
{
	(void)t;
	return result(syscall(SYS_bpf, 0, NULL, 0));
}

static int
try_x32(const struct attack_target *t)
{
	(void)t;
	return result(syscall(0x40000000L | SYS_getpid));
}

#ifdef __x86_64__
static int
try_32_bit(const struct attack_target *t)
{
	long rc;

	(void)t;
	__asm__ volatile("int $0x80" : "=a"(rc) : "a"(20L) : "memory");
	return rc < 0 ? (int)-rc : 0;
}
#else
/*
 * Only a program can make such calls: one for 32-bit ARM, all of which is
 * "mov r7, #1; mov r0, #0; svc #0", exit(0).
 */
static int
try_32_bit(const struct attack_target *t)
{
	static const struct {
		Elf32_Ehdr file;
		Elf32_Phdr segment;
		uint32_t code[3];
	} program = {
		{ { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB,
		      EV_CURRENT },
		    ET_EXEC, EM_ARM, EV_CURRENT,
		    0x10000 + sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr),
		    sizeof(Elf32_Ehdr), 0, EF_ARM_EABI_VER5, sizeof(Elf32_Ehdr),
		    sizeof(Elf32_Phdr), 1, 0, 0, 0 },
		{ PT_LOAD, 0, 0x10000, 0x10000, sizeof(program),
		    sizeof(program), PF_R | PF_X, 0x10000 },
		{ 0xe3a07001, 0xe3a00000, 0xef000000 },
	};
	static char *const none[] = { NULL };
	int fd = memfd_create("program", MFD_CLOEXEC);

	(void)t;
	if (fd < 0 ||
	    write(fd, &program, sizeof(program)) != (ssize_t)sizeof(program))
		return errno;
	return result(fexecve(fd, none, none));
}
#endif

const struct attack attacks[] = {
	{ "open", try_open },
	{ "create", try_create },
	{ "stat", try_stat },
	{ "unlink", try_unlink },
	{ "socket", try_socket },
	{ "connect", try_connect },
	{ "bind", try_bind },
	{ "sendto", try_sendto_address },
	{ "exec", try_exec },
	{ "fork", try_fork },
	{ "clone", try_raw_clone },
	{ "clone3", try_clone3 },
	{ "ptrace", try_ptrace },
	{ "kill", try_kill },
	{ "tgkill", try_tgkill },
	{ "pidfd-signal", try_pidfd_signal },
	{ "prlimit", try_prlimit_other },
	{ "pidfd_getfd", try_pidfd_getfd },
	{ "process_vm_readv", try_vm_read },
	{ "process_vm_writev", try_vm_write },
	{ "descriptor", send_descriptor },
	{ "filter", try_filter },
	{ "splice", try_splice },
	{ "out-of-band", try_out_of_band },
	{ "io_uring", try_io_uring },
	{ "mmap-exec", try_mmap_exec },
	{ "mprotect-exec", try_mprotect_exec },
	{ "TIOCSTI", try_tiocsti },
	{ "wide-TIOCSTI", try_tiocsti_wide },
	{ "unshare", try_unshare },
	{ "keyctl", try_keyctl },
	{ "bpf", try_bpf },
	{ "x32", try_x32 },
	{ "32-bit", try_32_bit },
	{ NULL, NULL },
};

const struct attack *
attack_find(const char *name)
{
	const struct attack *a;

	for (a = attacks; a->name != NULL; a++) {
		if (strcmp(a->name, name) == 0)
			return a;
	}
	return NULL;
}

void
attack_run(const char *name)
{
	const struct attack *a = attack_find(name);
	const struct attack_target target = {
		.pid = getppid(),
		.pidfd = STDIN_FILENO,
		.socket = STDIN_FILENO,
		.terminal = STDIN_FILENO,
		.fd = STDIN_FILENO,
		.file = "/etc/passwd",
		.useless_file = "/nonexistent",
		.socket_path = "/run/htsign/sign",
	};
	int reason;

	if (a == NULL)
		_exit(ATTACK_UNKNOWN);
	reason = a->run(&target);
	dprintf(STDERR_FILENO, "%s was not stopped: %s\n", name,
	    reason == 0 ? "it worked" : strerror(reason));
	_exit(reason == EPERM ? ATTACK_DENIED : ATTACK_WORKED);
}
