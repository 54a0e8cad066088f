/*
 * How the shell was started, and so who vouches for the client:
 *
 *	htsign-shell --forkserver FD
 *		by sshd-sign, to make of itself shells as if started so:
 *	htsign-shell --session FD --keyd FD [--admin]
 *		by sshd-sign: a session blob, and a connection that keyd has
 *		bound
 *	htsign-shell [--admin] [-r RUNDIR] --ticket T
 *		the forced command of OpenSSH's sshd
 *	htsign-shell -c "/path/to/htsign-shell [--admin] [-r RUNDIR] --ticket T"
 *		the same, through this program as the login shell
 *	htsign-shell --admin [-r RUNDIR] [-c COMMAND]
 *	htsign-admin [-r RUNDIR] [WORD ...]
 *		on this machine, by root or keyd's own user; htsign-admin is
 *		another name of this program
 *
 * All of it comes from the server that started us, or from the administrator.
 */

#ifndef HTSIGN_SHELL_INVOCATION_H
#define HTSIGN_SHELL_INVOCATION_H

#include <stdbool.h>

#include "htsign-shell/words.h"
#include "lib/buf.h"
#include "lib/error.h"

/* Where keyd's sockets are. */
#define INVOCATION_RUNDIR "/run/htsign"

struct invocation {
	const char *door; /* PROTOCOL_DOOR_* */
	bool admin;
	int session; /* PROTOCOL_DOOR_SSHD_SIGN; otherwise -1 */
	int keyd;
	int forkserver;     /* or -1; then there is no client yet */
	const char *ticket; /* PROTOCOL_DOOR_OPENSSH; otherwise NULL */
	const char *rundir;
	const char *command; /* an administrator's, or NULL */
	struct words words;  /* of -c; the texts above may point there, */
	struct buf line;     /* or here: the words of htsign-admin */
};

/*
 * Read the command line; self is the path of this program.  HT_ERR_USAGE, or
 * HT_ERR_DENIED for an attempt to use the program as a login shell without a
 * ticket.  invocation_free is due after success, and harmless after failure.
 */
int invocation_parse(int argc, char *const *argv, const char *self,
    struct invocation *v, struct ht_error *e);
void invocation_free(struct invocation *v);

#endif
