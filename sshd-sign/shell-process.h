/*
 * One htsign-shell, as a child of the listener.  It is started for a channel,
 * and killed when its client is gone.  It sees an end of file on stdin only if
 * the client sent one.
 */

#ifndef SSHD_SIGN_SHELL_PROCESS_H
#define SSHD_SIGN_SHELL_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/buf.h"
#include "lib/error.h"
#include "lib/loop.h"
#include "sshd-sign/forkserver-link.h"
#include "sshd-sign/relay.h"

struct shell_process;

struct shell_process_spec {
	struct forkserver_link *forkserver; /* forks the shells of clients */
	const char *shell;                  /* path of htsign-shell */
	int nicer;  /* by how much, of a client's; 0 to 19 */
	bool admin; /* an administrator's: not forked, runs as uid and gid */
	uid_t uid;  /* or PROC_SAME */
	gid_t gid;
	int bound;          /* the shell's connection to keyd; borrowed */
	struct cursor blob; /* struct protocol_session_blob, for the shell */
};

/*
 * Called once, when the shell has ended, is reaped, and its struct
 * shell_process is freed.  status is that of waitpid(2).
 */
typedef void shell_process_exited_fn(void *cookie, int status);

/*
 * Start a shell.  fds become the write end of its stdin and the read ends of
 * its stdout and stderr.  They do not block, and the caller owns them.  Returns
 * NULL and *e on error.
 *
 * The shell_process keeps a copy of stdin's write end.  So the shell sees no
 * end of file before shell_process_end_input, even if all others close theirs.
 */
struct shell_process *shell_process_start(struct loop *loop,
    const struct shell_process_spec *spec, int fds[RELAY_FDS],
    shell_process_exited_fn *fn, void *cookie, struct ht_error *e);

/*
 * The client has sent all of its input: close the copy of stdin's write end.
 */
void shell_process_end_input(struct shell_process *s);

/*
 * Send SIGKILL.  The callback is called when the shell has ended.
 */
void shell_process_kill(struct shell_process *s);

#endif
