/*
 * Signing files and stripping them again.  The signatures are any bytes with a
 * DER length in front: no plan looks into them.
 */

#ifndef TESTS_SUPPORT_STRIP_H
#define TESTS_SUPPORT_STRIP_H

#include "formats/format.h"

/* Of signatures: around what decides where a compound file puts a stream. */
#define STRIP_SIZES 9
extern const size_t strip_sizes[STRIP_SIZES];

/*
 * authenticode_init, in the form of cmocka's group functions.
 */
int strip_start(void **state);

/*
 * signable_open, with that algorithm.
 */
struct format_file *strip_open(struct input *in, const char *name,
    const char *algorithm);

/*
 * n bytes that begin as a SEQUENCE.
 */
void strip_signature(size_t n, struct buf *out);

/*
 * Append to out the original, a file of this name or NULL, with such a
 * signature, digested so.
 */
void strip_sign(const struct buf *original, const char *name,
    const char *algorithm, const struct buf *p7, struct buf *out);
void strip_sign_as(const struct format_options *how, const struct buf *original,
    const char *name, const struct buf *p7, struct buf *out);

/*
 * Strip it: what is left is no longer signed, has the same digest, and cannot
 * be stripped again.  And sign it with so many bytes before.
 */
void strip_off(const struct buf *with, const char *name, const char *algorithm,
    struct buf *out);
void strip_round_trip(const struct buf *original, const char *name,
    const char *algorithm, size_t size, struct buf *out);

/*
 * That two files are the same; that signatures of all sizes come off without a
 * trace.
 */
void strip_assert_same(const struct buf *a, const struct buf *b);
void strip_assert_restored(const struct buf *original, const char *name);

#endif
