#include "config.h"

#include <sys/queue.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys/keyd/quota.h"
#include "lib/loop.h"
#include "protocol/names.h"

enum { ROWS, BYTES, MEASURES };

#define DAY ((int64_t)86400000) /* milliseconds */

static const struct {
	int64_t most;
	int64_t day;
} limits[MEASURES] = {
	[ROWS] = { QUOTA_ROWS, QUOTA_ROWS_DAY },
	[BYTES] = { QUOTA_BYTES, QUOTA_BYTES_DAY },
};

/* One who has written lately.  Who is not in the list has all. */
struct writer {
	LIST_ENTRY(writer) entry;
	char name[NAMES_PRINCIPAL_SIZE];
	int64_t used[MEASURES]; /* in units of 1/DAY: no rounding */
	uint64_t at;            /* when used was right: loop_now() */
};

struct quota {
	LIST_HEAD(, writer) writers;
};

struct quota *
quota_new(void)
{
	return calloc(1, sizeof(struct quota));
}

void
quota_free(struct quota *q)
{
	struct writer *w;

	while (q != NULL && (w = LIST_FIRST(&q->writers)) != NULL) {
		LIST_REMOVE(w, entry);
		free(w);
	}
	free(q);
}

/* Let time pass.  Returns false if w has all again. */
static bool
refill(struct writer *w)
{
	uint64_t now = loop_now();
	int64_t passed = (int64_t)(now - w->at);
	bool some = false;
	int i;

	w->at = now;
	for (i = 0; i < MEASURES; i++) {
		if (passed >= w->used[i] / limits[i].day)
			w->used[i] = 0;
		else
			w->used[i] -= passed * limits[i].day;
		some = some || w->used[i] > 0;
	}
	return some;
}

/* Find who.  Forgets those who have all again. */
static struct writer *
find(struct quota *q, const char *who)
{
	struct writer *w, *next;

	for (w = LIST_FIRST(&q->writers); w != NULL; w = next) {
		next = LIST_NEXT(w, entry);
		if (!refill(w)) {
			LIST_REMOVE(w, entry);
			free(w);
		} else if (strcmp(w->name, who) == 0) {
			return w;
		}
	}
	return NULL;
}

uint32_t
quota_wait(struct quota *q, const char *who)
{
	struct writer *w = find(q, who);
	int64_t over, wait = 0;
	int i;

	/* There must be room for one more. */
	for (i = 0; w != NULL && i < MEASURES; i++) {
		over = w->used[i] - (limits[i].most - 1) * DAY;
		if (over > 0 && over / limits[i].day / 1000 + 1 > wait)
			wait = over / limits[i].day / 1000 + 1;
	}
	return wait < UINT32_MAX ? (uint32_t)wait : UINT32_MAX;
}

void
quota_charge(struct quota *q, const char *who, uint64_t rows, uint64_t bytes)
{
	struct writer *w = find(q, who);

	if (rows == 0 && bytes == 0)
		return;
	if (w == NULL) {
		w = calloc(1, sizeof(*w));
		if (w == NULL)
			return;
		(void)snprintf(w->name, sizeof(w->name), "%s", who);
		w->at = loop_now();
		LIST_INSERT_HEAD(&q->writers, w, entry);
	}
	w->used[ROWS] += (int64_t)rows * DAY;
	w->used[BYTES] += (int64_t)bytes * DAY;
}
