/*
 * What a client is told about itself: the greeting, and the list of its
 * profiles.
 */

#ifndef HTSIGN_SHELL_GREETING_H
#define HTSIGN_SHELL_GREETING_H

#include "lib/buf.h"
#include "protocol/messages.h"

/*
 * Append the greeting for stderr to out.  Each line starts with "htsign: ".
 */
void greeting_put(const struct protocol_welcome *welcome, struct buf *out);

/*
 * Write the greeting to stderr, if there is memory for it.
 */
void greeting_show(const struct protocol_welcome *welcome);

/*
 * Append one line for each profile to out: indent, the name, the profile's
 * description, and "(default)" if it is the default profile.
 */
void greeting_profiles(const struct protocol_welcome *welcome,
    const char *indent, struct buf *out);

#endif
