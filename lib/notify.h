/*
 * Tells the service manager that we are ready, as sd_notify(3) describes.  We
 * do not link libsystemd: it brings further libraries into processes that have
 * keys or speak to strangers.
 */

#ifndef LIB_NOTIFY_H
#define LIB_NOTIFY_H

#include "lib/error.h"

/*
 * Send "READY=1" to the socket that $NOTIFY_SOCKET names, then unset the
 * variable.  The name is a path, or an @ and an abstract name.  Returns 0 also
 * if the variable is not set.  HT_ERR_USAGE if the name is of another kind or
 * too long.  HT_ERR_INTERNAL if the message cannot be sent.
 */
int notify_ready(struct ht_error *e);

#endif
