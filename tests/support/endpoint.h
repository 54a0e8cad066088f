/*
 * A real htsign-keyd for tests, in the working folder
 * (tests/support/scratch.h): one user, a key file as its token, an SSH CA, a
 * client "ci" that is granted the profile "test", and connections to it as a
 * shell makes them.
 */

#ifndef TESTS_SUPPORT_ENDPOINT_H
#define TESTS_SUPPORT_ENDPOINT_H

#include <sys/types.h>

#include "protocol/keyd-client.h"

/*
 * Make keys and configuration; once for a folder.
 */
void endpoint_make(void);

/*
 * Start keyd and wait until it takes connections; end it with SIGTERM (or
 * kill it at once) and wait for it.  Returns its exit status.
 */
void endpoint_start(void);
int endpoint_stop(int signal);

/*
 * Send keyd a signal and give it a moment.
 */
void endpoint_signal(int signal);

/*
 * The same to its token worker, if there is one now; and wait that many
 * milliseconds.
 */
bool endpoint_signal_worker(int signal);
void endpoint_pause(unsigned int ms);

/*
 * Give keyd another configuration, as an editor does it: a new file in place of
 * the old, and SIGHUP.
 */
void endpoint_reload(const struct buf *text);

/*
 * Copy the journal as it is on disk at this moment, whatever keyd is about to
 * write.
 */
void endpoint_copy_journal(const char *name);

/*
 * Run an administrator's command through the admin socket, with input or NULL
 * as its standard input.  Returns its status; what it printed is in out, which
 * may be NULL.
 */
int endpoint_admin(const char *command, const char *input, struct buf *out);

/*
 * A certificate for client, issued by keyd for a new key, as a blob.
 */
void endpoint_certificate(const char *client, const char *options,
    struct buf *blob);

/*
 * The ticket that htsign-principals would get for it.  Returns 0, or -1 if
 * keyd refuses.
 */
int endpoint_ticket(const struct buf *blob, char ticket[PROTOCOL_TICKET]);

/*
 * Connect to the signing socket and say HELLO with these; what
 * keyd_client_greet returns.
 */
int endpoint_greet(struct keyd_client *a, const struct buf *blob,
    const char *ticket, struct ht_error *e);

/*
 * The same with everything as it should be; failing fails the test.
 */
void endpoint_connect(struct keyd_client *a);

/*
 * Connect to the administrators' socket: as one who is local, waiting until
 * keyd takes connections; or with a certificate for "admin" or "auditor",
 * which endpoint_role_certificate makes.
 */
void endpoint_connect_local(struct keyd_client *a);
void endpoint_role_certificate(const char *role, struct buf *blob);
void endpoint_connect_role(struct keyd_client *a, const char *role);

/*
 * Content that keyd signs: of a PE file with an invented digest.
 */
void endpoint_content(struct buf *der);

/*
 * BEGIN under this profile, with a description; the spool is tried and closed.
 * CONTENT with this DER.  What keyd_client_begin and keyd_client_content
 * return.
 */
int endpoint_begin(struct keyd_client *a, const char *profile,
    struct ht_error *e);
int endpoint_sign(struct keyd_client *a, struct cursor der, struct buf *pkcs7,
    struct ht_error *e);

/*
 * Send one message, of the first request; failing fails the test.
 */
void endpoint_say(struct keyd_client *a, enum protocol_type type,
    const void *body);

/*
 * Wait until keyd has closed the connection, whatever it says before, and close
 * it, too.
 */
void endpoint_await_end(struct keyd_client *a);

/*
 * Whether what an administrator's command prints holds text; it must succeed.
 */
bool endpoint_prints(const char *command, const char *text);

/*
 * Whether the journal, as `log --json` shows it, ends with a row that holds
 * text.
 */
bool endpoint_last_row_holds(const char *text);

#endif
