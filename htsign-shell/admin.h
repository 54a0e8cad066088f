/*
 * One command of an administrator: its words and what stands on stdin go to
 * keyd; what keyd prints goes to stdout.
 */

#ifndef HTSIGN_SHELL_ADMIN_H
#define HTSIGN_SHELL_ADMIN_H

#include "lib/error.h"
#include "protocol/keyd-client.h"

/* The most that a command takes from stdin, in bytes: a public key. */
#define ADMIN_INPUT_MAX ((size_t)16 << 10)

/*
 * Run the command line (NULL or empty: there is none, which shows keyd's help
 * on stderr) over a connection that has been greeted.  0, or HT_ERR_* with the
 * text that keyd or we have for it.
 */
int admin_command(struct keyd_client *keyd, const char *line,
    struct ht_error *e);

#endif
