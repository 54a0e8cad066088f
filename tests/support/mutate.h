/*
 * Makes inputs that are almost right.  Each run makes the same ones.
 */

#ifndef TESTS_SUPPORT_MUTATE_H
#define TESTS_SUPPORT_MUTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Change some of the n bytes at p; n must be at least 1.  Bytes near both ends
 * are changed more often.  Returns how many of the bytes to use, mostly n.
 * *seed must not be 0 at first; the function updates it.
 */
size_t mutate(uint64_t *seed, uint8_t *p, size_t n);

/*
 * How many mutations of an input to try: the environment variable
 * HTSIGN_MUTATIONS, or 2,000.
 */
unsigned long mutate_count(void);

/*
 * The step for loops over all bytes or bits of an input.  It is 1, or more if
 * mutate_count is less than 2,000.  It is always odd.
 */
size_t mutate_step(void);

/*
 * Whether it is less than 1,000, as under valgrind.  Then what would take
 * minutes is left out.
 */
bool mutate_few(void);

#endif
