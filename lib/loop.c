#include "config.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/loop.h"

/* A watch that was added since the poll array was built. */
#define NO_SLOT SIZE_MAX

struct loop_watch {
	TAILQ_ENTRY(loop_watch) entry;
	struct loop *loop;
	int fd;
	short events;
	size_t slot; /* in the poll array, or NO_SLOT */
	loop_watch_fn *fn;
	void *cookie;
};

struct loop_timer {
	TAILQ_ENTRY(loop_timer) entry;
	struct loop *loop;
	uint64_t due;
	uint64_t round; /* the call of loop_once in which it was added */
	loop_timer_fn *fn;
	void *cookie;
};

/*
 * polled is the array for poll(2), and slots has the watch of each element.
 * loop_once rebuilds both after watches were added or removed.  While callbacks
 * run, the slot of a removed watch is NULL, and a new watch has no slot.  So a
 * callback can add and remove other watches.
 */
struct loop {
	TAILQ_HEAD(watch_list, loop_watch) watches;
	TAILQ_HEAD(timer_list, loop_timer) timers; /* sorted by due */
	size_t nwatches;
	struct pollfd *polled;
	struct loop_watch **slots;
	size_t nslots; /* in use */
	size_t size;   /* allocated */
	bool stale;
	uint64_t round;
	int signals; /* a signalfd, or -1 */
	loop_signal_fn *signal_fn;
	void *signal_cookie;
};

struct loop *
loop_new(void)
{
	struct loop *l;

	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return NULL;
	TAILQ_INIT(&l->watches);
	TAILQ_INIT(&l->timers);
	l->signals = -1;
	return l;
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	while (!TAILQ_EMPTY(&l->watches))
		loop_watch_remove(TAILQ_FIRST(&l->watches));
	while (!TAILQ_EMPTY(&l->timers))
		loop_timer_remove(TAILQ_FIRST(&l->timers));
	if (l->signals >= 0)
		(void)close(l->signals);
	free(l->polled);
	free(l->slots);
	free(l);
}

static void
signalled(void *cookie, short revents)
{
	struct loop *l = cookie;
	struct signalfd_siginfo info;

	(void)revents;
	if (read(l->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		l->signal_fn(l->signal_cookie, (int)info.ssi_signo);
}

int
loop_signals(struct loop *l, const int signals[], size_t n, loop_signal_fn *fn,
    void *cookie, struct ht_error *e)
{
	sigset_t set;

	(void)sigemptyset(&set);
	while (n > 0)
		(void)sigaddset(&set, signals[--n]);
	l->signal_fn = fn;
	l->signal_cookie = cookie;
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return ht_error_errno(e, "sigprocmask");
	l->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (l->signals < 0)
		return ht_error_errno(e, "signalfd");
	if (loop_watch_add(l, l->signals, POLLIN, signalled, l) == NULL)
		return ht_error_memory(e);
	return 0;
}

struct loop_watch *
loop_watch_add(struct loop *l, int fd, short events, loop_watch_fn *fn,
    void *cookie)
{
	struct loop_watch *w;

	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return NULL;
	w->loop = l;
	w->fd = fd;
	w->events = events;
	w->slot = NO_SLOT;
	w->fn = fn;
	w->cookie = cookie;
	TAILQ_INSERT_TAIL(&l->watches, w, entry);
	l->nwatches++;
	l->stale = true;
	return w;
}

void
loop_watch_events(struct loop_watch *w, short events)
{
	w->events = events;
	if (w->slot != NO_SLOT)
		w->loop->polled[w->slot].events = events;
}

void
loop_watch_remove(struct loop_watch *w)
{
	struct loop *l;

	if (w == NULL)
		return;
	l = w->loop;
	if (w->slot != NO_SLOT)
		l->slots[w->slot] = NULL;
	TAILQ_REMOVE(&l->watches, w, entry);
	l->nwatches--;
	l->stale = true;
	free(w);
}

struct loop_timer *
loop_timer_add(struct loop *l, uint64_t ms, loop_timer_fn *fn, void *cookie)
{
	struct loop_timer *t, *before;
	uint64_t now = loop_now();

	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return NULL;
	t->loop = l;
	t->due = ms > UINT64_MAX - now ? UINT64_MAX : now + ms;
	t->round = l->round;
	t->fn = fn;
	t->cookie = cookie;
	/* Search from the end: most timers of a server have one length. */
	TAILQ_FOREACH_REVERSE(before, &l->timers, timer_list, entry) {
		if (before->due <= t->due)
			break;
	}
	if (before != NULL)
		TAILQ_INSERT_AFTER(&l->timers, before, t, entry);
	else
		TAILQ_INSERT_HEAD(&l->timers, t, entry);
	return t;
}

void
loop_timer_remove(struct loop_timer *t)
{
	if (t == NULL)
		return;
	TAILQ_REMOVE(&t->loop->timers, t, entry);
	free(t);
}

static int
make_room(struct loop *l, struct ht_error *e)
{
	struct loop_watch **slots;
	struct pollfd *polled;
	size_t size = l->nwatches + l->nwatches / 2 + 8;

	if (l->nwatches <= l->size)
		return 0;
	polled = reallocarray(l->polled, size, sizeof(*polled));
	if (polled == NULL)
		return ht_error_errno(e, "cannot watch %zu descriptors",
		    l->nwatches);
	l->polled = polled;
	slots = reallocarray(l->slots, size, sizeof(*slots));
	if (slots == NULL)
		return ht_error_errno(e, "cannot watch %zu descriptors",
		    l->nwatches);
	l->slots = slots;
	l->size = size;
	return 0;
}

static int
rebuild(struct loop *l, struct ht_error *e)
{
	struct loop_watch *w;
	size_t n = 0;
	int rc;

	rc = make_room(l, e);
	if (rc < 0)
		return rc;
	TAILQ_FOREACH(w, &l->watches, entry) {
		l->polled[n].fd = w->fd;
		l->polled[n].events = w->events;
		l->slots[n] = w;
		w->slot = n++;
	}
	l->nslots = n;
	l->stale = false;
	return 0;
}

/* The timeout for poll(2): milliseconds until the first timer, or -1. */
static int
next_timeout(const struct loop *l)
{
	const struct loop_timer *t = TAILQ_FIRST(&l->timers);
	uint64_t now;

	if (t == NULL)
		return -1;
	now = loop_now();
	if (t->due <= now)
		return 0;
	return t->due - now > INT_MAX ? INT_MAX : (int)(t->due - now);
}

static void
run_watches(struct loop *l)
{
	struct loop_watch *w;
	short revents;
	size_t i;

	for (i = 0; i < l->nslots; i++) {
		w = l->slots[i];
		if (w == NULL)
			continue;
		/* An earlier callback may have changed the events. */
		revents = l->polled[i].revents &
		    (w->events | POLLHUP | POLLERR | POLLNVAL);
		if (revents & POLLNVAL)
			revents |= POLLERR;
		if (revents != 0)
			w->fn(w->cookie, revents);
	}
}

/*
 * Run the timers that are due, except those that callbacks added in this round:
 * a timer of 0 ms that adds itself again must not starve the descriptors.
 */
static void
run_timers(struct loop *l)
{
	struct loop_timer *t;
	loop_timer_fn *fn;
	void *cookie;
	uint64_t now = loop_now();

	while ((t = TAILQ_FIRST(&l->timers)) != NULL && t->due <= now &&
	    t->round < l->round) {
		fn = t->fn;
		cookie = t->cookie;
		loop_timer_remove(t);
		fn(cookie);
	}
}

int
loop_once(struct loop *l, struct ht_error *e)
{
	int ready, rc;

	if (l->stale) {
		rc = rebuild(l, e);
		if (rc < 0)
			return rc;
	}
	ready = poll(l->polled, l->nslots, next_timeout(l));
	if (ready < 0 && errno != EINTR)
		return ht_error_errno(e, "poll");
	l->round++;
	if (ready > 0)
		run_watches(l);
	run_timers(l);
	return 0;
}

uint64_t
loop_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
