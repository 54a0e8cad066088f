/*
 * For tests that run other programs, such as ssh-keygen: a temporary folder,
 * which is also the working folder.
 */

#ifndef TESTS_SUPPORT_SCRATCH_H
#define TESTS_SUPPORT_SCRATCH_H

#include <stddef.h>

#include "lib/buf.h"

/*
 * scratch_enter makes the folder and enters it.  scratch_leave leaves it and
 * removes it with its contents.  Both are group functions of cmocka.
 */
int scratch_enter(void **state);
int scratch_leave(void **state);

/*
 * Run a program from the search path.  Its stdout and stderr go to the file
 * "output".  Returns its exit status, or -1 if it did not run or did not exit.
 */
int scratch_run(const char *const *argv);
#define RUN(...) scratch_run((const char *const[]){ __VA_ARGS__, NULL })

/*
 * scratch_read appends the file to out.  scratch_write makes or replaces the
 * file with n bytes at p.  A failure fails the test.
 */
void scratch_read(const char *name, struct buf *out);
void scratch_write(const char *name, const void *p, size_t n);

/*
 * Whether the output of the last program contains text.
 */
int scratch_output_holds(const char *text);

#endif
