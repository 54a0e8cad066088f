/*
 * Steps that wait for the next commit of the journal.
 *
 * keyd's loop handles all connections that are ready and gathers their events.
 * It commits the events with one fsync, and flushes the sockets after that.  A
 * step runs between the two.  It checks again, before an event takes effect,
 * that the effect is still allowed: a release, for example.
 */

#ifndef KEYS_KEYD_REQUEST_COMMIT_H
#define KEYS_KEYD_REQUEST_COMMIT_H

#include <stdbool.h>

/* Part of what waits.  All zeros at first. */
struct commit_step {
	void (*run)(void *cookie);
	void *cookie;
	struct commit_step *next;
	struct commit_step **at; /* what points to it; NULL: does not wait */
};

struct commit_queue {
	struct commit_step *first;   /* of those that wait */
	struct commit_step *running; /* those that commit_run has yet to run */
};

void commit_init(struct commit_queue *q);

/*
 * Run step->run(step->cookie) once, after the next commit.  Steps run in no
 * particular order.  Does nothing if step already waits.  step is borrowed
 * until it has run or is forgotten.
 */
void commit_after(struct commit_queue *q, struct commit_step *step);

/*
 * Do not run step.  Fine if it does not wait.
 */
void commit_forget(struct commit_step *step);

/*
 * Run the steps that waited for the commit that is done.  A step that is added
 * meanwhile waits for the next commit.
 */
void commit_run(struct commit_queue *q);

#endif
