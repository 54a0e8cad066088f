/*
 * Reading forward, for formats whose digest is over long runs of the file, or
 * over all of it; in formats/ only.
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
 * The next n bytes of the input from *offset on, none at end or where the input
 * ends before that, and *offset behind them.  They end on multiples of
 * INPUT_CHUNK, and so need no copying.  As input_read.
 */
int forward_next(struct input *in, uint64_t *offset, uint64_t end,
    const uint8_t **p, size_t *n, struct ht_error *e);

/*
 * Digest the input from *offset up to end, or to where it ends before that, and
 * leave *offset there.  HT_ERR_INTERNAL, or as input_read.
 */
int forward_digest(struct input *in, EVP_MD_CTX *md, uint64_t *offset,
    uint64_t end, struct ht_error *e);

/*
 * Put the whole input into out, which must be empty; *fits is false if it is
 * more than max bytes, and then a part of it is there.  HT_ERR_INTERNAL, or as
 * input_read.
 */
int forward_all(struct input *in, size_t max, struct buf *out, bool *fits,
    struct ht_error *e);

/*
 * Read on from offset to the end of the input, or until it is known to go on
 * beyond `expected`; *size is how far that was.  What stands before `expected`
 * is a signature, and appended to kept: HT_ERR_DATA if that becomes more than
 * max bytes.  HT_ERR_INTERNAL, or as input_read.
 */
int forward_keep(struct input *in, uint64_t offset, uint64_t expected,
    size_t max, struct buf *kept, uint64_t *size, struct ht_error *e);

#endif
