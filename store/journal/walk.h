/*
 * The rows of requests, or the events, in small steps: who reads while another
 * process writes must not hold one state of the database for long (store.h).
 * Each step is a read of its own, of at most some thousand rows, and goes on where
 * the last one ended.  What is new since the walk began is not seen.
 */

#ifndef STORE_JOURNAL_WALK_H
#define STORE_JOURNAL_WALK_H

#include "store/journal/journal.h"

/* Where a walk is.  Only the functions below look into it. */
struct journal_walk {
	struct journal_filter filter; /* its texts are the caller's */
	uint64_t request;             /* the events of this one; 0: all */
	uint64_t from, to;            /* the keys that are left */
	uint64_t wanted; /* rows to find from the end, before the first */
};

/*
 * Begin a walk over requests, or over the events of one request (0: of all), of
 * which only the newest are wanted (0: all of them).
 */
int journal_walk_rows(struct store *s, const struct journal_filter *filter,
    struct journal_walk *w, struct ht_error *e);
int journal_walk_events(struct store *s, uint64_t request, unsigned int limit,
    struct journal_walk *w, struct ht_error *e);

/*
 * Take a step of a walk over requests, or over events, the oldest first.  Calls fn
 * with each row, which ends the step if that returns 1.  Returns 1 if the walk
 * goes on, 0 at its end, or an error, that of fn included.
 */
int journal_walk_row(struct store *s, struct journal_walk *w,
    journal_row_fn *fn, void *cookie, struct ht_error *e);
int journal_walk_event(struct store *s, struct journal_walk *w,
    journal_event_fn *fn, void *cookie, struct ht_error *e);

#endif
