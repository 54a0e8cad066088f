/*
 * The sandbox of a token worker, and the environment of its module.
 */

#ifndef KEYS_TOKEN_CONFINE_H
#define KEYS_TOKEN_CONFINE_H

#include "lib/error.h"
#include "protocol/messages.h"

/*
 * Set USER, HOME and the configured variables.  Then give up all that the
 * module which open names does not need; "" is none, for a key file.  Errors:
 * HT_ERR_INTERNAL for too many folders and variables, and those of
 * sandbox_enter.
 */
int confine(const struct protocol_token_open *open, struct ht_error *e);

#endif
