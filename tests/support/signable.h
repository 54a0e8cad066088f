/*
 * Helpers of tests for files of any format.
 */

#ifndef TESTS_SUPPORT_SIGNABLE_H
#define TESTS_SUPPORT_SIGNABLE_H

#include <stdio.h>

#include "formats/format.h"

/*
 * An input over a file of size bytes.  The file starts with head, and the rest
 * is a hole.  The caller frees the input first, and then closes *file.
 */
struct input *signable_hole(const struct buf *head, uint64_t size, FILE **file);

/*
 * Call format_detect with name, which may be NULL, and format_digest.  options
 * NULL means SHA-256.  Returns as these; *file is NULL on error.
 */
int signable_digest(struct input *in, const char *name,
    const struct format_options *options, struct format_file **file,
    struct ht_error *e);

/*
 * The same, but a failure fails the test.
 */
struct format_file *signable_open(struct input *in, const char *name,
    const struct format_options *options);

/*
 * Return what signable_digest returns for the n bytes at p.
 */
int signable_try(const void *p, size_t n, const char *name,
    const struct format_options *options, struct ht_error *e);

/*
 * signable_read appends the planned file to out.  signable_attach appends file
 * with the n bytes at p7 as its signature; they need not be a PKCS#7.  A
 * failure fails the test.
 */
void signable_read(const struct output *plan, struct buf *out);
void signable_attach(const struct format_file *file, const void *p7, size_t n,
    struct buf *out);

/*
 * Return what format_verify returns.
 */
int signable_verify(const struct format *format, const struct buf *bytes,
    struct ht_error *e);

/*
 * Whether the file verifies and its chain ends at root, which is NUL-terminated
 * PEM.  If not, *e says why; e may be NULL.  An error other than HT_ERR_DATA
 * fails the test.
 */
bool signable_verifies(const struct format *format, const struct buf *bytes,
    const struct buf *root, struct ht_error *e);

/*
 * Fail the test unless the file gives HT_ERR_DATA at offset, with why in the
 * text.
 */
void signable_refused(const struct buf *bytes, uint64_t offset,
    const char *why);

#endif
