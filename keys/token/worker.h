/*
 * htsign-token: one process for one token.  keyd tells it what to open, when to
 * log in, which keys it needs and what to sign.  It decides nothing.
 */

#ifndef KEYS_TOKEN_WORKER_H
#define KEYS_TOKEN_WORKER_H

/* The descriptor of the link to keyd. */
#define WORKER_FD 3

/*
 * Answer keyd on fd until keyd closes the link.  Takes over fd.  The caller has
 * called proc_harden.  The first message is OPEN, with the values from the
 * configuration.  The worker enters its sandbox on that message and loads the
 * module after that.  Returns the exit status.
 */
int worker_run(int fd);

#endif
