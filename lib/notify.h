/*
 * Telling the service manager, as sd_notify(3) has it, that we are ready.  It
 * is ours, and not libsystemd's, since that brings libraries of its own into
 * processes that have keys or speak to strangers.
 */

#ifndef LIB_NOTIFY_H
#define LIB_NOTIFY_H

#include "lib/error.h"

/*
 * Send "READY=1" to the socket that $NOTIFY_SOCKET names, a path or, after an
 * @, an abstract name, and forget the variable.  0 also if it is not set;
 * HT_ERR_USAGE for another kind of name, HT_ERR_INTERNAL if it cannot be sent.
 */
int notify_ready(struct ht_error *e);

#endif
