/*
 * The verdict: may this client have this signature now?
 *
 * It is asked when a request begins, when its content has come, once more
 * after the decision is on disk, and before the result is released: queues,
 * retries and slow uploads take time, and the answer may change.
 */

#ifndef KEYS_KEYD_REQUEST_POLICY_H
#define KEYS_KEYD_REQUEST_POLICY_H

#include "keys/keyd/core.h"
#include "keys/keyd/identity.h"

/*
 * The profile that who asks for: by name, or with "" the client's default, or
 * the only one granted.  0 with *profile, or HT_ERR_DENIED or HT_ERR_USAGE
 * with the refusal.  Says nothing of grants yet.
 */
int policy_profile(struct keyd *k, const struct identity *who,
    const char *asked, const struct conf_profile **profile,
    struct protocol_refuse *r);

/*
 * The verdict on who and the profile of that name.  0 with *certificate, the
 * first of the profile's that can sign now, or HT_ERR_* with the refusal:
 * DENIED (client, grant, door), UNAVAILABLE (clock, no usable certificate).
 * Both are valid until the loop is entered again.
 */
int policy_verdict(struct keyd *k, const struct identity *who,
    const char *profile, const struct setup_certificate **certificate,
    struct protocol_refuse *r);

/*
 * How many profiles who is granted and that exist; fn is called for each.
 */
typedef void policy_profile_fn(void *cookie,
    const struct conf_profile *profile);
unsigned int policy_granted(struct keyd *k, const struct identity *who,
    policy_profile_fn *fn, void *cookie);

/*
 * The name of the profile that "" stands for, or "".
 */
const char *policy_default(struct keyd *k, const struct identity *who);

/*
 * Whether the clock can be believed: not more than a minute behind the last
 * event.  Says so in the journal the first time that it cannot.
 */
bool policy_clock(struct keyd *k);

#endif
