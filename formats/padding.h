/*
 * Padding to 8 bytes of signatures that end a file; for formats/ only.
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
 * Set *der to the one DER SEQUENCE in padded, with at most 7 zero bytes after
 * it.  No digest covers other bytes there, and nobody would notice them
 * (CVE-2013-3900).  HT_ERR_DATA for anything else.  The inside of the SEQUENCE
 * is not checked.
 */
int padding_strip(struct cursor padded, struct cursor *der);

#endif
