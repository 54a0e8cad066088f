/*
 * Inputs that are almost right, the same ones in every run.
 */

#ifndef TESTS_SUPPORT_MUTATE_H
#define TESTS_SUPPORT_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Change some of the n >= 1 bytes at p, at both ends more often than between,
 * and return how many of them to use: mostly all.  *seed starts as any number
 * but 0.
 */
size_t mutate(uint64_t *seed, uint8_t *p, size_t n);

/*
 * How many mutations of a thing to try: HTSIGN_MUTATIONS of the environment, or
 * 2,000.
 */
unsigned long mutate_count(void);

/*
 * In which steps to go through all places or bits of a thing: 1, and more where
 * fewer mutations than usual are wished for; always odd.
 */
size_t mutate_step(void);

#endif
