#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "keys/keyd/token/queue.h"
#include "lib/error.h"

/* A client that has something waiting.  It is freed when nothing is left. */
struct queue_client {
	TAILQ_ENTRY(queue_client) entry;
	TAILQ_HEAD(queue_items, queue_item) items;
	char *name;
};

void
queue_init(struct queue *q)
{
	TAILQ_INIT(&q->clients);
}

static struct queue_client *
find_or_add(struct queue *q, const char *name)
{
	struct queue_client *c;

	TAILQ_FOREACH(c, &q->clients, entry)
		if (strcmp(c->name, name) == 0)
			return c;
	c = calloc(1, sizeof(*c));
	if (c == NULL || (c->name = strdup(name)) == NULL) {
		free(c);
		return NULL;
	}
	TAILQ_INIT(&c->items);
	TAILQ_INSERT_TAIL(&q->clients, c, entry);
	return c;
}

int
queue_put(struct queue *q, const char *client, struct queue_item *item)
{
	struct queue_client *c = find_or_add(q, client);

	if (c == NULL)
		return HT_ERR_INTERNAL;
	item->client = c;
	TAILQ_INSERT_TAIL(&c->items, item, entry);
	return 0;
}

struct queue_item *
queue_next(const struct queue *q, const struct queue_item *item)
{
	const struct queue_client *c;

	if (item != NULL && TAILQ_NEXT(item, entry) != NULL)
		return TAILQ_NEXT(item, entry);
	c = item != NULL ? TAILQ_NEXT(item->client, entry)
	                 : TAILQ_FIRST(&q->clients);
	return c != NULL ? TAILQ_FIRST(&c->items) : NULL;
}

void
queue_remove(struct queue *q, struct queue_item *item)
{
	struct queue_client *c = item->client;

	item->client = NULL;
	TAILQ_REMOVE(&c->items, item, entry);
	if (!TAILQ_EMPTY(&c->items))
		return;
	TAILQ_REMOVE(&q->clients, c, entry);
	free(c->name);
	free(c);
}

struct queue_item *
queue_take(struct queue *q)
{
	struct queue_client *c = TAILQ_FIRST(&q->clients);
	struct queue_item *item;

	if (c == NULL)
		return NULL;
	TAILQ_REMOVE(&q->clients, c, entry);
	TAILQ_INSERT_TAIL(&q->clients, c, entry);
	item = TAILQ_FIRST(&c->items);
	queue_remove(q, item);
	return item;
}
