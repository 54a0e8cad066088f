/*
 * What a profile asks of a request and its file, beside the format: the file's
 * name, what must be said of it, and what it says of itself.
 */

#ifndef KEYS_KEYD_REQUEST_RULES_H
#define KEYS_KEYD_REQUEST_RULES_H

#include "keys/keyd/core.h"

/*
 * Whether the profile takes such a request.  If not, sets *no to the refusal:
 * HT_ERR_USAGE if something is not said that must be; HT_ERR_DENIED if the file
 * has another name.
 */
int rules_begin(const struct conf_profile *profile,
    const struct protocol_begin *begin, struct protocol_refuse *no);

/*
 * Whether the profile wants to know what a file says of itself, and whether it
 * takes what this file says; that is the parser's word.  HT_ERR_DENIED, with *no
 * set, if not.
 */
bool rules_want_version(const struct conf_profile *profile);
int rules_content(const struct conf_profile *profile,
    const struct protocol_content *content, struct protocol_refuse *no);

#endif
