/*
 * The certificates that are being looked up: by OCSP, or by the CRL if that
 * says nothing.
 */

#ifndef FETCH_LOOKING_H
#define FETCH_LOOKING_H

#include <stdint.h>

#include "fetch/http.h"
#include "protocol/messages.h"

struct looking;

/* How long OCSP and the CRL get, in milliseconds. */
#define LOOKING_OCSP_PATIENCE 10000
#define LOOKING_CRL_PATIENCE 60000

/*
 * Called once for each looking_begin, unless it is cancelled.  body is valid for
 * the call.
 */
typedef void looking_answer_fn(void *cookie, uint32_t tag,
    const struct protocol_looked *body);

/*
 * Borrows http.  NULL if there is no memory.  looking_free cancels all.
 */
struct looking *looking_new(struct http *http, looking_answer_fn *fn,
    void *cookie);
void looking_free(struct looking *l); /* NULL is fine */

/*
 * Begin one.  The answer may come before this returns: "unknown" if the
 * certificate does not say where to ask.
 */
void looking_begin(struct looking *l, uint32_t tag,
    const struct protocol_look *what);
void looking_cancel_all(struct looking *l);

#endif
