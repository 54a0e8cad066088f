/*
 * Who the client is here, and what it may do: the greeting, and the list of
 * its profiles.
 */

#ifndef HTSIGN_SHELL_GREETING_H
#define HTSIGN_SHELL_GREETING_H

#include "lib/buf.h"
#include "protocol/messages.h"

/*
 * The greeting for stderr, every line with the name of the program.
 */
void greeting_put(const struct protocol_welcome *welcome, struct buf *out);

/*
 * One line a profile: its name, what it says of itself, and whether it is the
 * default one.  Each line starts with indent.
 */
void greeting_profiles(const struct protocol_welcome *welcome,
    const char *indent, struct buf *out);

#endif
