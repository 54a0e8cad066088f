/*
 * The output plan: the signed file as literal bytes and ranges of the input,
 * in order.  output_write streams the plan.  output_as_input reads it as a
 * file: so the result is verified before a byte of it leaves, and needs no
 * output file.
 */

#ifndef LIB_OUTPUT_H
#define LIB_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"

struct input;
struct output;

/*
 * An empty plan over in.  The input is borrowed and must outlive the plan.  It
 * must be seekable when the plan is read or written.  NULL and *e
 * (HT_ERR_INTERNAL) if there is no memory.
 */
struct output *output_new(struct input *in, struct ht_error *e);
void output_free(struct output *out);

/*
 * Append n bytes.  output_literal copies them from p.  output_borrowed keeps
 * p, which must outlive the plan.  output_range takes them from the input at
 * offset.  Neighbouring ranges are joined.  HT_ERR_INTERNAL if there is no
 * memory or the size overflows.
 */
int output_literal(struct output *out, const void *p, size_t n,
    struct ht_error *e);
int output_borrowed(struct output *out, const void *p, size_t n,
    struct ht_error *e);
int output_range(struct output *out, uint64_t offset, uint64_t n,
    struct ht_error *e);

/*
 * output_recipe appends the plan to recipe (see buf_failed): one or more of
 *
 *	u8 0, u64 offset, u64 length	bytes of the input
 *	u8 1, u64 length, bytes		these bytes
 *
 * output_follow appends what a recipe says to the plan.  HT_ERR_DATA if it is
 * none; HT_ERR_INTERNAL as above.
 */
void output_recipe(const struct output *out, struct buf *recipe);
int output_follow(struct output *out, struct cursor recipe, struct ht_error *e);

/*
 * The size of the planned file in bytes.
 */
uint64_t output_size(const struct output *out);

/*
 * Read the planned file as input_read reads an input.  *p is borrowed until
 * the next read of the plan or of its input.  Also HT_ERR_INTERNAL if a range
 * reaches past the end of the input.
 */
int output_read(const struct output *out, uint64_t offset, size_t n,
    const uint8_t **p, size_t *got, struct ht_error *e);

/*
 * An input that reads the planned file.  The plan is borrowed and must outlive
 * it.  Append nothing afterwards.  NULL and *e (HT_ERR_INTERNAL) if there is no
 * memory.
 */
struct input *output_as_input(const struct output *out, struct ht_error *e);

/*
 * Write the whole plan to fd.  *written is the number of bytes that went out,
 * also on error.  HT_ERR_UNAVAILABLE if the reader is gone, takes nothing for
 * idle seconds (0 waits for ever), or there is no room.  HT_ERR_INTERNAL if a
 * system call fails.  Else the errors of output_read.
 */
int output_write(const struct output *out, int fd, unsigned int idle,
    uint64_t *written, struct ht_error *e);

#endif
