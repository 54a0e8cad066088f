#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/fds.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "sshd-sign/forkserver-link.h"

_Static_assert(FORKSERVER_LINK_FDS <= FDS_MAX, "they go in one message");

/*
 * The most shells that one process forks.  They share a memory layout, so what
 * a client learns about one shell would help it against the next.  This number
 * bounds that, while one start is shared by 100 shells.
 */
#define SHELLS 100

/* A process that has not answered after this many seconds never will. */
#define PATIENCE 15

struct process {
	struct forkserver_link *forkserver;
	pid_t pid;
	int pidfd;
	int fd;            /* -1 once the process is dismissed */
	unsigned int left; /* shells that it may still fork */
	struct loop_watch *watch;
};

struct forkserver_link {
	struct loop *loop;
	const char *shell;
	uid_t uid;
	gid_t gid;
	struct process *process; /* or NULL */
};

/* Close the socket: the process ends then, and ended() reaps it. */
static void
dismiss(struct process *p)
{
	if (p->fd >= 0)
		(void)close(p->fd);
	p->fd = -1;
	if (p->forkserver->process == p)
		p->forkserver->process = NULL;
}

static void
ended(void *cookie, short revents)
{
	struct process *p = cookie;
	int status = 0;

	(void)revents;
	if (waitpid(p->pid, &status, WNOHANG) == 0)
		return;
	if (p->fd >= 0)
		log_error("the forkserver has ended by itself, status %#x",
		    (unsigned int)status);
	dismiss(p);
	loop_watch_remove(p->watch);
	(void)close(p->pidfd);
	free(p);
}

static int
start(struct process *p, int theirs, struct ht_error *e)
{
	const struct forkserver_link *f = p->forkserver;
	const char *argv[] = { f->shell, "--forkserver", "3", NULL };
	int fds[] = { -1, -1, STDERR_FILENO, theirs };
	struct proc_spec spec = { .argv = argv,
		.fds = fds,
		.nfds = sizeof(fds) / sizeof(fds[0]),
		.uid = f->uid,
		.gid = f->gid };
	int rc = proc_start(&spec, &p->pid, &p->pidfd, e);

	if (rc < 0)
		return rc;
	/* We wait for its answers; its shells are as nice as we say. */
	(void)setpriority(PRIO_PROCESS, (id_t)p->pid, PROC_FIRST);
	p->watch = loop_watch_add(f->loop, p->pidfd, POLLIN, ended, p);
	if (p->watch != NULL)
		return 0;
	rc = ht_error_errno(e, "forkserver");
	(void)kill(p->pid, SIGKILL);
	(void)waitpid(p->pid, NULL, 0);
	(void)close(p->pidfd);
	return rc;
}

static int
new_process(struct forkserver_link *f, struct ht_error *e)
{
	const struct timeval patience = { PATIENCE, 0 };
	struct process *p = calloc(1, sizeof(*p));
	int pair[2];
	int rc;

	if (p == NULL)
		return ht_error_errno(e, "forkserver");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		rc = ht_error_errno(e, "socketpair");
		free(p);
		return rc;
	}
	p->forkserver = f;
	p->fd = pair[0];
	p->left = SHELLS;
	(void)setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
	    sizeof(patience));
	rc = start(p, pair[1], e);
	(void)close(pair[1]);
	if (rc < 0) {
		(void)close(p->fd);
		free(p);
		return rc;
	}
	f->process = p;
	return 0;
}

struct forkserver_link *
forkserver_link_new(struct loop *loop, const char *shell, uid_t uid, gid_t gid)
{
	struct forkserver_link *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->loop = loop;
	f->shell = shell;
	f->uid = uid;
	f->gid = gid;
	return f;
}

void
forkserver_link_prepare(struct forkserver_link *f)
{
	struct ht_error e;

	if (f->process == NULL && new_process(f, &e) < 0)
		log_error("forkserver: %s", e.text);
}

/* Do not trust the answer: only our own children are watched and killed. */
static bool
is_child(pid_t pid)
{
	siginfo_t info;

	return pid > 0 &&
	    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Have a shell forked.  Its pid is not reused until we reap it. */
static int
ask(int fd, const int fds[FORKSERVER_LINK_FDS], int nicer, pid_t *pid,
    int *pidfd, struct ht_error *e)
{
	const char byte = (char)nicer;
	ssize_t n;

	if (fds_send(fd, &byte, sizeof(byte), fds, FORKSERVER_LINK_FDS) < 0) {
		(void)ht_error_errno(e, "forkserver");
		return HT_ERR_UNAVAILABLE;
	}
	do {
		n = recv(fd, pid, sizeof(*pid), 0);
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(*pid))
		return ht_error_set(e, HT_ERR_INTERNAL,
		    n < 0 ? "the forkserver does not answer"
		          : "the forkserver has ended");
	if (!is_child(*pid))
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "the forkserver names a process that is no child");
	*pidfd = pidfd_open(*pid, 0);
	if (*pidfd >= 0)
		return 0;
	(void)ht_error_errno(e, "pidfd_open");
	(void)kill(*pid, SIGKILL);
	(void)waitpid(*pid, NULL, 0);
	return HT_ERR_INTERNAL;
}

static int
shell_once(struct forkserver_link *f, const int fds[FORKSERVER_LINK_FDS],
    int nicer, pid_t *pid, int *pidfd, struct ht_error *e)
{
	struct process *p;
	int rc = 0;

	*pid = -1;
	*pidfd = -1;
	if (f->process == NULL)
		rc = new_process(f, e);
	if (rc < 0)
		return rc;
	p = f->process;
	rc = ask(p->fd, fds, nicer, pid, pidfd, e);
	if (rc < 0)
		(void)kill(p->pid, SIGKILL);
	if (rc < 0 || --p->left == 0) {
		dismiss(p);
		forkserver_link_prepare(f);
	}
	return rc;
}

int
forkserver_link_shell(struct forkserver_link *f,
    const int fds[FORKSERVER_LINK_FDS], int nicer, pid_t *pid, int *pidfd,
    struct ht_error *e)
{
	int rc = shell_once(f, fds, nicer, pid, pidfd, e);

	/* It was killed since the last shell, and has not got the fds. */
	if (rc == HT_ERR_UNAVAILABLE)
		rc = shell_once(f, fds, nicer, pid, pidfd, e);
	return rc < 0 ? HT_ERR_INTERNAL : 0;
}
