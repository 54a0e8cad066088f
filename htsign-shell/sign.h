/*
 * Signing one file: from stdin, through the format and keyd, to stdout.
 */

#ifndef HTSIGN_SHELL_SIGN_H
#define HTSIGN_SHELL_SIGN_H

#include "htsign-shell/request-line.h"
#include "lib/error.h"
#include "protocol/keyd-client.h"

/*
 * Carry out request over a connection that has been greeted.  Nothing is
 * written to stdout before keyd has released the signature.
 *
 * 0, or the reason why not; the journal has it then, unless keyd is gone, and
 * keyd->number is the request's.  HT_ERR_DATA: no signable file, damaged, or
 * not what --size and --sha256 say; HT_ERR_REFUSED: by a rule;
 * HT_ERR_UNAVAILABLE: keyd is gone, the client stalls, or there is no room;
 * HT_ERR_USAGE: neither a command nor a byte of input; or as keyd refused.
 */
int sign_run(struct keyd_client *keyd, const struct protocol_welcome *welcome,
    struct request_line *request, struct ht_error *e);

#endif
