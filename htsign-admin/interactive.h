/*
 * An administrator at a terminal: a prompt, and one exchange with keyd for each
 * command.
 */

#ifndef HTSIGN_ADMIN_INTERACTIVE_H
#define HTSIGN_ADMIN_INTERACTIVE_H

#include "htsign-admin/prompt.h"
#include "htsign-shell/session.h"

/*
 * Serve the person until he leaves.  Returns 0, or the error that ended the
 * connection with keyd: HT_ERR_UNAVAILABLE as a rule.  What a command fails with
 * is shown, and no error here.
 */
int interactive_run(struct session *s, struct prompt *prompt,
    struct ht_error *e);

#endif
