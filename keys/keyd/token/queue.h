/*
 * A queue that is fair between clients: each that has something waiting gets
 * one turn after the other, however much it has.
 */

#ifndef KEYS_KEYD_TOKEN_QUEUE_H
#define KEYS_KEYD_TOKEN_QUEUE_H

#include <stdbool.h>
#include <sys/queue.h>

struct queue_client;

/* Embedded in what waits; in one queue at a time. */
struct queue_item {
	TAILQ_ENTRY(queue_item) entry;
	struct queue_client *client; /* NULL while it does not wait */
};

struct queue {
	TAILQ_HEAD(queue_clients, queue_client) clients; /* next one first */
};

void queue_init(struct queue *q);

/*
 * Add item behind what its client (a name, copied) has waiting already.
 * HT_ERR_INTERNAL if there is no memory.
 */
int queue_put(struct queue *q, const char *client, struct queue_item *item);

/*
 * Take the first item of the client whose turn it is, or NULL.
 */
struct queue_item *queue_take(struct queue *q);

/*
 * Take out an item that waits.
 */
void queue_remove(struct queue *q, struct queue_item *item);

#endif
