/*
 * The verdict: may this client have this signature now?
 *
 * keyd asks for the verdict again at each step:
 * - when a request begins,
 * - when its content has arrived,
 * - before each decision is recorded, and after it is durable,
 * - when the signature has its timestamp,
 * - before the result is released.
 *
 * Queues, retries and slow uploads take time, and the answer may change.
 */

#ifndef KEYS_KEYD_REQUEST_POLICY_H
#define KEYS_KEYD_REQUEST_POLICY_H

#include "keys/keyd/core.h"
#include "keys/keyd/identity.h"

/*
 * Find the profile that who asks for.  asked is its name, or "" for the default
 * of policy_default.  Looks neither at grants nor at the user certificate.
 * Errors, with *r set to the refusal: HT_ERR_DENIED if there is no such
 * profile; HT_ERR_USAGE if asked is "" and there is no default; HT_ERR_INTERNAL
 * if the store cannot be read.  *profile is valid until the loop is entered
 * again.
 */
int policy_profile(struct keyd *k, const struct identity *who,
    const char *asked, const struct conf_profile **profile,
    struct protocol_refuse *r);

/* Which certificate is wanted of several; "" for no wish. */
struct policy_wish {
	const char *certificate;    /* its name: it was chosen before */
	const uint8_t *fingerprint; /* its SHA-256, if it has a name */
	const char *publisher;      /* UTF-8: the package's */
	const char *left;           /* a token that it is not to be on, or
	                               NULL; then only one whose token answers
	                               now, and of the publisher */
	uint64_t size;              /* of the file, or PROTOCOL_SIZE_UNKNOWN */
	bool placed;                /* a place at the token is taken */
	bool decided;               /* the request is one of the uses of its
	                               user certificate already */
};

/*
 * Decide whether who may sign under the profile now.  *certificate is one of the
 * profile's that can sign now: the one that was chosen before and no other, or
 * else one of the publisher, and whose token answers, if there is such a one.  Of
 * several, one whose token has the fewest jobs; of several of these, one at
 * random.  wish may be NULL.  *certificate is valid until the loop is entered
 * again.
 *
 * Errors, with *r set to the refusal: HT_ERR_DENIED for the client, its
 * certificate or that one's profile or uses, its grant, or the door, or if one of
 * them is frozen; HT_ERR_UNAVAILABLE if the clock is not
 * set or no certificate can sign, HT_ERR_REFUSED if that does not pass: all have
 * been revoked or have expired; HT_ERR_TEMPORARY if a token that could sign has
 * reached its rates; HT_ERR_INTERNAL if the store cannot be read.
 */
int policy_verdict(struct keyd *k, const struct identity *who,
    const char *profile, const struct policy_wish *wish,
    const struct setup_certificate **certificate, struct protocol_refuse *r);

/*
 * Return how many configured profiles who is granted, of which a user
 * certificate may leave one: 0 also if the store cannot be read.  fn is called
 * for each; fn may be NULL.
 */
typedef void policy_profile_fn(void *cookie,
    const struct conf_profile *profile);
unsigned int policy_granted(struct keyd *k, const struct identity *who,
    policy_profile_fn *fn, void *cookie);

/*
 * Whether a certificate of the profile can sign for client now, as far as is
 * known without asking its token.  If none can, says why, and returns
 * HT_ERR_UNAVAILABLE; HT_ERR_REFUSED, HT_ERR_TEMPORARY or HT_ERR_DENIED as
 * policy_verdict does.
 */
int policy_can_sign(struct keyd *k, const char *client,
    const struct conf_profile *profile, struct ht_error *e);

/*
 * Whether all certificates of the profile that can sign expire within SETUP_SOON
 * days.  If so, text names the last one and says when, as setup_expires does.
 */
bool policy_expires(struct keyd *k, const struct conf_profile *profile,
    char text[PROTOCOL_TEXT]);

/*
 * Whether a timestamp can be asked for, if the profile requires one.
 * HT_ERR_UNAVAILABLE, with *r set to the refusal, if not: no server of the
 * profile can be used, or htsign-fetch is away.
 */
int policy_can_stamp(const struct keyd *k, const struct conf_profile *profile,
    struct protocol_refuse *r);

/*
 * Whether the file can be scanned, if the profile requires that.
 * HT_ERR_UNAVAILABLE, with *r set to the refusal, as pump_can_scan says.
 */
int policy_can_scan(const struct keyd *k, const struct conf_profile *profile,
    struct protocol_refuse *r);

/*
 * Return the name of the profile that "" stands for: the user certificate's, or
 * the client's default, or the only one granted.  "" if there is neither, or if
 * the store cannot be read.  Valid until the loop is entered again.
 */
const char *policy_default(struct keyd *k, const struct identity *who);

/*
 * True if the clock is believed: it is at most a minute behind the last event.
 * When it first is not, the journal gets an event.
 */
bool policy_clock(struct keyd *k);

#endif
