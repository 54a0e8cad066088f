/*
 * Tells the service manager that we are ready, and go on to be, as sd_notify(3)
 * describes.  We do not link libsystemd: it brings further libraries into
 * processes that have keys or speak to strangers.
 */

#ifndef LIB_NOTIFY_H
#define LIB_NOTIFY_H

#include "lib/error.h"
#include "lib/loop.h"

/*
 * Send "READY=1" to the socket that $NOTIFY_SOCKET names.  The name is a path,
 * or an @ and an abstract name.  If $WATCHDOG_USEC says that we are watched,
 * also send "WATCHDOG=1" from the loop l, twice in each such time.  Unsets both
 * variables, so a second call does nothing.  Returns 0 also if they are not set.
 * HT_ERR_USAGE if the name is of another kind or too long.  HT_ERR_INTERNAL if
 * the message cannot be sent, or there is no memory.
 */
int notify_ready(struct loop *l, struct ht_error *e);

#endif
