/*
 * The parent of htsign-keyd.  It starts keyd, and the token workers, htsign-pump
 * and htsign-reader under uids of their own.  It restarts keyd when that has ended,
 * and connects keyd and workers by socket pairs.  It parses nothing: all that keyd
 * tells it is eight numbers.
 */

#ifndef KEYS_KEYD_PARENT_PARENT_H
#define KEYS_KEYD_PARENT_PARENT_H

#include <stdbool.h>

#include "lib/error.h"

struct parent_options {
	const char *conf; /* absolute path, passed on unread */
	bool to_syslog;
	bool verbose;
};

/*
 * Run until SIGTERM or SIGINT.  Returns the exit status.  It is 0 after keyd
 * has drained, or has been killed because it did not drain in 15 s.  If keyd
 * cannot be started at all, it is keyd's own status.  keyd says so by ending
 * with status 64 to 78 before it was ever ready; 64 is a mistake in the
 * configuration.  If the parent itself fails, the status is the positive
 * HT_ERR_*.
 */
int parent_run(const struct parent_options *options);

/*
 * Only the workers' half: answer SPAWN and KILL on fd until it is closed, then
 * kill the workers that are left.  Takes over fd.  Returns 0 or HT_ERR_*.  For
 * tests, which play keyd.
 */
int parent_serve(int fd, struct ht_error *e);

#endif
