/*
 * Getting libcrypto ready before a process gives up the right to open files.
 */

#ifndef SIGNATURE_INIT_H
#define SIGNATURE_INIT_H

#include "lib/error.h"

/*
 * Start libcrypto without its configuration file, fetch every algorithm that
 * this library uses, and read the time zone.  Afterwards nothing in signature/
 * opens a file or a socket.  Call it once, before any other function of
 * signature/ and before sandbox_enter.  HT_ERR_INTERNAL if libcrypto cannot
 * start.
 */
int authenticode_init(struct ht_error *e);

#endif
