/*
 * keyd's side of htsign-reader, which answers what administrators look at.  keyd
 * decides who may, and what; the answer goes to his shell by another link, so
 * none of it passes keyd.  keyd's parent starts the reader, and again whenever it
 * ends.
 */

#ifndef KEYS_KEYD_READER_LINK_H
#define KEYS_KEYD_READER_LINK_H

#include "keys/keyd/core.h"

struct reader;

/*
 * NULL if there is no memory.
 */
struct reader *reader_new(struct keyd *k);
void reader_free(struct reader *r); /* NULL is fine */

/*
 * Let it run, unless it has no account; then this is logged.
 */
void reader_start(struct reader *r);

/*
 * Have it read something.  *fd is where the answer comes, and the caller's.
 * HT_ERR_UNAVAILABLE if it is away, HT_ERR_INTERNAL.
 */
int reader_ask(struct reader *r, const struct protocol_read *what, int *fd,
    struct ht_error *e);

/*
 * End it if it is in the way of who writes to the store.
 */
void reader_mind(struct reader *r);

#endif
