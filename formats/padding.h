/*
 * Signatures that end a file are padded to 8 bytes; inside formats/ only.
 */

#ifndef FORMATS_PADDING_H
#define FORMATS_PADDING_H

#include <stdint.h>

#include "lib/buf.h"

/*
 * How many bytes bring n to a multiple of 8.
 */
unsigned int padding_of(uint64_t n);

/*
 * The one DER SEQUENCE that padded holds, with 7 zero bytes behind it at most:
 * what else is there no digest covers, and nobody would miss it (CVE-2013-
 * 3900).  HT_ERR_DATA if it is anything else.  What is inside the SEQUENCE is
 * not looked at.
 */
int padding_strip(struct cursor padded, struct cursor *der);

#endif
