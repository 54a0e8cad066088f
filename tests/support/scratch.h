/*
 * For tests that ask other programs, ssh-keygen above all: a folder of their
 * own, which is also the working folder, and running programs in it.
 */

#ifndef TESTS_SUPPORT_SCRATCH_H
#define TESTS_SUPPORT_SCRATCH_H

#include <stddef.h>

#include "lib/buf.h"

/*
 * Make the folder and enter it; leave it and remove it with all that is in it.
 * Both have the form of cmocka's group functions.
 */
int scratch_enter(void **state);
int scratch_leave(void **state);

/*
 * Run a program from the search path, with its output in the file "output".
 * Returns its exit status, or -1 if it did not run or did not exit.
 */
int scratch_run(const char *const *argv);
#define RUN(...) scratch_run((const char *const[]){ __VA_ARGS__, NULL })

/*
 * Append the file to out, or make it of n bytes at p; a failure fails the test.
 */
void scratch_read(const char *name, struct buf *out);
void scratch_write(const char *name, const void *p, size_t n);

/*
 * Whether the output of the last program holds text.
 */
int scratch_output_holds(const char *text);

#endif
