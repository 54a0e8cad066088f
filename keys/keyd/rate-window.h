/*
 * How much there was of something within a span of time that ends now.
 *
 * The span slides.  It has a fixed number of steps, and each of these a count.
 * What was counted leaves with its step, at the earliest after a whole span, at
 * the latest after a step more.  So there is never more in any span of time than
 * was allowed.
 *
 * Times are in milliseconds, by a clock of the caller's that does not jump.  One
 * that goes back all the same stands still until it is where it was.
 */

#ifndef KEYS_KEYD_RATE_WINDOW_H
#define KEYS_KEYD_RATE_WINDOW_H

#include <stdint.h>

#define RATE_STEPS 60

/* Opaque; it is in the open for its size. */
struct rate_window {
	uint64_t step; /* milliseconds */
	uint64_t last; /* the number of the newest step */
	uint64_t total;
	uint64_t counts[RATE_STEPS + 1]; /* by number, modulo their number */
};

/*
 * Start with nothing.  span, in milliseconds, is RATE_STEPS or more.
 */
void rate_window_init(struct rate_window *w, uint64_t span);

/*
 * Count n more that came at the time at, not later than now.  Nothing is
 * counted if that is longer ago than the span.
 */
void rate_window_add(struct rate_window *w, uint64_t now, uint64_t at,
    uint64_t n);

/*
 * How much there was in the span until now.
 */
uint64_t rate_window_count(struct rate_window *w, uint64_t now);

/*
 * In how many milliseconds at least n of what was counted will have left.  If it
 * is less than n: after a span and a step.  0 if n is 0.
 */
uint64_t rate_window_wait(struct rate_window *w, uint64_t now, uint64_t n);

#endif
