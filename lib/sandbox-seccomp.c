#include "config.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/sandbox-private.h"

#define SHELL (1U << SANDBOX_SHELL)
#define NETWORK (1U << SANDBOX_NETWORK)
#define KEYD (1U << SANDBOX_KEYD)
#define USB (1U << SANDBOX_TOKEN_USB)
#define TOKEN (1U << SANDBOX_TOKEN | USB)
#define PARENT (1U << SANDBOX_PARENT)
#define FETCH (1U << SANDBOX_FETCH)
#define PUMP (1U << SANDBOX_PUMP)
#define READER (1U << SANDBOX_READER)

/* These have an allow-list, and those a deny-list. */
#define LISTED (SHELL | NETWORK | KEYD | FETCH | PUMP | READER)
#define DENIED (TOKEN | PARENT)

/* Argument n is v; or, of its bits in mask, exactly those of v are set. */
#define IS(n, v)                                                               \
	{                                                                      \
		(n), SCMP_CMP_EQ, (v), 0                                       \
	}
#define BITS(n, mask, v)                                                       \
	{                                                                      \
		(n), SCMP_CMP_MASKED_EQ, (mask), (v)                           \
	}

/* The kernel reads only 32 bits of an int, so a rule that denies does too. */
#define INT_IS(n, v) BITS(n, UINT32_MAX, (v))

struct call {
	int number;
	unsigned int roles;
};

struct checked_call {
	int number;
	unsigned int roles;
	struct scmp_arg_cmp when;
};

/*
 * Allowed with any arguments.  The first calls work on descriptors that are
 * open already.  SHELL and NETWORK can open no file; they get new descriptors
 * only by recvmsg(2).
 */
static const struct call allowed[] = {
	{ SCMP_SYS(read), LISTED },
	{ SCMP_SYS(readv), LISTED },
	{ SCMP_SYS(pread64), LISTED },
	{ SCMP_SYS(write), LISTED },
	{ SCMP_SYS(writev), LISTED },
	{ SCMP_SYS(pwrite64), LISTED },
	{ SCMP_SYS(lseek), LISTED },
	{ SCMP_SYS(fstat), LISTED },
	{ SCMP_SYS(fadvise64), LISTED },
	{ SCMP_SYS(sendfile), SHELL }, /* the spool, to stdout */
	{ SCMP_SYS(dup), LISTED },
	{ SCMP_SYS(close), LISTED },
	{ SCMP_SYS(poll), LISTED },
	{ SCMP_SYS(ppoll), LISTED },
	{ SCMP_SYS(recvmsg), LISTED },
	{ SCMP_SYS(recvfrom), LISTED },
	{ SCMP_SYS(shutdown), LISTED },
	/* Memory, time, and the process itself. */
	{ SCMP_SYS(brk), LISTED },
	{ SCMP_SYS(munmap), LISTED },
	{ SCMP_SYS(mremap), LISTED },
	{ SCMP_SYS(madvise), LISTED },
	{ SCMP_SYS(mlock), KEYD },
	{ SCMP_SYS(munlock), KEYD },
	{ SCMP_SYS(futex), LISTED },
	{ SCMP_SYS(sched_yield), LISTED },
	{ SCMP_SYS(clock_gettime), LISTED },
	{ SCMP_SYS(clock_getres), LISTED },
	{ SCMP_SYS(clock_nanosleep), LISTED },
	{ SCMP_SYS(gettimeofday), LISTED },
	{ SCMP_SYS(nanosleep), LISTED },
	{ SCMP_SYS(time), LISTED },
	{ SCMP_SYS(getrandom), LISTED },
	{ SCMP_SYS(getpid), LISTED },
	{ SCMP_SYS(getppid), LISTED },
	{ SCMP_SYS(gettid), LISTED },
	{ SCMP_SYS(getuid), LISTED },
	{ SCMP_SYS(geteuid), LISTED },
	{ SCMP_SYS(getgid), LISTED },
	{ SCMP_SYS(getegid), LISTED },
	{ SCMP_SYS(getrusage), LISTED },
	{ SCMP_SYS(sysinfo), LISTED }, /* qsort(3) of glibc 2.36 asks */
	{ SCMP_SYS(uname), LISTED },
	{ SCMP_SYS(rt_sigaction), LISTED },
	{ SCMP_SYS(rt_sigprocmask), LISTED },
	{ SCMP_SYS(rt_sigreturn), LISTED },
	{ SCMP_SYS(sigaltstack), LISTED },
	{ SCMP_SYS(restart_syscall), LISTED },
	{ SCMP_SYS(exit), LISTED },
	{ SCMP_SYS(exit_group), LISTED },
	/* Connections. */
	{ SCMP_SYS(getsockopt), NETWORK | KEYD | FETCH },
	{ SCMP_SYS(getpeername), NETWORK | KEYD | FETCH },
	{ SCMP_SYS(getsockname), NETWORK | KEYD | FETCH },
	{ SCMP_SYS(accept), KEYD },
	{ SCMP_SYS(accept4), KEYD },
	{ SCMP_SYS(sendmsg), KEYD },
	{ SCMP_SYS(socketpair), KEYD | FETCH },
	{ SCMP_SYS(pipe2), KEYD | FETCH },
	{ SCMP_SYS(memfd_create), KEYD },
	/* libcurl asks for names in threads, which are not processes. */
	{ SCMP_SYS(connect), FETCH },
	{ SCMP_SYS(sendmmsg), FETCH },
	{ SCMP_SYS(eventfd2), FETCH },
	{ SCMP_SYS(rseq), FETCH },
	{ SCMP_SYS(set_robust_list), FETCH },
	{ SCMP_SYS(sched_getaffinity), FETCH },
	/* Files by name; Landlock limits which. */
	{ SCMP_SYS(open), KEYD | FETCH | READER },
	{ SCMP_SYS(openat), KEYD | FETCH | READER },
	{ SCMP_SYS(access), KEYD | FETCH | READER },
	{ SCMP_SYS(faccessat), KEYD | FETCH | READER },
	{ SCMP_SYS(faccessat2), KEYD | FETCH | READER },
	{ SCMP_SYS(stat), KEYD | FETCH | READER },
	{ SCMP_SYS(lstat), KEYD | FETCH | READER },
	{ SCMP_SYS(newfstatat), KEYD | FETCH | READER },
	{ SCMP_SYS(statx), KEYD | FETCH | READER },
	{ SCMP_SYS(statfs), KEYD },
	{ SCMP_SYS(fstatfs), KEYD },
	{ SCMP_SYS(readlink), KEYD | FETCH | READER },
	{ SCMP_SYS(readlinkat), KEYD | FETCH | READER },
	{ SCMP_SYS(getcwd), KEYD | FETCH | READER },
	{ SCMP_SYS(getdents64), KEYD },
	{ SCMP_SYS(mkdir), KEYD },
	{ SCMP_SYS(mkdirat), KEYD },
	{ SCMP_SYS(rename), KEYD },
	{ SCMP_SYS(renameat), KEYD },
	{ SCMP_SYS(renameat2), KEYD },
	{ SCMP_SYS(unlink), KEYD },
	{ SCMP_SYS(unlinkat), KEYD },
	{ SCMP_SYS(linkat), KEYD },
	{ SCMP_SYS(rmdir), KEYD },
	{ SCMP_SYS(umask), KEYD },
	{ SCMP_SYS(fchmod), KEYD },
	{ SCMP_SYS(fchown), KEYD }, /* SQLite calls it if run as root */
	{ SCMP_SYS(fsync), KEYD | PUMP },
	{ SCMP_SYS(sync_file_range), PUMP },
	{ SCMP_SYS(fdatasync), KEYD },
	{ SCMP_SYS(ftruncate), KEYD },
	{ SCMP_SYS(fallocate), KEYD },
	{ SCMP_SYS(flock), KEYD },
};

/* Allowed if one argument matches. */
static const struct checked_call allowed_when[] = {
	/* No executable memory. */
	{ SCMP_SYS(mmap), LISTED, BITS(2, PROT_EXEC, 0) },
	{ SCMP_SYS(mprotect), LISTED, BITS(2, PROT_EXEC, 0) },
	/* Threads, as pthread_create(3) makes them. */
	{ SCMP_SYS(clone), FETCH, BITS(0, CLONE_THREAD, CLONE_THREAD) },
	{ SCMP_SYS(socket), FETCH, IS(0, AF_UNIX) },
	{ SCMP_SYS(socket), FETCH, IS(0, AF_INET) },
	{ SCMP_SYS(socket), FETCH, IS(0, AF_INET6) },
	/* Only its own limits. */
	{ SCMP_SYS(prlimit64), LISTED, IS(0, 0) },
	{ SCMP_SYS(fcntl), LISTED, IS(1, F_GETFL) },
	{ SCMP_SYS(fcntl), LISTED, IS(1, F_SETFL) },
	{ SCMP_SYS(fcntl), LISTED, IS(1, F_GETFD) },
	{ SCMP_SYS(fcntl), LISTED, IS(1, F_SETFD) },
	{ SCMP_SYS(fcntl), LISTED, IS(1, F_DUPFD_CLOEXEC) },
	{ SCMP_SYS(fcntl), LISTED, IS(1, F_GET_SEALS) },
	{ SCMP_SYS(fcntl), KEYD, IS(1, F_ADD_SEALS) },
	{ SCMP_SYS(fcntl), KEYD, IS(1, F_SETLEASE) },
	{ SCMP_SYS(fcntl), KEYD | READER, IS(1, F_GETLK) },
	{ SCMP_SYS(fcntl), KEYD | READER, IS(1, F_SETLK) },
	{ SCMP_SYS(fcntl), KEYD | READER, IS(1, F_SETLKW) },
	{ SCMP_SYS(fcntl), KEYD, IS(1, F_OFD_GETLK) },
	{ SCMP_SYS(fcntl), KEYD, IS(1, F_OFD_SETLK) },
	/* Settings and size of a terminal, but not TIOCSTI, which types. */
	{ SCMP_SYS(ioctl), LISTED, IS(1, TCGETS) },
	{ SCMP_SYS(ioctl), LISTED, IS(1, TCSETS) },
	{ SCMP_SYS(ioctl), LISTED, IS(1, TCSETSW) },
	{ SCMP_SYS(ioctl), LISTED, IS(1, TCSETSF) },
	/* The C library calls these since glibc 2.42. */
	{ SCMP_SYS(ioctl), LISTED, IS(1, TCGETS2) },
	{ SCMP_SYS(ioctl), LISTED, IS(1, TCSETS2) },
	{ SCMP_SYS(ioctl), LISTED, IS(1, TCSETSW2) },
	{ SCMP_SYS(ioctl), LISTED, IS(1, TCSETSF2) },
	{ SCMP_SYS(ioctl), LISTED, IS(1, TIOCGWINSZ) },
	{ SCMP_SYS(ioctl), LISTED, IS(1, FIONREAD) },
};

/*
 * Calls that fail with EPERM instead of killing the process.  Libraries try
 * them and can do without: syslog(3) connects again, allocators and libcrypto
 * set names and options.
 */
static const struct call probed[] = {
	{ SCMP_SYS(prctl), LISTED },
	{ SCMP_SYS(socket), KEYD },
	{ SCMP_SYS(connect), KEYD },
};

/*
 * glibc 2.36 implements fstat(3) with newfstatat(2).  The C library may call
 * fstat(3) and can do without.  The call is not allowed, because it also looks
 * up paths, and those tell who else runs here.
 */
static const struct checked_call probed_when[] = {
	{ SCMP_SYS(newfstatat), SHELL | NETWORK, IS(3, AT_EMPTY_PATH) },
	/* getaddrinfo(3) asks which addresses the machine has. */
	{ SCMP_SYS(socket), FETCH, IS(0, AF_NETLINK) },
	/* nsswitch.conf(5) may name modules, which would be loaded. */
	{ SCMP_SYS(mmap), FETCH, BITS(2, PROT_EXEC, PROT_EXEC) },
};

/* The deny-lists. */
static const struct call denied[] = {
	/* Other processes. */
	{ SCMP_SYS(ptrace), DENIED },
	{ SCMP_SYS(process_vm_readv), DENIED },
	{ SCMP_SYS(process_vm_writev), DENIED },
	{ SCMP_SYS(process_madvise), DENIED },
	{ SCMP_SYS(process_mrelease), DENIED },
	{ SCMP_SYS(pidfd_getfd), DENIED },
	{ SCMP_SYS(kcmp), DENIED },
	{ SCMP_SYS(move_pages), DENIED },
	{ SCMP_SYS(migrate_pages), DENIED },
	/* Large parts of the kernel that no process of ours needs. */
	{ SCMP_SYS(io_uring_setup), DENIED },
	{ SCMP_SYS(io_uring_enter), DENIED },
	{ SCMP_SYS(io_uring_register), DENIED },
	{ SCMP_SYS(bpf), DENIED },
	{ SCMP_SYS(userfaultfd), DENIED },
	{ SCMP_SYS(perf_event_open), DENIED },
	{ SCMP_SYS(fanotify_init), DENIED },
	{ SCMP_SYS(add_key), DENIED },
	{ SCMP_SYS(request_key), DENIED },
	{ SCMP_SYS(keyctl), DENIED },
	{ SCMP_SYS(modify_ldt), DENIED },
	{ SCMP_SYS(personality), DENIED },
	{ SCMP_SYS(remap_file_pages), DENIED },
	{ SCMP_SYS(uselib), DENIED },
	{ SCMP_SYS(lookup_dcookie), DENIED },
	{ SCMP_SYS(name_to_handle_at), DENIED },
	{ SCMP_SYS(open_by_handle_at), DENIED },
	/* The machine. */
	{ SCMP_SYS(kexec_load), DENIED },
	{ SCMP_SYS(kexec_file_load), DENIED },
	{ SCMP_SYS(init_module), DENIED },
	{ SCMP_SYS(finit_module), DENIED },
	{ SCMP_SYS(delete_module), DENIED },
	{ SCMP_SYS(reboot), DENIED },
	{ SCMP_SYS(swapon), DENIED },
	{ SCMP_SYS(swapoff), DENIED },
	{ SCMP_SYS(acct), DENIED },
	{ SCMP_SYS(quotactl), DENIED },
	{ SCMP_SYS(quotactl_fd), DENIED },
	{ SCMP_SYS(syslog), DENIED },
	{ SCMP_SYS(vhangup), DENIED },
	{ SCMP_SYS(iopl), DENIED },
	{ SCMP_SYS(ioperm), DENIED },
	{ SCMP_SYS(clock_settime), DENIED },
	{ SCMP_SYS(clock_adjtime), DENIED },
	{ SCMP_SYS(settimeofday), DENIED },
	{ SCMP_SYS(adjtimex), DENIED },
	{ SCMP_SYS(sethostname), DENIED },
	{ SCMP_SYS(setdomainname), DENIED },
	/* Namespaces and mounts. */
	{ SCMP_SYS(unshare), DENIED },
	{ SCMP_SYS(setns), DENIED },
	{ SCMP_SYS(mount), DENIED },
	{ SCMP_SYS(umount2), DENIED },
	{ SCMP_SYS(pivot_root), DENIED },
	{ SCMP_SYS(move_mount), DENIED },
	{ SCMP_SYS(open_tree), DENIED },
	{ SCMP_SYS(fsopen), DENIED },
	{ SCMP_SYS(fsconfig), DENIED },
	{ SCMP_SYS(fsmount), DENIED },
	{ SCMP_SYS(fspick), DENIED },
	{ SCMP_SYS(mount_setattr), DENIED },
	/* A vendor's module starts no processes and serves nobody. */
	{ SCMP_SYS(execve), TOKEN },
	{ SCMP_SYS(execveat), TOKEN },
	{ SCMP_SYS(fork), TOKEN },
	{ SCMP_SYS(vfork), TOKEN },
	{ SCMP_SYS(bind), TOKEN },
	{ SCMP_SYS(listen), TOKEN },
	{ SCMP_SYS(accept), TOKEN },
	{ SCMP_SYS(accept4), TOKEN },
	{ SCMP_SYS(chroot), TOKEN },
	{ SCMP_SYS(tkill), TOKEN },
	{ SCMP_SYS(rt_sigqueueinfo), TOKEN },
	{ SCMP_SYS(rt_tgsigqueueinfo), TOKEN },
	{ SCMP_SYS(pidfd_open), TOKEN },
	{ SCMP_SYS(pidfd_send_signal), TOKEN },
};

static const struct checked_call denied_when[] = {
	{ SCMP_SYS(ioctl), DENIED, INT_IS(1, TIOCSTI) },
	{ SCMP_SYS(ioctl), DENIED, INT_IS(1, TIOCLINUX) },
	/* Threads are fine, processes are not. */
	{ SCMP_SYS(clone), TOKEN, BITS(0, CLONE_THREAD, 0) },
};

/* 0, or the negative errno of the first rule that libseccomp refused. */
static int
add_calls(scmp_filter_ctx ctx, uint32_t action, unsigned int role,
    const struct call *calls, size_t n)
{
	int rc = 0;
	size_t i;

	for (i = 0; i < n && rc == 0; i++) {
		if (calls[i].roles & role)
			rc = seccomp_rule_add_array(ctx, action,
			    calls[i].number, 0, NULL);
	}
	return rc;
}

static int
add_checked(scmp_filter_ctx ctx, uint32_t action, unsigned int role,
    const struct checked_call *calls, size_t n)
{
	int rc = 0;
	size_t i;

	for (i = 0; i < n && rc == 0; i++) {
		if (calls[i].roles & role)
			rc = seccomp_rule_add_array(ctx, action,
			    calls[i].number, 1, &calls[i].when);
	}
	return rc;
}

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Allow signals to the process itself, as abort(3) sends them. */
static int
allow_itself(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp itself = IS(0, (scmp_datum_t)getpid());

	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
	    &itself);
}

/*
 * Allow sendto(2) without an address, which is send(2).  It cannot pass
 * descriptors: that needs sendmsg(2).  Deny out-of-band bytes: no process of
 * ours sends them, and the kernel's unix sockets have had bugs there.
 */
static int
allow_send(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp how[2] = { BITS(3, MSG_OOB, 0), IS(4, 0) };

	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(sendto), 2,
	    how);
}

/*
 * Allow two options for fast packets, and those of the resolver: to hear of
 * errors.  No filter programs, no other protocol.
 */
static int
allow_socket_options(scmp_filter_ctx ctx, unsigned int role)
{
	static const struct {
		int level;
		int name;
		unsigned int roles;
	} options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, NETWORK | FETCH },
		{ IPPROTO_TCP, TCP_QUICKACK, NETWORK | FETCH },
		{ IPPROTO_IP, IP_RECVERR, FETCH },
		{ IPPROTO_IPV6, IPV6_RECVERR, FETCH },
	};
	struct scmp_arg_cmp which[2] = { IS(1, 0), IS(2, 0) };
	int rc = 0;
	size_t i;

	for (i = 0; i < COUNT(options) && rc == 0; i++) {
		if ((options[i].roles & role) == 0)
			continue;
		which[0].datum_a = (scmp_datum_t)options[i].level;
		which[1].datum_a = (scmp_datum_t)options[i].name;
		rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW,
		    SCMP_SYS(setsockopt), 2, which);
	}
	return rc;
}

/* The flags of clone3(2) are in memory.  glibc falls back to clone(2). */
static int
without_clone3(scmp_filter_ctx ctx)
{
	return seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(ENOSYS),
	    SCMP_SYS(clone3), 0, NULL);
}

static int
deny_others(scmp_filter_ctx ctx)
{
	const scmp_datum_t self = (scmp_datum_t)getpid();
	const struct scmp_arg_cmp others = { 0, SCMP_CMP_NE, self, 0 };
	const struct scmp_arg_cmp named = { 0, SCMP_CMP_NE, 0, 0 };
	uint32_t deny = SCMP_ACT_ERRNO(EPERM);
	int rc;

	rc = seccomp_rule_add_array(ctx, deny, SCMP_SYS(kill), 1, &others);
	if (rc == 0)
		rc = seccomp_rule_add_array(ctx, deny, SCMP_SYS(tgkill), 1,
		    &others);
	if (rc == 0)
		rc = seccomp_rule_add_array(ctx, deny, SCMP_SYS(prlimit64), 1,
		    &named);
	return rc;
}

/*
 * Deny sockets of other families than a module may need: unix for daemons like
 * pcscd, IPv4 and IPv6 for an HSM, netlink for libusb.
 */
static int
deny_families(scmp_filter_ctx ctx, unsigned int role)
{
	const struct scmp_arg_cmp beyond = { 0, SCMP_CMP_GE, AF_MAX, 0 };
	struct scmp_arg_cmp family = IS(0, 0);
	uint32_t deny = SCMP_ACT_ERRNO(EPERM);
	scmp_datum_t f;
	int rc;

	rc = seccomp_rule_add_array(ctx, deny, SCMP_SYS(socket), 1, &beyond);
	for (f = 0; f < AF_MAX && rc == 0; f++) {
		if (f == AF_UNIX || f == AF_INET || f == AF_INET6 ||
		    (f == AF_NETLINK && (role & USB)))
			continue;
		family.datum_a = f;
		rc = seccomp_rule_add_array(ctx, deny, SCMP_SYS(socket), 1,
		    &family);
	}
	return rc;
}

static int
add_allow_list(scmp_filter_ctx ctx, unsigned int role)
{
	int rc;

	rc = add_calls(ctx, SCMP_ACT_ALLOW, role, allowed, COUNT(allowed));
	if (rc == 0)
		rc = add_checked(ctx, SCMP_ACT_ALLOW, role, allowed_when,
		    COUNT(allowed_when));
	if (rc == 0)
		rc = add_calls(ctx, SCMP_ACT_ERRNO(EPERM), role, probed,
		    COUNT(probed));
	if (rc == 0)
		rc = add_checked(ctx, SCMP_ACT_ERRNO(EPERM), role, probed_when,
		    COUNT(probed_when));
	if (rc == 0)
		rc = allow_itself(ctx);
	if (rc == 0)
		rc = allow_send(ctx);
	if (rc == 0)
		rc = allow_socket_options(ctx, role);
	if (rc == 0 && (role & FETCH))
		rc = without_clone3(ctx);
	return rc;
}

static int
add_deny_list(scmp_filter_ctx ctx, unsigned int role)
{
	uint32_t deny = SCMP_ACT_ERRNO(EPERM);
	int rc;

	rc = add_calls(ctx, deny, role, denied, COUNT(denied));
	if (rc == 0)
		rc = add_checked(ctx, deny, role, denied_when,
		    COUNT(denied_when));
	if (rc == 0 && (role & TOKEN)) {
		rc = deny_others(ctx);
		if (rc == 0)
			rc = deny_families(ctx, role);
		if (rc == 0)
			rc = without_clone3(ctx);
	}
	return rc;
}

/* Set what applies to the whole filter. */
static int
set_attributes(scmp_filter_ctx ctx)
{
	int rc;

	/* Calls of other ABIs: i386 and x32, or 32-bit ARM. */
	rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
	    SCMP_ACT_KILL_PROCESS);
	/* The filter also applies to threads that a library has started. */
	if (rc == 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	/* A binary tree instead of a list of comparisons. */
	if (rc == 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return rc;
}

int
sandbox_seccomp(enum sandbox_role role, struct ht_error *e)
{
	unsigned int bit = 1U << role;
	bool listed = (bit & LISTED) != 0;
	scmp_filter_ctx ctx;
	int rc;

	ctx = seccomp_init(listed ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ALLOW);
	if (ctx == NULL)
		return ht_error_memory(e);
	rc = set_attributes(ctx);
	if (rc == 0)
		rc =
		    listed ? add_allow_list(ctx, bit) : add_deny_list(ctx, bit);
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	if (rc == 0)
		return 0;
	errno = -rc;
	return ht_error_errno(e, "seccomp, which is required");
}
