/*
 * Inputs that are almost right, the same ones in every run.
 */

#ifndef TESTS_MUTATE_H
#define TESTS_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Change some of the n >= 1 bytes at p, at both ends more often than between,
 * and return how many of them to use: mostly all.  *seed starts as any number
 * but 0.
 */
size_t mutate(uint64_t *seed, uint8_t *p, size_t n);

#endif
