#include "config.h"

#include <arpa/inet.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys/keyd/failures.h"
#include "lib/log.h"
#include "store/journal/journal.h"

/* The most combinations that are counted apart in a minute. */
#define KINDS 256
#define MINUTE 60000
#define PREFIX_SIZE (INET6_ADDRSTRLEN + 4)

struct kind {
	const char *door;
	char reason[PROTOCOL_WORD];
	char prefix[PREFIX_SIZE];
	uint64_t count; /* not yet recorded */
};

struct failures {
	struct loop *loop;
	struct store *store;
	struct loop_timer *timer; /* set if n > 0 */
	struct kind kinds[KINDS];
	size_t n;
};

static void
prefix_of(const char *peer, char out[PREFIX_SIZE])
{
	struct in6_addr v6;
	struct in_addr v4;
	char text[INET6_ADDRSTRLEN];

	if (inet_pton(AF_INET, peer, &v4) == 1) {
		v4.s_addr &= htonl(0xffffff00);
		(void)inet_ntop(AF_INET, &v4, text, sizeof(text));
		(void)snprintf(out, PREFIX_SIZE, "%s/24", text);
	} else if (inet_pton(AF_INET6, peer, &v6) == 1) {
		memset(v6.s6_addr + 6, 0, 10);
		(void)inet_ntop(AF_INET6, &v6, text, sizeof(text));
		(void)snprintf(out, PREFIX_SIZE, "%s/48", text);
	} else {
		out[0] = '\0';
	}
}

struct failures *
failures_new(struct loop *l, struct store *s)
{
	struct failures *f = calloc(1, sizeof(*f));

	if (f != NULL) {
		f->loop = l;
		f->store = s;
	}
	return f;
}

static int
record(struct failures *f, struct kind *kind, struct ht_error *e)
{
	uint64_t count = kind->count;

	kind->count = 0;
	if (count == 0)
		return 0;
	return journal_auth_failed(f->store, kind->door, kind->reason,
	    kind->prefix, count, e);
}

/* The minute is over.  If a write fails, the next commit fails, too. */
static void
record_all(void *cookie)
{
	struct failures *f = cookie;
	struct ht_error e;
	size_t i;

	f->timer = NULL;
	for (i = 0; i < f->n; i++)
		if (record(f, &f->kinds[i], &e) < 0)
			log_error("%s", e.text);
	f->n = 0;
}

void
failures_free(struct failures *f)
{
	if (f == NULL)
		return;
	loop_timer_remove(f->timer);
	record_all(f);
	free(f);
}

static struct kind *
kind_of(struct failures *f, const char *door, const char *reason,
    const char *prefix)
{
	struct kind *kind;
	size_t i;

	for (i = 0; i < f->n; i++) {
		kind = &f->kinds[i];
		if (strcmp(kind->door, door) == 0 &&
		    strcmp(kind->reason, reason) == 0 &&
		    strcmp(kind->prefix, prefix) == 0)
			return kind;
	}
	if (f->n == KINDS)
		return NULL;
	kind = &f->kinds[f->n++];
	kind->door = door;
	(void)snprintf(kind->reason, sizeof(kind->reason), "%s", reason);
	memcpy(kind->prefix, prefix, PREFIX_SIZE);
	kind->count = 0;
	return kind;
}

int
failures_count(struct failures *f, const char *door, const char *reason,
    const char *peer, struct ht_error *e)
{
	char prefix[PREFIX_SIZE] = "";
	struct kind *kind;
	size_t before = f->n;

	prefix_of(peer, prefix);
	kind = kind_of(f, door, reason, prefix);
	if (kind == NULL) {
		kind = &f->kinds[KINDS - 1];
		kind->door = "other";
		memcpy(kind->reason, "other", sizeof("other"));
		kind->prefix[0] = '\0';
	}
	kind->count++;
	if (f->timer == NULL)
		f->timer = loop_timer_add(f->loop, MINUTE, record_all, f);
	return f->n > before ? record(f, kind, e) : 0;
}
