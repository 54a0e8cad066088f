/*
 * What htsign-shell and htsign-admin have in common: who started them and for
 * whom, and the connection to htsign-keyd.  In this order: session_prepare and
 * session_connect, the sandbox, session_begin.
 */

#ifndef HTSIGN_SHELL_SESSION_H
#define HTSIGN_SHELL_SESSION_H

#include "htsign-shell/environment.h"
#include "htsign-shell/invocation.h"
#include "protocol/keyd-client.h"

struct session { /* starts as session_init leaves it */
	struct invocation invocation;
	struct environment_source source;
	struct keyd_client keyd;
	struct environment environment;
	struct protocol_welcome welcome;
	struct buf profiles; /* welcome.profiles points here */
};

/*
 * Make *s empty, and free what it has.  session_free also closes the
 * connection.
 */
void session_init(struct session *s);
void session_free(struct session *s);

/*
 * Harden the process, read the command line of program and open what the
 * session is read from.  Reads no byte of the client.  Errors: those of
 * proc_harden, proc_program, invocation_parse and environment_open_user_auth.
 */
int session_prepare(struct session *s, const char *program, int argc,
    char *const *argv, struct ht_error *e);

/*
 * Connect to keyd, or use the bound connection.  Errors: those of
 * keyd_client_connect and keyd_client_bound.
 */
int session_connect(struct session *s, struct ht_error *e);

/*
 * In the sandbox: read the session and greet keyd.  After a malformed session
 * a client's keyd is greeted too, so that the journal gets the failure.
 * Errors: those of environment_read and keyd_client_greet; HT_ERR_DENIED if the
 * ticket is too long.
 */
int session_begin(struct session *s, struct ht_error *e);

#endif
