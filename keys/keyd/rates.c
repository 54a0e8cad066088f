#include "config.h"

#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys/keyd/core.h"
#include "keys/keyd/rate-window.h"
#include "keys/keyd/rates.h"
#include "lib/loop.h"
#include "store/journal/journal.h"

#define MINUTE ((uint64_t)60000) /* milliseconds */
#define DAY ((uint64_t)86400000)

/* Seconds after which one of those at once may have ended. */
#define SOON 5

enum { REQUESTS_MINUTE, REQUESTS_DAY, BYTES_DAY, REFUSED_MINUTE, WINDOWS };

static const uint64_t spans[WINDOWS] = { MINUTE, DAY, DAY, MINUTE };

struct rate {
	LIST_ENTRY(rate) entry;
	enum rate_of of;
	char name[NAMES_SIZE];
	unsigned int open;   /* places */
	unsigned int coming; /* of these, requests that are not yet counted */
	uint64_t promised;   /* bytes that are not yet counted */
	struct rate_window windows[WINDOWS];
};

struct rates {
	LIST_HEAD(, rate) list;
	uint64_t swept;
};

/* So far from 0 that yesterday can be told, however young the machine is. */
static uint64_t
now_ms(void)
{
	return loop_now() + 2 * DAY;
}

struct rates *
rates_new(void)
{
	return calloc(1, sizeof(struct rates));
}

void
rates_free(struct rates *s)
{
	struct rate *rate;

	while (s != NULL && (rate = LIST_FIRST(&s->list)) != NULL) {
		LIST_REMOVE(rate, entry);
		free(rate);
	}
	free(s);
}

static bool
is_idle(struct rate *rate, uint64_t now)
{
	size_t i;

	for (i = 0; i < WINDOWS; i++)
		if (rate_window_count(&rate->windows[i], now) > 0)
			return false;
	return rate->open == 0;
}

/* Once a minute, forget those who have nothing to tell. */
static void
sweep(struct rates *s)
{
	uint64_t now = now_ms();
	struct rate *rate, *next;

	if (now - s->swept < MINUTE)
		return;
	s->swept = now;
	for (rate = LIST_FIRST(&s->list); rate != NULL; rate = next) {
		next = LIST_NEXT(rate, entry);
		if (is_idle(rate, now)) {
			LIST_REMOVE(rate, entry);
			free(rate);
		}
	}
}

static struct rate *
find(const struct rates *s, enum rate_of of, const char *name)
{
	struct rate *rate;

	LIST_FOREACH(rate, &s->list, entry)
		if (rate->of == of && strcmp(rate->name, name) == 0)
			return rate;
	return NULL;
}

/* Find or make.  NULL if there is no memory. */
static struct rate *
obtain(struct rates *s, enum rate_of of, const char *name)
{
	struct rate *rate = find(s, of, name);
	size_t i;

	if (rate != NULL)
		return rate;
	sweep(s);
	rate = calloc(1, sizeof(*rate));
	if (rate == NULL)
		return NULL;
	rate->of = of;
	(void)snprintf(rate->name, sizeof(rate->name), "%s", name);
	for (i = 0; i < WINDOWS; i++)
		rate_window_init(&rate->windows[i], spans[i]);
	LIST_INSERT_HEAD(&s->list, rate, entry);
	return rate;
}

static void
add(struct rate *rate, int window, uint64_t ago, uint64_t n)
{
	uint64_t now = now_ms();

	if (ago <= DAY)
		rate_window_add(&rate->windows[window], now, now - ago, n);
}

/* --- limits -------------------------------------------------------------- */

/*
 * Say which limit of whom is in the way, and for how many seconds; 0 is for ever.
 */
static int
refuse(enum rate_of of, const char *name, uint64_t most, const char *what,
    uint32_t seconds, struct protocol_refuse *no)
{
	static const char *const kinds[] = { [RATE_CLIENT] = "client",
		[RATE_PROFILE] = "profile",
		[RATE_TOKEN] = "token" };
	int code = seconds > 0 ? HT_ERR_TEMPORARY : HT_ERR_REFUSED;

	keyd_refusal(no, code, seconds > 0 ? "rate" : "size",
	    "%s %s is limited to %ju %s", kinds[of], name, (uintmax_t)most,
	    what);
	no->retry = seconds;
	return code;
}

/* The seconds until n more fit, beside those on their way; 0 if they do now. */
static uint32_t
seconds_until(struct rate *rate, int window, uint64_t most, uint64_t coming,
    uint64_t n)
{
	uint64_t now = now_ms(), wanted = coming + n;
	uint64_t used = rate_window_count(&rate->windows[window], now);

	if (used + wanted <= most)
		return 0;
	return (uint32_t)((rate_window_wait(&rate->windows[window], now,
	                       used + wanted - most) +
	                      999) /
	    1000);
}

/* promised is what others than the file itself have on their way. */
static int
check_bytes(struct rate *rate, enum rate_of of, const char *name,
    const struct conf_rates *limits, uint64_t promised, uint64_t size,
    struct protocol_refuse *no)
{
	uint32_t wait;

	if (limits->max_size > 0 && size > limits->max_size)
		return refuse(of, name, limits->max_size, "bytes a file", 0,
		    no);
	if (limits->bytes_day == 0)
		return 0;
	if (size > limits->bytes_day)
		return refuse(of, name, limits->bytes_day, "bytes a day", 0,
		    no);
	/* There must be room for one byte at least. */
	wait = rate == NULL ? 0
	                    : seconds_until(rate, BYTES_DAY, limits->bytes_day,
	                          promised, size > 0 ? size : 1);
	return wait == 0
	    ? 0
	    : refuse(of, name, limits->bytes_day, "bytes a day", wait, no);
}

/* The limit that is in the way for longest. */
static int
check_requests(struct rate *rate, const struct conf_rates *limits,
    struct protocol_refuse *no)
{
	const struct {
		unsigned int most;
		int window;
		unsigned int coming;
		const char *what;
	} each[] = {
		{ limits->refused_minute, REFUSED_MINUTE, 0,
		    "refused requests a minute" },
		{ limits->requests_minute, REQUESTS_MINUTE, rate->coming,
		    "requests a minute" },
		{ limits->requests_day, REQUESTS_DAY, rate->coming,
		    "requests a day" },
	};
	uint32_t wait, longest = 0;
	int rc = 0;
	size_t i;

	if (limits->requests_at_once > 0 &&
	    rate->open >= limits->requests_at_once) {
		longest = SOON;
		rc = refuse(rate->of, rate->name, limits->requests_at_once,
		    "requests at once", SOON, no);
	}
	for (i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
		wait = each[i].most == 0 ? 0
		                         : seconds_until(rate, each[i].window,
		                               each[i].most, each[i].coming, 1);
		if (wait > longest) {
			longest = wait;
			rc = refuse(rate->of, rate->name, each[i].most,
			    each[i].what, wait, no);
		}
	}
	return rc;
}

int
rates_check(struct rates *s, enum rate_of of, const char *name,
    const struct conf_rates *limits, uint64_t size, struct protocol_refuse *no)
{
	struct rate *rate = find(s, of, name);
	struct protocol_refuse bytes;
	int rc = 0, rc_bytes;

	if (limits == NULL)
		return 0;
	if (rate != NULL)
		rc = check_requests(rate, limits, no);
	rc_bytes = check_bytes(rate, of, name, limits,
	    rate == NULL ? 0 : rate->promised, size, &bytes);
	if (rc_bytes == HT_ERR_REFUSED ||
	    (rc_bytes < 0 && (rc == 0 || bytes.retry > no->retry))) {
		*no = bytes;
		rc = rc_bytes;
	}
	return rc;
}

int
rate_check_bytes(const struct rate_place *place,
    const struct conf_rates *limits, uint64_t size, struct protocol_refuse *no)
{
	struct rate *rate = place->rate;

	if (rate == NULL || limits == NULL)
		return 0;
	return check_bytes(rate, rate->of, rate->name, limits,
	    rate->promised - place->promised, size, no);
}

/* --- places -------------------------------------------------------------- */

void
rate_take(struct rates *s, enum rate_of of, const char *name, uint64_t size,
    struct rate_place *place)
{
	memset(place, 0, sizeof(*place));
	place->rate = obtain(s, of, name);
	if (place->rate == NULL)
		return;
	place->promised = size;
	place->rate->open++;
	place->rate->coming++;
	place->rate->promised += size;
}

void
rate_count_request(struct rate_place *place)
{
	if (place->rate == NULL || place->counted)
		return;
	place->counted = true;
	place->rate->coming--;
	add(place->rate, REQUESTS_MINUTE, 0, 1);
	add(place->rate, REQUESTS_DAY, 0, 1);
}

void
rate_count_bytes(struct rate_place *place, uint64_t size)
{
	if (place->rate == NULL)
		return;
	place->rate->promised -= place->promised;
	place->promised = 0;
	add(place->rate, BYTES_DAY, 0, size);
}

void
rate_leave(struct rate_place *place)
{
	struct rate *rate = place->rate;

	if (rate != NULL) {
		rate->open--;
		rate->coming -= place->counted ? 0 : 1;
		rate->promised -= place->promised;
	}
	memset(place, 0, sizeof(*place));
}

static bool
is_clients_doing(int status)
{
	return status == -HT_ERR_USAGE || status == -HT_ERR_DATA ||
	    status == -HT_ERR_REFUSED || status == -HT_ERR_DENIED;
}

void
rates_ended(struct rates *s, const char *client, int status)
{
	struct rate *rate =
	    is_clients_doing(status) ? obtain(s, RATE_CLIENT, client) : NULL;

	if (rate != NULL)
		add(rate, REFUSED_MINUTE, 0, 1);
}

/* --- what was before ----------------------------------------------------- */

struct recall {
	struct rates *rates;
	int64_t now; /* microseconds since 1970 */
};

/* How many milliseconds ago.  What seems to be still to come is now. */
static uint64_t
ago(const struct recall *c, int64_t at)
{
	return at < c->now ? (uint64_t)(c->now - at) / 1000 : 0;
}

static void
recall(const struct recall *c, enum rate_of of, const char *name,
    uint64_t bytes, int64_t at)
{
	struct rate *rate = name[0] == '\0' ? NULL : obtain(c->rates, of, name);

	if (rate == NULL)
		return;
	add(rate, REQUESTS_MINUTE, ago(c, at), 1);
	add(rate, REQUESTS_DAY, ago(c, at), 1);
	add(rate, BYTES_DAY, ago(c, at), bytes);
}

static void
recall_one(void *cookie, const struct journal_recent *was)
{
	const struct recall *c = cookie;
	struct rate *rate;

	if (was->let_in) {
		recall(c, RATE_CLIENT, was->client, was->size, was->asked);
		recall(c, RATE_PROFILE, was->profile, was->size, was->asked);
	}
	recall(c, RATE_TOKEN, was->token, was->size, was->decided);
	rate = is_clients_doing(was->exit)
	    ? obtain(c->rates, RATE_CLIENT, was->client)
	    : NULL;
	if (rate != NULL)
		add(rate, REFUSED_MINUTE, ago(c, was->ended), 1);
}

int
rates_recall(struct rates *s, struct store *store, struct ht_error *e)
{
	struct recall c = { s, journal_now() };

	return journal_recent(store, c.now - (int64_t)DAY * 1000, recall_one,
	    &c, e);
}
