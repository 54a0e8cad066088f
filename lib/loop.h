/*
 * The event loop of a single-threaded server: descriptors and timers.
 *
 * Callbacks may add and remove any watch or timer, their own included; what
 * was removed is not called again.  They must not call loop_once or loop_free.
 * Nothing wakes up without a cause.
 */

#ifndef LIB_LOOP_H
#define LIB_LOOP_H

#include <poll.h>
#include <stdint.h>

#include "lib/error.h"

struct loop;
struct loop_watch;
struct loop_timer;

/* revents as poll(2) gives them: POLLIN, POLLOUT, POLLHUP, POLLERR. */
typedef void loop_watch_fn(void *cookie, short revents);
typedef void loop_timer_fn(void *cookie);

/*
 * NULL if there is no memory.  loop_free takes what is left in it along; the
 * descriptors stay the callers'.
 */
struct loop *loop_new(void);
void loop_free(struct loop *l);

/*
 * Call fn when fd is ready for events (POLLIN, POLLOUT or 0; POLLHUP and
 * POLLERR are always reported, the latter also for a closed fd).  NULL if
 * there is no memory.
 */
struct loop_watch *loop_watch_add(struct loop *l, int fd, short events,
    loop_watch_fn *fn, void *cookie);
void loop_watch_events(struct loop_watch *w, short events);
void loop_watch_remove(struct loop_watch *w); /* NULL is fine */

/*
 * Call fn once, ms milliseconds from now; the timer is gone when fn is called.
 * NULL if there is no memory.
 */
struct loop_timer *loop_timer_add(struct loop *l, uint64_t ms,
    loop_timer_fn *fn, void *cookie);
void loop_timer_remove(struct loop_timer *t); /* NULL is fine */

/*
 * Wait for the next thing and run the callbacks of all that are ready, once.
 * A signal counts as a thing.  Watches come before timers.  0, or
 * HT_ERR_INTERNAL if poll(2) fails.
 */
int loop_once(struct loop *l, struct ht_error *e);

/*
 * Milliseconds of the monotonic clock.
 */
uint64_t loop_now(void);

#endif
