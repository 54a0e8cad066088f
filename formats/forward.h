/*
 * Reading forward, for formats whose digest is over long runs of the file or
 * over all of it; for formats/ only.
 */

#ifndef FORMATS_FORWARD_H
#define FORMATS_FORWARD_H

#include <openssl/evp.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"
#include "lib/input.h"

/*
 * Read the next bytes from *offset, at most up to end, and advance *offset past
 * them.  *p is borrowed, as from input_read.  *n is 0 at end or where the input
 * ends.  The bytes end on a multiple of INPUT_CHUNK if they can, so that
 * nothing is copied.  Errors as input_read.
 */
int forward_next(struct input *in, uint64_t *offset, uint64_t end,
    const uint8_t **p, size_t *n, struct ht_error *e);

/*
 * Digest the input from *offset up to end, or to the input's end if that comes
 * first.  Leaves *offset there.  HT_ERR_INTERNAL, or as input_read.
 */
int forward_digest(struct input *in, EVP_MD_CTX *md, uint64_t *offset,
    uint64_t end, struct ht_error *e);

/*
 * Put the whole input into out, which must be empty.  *fits is false if it is
 * more than max bytes; out then holds a part of it.  HT_ERR_INTERNAL, or as
 * input_read.
 */
int forward_all(struct input *in, size_t max, struct buf *out, bool *fits,
    struct ht_error *e);

/*
 * Read from offset to the end of the input, but stop soon after `slack` bytes
 * behind `expected`.  *size is where reading ended: the input's size, or more
 * than expected + slack.  The bytes before `expected` are a signature; append
 * them to kept.  HT_ERR_DATA if they are more than max.  HT_ERR_INTERNAL, or as
 * input_read.
 */
int forward_keep(struct input *in, uint64_t offset, uint64_t expected,
    uint64_t slack, size_t max, struct buf *kept, uint64_t *size,
    struct ht_error *e);

#endif
