/*
 * Runs the real htsign-shell, in its sandbox, as the forced command of sshd.
 * The test's own process is its keyd (peer.h), with a new key.
 */

#ifndef TESTS_SUPPORT_SHELL_H
#define TESTS_SUPPORT_SHELL_H

#include "tests/support/peer.h"
#include "tests/support/run.h"

/* keyd's key, its folder, and the listening socket in this folder. */
extern struct signing shell_signer;
extern char shell_folder[4096];
extern int shell_socket;

/*
 * Make these, with a key of RSA or P-256 (which takes less time); remove them.
 * All three are group functions of cmocka.
 */
int shell_start(void **state);
int shell_start_p256(void **state);
int shell_stop(void **state);

/*
 * Run the shell with this command and input (tests/support/run.h), and serve it
 * as its keyd.
 */
void shell_run(struct run *run, struct peer *k, const char *command,
    const struct buf *in);

/*
 * Fail the test unless the shell has sent a FAIL with this status and code.
 */
void shell_told(const struct peer *k, uint32_t status, const char *code);

/*
 * Append a PE with 4,000 bytes of code to out.
 */
void shell_sample(struct buf *out);

#endif
