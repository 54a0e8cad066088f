/*
 * Signs one file: from stdin, through the format and keyd, to stdout.
 */

#ifndef HTSIGN_SHELL_SIGN_H
#define HTSIGN_SHELL_SIGN_H

#include "htsign-shell/request-line.h"
#include "lib/error.h"
#include "protocol/keyd-client.h"

/*
 * Carry out request over keyd, a connection that has been greeted.  welcome is
 * keyd's answer to the greeting.  Nothing is written to stdout before keyd has
 * released the signature.  After an error keyd->number is the number of the
 * request, and the journal has the error, unless keyd is gone.
 *
 * HT_ERR_DATA if the input is no signable file, is damaged, or is not what
 * --size and --sha256 say.  HT_ERR_REFUSED if a rule forbids the file.
 * HT_ERR_UNAVAILABLE if keyd is gone, the client stalls, or there is no room.
 * HT_ERR_TEMPORARY if the upload is too slow.
 * HT_ERR_USAGE if there is neither a command nor a byte of input.
 * HT_ERR_INTERNAL for a mistake of ours, or without memory.  If keyd refuses
 * the request, the error is keyd's.
 */
int sign_run(struct keyd_client *keyd, const struct protocol_welcome *welcome,
    struct request_line *request, struct ht_error *e);

#endif
