#include "config.h"

#include <arpa/inet.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys/keyd/core.h"
#include "keys/keyd/failures.h"
#include "lib/log.h"
#include "store/journal/journal.h"

/* The most combinations that are counted apart in a minute. */
#define KINDS 256
#define MINUTE 60000
#define PREFIX_SIZE (INET6_ADDRSTRLEN + 4)

enum what { STRANGER, LOGIN, REQUEST, COMMAND };

/* What was refused to whom; the details are those of the last one. */
struct kind {
	enum what what;
	const char *door;            /* of an administrator: the role */
	char name[NAMES_SIZE];       /* "" for strangers */
	char peer[PROTOCOL_ADDRESS]; /* or the source prefix */
	struct protocol_refuse why;
	uint64_t serial;
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

/* --- recording --------------------------------------------------------- */

static int
record(struct failures *f, struct kind *kind, struct ht_error *e)
{
	struct journal_request who = { .client = kind->name,
		.door = kind->door,
		.peer = kind->peer,
		.serial = kind->serial };
	struct journal_end why = { (int)kind->why.status, kind->why.code,
		HT_NO_OFFSET, kind->why.text, NULL };
	struct store_actor actor = { kind->name, kind->door, kind->peer };
	uint64_t count = kind->count;

	kind->count = 0;
	if (count == 0)
		return 0;
	switch (kind->what) {
	case LOGIN:
		return journal_refused_login(f->store, &who, &why, count, e);
	case REQUEST:
		return journal_refused_request(f->store, &who, &why, count, e);
	case COMMAND:
		return journal_refused_command(f->store, &actor, kind->why.text,
		    count, e);
	default:
		return journal_auth_failed(f->store, kind->door, kind->why.code,
		    kind->peer, count, e);
	}
}

static bool
has_room(struct failures *f)
{
	struct ht_error e;

	return store_reserve(f->store, KEYD_RESERVE, &e) == 0;
}

/* The minute is over.  If a write fails, the next commit fails, too. */
static void
record_all(void *cookie)
{
	struct failures *f = cookie;
	struct ht_error e;
	size_t i;

	f->timer = NULL;
	if (!has_room(f)) {
		f->timer = loop_timer_add(f->loop, MINUTE, record_all, f);
		return;
	}
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
	loop_timer_remove(f->timer);
	free(f);
}

/* --- counting ---------------------------------------------------------- */

static bool
same(const struct kind *a, const struct kind *b)
{
	return a->what == b->what && strcmp(a->door, b->door) == 0 &&
	    strcmp(a->name, b->name) == 0 &&
	    strcmp(a->why.code, b->why.code) == 0 &&
	    (a->what != STRANGER || strcmp(a->peer, b->peer) == 0) &&
	    (a->what != COMMAND || strcmp(a->why.text, b->why.text) == 0);
}

static struct kind *
kind_of(struct failures *f, const struct kind *one)
{
	struct kind *kind;
	size_t i;

	for (i = 0; i < f->n; i++)
		if (same(&f->kinds[i], one))
			return &f->kinds[i];
	if (f->n < KINDS) {
		f->kinds[f->n] = *one;
		return &f->kinds[f->n++];
	}
	kind = &f->kinds[KINDS - 1];
	kind->what = STRANGER;
	kind->door = "other";
	memcpy(kind->why.code, "other", sizeof("other"));
	kind->peer[0] = '\0';
	return kind;
}

static int
count(struct failures *f, const struct kind *one, struct ht_error *e)
{
	size_t before = f->n;
	struct kind *kind = kind_of(f, one);

	kind->count++;
	if (f->timer == NULL)
		f->timer = loop_timer_add(f->loop, MINUTE, record_all, f);
	return f->n > before && has_room(f) ? record(f, kind, e) : 0;
}

int
failures_count(struct failures *f, const char *door, const char *reason,
    const char *peer, struct ht_error *e)
{
	struct kind one = { .what = STRANGER, .door = door };

	(void)snprintf(one.why.code, sizeof(one.why.code), "%s", reason);
	prefix_of(peer, one.peer);
	return count(f, &one, e);
}

static int
count_known(struct failures *f, enum what what, const char *door,
    const struct identity *who, const struct protocol_refuse *why,
    struct ht_error *e)
{
	struct kind one = { .what = what,
		.door = door,
		.why = *why,
		.serial = who->serial };

	memcpy(one.name, who->name, sizeof(one.name));
	memcpy(one.peer, who->peer, sizeof(one.peer));
	return count(f, &one, e);
}

int
failures_login(struct failures *f, const struct identity *who,
    const struct protocol_refuse *why, struct ht_error *e)
{
	return count_known(f, LOGIN, who->door, who, why, e);
}

int
failures_request(struct failures *f, const struct identity *who,
    const struct protocol_refuse *why, struct ht_error *e)
{
	return count_known(f, REQUEST, who->door, who, why, e);
}

int
failures_command(struct failures *f, const struct identity *who,
    const char *role, const struct protocol_refuse *why, struct ht_error *e)
{
	return count_known(f, COMMAND, role, who, why, e);
}
