#include "config.h"

#include <stddef.h>

#include "keys/keyd/request/commit.h"

void
commit_init(struct commit_queue *q)
{
	q->first = NULL;
	q->running = NULL;
}

void
commit_after(struct commit_queue *q, struct commit_step *step)
{
	if (step->at != NULL)
		return;
	step->next = q->first;
	step->at = &q->first;
	if (step->next != NULL)
		step->next->at = &step->next;
	q->first = step;
}

void
commit_forget(struct commit_step *step)
{
	if (step->at == NULL)
		return;
	*step->at = step->next;
	if (step->next != NULL)
		step->next->at = step->at;
	step->at = NULL;
}

void
commit_run(struct commit_queue *q)
{
	struct commit_step *step;

	q->running = q->first;
	q->first = NULL;
	if (q->running != NULL)
		q->running->at = &q->running;
	while ((step = q->running) != NULL) {
		commit_forget(step);
		step->run(step->cookie);
	}
}
