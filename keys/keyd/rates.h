/*
 * How often clients, profiles and tokens are used: what htsign.conf(5) limits
 * under "Rates".
 *
 * Counts are kept whether there is a limit or not.  So one that is set later, by
 * a reload, finds what has been.  An entry has a fixed size, and goes when it has
 * nothing to tell any more.  Times are by the monotonic clock, so the system's
 * clock may jump.
 *
 * What was counted before a start comes from the journal.
 */

#ifndef KEYS_KEYD_RATES_H
#define KEYS_KEYD_RATES_H

#include "config/conf.h"
#include "protocol/messages.h"
#include "store/store.h"

enum rate_of { RATE_CLIENT, RATE_PROFILE, RATE_TOKEN };

struct rates;
struct rate;

/*
 * The place of an open request at one of them.  Zeros are none.  To be left with
 * rate_leave.
 */
struct rate_place {
	struct rate *rate;
	bool counted;      /* as a request */
	uint64_t promised; /* bytes that are not yet counted */
};

/*
 * rates_new returns NULL if there is no memory.  All places must be left before
 * rates_free.
 */
struct rates *rates_new(void);
void rates_free(struct rates *s); /* NULL is fine */

/*
 * Count what the journal has of the last day.  Errors: those of the journal.
 */
int rates_recall(struct rates *s, struct store *store, struct ht_error *e);

/*
 * Whether one more request may be let in, with a file of size bytes, 0 if that is
 * not known.  limits may be NULL.  Errors, with *no set to the refusal, which
 * names the limit and whose it is: HT_ERR_TEMPORARY, with the seconds after which
 * it may, or HT_ERR_REFUSED if that file never may.
 */
int rates_check(struct rates *s, enum rate_of of, const char *name,
    const struct conf_rates *limits, uint64_t size, struct protocol_refuse *no);

/*
 * Take a place for a request of so many bytes.  It is one of those at once until
 * it is left, and is on its way until it is counted.  Without memory there is no
 * place, and nothing is counted.
 */
void rate_take(struct rates *s, enum rate_of of, const char *name,
    uint64_t size, struct rate_place *place);

/*
 * Count the request, and its bytes.  Each once; no place is fine.
 */
void rate_count_request(struct rate_place *place);
void rate_count_bytes(struct rate_place *place, uint64_t size);

/*
 * Leave a place: what was not counted never was.  No place is fine.
 */
void rate_leave(struct rate_place *place);

/*
 * Whether the file may still be sent, now that its size is known.  The same
 * errors as rates_check.
 */
int rate_check_bytes(const struct rate_place *place,
    const struct conf_rates *limits, uint64_t size, struct protocol_refuse *no);

/*
 * A request of the client ended with this exit status: count it as refused, if
 * that is the client's doing (64, 65, 66, 77).
 */
void rates_ended(struct rates *s, const char *client, int status);

#endif
