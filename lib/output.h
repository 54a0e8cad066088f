/*
 * The output plan: what the signed file will be, as literal bytes and ranges
 * of the input, in order.  output_write streams it; output_as_input reads the
 * same plan as a file, so that the result can be verified before a byte of it
 * leaves, without an output file.
 */

#ifndef LIB_OUTPUT_H
#define LIB_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

struct input;
struct output;

/*
 * An empty plan over in, which must be seekable when the plan is read or
 * written and must outlive it.  NULL if there is no memory.
 */
struct output *output_new(struct input *in, struct ht_error *e);
void output_free(struct output *out);

/*
 * Append n literal bytes, which are copied; n bytes that stay the caller's and
 * must outlive the plan; or n bytes of the input from offset.  Neighbouring
 * ranges are joined.  HT_ERR_INTERNAL if there is no memory or the size
 * overflows.
 */
int output_literal(struct output *out, const void *p, size_t n,
    struct ht_error *e);
int output_borrowed(struct output *out, const void *p, size_t n,
    struct ht_error *e);
int output_range(struct output *out, uint64_t offset, uint64_t n,
    struct ht_error *e);

/*
 * Bytes in all.
 */
uint64_t output_size(const struct output *out);

/*
 * Read up to n bytes of the planned file at offset, as input_read; or make an
 * input of it, which the plan must outlive.  NULL and *e without memory.
 */
int output_read(const struct output *out, uint64_t offset, size_t n,
    const uint8_t **p, size_t *got, struct ht_error *e);
struct input *output_as_input(const struct output *out, struct ht_error *e);

/*
 * Write the whole plan to fd, however long that takes; idle as in struct
 * input_stream, for a reader that stalls.  HT_ERR_UNAVAILABLE if the reader is
 * gone or there is no room.  *written is how many bytes went out, also on
 * error.
 */
int output_write(const struct output *out, int fd, unsigned int idle,
    uint64_t *written, struct ht_error *e);

#endif
