#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/proc.h"
#include "sshd-sign/shell-process.h"

/*
 * The size of the pipes of stdin and stdout, in bytes.  It lets the shell work
 * on a large piece while the network process fetches the next one.  If the
 * kernel refuses this size, the default one is used.
 */
#define PIPE_ROOM (1 << 20)

struct shell_process {
	pid_t pid;
	int pidfd;
	int input; /* copy of stdin's write end; -1 after the input's end */
	struct loop_watch *watch;
	shell_process_exited_fn *fn;
	void *cookie;
};

/* The shell's ends of the pipes, and ours. */
struct pipes {
	int theirs[RELAY_FDS];
	int ours[RELAY_FDS];
};

static void
close_all(int *fds, size_t n)
{
	while (n-- > 0) {
		if (fds[n] >= 0)
			(void)close(fds[n]);
		fds[n] = -1;
	}
}

static int
make_pipes(struct pipes *p, struct ht_error *e)
{
	int ends[2], i;

	for (i = 0; i < RELAY_FDS; i++)
		p->theirs[i] = p->ours[i] = -1;
	for (i = 0; i < RELAY_FDS; i++) {
		if (pipe2(ends, O_CLOEXEC) < 0)
			return ht_error_errno(e, "pipe");
		if (i != STDERR_FILENO)
			(void)fcntl(ends[1], F_SETPIPE_SZ, PIPE_ROOM);
		p->theirs[i] = i == STDIN_FILENO ? ends[0] : ends[1];
		p->ours[i] = i == STDIN_FILENO ? ends[1] : ends[0];
		if (proc_nonblock(p->ours[i], e) < 0)
			return HT_ERR_INTERNAL;
	}
	return 0;
}

/* A descriptor from which the shell can only read the blob, or -1. */
static int
blob_file(struct cursor blob, struct ht_error *e)
{
	const int seals =
	    F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	int fd = memfd_create("session", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && write(fd, blob.p, blob.left) == (ssize_t)blob.left &&
	    lseek(fd, 0, SEEK_SET) == 0 && fcntl(fd, F_ADD_SEALS, seals) == 0)
		return fd;
	(void)ht_error_errno(e, "session");
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

static int
start_shell(struct shell_process *s, const struct shell_process_spec *spec,
    const struct pipes *p, struct ht_error *e)
{
	const char *argv[] = { spec->shell, "--session", "3", "--keyd", "4",
		"--admin", NULL };
	int fds[] = { p->theirs[0], p->theirs[1], p->theirs[2],
		blob_file(spec->blob, e), spec->bound };
	struct proc_spec proc = { .argv = argv,
		.fds = fds,
		.nfds = sizeof(fds) / sizeof(fds[0]),
		.uid = spec->uid,
		.gid = spec->gid };
	int rc;

	if (fds[3] < 0)
		return HT_ERR_INTERNAL;
	if (spec->admin)
		rc = proc_start(&proc, &s->pid, &s->pidfd, e);
	else
		rc = forkserver_link_shell(spec->forkserver, fds, spec->nicer,
		    &s->pid, &s->pidfd, e);
	(void)close(fds[3]);
	return rc;
}

static void
ended(void *cookie, short revents)
{
	struct shell_process *s = cookie;
	shell_process_exited_fn *fn = s->fn;
	void *owner = s->cookie;
	int status = 0;

	(void)revents;
	if (waitpid(s->pid, &status, WNOHANG) == 0)
		return;
	/* The shell has ended and cannot see this end of file any more. */
	shell_process_end_input(s);
	loop_watch_remove(s->watch);
	(void)close(s->pidfd);
	free(s);
	fn(owner, status);
}

struct shell_process *
shell_process_start(struct loop *loop, const struct shell_process_spec *spec,
    int fds[RELAY_FDS], shell_process_exited_fn *fn, void *cookie,
    struct ht_error *e)
{
	struct shell_process *s = calloc(1, sizeof(*s));
	struct pipes p;

	if (s == NULL) {
		(void)ht_error_errno(e, "session");
		return NULL;
	}
	s->pidfd = s->input = -1;
	s->fn = fn;
	s->cookie = cookie;
	if (make_pipes(&p, e) < 0)
		goto fail;
	s->input = fcntl(p.ours[0], F_DUPFD_CLOEXEC, 3);
	if (s->input < 0) {
		(void)ht_error_errno(e, "session");
		goto fail;
	}
	if (start_shell(s, spec, &p, e) < 0)
		goto fail;
	s->watch = loop_watch_add(loop, s->pidfd, POLLIN, ended, s);
	if (s->watch == NULL) {
		(void)ht_error_errno(e, "session");
		shell_process_kill(s);
		(void)waitpid(s->pid, NULL, 0);
		goto fail;
	}
	close_all(p.theirs, RELAY_FDS);
	memcpy(fds, p.ours, sizeof(p.ours));
	return s;
fail:
	close_all(p.theirs, RELAY_FDS);
	close_all(p.ours, RELAY_FDS);
	close_all(&s->input, 1);
	close_all(&s->pidfd, 1);
	free(s);
	return NULL;
}

void
shell_process_end_input(struct shell_process *s)
{
	close_all(&s->input, 1);
}

void
shell_process_kill(struct shell_process *s)
{
	(void)pidfd_send_signal(s->pidfd, SIGKILL, NULL, 0);
}
