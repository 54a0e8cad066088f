#include "config.h"

#include <string.h>

#include "keys/keyd/rate-window.h"

#define COUNTS (RATE_STEPS + 1)

void
rate_window_init(struct rate_window *w, uint64_t span)
{
	memset(w, 0, sizeof(*w));
	w->step = span / RATE_STEPS;
}

/* Let time pass: the oldest steps make room for new ones. */
static void
slide(struct rate_window *w, uint64_t now)
{
	uint64_t number = now / w->step;

	if (number > w->last + COUNTS) {
		memset(w->counts, 0, sizeof(w->counts));
		w->total = 0;
		w->last = number;
	}
	while (w->last < number) {
		w->last++;
		w->total -= w->counts[w->last % COUNTS];
		w->counts[w->last % COUNTS] = 0;
	}
}

void
rate_window_add(struct rate_window *w, uint64_t now, uint64_t at, uint64_t n)
{
	uint64_t number = at / w->step;

	slide(w, now);
	if (number > w->last)
		number = w->last;
	if (w->last - number > RATE_STEPS)
		return;
	w->counts[number % COUNTS] += n;
	w->total += n;
}

uint64_t
rate_window_count(struct rate_window *w, uint64_t now)
{
	slide(w, now);
	return w->total;
}

uint64_t
rate_window_wait(struct rate_window *w, uint64_t now, uint64_t n)
{
	uint64_t ago, left = 0, number;

	slide(w, now);
	if (n == 0)
		return 0;
	for (ago = RATE_STEPS; ago > 0; ago--) {
		number = w->last - ago;
		if (ago <= w->last)
			left += w->counts[number % COUNTS];
		if (left >= n)
			break;
	}
	/* A step leaves when the one of its place begins. */
	number = w->last - ago + COUNTS;
	return number * w->step -
	    (now > w->last * w->step ? now : w->last * w->step);
}
