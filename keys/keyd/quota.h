/*
 * How much of the journal each client may fill: rows and bytes.
 *
 * Each has a store of both, which what it writes takes from and which fills up
 * again with time.  So a client may write much at once, and less in the long
 * run.  Administrators have theirs by the same numbers.
 */

#ifndef KEYS_KEYD_QUOTA_H
#define KEYS_KEYD_QUOTA_H

#include <stdint.h>

/* Requests, or an administrator's commands: at once, and in a day. */
#define QUOTA_ROWS ((int64_t)6000)
#define QUOTA_ROWS_DAY ((int64_t)50000)

/* The bytes that the journal grows by: at once, and in a day. */
#define QUOTA_BYTES ((int64_t)64 << 20)
#define QUOTA_BYTES_DAY ((int64_t)512 << 20)

struct quota;

/*
 * NULL if there is no memory.
 */
struct quota *quota_new(void);
void quota_free(struct quota *q); /* NULL is fine */

/*
 * Whether who may write now.  who is a client, or "ROLE:NAME".  Returns 0, or
 * the seconds after which it may.
 */
uint32_t quota_wait(struct quota *q, const char *who);

/*
 * who has written this.  It may exceed what is left: then who has to wait the
 * longer.  Without memory for a new who nothing is counted.
 */
void quota_charge(struct quota *q, const char *who, uint64_t rows,
    uint64_t bytes);

#endif
