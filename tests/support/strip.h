/*
 * Signs files and strips them again.  A signature is any bytes after a DER tag
 * and length, since no plan looks into it.
 */

#ifndef TESTS_SUPPORT_STRIP_H
#define TESTS_SUPPORT_STRIP_H

#include "formats/format.h"

/* Sizes of signatures, around the limits for streams of a compound file. */
#define STRIP_SIZES 9
extern const size_t strip_sizes[STRIP_SIZES];

/*
 * Call authenticode_init, as a group function of cmocka.
 */
int strip_start(void **state);

/*
 * Call signable_open with this algorithm.
 */
struct format_file *strip_open(struct input *in, const char *name,
    const char *algorithm);

/*
 * Put n bytes that start as a SEQUENCE into out, which must be empty.
 */
void strip_signature(size_t n, struct buf *out);

/*
 * Append the original with the signature p7 to out.  name is its file name, or
 * NULL.  The digest is of this algorithm, or as how says.
 */
void strip_sign(const struct buf *original, const char *name,
    const char *algorithm, const struct buf *p7, struct buf *out);
void strip_sign_as(const struct format_options *how, const struct buf *original,
    const char *name, const struct buf *p7, struct buf *out);

/*
 * strip_off strips the file with and appends the result to out.  The result
 * must not be signed, must have the same digest, and must not be strippable
 * again.  strip_round_trip first signs original with size bytes.
 */
void strip_off(const struct buf *with, const char *name, const char *algorithm,
    struct buf *out);
void strip_round_trip(const struct buf *original, const char *name,
    const char *algorithm, size_t size, struct buf *out);

/*
 * strip_assert_same fails the test unless two files are the same.
 * strip_assert_restored does a round trip with each size of strip_sizes, and
 * fails the test unless each restores original.
 */
void strip_assert_same(const struct buf *a, const struct buf *b);
void strip_assert_restored(const struct buf *original, const char *name);

#endif
