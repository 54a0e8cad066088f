/*
 * The timestamps that are under way.  Each asks one server after the other,
 * until one gives a token that verifies or the time is over.
 */

#ifndef FETCH_STAMPING_H
#define FETCH_STAMPING_H

#include <stdint.h>

#include "fetch/http.h"
#include "fetch/servers.h"
#include "lib/error.h"
#include "lib/loop.h"
#include "protocol/messages.h"

struct stamping;

/* How long one server gets, in milliseconds. */
#define STAMPING_PATIENCE 10000

/*
 * Called once for each stamping_begin, unless it is cancelled: STAMPED with a
 * struct protocol_stamped, or STAMP_FAILED with a struct protocol_stamp_failed.
 * body is valid for the call.
 */
typedef void stamping_answer_fn(void *cookie, enum protocol_type type,
    uint32_t tag, const void *body);

/*
 * Borrows loop, http and servers.  NULL if there is no memory.  stamping_free
 * cancels all.
 */
struct stamping *stamping_new(struct loop *loop, struct http *http,
    struct servers *servers, stamping_answer_fn *fn, void *cookie);
void stamping_free(struct stamping *s); /* NULL is fine */

/*
 * Begin one; what is needed of it is copied.  The answer may come before this
 * returns.  It is STAMP_FAILED at once if the digest is none, no server may be
 * asked, or PROTOCOL_STAMPS are under way.
 */
void stamping_begin(struct stamping *s, uint32_t tag,
    const struct protocol_stamp *what);

/* No answer is wanted to this tag, or to any; probes go on. */
void stamping_cancel(struct stamping *s, uint32_t tag);
void stamping_cancel_all(struct stamping *s);

/* How many have no answer yet. */
size_t stamping_number(const struct stamping *s);

#endif
