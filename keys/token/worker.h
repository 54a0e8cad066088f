/*
 * htsign-token: one token in one process.  keyd tells it what to open, to log
 * in, which keys it needs and what to sign; it decides nothing.
 */

#ifndef KEYS_TOKEN_WORKER_H
#define KEYS_TOKEN_WORKER_H

/* The link to keyd. */
#define WORKER_FD 3

/*
 * Answer keyd on fd until it closes the link.  Comes after proc_harden; takes
 * the first message (OPEN, the configuration's words), enters its sandbox and
 * only then loads the module.  Returns the exit status.
 */
int worker_run(int fd);

#endif
