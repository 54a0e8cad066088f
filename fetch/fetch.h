/*
 * htsign-fetch: does HTTP for htsign-keyd (DESIGN.md, section 2).
 */

#ifndef FETCH_FETCH_H
#define FETCH_FETCH_H

#include "lib/error.h"

/*
 * Serve keyd by the configuration at path, until SIGTERM or SIGHUP.  What is
 * under way then has some seconds to end.  Also ends if resolv.conf has been
 * replaced, which the sandbox keeps it from reading: whoever started it starts
 * it again.
 *
 * Returns 0.  HT_ERR_USAGE for a mistake in the configuration.  HT_ERR_INTERNAL
 * if it cannot run here, or as another user than root and its own.
 */
int fetch_run(const char *path, struct ht_error *e);

#endif
