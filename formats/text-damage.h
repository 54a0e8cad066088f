/*
 * Files that something took for text on their way, for formats/ only: pipes and
 * redirections of PowerShell, transfers in text mode, base64.
 */

#ifndef FORMATS_TEXT_DAMAGE_H
#define FORMATS_TEXT_DAMAGE_H

#include <stdbool.h>

#include "lib/error.h"
#include "lib/input.h"

/*
 * A file could not be read as one of any format, or of its own: code and *e say
 * why.  If the code is HT_ERR_DATA, and its first bytes show how it became
 * text, *e is changed to say that, and what to do instead.  A file of a format
 * that was recognised is looked at up to INPUT_HEAD.  Returns the code.
 */
int text_damage_explain(struct input *in, bool recognised, int code,
    struct ht_error *e);

#endif
