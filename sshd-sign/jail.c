#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/proc.h"
#include "lib/sandbox.h"
#include "sshd-sign/jail.h"
#include "sshd-sign/relay.h"

/* Descriptors: three pipes for each session, and a few more. */
#define FILES (RELAY_SESSIONS_MAX * RELAY_FDS + 16)

int
jail_folder(struct ht_error *e)
{
	char name[] = "/tmp/sshd-sign.XXXXXX";
	int fd;

	if (mkdtemp(name) == NULL) {
		(void)ht_error_errno(e, "%s", name);
		return -1;
	}
	fd = open(name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		(void)ht_error_errno(e, "%s", name);
	(void)rmdir(name);
	return fd;
}

static void
reset_signals(void)
{
	sigset_t none;
	int i;

	for (i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	(void)signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* 0 to 2 become /dev/null, 3 and 4 are those kept; all others are closed. */
static int
lay_out(const int keep[2], struct ht_error *e)
{
	int null, socket, relay, i;

	null = open("/dev/null", O_RDWR);
	socket = fcntl(keep[0], F_DUPFD_CLOEXEC, JAIL_RELAY + 1);
	relay = fcntl(keep[1], F_DUPFD_CLOEXEC, JAIL_RELAY + 1);
	if (null < 0 || socket < 0 || relay < 0)
		return ht_error_errno(e, "descriptors");
	for (i = 0; i < 3; i++)
		if (dup2(null, i) < 0)
			return ht_error_errno(e, "descriptors");
	if (dup2(socket, JAIL_SOCKET) < 0 || dup2(relay, JAIL_RELAY) < 0)
		return ht_error_errno(e, "descriptors");
	if (close_range(JAIL_RELAY + 1, ~0U, 0) < 0)
		return ht_error_errno(e, "close_range");
	return 0;
}

static int
set_limits(struct ht_error *e)
{
	static const struct rlimit none = { 0, 0 };
	static const struct rlimit files = { FILES, FILES };

	if (setrlimit(RLIMIT_NPROC, &none) < 0 ||
	    setrlimit(RLIMIT_CORE, &none) < 0 ||
	    setrlimit(RLIMIT_NOFILE, &files) < 0)
		return ht_error_errno(e, "limits");
	return 0;
}

static int
enter(const struct jail *j, const int keep[2], int *relay, pid_t parent,
    struct ht_error *e)
{
	int landlock, rc;

	reset_signals();
	(void)clearenv();
	if (prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return ht_error_errno(e, "prctl");
	if (getppid() != parent)
		return ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "the listener is gone");
	if (j->folder >= 0 && fchdir(j->folder) < 0)
		return ht_error_errno(e, "the empty folder");
	rc = lay_out(keep, e);
	if (rc == 0)
		*relay = JAIL_RELAY;
	if (rc == 0 && j->folder >= 0 && chroot(".") < 0)
		rc = ht_error_errno(e, "chroot");
	if (rc == 0)
		rc = set_limits(e);
	if (rc == 0)
		rc = proc_drop(j->uid, j->gid, e);
	if (rc == 0)
		rc = sandbox_enter(SANDBOX_NETWORK, NULL, 0, &landlock, e);
	return rc;
}

int
jail_enter(const struct jail *j, const int keep[2], pid_t parent)
{
	int relay = keep[1];
	struct ht_error e;
	int rc = enter(j, keep, &relay, parent, &e);

	if (rc < 0)
		relay_send_failed(relay, &e);
	return rc;
}
