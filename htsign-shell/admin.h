/*
 * One command of an administrator.  Its words and its input from stdin go to
 * keyd.  What keyd prints goes to stdout.
 */

#ifndef HTSIGN_SHELL_ADMIN_H
#define HTSIGN_SHELL_ADMIN_H

#include "htsign-shell/words.h"
#include "lib/error.h"
#include "protocol/keyd-client.h"

/* The longest input from stdin, in bytes.  A public key fits. */
#define ADMIN_INPUT_MAX ((size_t)16 << 10)

/*
 * Run the command line over keyd, a connection that has been greeted.  A PIN
 * is read from a terminal without echo.
 *
 * Returns 0, or HT_ERR_USAGE if line is NULL or empty; keyd's help is then on
 * stderr.  HT_ERR_USAGE also for bad quoting, for an input that is too long or
 * lacks its PIN, and after a signal.  HT_ERR_UNAVAILABLE if stdout cannot be
 * written.  HT_ERR_INTERNAL if stdin cannot be read.  Otherwise the error is
 * keyd's, with its text.
 */
int admin_command(struct keyd_client *keyd, const char *line,
    struct ht_error *e);

/*
 * The same for a command of at least one word.  What keyd prints goes to print
 * with its cookie, or to stdout if print is NULL.  A file goes to stdout only,
 * and to no terminal: HT_ERR_USAGE.  Errors of print are returned, too.
 */
int admin_run(struct keyd_client *keyd, const struct words *words,
    keyd_client_print_fn *print, void *cookie, struct ht_error *e);

#endif
