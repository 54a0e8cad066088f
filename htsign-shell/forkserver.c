#include "config.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "htsign-shell/forkserver.h"
#include "lib/fds.h"
#include "lib/proc.h"

/* What ps(1) shows, at most 15 characters. */
#define NAME "htsign-forkserv"
#define NAME_OF_SHELLS "htsign-shell"

/*
 * Receive a message: 1 with its descriptors, or 0 if the listener has closed
 * the socket.  The listener is trusted, so a malformed message ends this
 * process, and its descriptors need not be closed.
 */
static int
take(int fd, int fds[FORKSERVER_FDS], char *nicer, struct ht_error *e)
{
	bool whole;
	size_t nfds;
	ssize_t n;

	n = fds_receive(fd, nicer, sizeof(*nicer), fds, FORKSERVER_FDS, &nfds,
	    &whole);
	if (n == 0)
		return 0;
	if (n < 0)
		return ht_error_errno(e, "forkserver");
	if (!whole || nfds != FORKSERVER_FDS)
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "forkserver: malformed message");
	return 1;
}

/*
 * Fork a child of our parent, which fork(2) cannot do.  The parent reaps the
 * child, and the parent's death kills it.
 */
static pid_t
fork_sibling(void)
{
	return (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL,
	    NULL, NULL);
}

/*
 * Do what proc_start does in a child, except for what the forkserver already
 * has.  The forkserver uses descriptors 0 to 3, so each of fds is at least 4.
 * Only the last target, 4, can be one of them, and it has been copied by then.
 *
 * There is no session of its own for the shell.  The kernel may share processor
 * time between sessions first (CONFIG_SCHED_AUTOGROUP), and niceness counts only
 * within one.
 */
static int
become_shell(const int fds[FORKSERVER_FDS], char nicer, pid_t parent,
    struct ht_error *e)
{
	int i;

	for (i = 0; i < FORKSERVER_FDS; i++)
		if (dup2(fds[i], i) < 0)
			return ht_error_errno(e, "descriptors");
	if (close_range(FORKSERVER_FDS, ~0U, 0) < 0)
		return ht_error_errno(e, "close_range");
	if (prctl(PR_SET_NAME, NAME_OF_SHELLS) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return ht_error_errno(e, "prctl");
	if (proc_nicer(0, nicer) < 0)
		return ht_error_errno(e, "niceness");
	if (getppid() != parent)
		return ht_error_set(e, HT_ERR_UNAVAILABLE, "sshd-sign is gone");
	return 0;
}

static void
close_all(const int fds[FORKSERVER_FDS])
{
	int i;

	for (i = 0; i < FORKSERVER_FDS; i++)
		(void)close(fds[i]);
}

int
forkserver_serve(int fd, struct ht_error *e)
{
	pid_t parent = getppid(), child;
	int fds[FORKSERVER_FDS];
	char nicer = 0;
	int rc;

	(void)prctl(PR_SET_NAME, NAME);
	for (;;) {
		rc = take(fd, fds, &nicer, e);
		if (rc != 1)
			return rc;
		child = fork_sibling();
		if (child == 0) {
			rc = become_shell(fds, nicer, parent, e);
			return rc < 0 ? rc : 1;
		}
		close_all(fds);
		if (child < 0)
			return ht_error_errno(e, "fork");
		if (send(fd, &child, sizeof(child), MSG_NOSIGNAL) < 0)
			return ht_error_errno(e, "forkserver");
	}
}
