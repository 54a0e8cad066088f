#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "fetch/servers.h"

int
servers_add(struct servers *s, const char *name, const char *url,
    uint64_t interval, struct buf *roots, struct ht_error *e)
{
	struct server *one;

	if (s->n == SERVERS_MAX)
		return ht_error_set(e, HT_ERR_USAGE,
		    "more than %d timestamp servers", SERVERS_MAX);
	one = &s->one[s->n++];
	one->name = strdup(name);
	one->url = strdup(url);
	one->interval = interval;
	one->roots = *roots;
	memset(roots, 0, sizeof(*roots));
	if (one->name == NULL || one->url == NULL)
		return ht_error_memory(e);
	return 0;
}

void
servers_clear(struct servers *s)
{
	size_t i;

	for (i = 0; i < s->n; i++) {
		free(s->one[i].name);
		free(s->one[i].url);
		buf_free(&s->one[i].roots);
	}
	memset(s, 0, sizeof(*s));
}

uint64_t
servers_bit(const struct servers *s, struct cursor name)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (cursor_is(name, s->one[i].name))
			return (uint64_t)1 << i;
	return 0;
}

enum servers_choice
servers_choose(const struct servers *s, uint64_t among, uint64_t now,
    uint64_t random, size_t *index, uint64_t *until)
{
	size_t ready[SERVERS_MAX];
	const struct server *one;
	bool waits = false;
	size_t n = 0, i;

	for (i = 0; i < s->n; i++) {
		one = &s->one[i];
		if ((among >> i & 1) == 0)
			continue;
		if (one->failed > 0) {
			waits = waits || one->probed;
		} else if (one->rest > now) {
			waits = waits || one->rest < *until;
			if (one->rest < *until)
				*until = one->rest;
		} else {
			ready[n++] = i;
		}
	}
	if (n == 0)
		return waits ? SERVERS_WAIT : SERVERS_NONE;
	*index = ready[random % n];
	return SERVERS_ASK;
}

bool
servers_probe(struct servers *s, uint64_t now, size_t *index)
{
	struct server *one;
	size_t i;

	for (i = 0; i < s->n; i++) {
		one = &s->one[i];
		if (one->probed || one->failed == 0 || one->out > now ||
		    one->rest > now)
			continue;
		one->probed = true;
		*index = i;
		return true;
	}
	return false;
}

void
servers_probe_over(struct servers *s, size_t index)
{
	s->one[index].probed = false;
}

void
servers_asked(struct servers *s, size_t index, uint64_t now)
{
	struct server *one = &s->one[index];

	if (one->rest < now + one->interval)
		one->rest = now + one->interval;
}

/* How long a server is out that has failed so often. */
static uint64_t
penalty(unsigned int failed)
{
	uint64_t ms = SERVERS_OUT;

	while (--failed > 0 && ms < SERVERS_OUT_MAX)
		ms *= 2;
	return ms < SERVERS_OUT_MAX ? ms : SERVERS_OUT_MAX;
}

static uint64_t
bounded(uint64_t rest)
{
	if (rest == 0)
		return SERVERS_REST;
	if (rest < SERVERS_REST_MIN)
		return SERVERS_REST_MIN;
	return rest < SERVERS_REST_MAX ? rest : SERVERS_REST_MAX;
}

void
servers_said(struct servers *s, size_t index, enum servers_said what,
    uint64_t rest, uint64_t now)
{
	struct server *one = &s->one[index];

	/* Requests that were under way with the first failure do not count. */
	if (what == SERVERS_FAILED && (one->failed == 0 || one->probed)) {
		one->failed++;
		one->out = now + penalty(one->failed);
	}
	if (what == SERVERS_GOOD)
		one->failed = 0;
	if (what == SERVERS_BUSY && one->rest < now + bounded(rest))
		one->rest = now + bounded(rest);
}
