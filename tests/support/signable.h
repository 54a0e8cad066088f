/*
 * What tests do with files of any format that can be signed.
 */

#ifndef TESTS_SUPPORT_SIGNABLE_H
#define TESTS_SUPPORT_SIGNABLE_H

#include <stdio.h>

#include "formats/format.h"

/*
 * A file of size bytes that begins with those of head, and is a hole else.
 * *file is to be closed after the input is freed.
 */
struct input *signable_hole(const struct buf *head, uint64_t size, FILE **file);

/*
 * format_detect under this name, which may be NULL, and format_digest; options
 * NULL means SHA-256.  *file is NULL after a failure.
 */
int signable_digest(struct input *in, const char *name,
    const struct format_options *options, struct format_file **file,
    struct ht_error *e);

/*
 * The same where it has to go well: a failure fails the test.
 */
struct format_file *signable_open(struct input *in, const char *name,
    const struct format_options *options);

/*
 * What it says of n bytes, and no more.
 */
int signable_try(const void *p, size_t n, const char *name,
    const struct format_options *options, struct ht_error *e);

/*
 * Append to out all of a plan; the file with this PKCS#7, or whatever the n
 * bytes at p7 are, in it.  A failure fails the test.
 */
void signable_read(const struct output *plan, struct buf *out);
void signable_attach(const struct format_file *file, const void *p7, size_t n,
    struct buf *out);

/*
 * format_verify, and no more.
 */
int signable_verify(const struct format *format, const struct buf *bytes,
    struct ht_error *e);

/*
 * Whether that verifies, and its chain ends at root, PEM with a NUL; e, which
 * may be NULL, says why if not.  Any code but HT_ERR_DATA fails the test.
 */
bool signable_verifies(const struct format *format, const struct buf *bytes,
    const struct buf *root, struct ht_error *e);

/*
 * Fail unless the file is refused as damaged, at offset, with why in the text.
 */
void signable_refused(const struct buf *bytes, uint64_t offset,
    const char *why);

#endif
