/*
 * A file from outside: through everything that shell and htsign do with it.
 */

#ifndef TESTS_FUZZ_FORMAT_H
#define TESTS_FUZZ_FORMAT_H

#include <stddef.h>
#include <stdint.h>

/*
 * The n bytes at p under that file name, which may be NULL.
 */
void fuzz_format(const uint8_t *p, size_t n, const char *name);

#endif
