/*
 * PKCS#7s one after the other: all signatures of a file, as formats/format.h
 * has them.
 */

#ifndef FORMATS_SEVERAL_H
#define FORMATS_SEVERAL_H

#include <stddef.h>

#include "lib/buf.h"

/*
 * Count the PKCS#7s in the n bytes at p7, of which only the outer tags are
 * read.  0 if anything else is there.
 */
unsigned int several_count(const void *p7, size_t n);

/*
 * The PKCS#7 with this index among those, from 0; empty if there is none.
 */
struct cursor several_nth(const void *p7, size_t n, unsigned int index);

#endif
