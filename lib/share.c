#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/share.h"

/* A name that holds some.  It is freed when it holds nothing. */
struct share_holder {
	LIST_ENTRY(share_holder) entry;
	size_t held;
	size_t turns; /* since share_new_round() */
	char name[];
};

void
share_init(struct share *s, size_t total)
{
	s->total = total;
	s->held = 0;
	LIST_INIT(&s->holders);
}

static struct share_holder *
find(const struct share *s, const char *name)
{
	struct share_holder *h;

	LIST_FOREACH(h, &s->holders, entry)
		if (strcmp(h->name, name) == 0)
			return h;
	return NULL;
}

static struct share_holder *
add(struct share *s, const char *name)
{
	size_t n = strlen(name) + 1;
	struct share_holder *h = malloc(sizeof(*h) + n);

	if (h == NULL)
		return NULL;
	h->held = 0;
	h->turns = 0;
	memcpy(h->name, name, n);
	LIST_INSERT_HEAD(&s->holders, h, entry);
	return h;
}

/* Take n for name, whose holder h is, if there is one, up to most. */
static bool
take(struct share *s, struct share_holder *h, const char *name, size_t n,
    size_t most)
{
	if (n > most || (h != NULL && h->held > most - n))
		return false;
	if (h == NULL && (h = add(s, name)) == NULL)
		return false;
	h->held += n;
	s->held += n;
	return true;
}

bool
share_take(struct share *s, const char *name, size_t n)
{
	struct share_holder *h = find(s, name);
	size_t own = h == NULL ? 0 : h->held;

	return take(s, h, name, n, (s->total - (s->held - own) + 1) / 2);
}

bool
share_take_one(struct share *s, const char *name, size_t most)
{
	return take(s, find(s, name), name, 1, most);
}

void
share_give(struct share *s, const char *name, size_t n)
{
	struct share_holder *h = find(s, name);

	h->held -= n;
	s->held -= n;
	if (h->held > 0)
		return;
	LIST_REMOVE(h, entry);
	free(h);
}

void
share_clear(struct share *s)
{
	struct share_holder *h;

	while ((h = LIST_FIRST(&s->holders)) != NULL) {
		LIST_REMOVE(h, entry);
		free(h);
	}
	s->held = 0;
}

bool
share_turn(struct share *s, const char *name, size_t most)
{
	struct share_holder *h = find(s, name);

	if (h->turns >= most)
		return false;
	h->turns++;
	return true;
}

void
share_new_round(struct share *s)
{
	struct share_holder *h;

	LIST_FOREACH(h, &s->holders, entry)
		h->turns = 0;
}

size_t
share_of(const struct share *s, const char *name)
{
	const struct share_holder *h = find(s, name);

	return h == NULL ? 0 : h->held;
}
