/*
 * A queue that is fair between clients.  The clients that have something
 * waiting take turns, one item each, however many items they have.
 */

#ifndef KEYS_KEYD_TOKEN_QUEUE_H
#define KEYS_KEYD_TOKEN_QUEUE_H

#include <stdbool.h>
#include <sys/queue.h>

struct queue_client;

/* Part of what waits.  It is in at most one queue. */
struct queue_item {
	TAILQ_ENTRY(queue_item) entry;
	struct queue_client *client; /* NULL if it does not wait */
};

struct queue {
	TAILQ_HEAD(queue_clients, queue_client) clients; /* next turn first */
};

void queue_init(struct queue *q);

/*
 * Append item to the items of its client.  The client's name is copied; item is
 * the caller's and stays in the queue until it is taken or removed.  Returns
 * HT_ERR_INTERNAL if there is no memory.
 */
int queue_put(struct queue *q, const char *client, struct queue_item *item);

/*
 * Remove and return the first item of the client whose turn it is.  NULL if the
 * queue is empty.
 */
struct queue_item *queue_take(struct queue *q);

/*
 * The item that waits after this one, and the first after NULL.  NULL after the
 * last.
 */
struct queue_item *queue_next(const struct queue *q,
    const struct queue_item *item);

/*
 * Remove an item that waits.
 */
void queue_remove(struct queue *q, struct queue_item *item);

#endif
