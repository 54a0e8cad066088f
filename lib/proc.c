#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/loop.h"
#include "lib/proc.h"

/* The exit status with which a shell reports that it cannot run a command. */
#define EXIT_NO_EXEC 127

#define BACKOFF_LEAST 100U   /* ms */
#define BACKOFF_MOST 30000U  /* ms */
#define BACKOFF_SERVED 1600U /* ms, for what has served */
#define BACKOFF_GOOD 60000U  /* ms of life that reset the wait */

/* The folder of each program of ours, installed and in a build tree. */
static const struct {
	const char *name;
	const char *installed;
	const char *built;
} programs[] = {
	{ "htsign-admin", HT_SBINDIR, "htsign-admin" },
	{ "htsign-keyd", HT_SBINDIR, "keys/keyd" },
	{ "htsign-principals", HT_LIBEXECDIR, "keys/principals" },
	{ "htsign-pump", HT_LIBEXECDIR, "pump" },
	{ "htsign-reader", HT_LIBEXECDIR, "reader" },
	{ "htsign-shell", HT_LIBEXECDIR, "htsign-shell" },
	{ "htsign-token", HT_LIBEXECDIR, "keys/token" },
	{ "sshd-sign", HT_SBINDIR, "sshd-sign" },
};

/* A child cannot exec its program: print one line and exit. */
static void __attribute__((noreturn))
child_fail(const char *program, const char *what)
{
	dprintf(STDERR_FILENO, "%s: %s: %s\n", program, what, strerror(errno));
	_exit(EXIT_NO_EXEC);
}

static int
open_null(void)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

/*
 * Make the given descriptors 0, 1, 2, … in the child.  First copy each to a
 * number beyond all targets: no target then overwrites a source that is still
 * needed.
 */
static void
child_descriptors(const struct proc_spec *spec)
{
	int total = spec->nfds > 3 ? (int)spec->nfds : 3;
	int high[PROC_FDS];
	int i, fd;

	for (i = 0; i < total; i++) {
		fd = i == STDERR_FILENO ? STDERR_FILENO : -1;
		if ((size_t)i < spec->nfds)
			fd = spec->fds[i];
		if (fd < 0 && (fd = open_null()) < 0)
			child_fail(spec->argv[0], "/dev/null");
		high[i] = fcntl(fd, F_DUPFD_CLOEXEC, PROC_FDS);
		if (high[i] < 0)
			child_fail(spec->argv[0], "descriptors");
	}
	for (i = 0; i < total; i++) {
		if (dup2(high[i], i) < 0)
			child_fail(spec->argv[0], "descriptors");
	}
	if (close_range((unsigned int)total, ~0U, 0) < 0)
		child_fail(spec->argv[0], "close_range");
}

/*
 * Ignored signals and the mask survive execve(2).  glibc reserves two signals
 * and refuses to set them, but our parent may have ignored them.  So call the
 * kernel directly; an action of all zeros is SIG_DFL.
 */
static void
child_signals(void)
{
	static const uint64_t action[8];
	sigset_t none;
	int i;

	for (i = 1; i < NSIG; i++)
		(void)syscall(SYS_rt_sigaction, i, action, NULL, NSIG / 8);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * Leave the terminal of whoever started us, if there is one.  There is no other
 * reason for a session.  The kernel may share processor time between sessions
 * first (CONFIG_SCHED_AUTOGROUP), and niceness counts only within one.
 */
static void
child_session(void)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)close(fd);
	(void)setsid();
}

/* Only root, or who has the capability, gets it; all else works without. */
static void
child_priority(bool first)
{
	int fd;

	if (!first) {
		(void)proc_nicer(0, 0);
		return;
	}
	(void)setpriority(PRIO_PROCESS, 0, PROC_FIRST);
	fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)dprintf(fd, "%d", PROC_FIRST);
	(void)close(fd);
}

static void __attribute__((noreturn))
child_run(const struct proc_spec *spec, pid_t parent)
{
	static char *const no_env[] = { NULL };
	struct ht_error e;

	child_descriptors(spec);
	child_signals();
	child_session();
	child_priority(spec->first);
	if (proc_drop(spec->uid, spec->gid, &e) < 0) {
		dprintf(STDERR_FILENO, "%s: %s\n", spec->argv[0], e.text);
		_exit(EXIT_NO_EXEC);
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		child_fail(spec->argv[0], "no_new_privs");
	/* Only now, because the change of uid clears it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		child_fail(spec->argv[0], "parent death signal");
	if (getppid() != parent)
		_exit(EXIT_NO_EXEC);
	/* execve changes neither: its prototype predates const. */
	execve(spec->argv[0], (char *const *)(uintptr_t)spec->argv,
	    spec->env != NULL ? (char *const *)(uintptr_t)spec->env : no_env);
	child_fail(spec->argv[0], "cannot run");
}

/* Open the pidfd of a child.  On error kill and reap the child. */
static int
watch_child(pid_t child, int *pidfd, struct ht_error *e)
{
	int rc;

	*pidfd = pidfd_open(child, 0);
	if (*pidfd >= 0)
		return 0;
	rc = ht_error_errno(e, "pidfd_open");
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
	return rc;
}

int
proc_start(const struct proc_spec *spec, pid_t *pid, int *pidfd,
    struct ht_error *e)
{
	sigset_t all, before;
	pid_t parent = getpid(), child;
	int rc = 0;

	*pid = -1;
	if (pidfd != NULL)
		*pidfd = -1;
	if (spec->nfds > PROC_FDS || spec->argv[0][0] != '/')
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "%s cannot be started so", spec->argv[0]);
	/* The child must not run a signal handler of the parent. */
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	child = fork();
	if (child == 0)
		child_run(spec, parent);
	if (child < 0)
		rc = ht_error_errno(e, "fork");
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	if (rc == 0 && pidfd != NULL)
		rc = watch_child(child, pidfd, e);
	if (rc == 0)
		*pid = child;
	return rc;
}

int
proc_harden(struct ht_error *e)
{
	static const struct rlimit none = { 0, 0 };
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			return ht_error_errno(e, "/dev/null");
	} while (fd <= STDERR_FILENO);
	(void)close(fd);
	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return ht_error_errno(e, "no core");
#ifndef HT_NO_SANDBOX /* debuggers and the leak checker attach with ptrace */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return ht_error_errno(e, "undumpable");
#endif
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return ht_error_errno(e, "SIGPIPE");
	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		return ht_error_errno(e, "SIGXFSZ");
	return 0;
}

/* Whether an id is not the wanted one, or root can be had again. */
static bool
way_back(uid_t uid, gid_t gid)
{
	uid_t ruid, euid, suid;
	gid_t rgid, egid, sgid;

	if (getresuid(&ruid, &euid, &suid) < 0 ||
	    getresgid(&rgid, &egid, &sgid) < 0)
		return true;
	if (uid != PROC_SAME && (ruid != uid || euid != uid || suid != uid))
		return true;
	if (gid != (gid_t)-1 && (rgid != gid || egid != gid || sgid != gid))
		return true;
	if (uid == PROC_SAME || uid == 0)
		return false;
	return setuid(0) == 0 || (gid != 0 && setgid(0) == 0);
}

/*
 * Set the parent death signal again, which a change of uid clears.  Fails if
 * the parent died meanwhile.
 */
static int
restore_death_signal(int death, pid_t parent, struct ht_error *e)
{
	if (death == 0)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, death) < 0)
		return ht_error_errno(e, "parent death signal");
	if (getppid() != parent)
		return ht_error_set(e, HT_ERR_UNAVAILABLE, "the parent died");
	return 0;
}

int
proc_nicer(pid_t pid, int by)
{
	const struct sched_param none = { 0 };
	int own = getpriority(PRIO_PROCESS, 0);

	if (sched_setscheduler(pid, by < PROC_NICEST ? SCHED_OTHER : SCHED_IDLE,
	        &none) < 0)
		return -1;
	return setpriority(PRIO_PROCESS, (id_t)pid, (own > 0 ? own : 0) + by);
}

int
proc_drop(uid_t uid, gid_t gid, struct ht_error *e)
{
	return proc_drop_to(uid, gid, (gid_t)-1, e);
}

int
proc_drop_to(uid_t uid, gid_t gid, gid_t group, struct ht_error *e)
{
	pid_t parent = getppid();
	int death = 0;
	int dumpable = prctl(PR_GET_DUMPABLE);

	if (uid == PROC_SAME && gid == (gid_t)-1)
		return 0;
	if (prctl(PR_GET_PDEATHSIG, &death) < 0)
		return ht_error_errno(e, "parent death signal");
	if (setgroups(group != (gid_t)-1, &group) < 0)
		return ht_error_errno(e, "setgroups");
	if (gid != (gid_t)-1 && setresgid(gid, gid, gid) < 0)
		return ht_error_errno(e, "setresgid %u", (unsigned int)gid);
	if (uid != PROC_SAME && setresuid(uid, uid, uid) < 0)
		return ht_error_errno(e, "setresuid %u", (unsigned int)uid);
	if (way_back(uid, gid))
		return ht_error_set(e, HT_ERR_INTERNAL, "uid %u did not hold",
		    (unsigned int)uid);
	/* After a change of uid the kernel sets this from fs.suid_dumpable. */
	if (dumpable == 0 && prctl(PR_SET_DUMPABLE, 0) < 0)
		return ht_error_errno(e, "undumpable");
	return restore_death_signal(death, parent, e);
}

void
proc_files_as(uid_t uid)
{
	int death = 0;

	(void)prctl(PR_GET_PDEATHSIG, &death);
	(void)setfsuid(uid);
	(void)prctl(PR_SET_PDEATHSIG, death);
}

/* Cut "/FOLDER" off the end of a path.  False if the path does not end so. */
static bool
cut_folder(char *path, const char *folder)
{
	size_t n = strlen(path), m = strlen(folder);

	if (n <= m || path[n - m - 1] != '/' ||
	    strcmp(path + n - m, folder) != 0)
		return false;
	path[n - m - 1] = '\0';
	return true;
}

/*
 * The build tree TREE if this program is TREE/FOLDER/NAME, or "" if it is
 * installed.  FOLDER decides: no installation has such a folder.  A path that
 * is compiled in would make every build different.
 */
static int
find_tree(char tree[PATH_MAX], struct ht_error *e)
{
	ssize_t n = readlink("/proc/self/exe", tree, PATH_MAX - 1);
	char *name;
	size_t i;

	if (n < 0)
		return ht_error_errno(e, "/proc/self/exe");
	tree[n] = '\0';
	name = strrchr(tree, '/');
	if (name != NULL)
		*name = '\0';
	for (i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (cut_folder(tree, programs[i].built))
			return 0;
	if (!cut_folder(tree, "tests/unit"))
		tree[0] = '\0';
	return 0;
}

int
proc_program(const char *name, char *path, size_t size, struct ht_error *e)
{
	char tree[PATH_MAX];
	size_t i;
	int n, rc;

	for (i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		if (strcmp(programs[i].name, name) == 0)
			break;
	}
	if (i == sizeof(programs) / sizeof(programs[0]))
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "%s is no program of ours", name);
	rc = find_tree(tree, e);
	if (rc < 0)
		return rc;
	if (tree[0] != '\0')
		n = snprintf(path, size, "%s/%s/%s", tree, programs[i].built,
		    name);
	else
		n = snprintf(path, size, "%s/%s", programs[i].installed, name);
	if (n < 0 || (size_t)n >= size)
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "the path of %s is too long", name);
	return 0;
}

void
proc_backoff_started(struct proc_backoff *b)
{
	b->started = loop_now();
}

unsigned int
proc_backoff_next(struct proc_backoff *b)
{
	unsigned int most = b->served ? BACKOFF_SERVED : BACKOFF_MOST;

	if (b->started != 0 && loop_now() - b->started >= BACKOFF_GOOD)
		b->wait = 0;
	if (b->wait == 0)
		b->wait = BACKOFF_LEAST;
	else if (b->wait > most / 2)
		b->wait = most;
	else
		b->wait *= 2;
	return b->wait;
}

/*
 * Read /proc/PID/stat (proc_pid_stat(5)).  The name of the program is in
 * parentheses, and may have others in it.
 */
static int
read_stat(pid_t pid, long *parent, struct proc_id *id, struct ht_error *e)
{
	char path[32], text[1024];
	unsigned long long start;
	const char *rest = NULL;
	ssize_t n = -1;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		(void)close(fd);
	}
	if (n > 0) {
		text[n] = '\0';
		rest = strrchr(text, ')');
	}
	/* The fields 3, 4 and 22. */
	if (rest == NULL ||
	    sscanf(rest,
	        ") %*c %ld %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d "
	        "%*d %*d %*d %*d %*d %llu",
	        parent, &start) != 2)
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "cannot see process %ld in /proc (hidepid?)", (long)pid);
	id->pid = pid;
	id->start = start;
	return 0;
}

int
proc_parent(pid_t child, struct proc_id *parent, struct ht_error *e)
{
	struct proc_id before, after;
	long pid, again, unused;
	int rc;

	rc = read_stat(child, &pid, &before, e);
	if (rc == 0)
		rc = read_stat((pid_t)pid, &unused, parent, e);
	if (rc == 0)
		rc = read_stat(child, &again, &after, e);
	/* If it is still the parent, its number was not another's meanwhile. */
	if (rc == 0 &&
	    (pid <= 1 || again != pid || after.start != before.start))
		rc = ht_error_set(e, HT_ERR_INTERNAL,
		    "the parent of process %ld has ended", (long)child);
	return rc;
}

bool
proc_lives(const struct proc_id *id)
{
	struct proc_id now;
	long parent;

	return read_stat(id->pid, &parent, &now, NULL) == 0 &&
	    now.start == id->start;
}

int
proc_socketpair(int pair[2], struct ht_error *e)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	        pair) < 0) {
		pair[0] = pair[1] = -1;
		return ht_error_errno(e, "socketpair");
	}
	return 0;
}

int
proc_nonblock(int fd, struct ht_error *e)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return ht_error_errno(e, "descriptor %d", fd);
	return 0;
}
