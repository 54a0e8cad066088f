/*
 * One htsign-shell as the listener sees it: started for a channel, killed when
 * its client is gone, and sure to see an end of file only when there was one.
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
	struct forkserver_link *forkserver; /* of clients' shells */
	const char *shell;                  /* path of htsign-shell */
	bool admin; /* started by itself, as uid and gid */
	uid_t uid;  /* or PROC_SAME */
	gid_t gid;
	int bound;          /* its connection to keyd; stays the caller's */
	struct cursor blob; /* struct protocol_session_blob, for its eyes */
};

/*
 * Called once, when the shell has ended and been waited for; it is gone
 * afterwards.  status is as waitpid(2) gives it.
 */
typedef void shell_process_exited_fn(void *cookie, int status);

/*
 * Start a shell.  fds gets stdin (to write), stdout and stderr (to read), not
 * blocking, which are the caller's to pass on and close.  This keeps the write
 * end of stdin open too, so that whoever else closes it, the shell sees no end
 * of file before shell_process_end_input.  NULL and *e on failure.
 */
struct shell_process *shell_process_start(struct loop *loop,
    const struct shell_process_spec *spec, int fds[RELAY_FDS],
    shell_process_exited_fn *fn, void *cookie, struct ht_error *e);

/*
 * The client has sent everything.
 */
void shell_process_end_input(struct shell_process *s);

/*
 * SIGKILL.  The callback comes when it is dead.
 */
void shell_process_kill(struct shell_process *s);

#endif
