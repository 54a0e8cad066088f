/*
 * The command lines of htsign-shell and htsign-admin.  They tell who vouches for
 * the client:
 *
 *	htsign-shell --forkserver FD
 *		sshd-sign starts this to fork shells, which behave as if they
 *		were started like this:
 *	htsign-shell --session FD --keyd FD [--admin]
 *		sshd-sign: the session blob, and the connection that keyd has
 *		bound to the client
 *	htsign-shell [-r RUNDIR] --ticket T
 *	htsign-admin [-r RUNDIR] --ticket T
 *		OpenSSH's sshd: the forced command
 *	htsign-shell -c "PATH [-r RUNDIR] --ticket T"
 *	htsign-admin -c "PATH [-r RUNDIR] --ticket T"
 *		OpenSSH's sshd: the forced command, with this program as the
 *		login shell; PATH is the path of this program
 *	htsign-shell --admin [-r RUNDIR] [-c COMMAND]
 *	htsign-admin [-r RUNDIR] [WORD ...]
 *		root or keyd's own user, on this machine
 *
 * The command line comes from the server that started us, or from the
 * administrator; never from a client.
 */

#ifndef HTSIGN_SHELL_INVOCATION_H
#define HTSIGN_SHELL_INVOCATION_H

#include <stdbool.h>

#include "htsign-shell/words.h"
#include "lib/buf.h"
#include "lib/error.h"

/* The default folder of keyd's sockets. */
#define INVOCATION_RUNDIR "/run/htsign"

struct invocation {
	const char *door; /* PROTOCOL_DOOR_* */
	bool admin;
	int session;        /* set for PROTOCOL_DOOR_SSHD_SIGN, else -1 */
	int keyd;           /* set together with session, else -1 */
	int forkserver;     /* -1, unless this is the forkserver */
	const char *ticket; /* set for PROTOCOL_DOOR_OPENSSH, else NULL */
	const char *rundir;
	const char *command; /* an administrator's, or NULL */
	/* The texts above point into argv, into words or into line. */
	struct words words; /* the words of a login shell's -c */
	struct buf line;    /* the words of htsign-admin, joined */
};

/*
 * Read the command line into *v.  self is the full path of this program, whose
 * name tells which of the two it is.  argv
 * must outlive v.  On success the caller frees v with invocation_free.  After
 * an error invocation_free does nothing.
 *
 * HT_ERR_USAGE for a wrong option or combination.  HT_ERR_DENIED without a
 * ticket, where one is needed; a login shell runs nothing but self with a
 * ticket.  HT_ERR_INTERNAL without memory.
 */
int invocation_parse(int argc, char *const *argv, const char *self,
    struct invocation *v, struct ht_error *e);
void invocation_free(struct invocation *v);

#endif
