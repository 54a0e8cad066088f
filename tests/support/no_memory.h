/*
 * Memory that runs out at one place: a program that uses this is linked with
 * no_memory_ldflags of tests/local.mk, and then what our own code allocates goes
 * through here.  Libraries have as much as they want.
 */

#ifndef TESTS_NO_MEMORY_H
#define TESTS_NO_MEMORY_H

#include <stdbool.h>

/*
 * The n-th allocation from now on fails, the first being 1; 0 lets all succeed.
 */
void no_memory_at(unsigned int n);

/*
 * Whether that allocation has come, and failed.
 */
bool no_memory_met(void);

#endif
