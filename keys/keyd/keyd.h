/*
 * htsign-keyd's own process: its life.
 */

#ifndef KEYS_KEYD_KEYD_H
#define KEYS_KEYD_KEYD_H

#include <stdbool.h>

/*
 * The process: loads the configuration, opens the store and the sockets,
 * gives up its rights, serves until SIGTERM.  parent_fd is the link to the
 * parent.  Returns the exit status.
 */
int keyd_main(const char *conf_path, int parent_fd, bool verbose);

#endif
