/*
 * The timestamp servers, and who of them is to be asked now.  No clock and no
 * chance of its own: the caller hands in both.  Times are milliseconds of one
 * clock that does not go back.
 *
 * A server that has failed once is out: it gets no request.  After a while,
 * which doubles from SERVERS_OUT to SERVERS_OUT_MAX, it is due for a probe, a
 * question that nobody waits for.  An answer lets it in again.  So a bad server
 * costs one request its patience, and no other anything.
 */

#ifndef FETCH_SERVERS_H
#define FETCH_SERVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"

/* The most servers: one bit each in a uint64_t. */
#define SERVERS_MAX 64

#define SERVERS_OUT 15000
#define SERVERS_OUT_MAX 600000

/* How long one rests after a 429, at least, unless it says so, and at most. */
#define SERVERS_REST_MIN 1000
#define SERVERS_REST 30000
#define SERVERS_REST_MAX 3600000

struct server {
	char *name;
	char *url;
	uint64_t interval; /* the least milliseconds between two requests */
	struct buf roots;  /* PEM */
	/* private */
	bool probed;         /* a probe is under way */
	unsigned int failed; /* how often, since it answered last */
	uint64_t out;        /* until then */
	uint64_t rest;       /* until then, for its interval or a 429 */
};

struct servers {
	struct server one[SERVERS_MAX];
	size_t n;
};

/*
 * Add a server.  Copies all; takes roots, and leaves an empty buf.  HT_ERR_USAGE
 * for too many.  HT_ERR_INTERNAL without memory.  servers_clear frees what *s
 * holds, which starts as zeros.
 */
int servers_add(struct servers *s, const char *name, const char *url,
    uint64_t interval, struct buf *roots, struct ht_error *e);
void servers_clear(struct servers *s);

/* The bit of the server of that name; 0 if there is none. */
uint64_t servers_bit(const struct servers *s, struct cursor name);

enum servers_choice {
	SERVERS_ASK,  /* *index */
	SERVERS_WAIT, /* until *until at the latest, or until a probe ends */
	SERVERS_NONE  /* none of them is to be expected by then */
};

/*
 * Choose one of those whose bits are set, by a random number, so that a request
 * that strikes out whom it has asked meets them in random order.  *until is the
 * time until which the caller can wait; the answer is not later.
 */
enum servers_choice servers_choose(const struct servers *s, uint64_t among,
    uint64_t now, uint64_t random, size_t *index, uint64_t *until);

/*
 * Whether one is due for a probe.  The probe is under way from here on until
 * servers_probe_over.
 */
bool servers_probe(struct servers *s, uint64_t now, size_t *index);
void servers_probe_over(struct servers *s, size_t index);

/*
 * A request goes out to it; and has ended in this way.  rest is how many
 * milliseconds a busy one has asked for, or 0.
 */
enum servers_said { SERVERS_GOOD, SERVERS_FAILED, SERVERS_BUSY };
void servers_asked(struct servers *s, size_t index, uint64_t now);
void servers_said(struct servers *s, size_t index, enum servers_said what,
    uint64_t rest, uint64_t now);

#endif
