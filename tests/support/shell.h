/*
 * htsign-shell as the forced command of sshd, the real program in its sandbox;
 * its keyd is the test's own process (peer.h), with a key that it has just
 * made.
 */

#ifndef TESTS_SUPPORT_SHELL_H
#define TESTS_SUPPORT_SHELL_H

#include "tests/support/peer.h"
#include "tests/support/run.h"

/* keyd's key, its folder, and the socket that it listens at there. */
extern struct signing shell_signer;
extern char shell_folder[4096];
extern int shell_socket;

/*
 * Make those, with a key of RSA or, in less time, of P-256; drop them.  They
 * have the form of cmocka's group functions.
 */
int shell_start(void **state);
int shell_start_p256(void **state);
int shell_stop(void **state);

/*
 * Run the shell with this command and input (tests/support/run.h), and be its
 * keyd.
 */
void shell_run(struct run *run, struct peer *k, const char *command,
    const struct buf *in);

/*
 * That keyd was told of a failure.
 */
void shell_told(const struct peer *k, uint32_t status, const char *code);

/*
 * Append a program of 4,000 bytes of code to out.
 */
void shell_sample(struct buf *out);

#endif
