/*
 * The forkserver: a shell without a client.  It has loaded and looked up what
 * every shell needs, which is most of the work of a small request, and makes
 * of itself, at each word of sshd-sign's listener, one more child of the
 * listener's that goes on as a shell.
 *
 * No byte of any client's reaches it.  What its shells have in common is where
 * things lie in memory: the listener takes a new one every so often.
 */

#ifndef HTSIGN_SHELL_FORKSERVER_H
#define HTSIGN_SHELL_FORKSERVER_H

#include "lib/error.h"

/*
 * Serve the listener at fd, a SOCK_SEQPACKET socket: each message is one byte
 * with FORKSERVER_FDS descriptors, each answer the new shell's pid_t.  Returns
 * 1 in a shell, where the descriptors have become 0, 1, 2, ... and all others
 * are closed; 0 in the forkserver once the listener has gone; HT_ERR_INTERNAL.
 */
int forkserver_serve(int fd, struct ht_error *e);

/* stdin, stdout, stderr, the session, the connection to keyd. */
#define FORKSERVER_FDS 5
#define FORKSERVER_SESSION 3
#define FORKSERVER_KEYD 4

#endif
