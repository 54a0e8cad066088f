/*
 * A real htsign-keyd for tests, in the working folder
 * (tests/support/scratch.h).  It runs under one uid, with a key file as its
 * token and an SSH CA.  The client "ci" is granted the profile "test".  Tests
 * connect to it as a shell does.
 */

#ifndef TESTS_SUPPORT_ENDPOINT_H
#define TESTS_SUPPORT_ENDPOINT_H

#include <sys/types.h>

#include "protocol/keyd-client.h"

/*
 * Make the keys and the configuration, once for each folder.
 */
void endpoint_make(void);

/*
 * endpoint_start starts keyd and waits until it accepts connections.
 * endpoint_stop sends the signal to keyd's parent and reaps it.  It returns the
 * exit status, or -1 if a signal ended the process.
 */
void endpoint_start(void);
int endpoint_stop(int signal);

/*
 * Send the signal to keyd's parent and wait 200 ms.
 */
void endpoint_signal(int signal);

/*
 * Send the signal to keyd's token worker.  Returns whether there is one.
 * endpoint_pause waits ms milliseconds.
 */
bool endpoint_signal_worker(int signal);
void endpoint_pause(unsigned int ms);

/*
 * Replace the configuration file with one that has this text, and send SIGHUP.
 */
void endpoint_reload(const struct buf *text);

/*
 * Copy the journal's files to name and name-wal.  keyd is stopped meanwhile, so
 * the copy shows one moment.
 */
void endpoint_copy_journal(const char *name);

/*
 * Run an administrator's command through the admin socket.  input is its stdin,
 * or NULL.  Its output is appended to out, unless out is NULL.  Returns the
 * status of the command.
 */
int endpoint_admin(const char *command, const char *input, struct buf *out);

/*
 * Have keyd issue a certificate of client for a new key, and append it to blob.
 * options are those of the command issue.
 */
void endpoint_certificate(const char *client, const char *options,
    struct buf *blob);

/*
 * Get the ticket that htsign-principals would get for the certificate in blob.
 * Returns 0, or -1 if keyd refuses.
 */
int endpoint_ticket(const struct buf *blob, char ticket[PROTOCOL_TICKET]);

/*
 * Connect to the signing socket and send HELLO with this certificate and
 * ticket.  Returns as keyd_client_greet.
 */
int endpoint_greet(struct keyd_client *a, const struct buf *blob,
    const char *ticket, struct ht_error *e);

/*
 * The same with a good certificate and ticket of "ci".  A failure fails the
 * test.
 */
void endpoint_connect(struct keyd_client *a);

/*
 * Connect to the administrators' socket.  endpoint_connect_local does so as a
 * local administrator, and waits until keyd accepts connections.
 * endpoint_connect_role uses a certificate for the role "admin" or "auditor".
 * endpoint_role_certificate makes such a certificate.
 */
void endpoint_connect_local(struct keyd_client *a);
void endpoint_role_certificate(const char *role, struct buf *blob);
void endpoint_connect_role(struct keyd_client *a, const char *role);

/*
 * Append content that keyd signs, for a PE with an invented digest.
 */
void endpoint_content(struct buf *der);

/*
 * endpoint_begin sends BEGIN for the profile, with a description.  It writes to
 * the spool and closes it.  Returns as keyd_client_begin.  endpoint_sign sends
 * CONTENT with this DER.  Returns as keyd_client_content.
 */
int endpoint_begin(struct keyd_client *a, const char *profile,
    struct ht_error *e);
int endpoint_sign(struct keyd_client *a, struct cursor der, struct buf *pkcs7,
    struct ht_error *e);

/*
 * Send one message of the first request.  A failure fails the test.
 */
void endpoint_say(struct keyd_client *a, enum protocol_type type,
    const void *body);

/*
 * Wait until keyd has closed the connection, then close a.  Messages before
 * that are ignored.
 */
void endpoint_await_end(struct keyd_client *a);

/*
 * Whether the output of an administrator's command contains text.  The command
 * must succeed.
 */
bool endpoint_prints(const char *command, const char *text);

/*
 * Whether the last row of `log --json` contains text.
 */
bool endpoint_last_row_holds(const char *text);

#endif
