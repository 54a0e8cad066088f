/*
 * The forkserver: a shell without a client.  It has loaded and looked up what
 * every shell needs, which is most of the work of a small request.  For each
 * message from sshd-sign's listener it forks a shell.  The shell is a child of
 * the listener.
 *
 * The forkserver reads no byte of any client.  Its shells share one memory
 * layout, so the listener replaces the forkserver after some shells.
 */

#ifndef HTSIGN_SHELL_FORKSERVER_H
#define HTSIGN_SHELL_FORKSERVER_H

#include "lib/error.h"

/*
 * Serve the listener at fd, a SOCK_SEQPACKET socket.  Each message is one byte
 * with FORKSERVER_FDS descriptors: by how much the shell is nicer than we are.
 * Each answer is the pid_t of the new shell.
 *
 * Returns 1 in each new shell.  The descriptors of the message are then 0 to
 * FORKSERVER_FDS - 1, and all others are closed.  Returns 0 in the forkserver
 * when the listener has closed the socket.
 *
 * HT_ERR_INTERNAL in the forkserver for a malformed message or a failed system
 * call.  In a new shell: HT_ERR_INTERNAL for a failed system call,
 * HT_ERR_UNAVAILABLE if the listener is gone.  The process must then end.
 */
int forkserver_serve(int fd, struct ht_error *e);

/* stdin, stdout, stderr, the session blob, the connection to keyd. */
#define FORKSERVER_FDS 5
#define FORKSERVER_SESSION 3
#define FORKSERVER_KEYD 4

#endif
