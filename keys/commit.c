#include "config.h"

#include <stddef.h>

#include "keys/commit.h"

void
commit_init(struct commit_queue *q)
{
	q->first = NULL;
	q->last = &q->first;
}

void
commit_after(struct commit_queue *q, struct commit_step *step)
{
	if (step->waiting)
		return;
	step->waiting = true;
	step->next = NULL;
	*q->last = step;
	q->last = &step->next;
}

void
commit_forget(struct commit_queue *q, struct commit_step *step)
{
	struct commit_step **at;

	if (!step->waiting)
		return;
	step->waiting = false;
	for (at = &q->first; *at != step; at = &(*at)->next)
		;
	*at = step->next;
	if (q->last == &step->next)
		q->last = at;
}

void
commit_run(struct commit_queue *q)
{
	struct commit_step mark = { NULL, NULL, NULL, false };
	struct commit_step *step;

	commit_after(q, &mark);
	while ((step = q->first) != &mark) {
		commit_forget(q, step);
		step->run(step->cookie);
	}
	commit_forget(q, &mark);
}
