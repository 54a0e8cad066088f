/*
 * The parent of htsign-keyd: starts and restarts keyd and its token workers
 * under their uids, and joins them with socket pairs.  It parses nothing: what
 * it is told comes from keyd, and is four numbers.
 */

#ifndef KEYS_KEYD_PARENT_PARENT_H
#define KEYS_KEYD_PARENT_PARENT_H

#include <stdbool.h>

#include "lib/error.h"

struct parent_options {
	const char *conf; /* an absolute path, passed on unread */
	bool to_syslog;
	bool verbose;
};

/*
 * Run until SIGTERM or SIGINT.  Returns the exit status: 0 after keyd has
 * drained, or keyd's own if that says, before it was ever ready, that it
 * cannot be started at all (64 to 78; 64 is a mistake in the configuration).
 */
int parent_run(const struct parent_options *options);

/*
 * The workers' half of it: answer SPAWN and KILL on the link fd until it is
 * closed, then kill what is left.  For tests, which are keyd themselves.
 */
int parent_serve(int fd, struct ht_error *e);

#endif
