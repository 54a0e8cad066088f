/*
 * The event loop of a single-threaded server: descriptors and timers.
 *
 * A callback may add and remove any watch or timer, its own included.  A
 * removed one is not called again.  A callback must not call loop_once or
 * loop_free.  The loop never wakes up without a cause.
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
typedef void loop_signal_fn(void *cookie, int signal);

/*
 * NULL if there is no memory.  loop_free also frees the watches and timers
 * that are left.  It does not close their descriptors.
 */
struct loop *loop_new(void);
void loop_free(struct loop *l);

/*
 * Call fn whenever fd is ready for events: POLLIN, POLLOUT or 0.  POLLHUP and
 * POLLERR are always reported.  A closed fd is reported as POLLERR.  The caller
 * keeps fd.  NULL if there is no memory.
 */
struct loop_watch *loop_watch_add(struct loop *l, int fd, short events,
    loop_watch_fn *fn, void *cookie);
void loop_watch_events(struct loop_watch *w, short events);
void loop_watch_remove(struct loop_watch *w); /* NULL is fine */

/*
 * Call fn once, ms milliseconds from now.  The timer is freed before the call.
 * NULL if there is no memory.
 */
struct loop_timer *loop_timer_add(struct loop *l, uint64_t ms,
    loop_timer_fn *fn, void *cookie);
void loop_timer_remove(struct loop_timer *t); /* NULL is fine */

/*
 * Block the n signals, and call fn with each that comes.  Once for a loop.
 * HT_ERR_INTERNAL if the system forbids it or there is no memory.
 */
int loop_signals(struct loop *l, const int signals[], size_t n,
    loop_signal_fn *fn, void *cookie, struct ht_error *e);

/*
 * Wait for an event or a signal, then call each ready watch and each due timer
 * once.  Watches come before timers.  A timer added by a callback runs in the
 * next round at the earliest.  HT_ERR_INTERNAL if poll(2) fails or there is no
 * memory.
 */
int loop_once(struct loop *l, struct ht_error *e);

/*
 * The monotonic clock, in milliseconds.
 */
uint64_t loop_now(void);

#endif
