/*
 * What waits for the next commit of the journal.
 *
 * keyd's loop gathers the events of all connections that are ready, commits
 * them with one fsync, and only then goes on: sockets are flushed after the
 * commit, and what must look at the world once more between the commit and
 * its effect (a hand-over to a token, a release) is a step in this queue.
 */

#ifndef KEYS_KEYD_REQUEST_COMMIT_H
#define KEYS_KEYD_REQUEST_COMMIT_H

#include <stdbool.h>

/* Embedded in what waits; all zeros at first. */
struct commit_step {
	void (*run)(void *cookie);
	void *cookie;
	struct commit_step *next;
	struct commit_step **at; /* what points to it; NULL: does not wait */
};

struct commit_queue {
	struct commit_step *first;   /* of those that wait */
	struct commit_step *running; /* the rest of what commit_run took */
};

void commit_init(struct commit_queue *q);

/*
 * Run step->run(step->cookie) once, after the next commit; in no particular
 * order.  Nothing happens to a step that waits already.
 */
void commit_after(struct commit_queue *q, struct commit_step *step);

/*
 * Take a step out again; fine if it does not wait.
 */
void commit_forget(struct commit_step *step);

/*
 * The commit is done: run the steps that waited for it.  What a step adds
 * waits for the next.
 */
void commit_run(struct commit_queue *q);

#endif
