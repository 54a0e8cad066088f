#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys/keyd/fetch-link.h"
#include "keys/keyd/pump-link.h"
#include "keys/keyd/rates.h"
#include "keys/keyd/request/policy.h"
#include "lib/log.h"
#include "signature/publisher.h"
#include "store/authority/clients.h"
#include "store/authority/freezes.h"
#include "store/journal/journal.h"

bool
policy_clock(struct keyd *k)
{
	int64_t behind = journal_last_time(k->store) - journal_now();
	struct ht_error e;

	if (behind <= JOURNAL_CLOCK_SLACK) {
		k->clock_unset = false;
		return true;
	}
	if (!k->clock_unset) {
		k->clock_unset = true;
		log_error("the clock is %lld s behind the journal: nothing is "
		          "signed",
		    (long long)(behind / 1000000));
		keyd_must(k,
		    journal_clock(k->store, (uint64_t)behind / 1000000, &e),
		    &e);
	}
	return false;
}

/* Whether the user certificate of who is for the profile. */
static bool
is_for(const struct identity *who, const char *profile)
{
	return who->profile[0] == '\0' || strcmp(who->profile, profile) == 0;
}

static unsigned int
each_granted(const struct conf *conf, const struct identity *who,
    const struct client *client, policy_profile_fn *fn, void *cookie)
{
	unsigned int n = 0;
	size_t i;

	for (i = 0; i < conf->nprofiles; i++) {
		if (!client_has_grant(client, conf->profiles[i].name) ||
		    !is_for(who, conf->profiles[i].name))
			continue;
		n++;
		if (fn != NULL)
			fn(cookie, &conf->profiles[i]);
	}
	return n;
}

unsigned int
policy_granted(struct keyd *k, const struct identity *who,
    policy_profile_fn *fn, void *cookie)
{
	struct client client;
	struct ht_error e;
	unsigned int n;
	char *grants;

	if (client_find(k->store, who->name, &client, &e) < 0)
		return 0;
	/* fn may use the store, which takes back what it has lent. */
	client.grants = grants = strdup(client.grants);
	if (grants == NULL)
		return 0;
	n = each_granted(k->setup->conf, who, &client, fn, cookie);
	free(grants);
	return n;
}

static void
keep_profile(void *cookie, const struct conf_profile *profile)
{
	const struct conf_profile **kept = cookie;

	*kept = profile;
}

/* Find the profile that "" stands for.  *profile is NULL if there is none. */
static int
default_profile(struct keyd *k, const struct identity *who,
    const struct conf_profile **profile, struct ht_error *e)
{
	const struct conf *conf = k->setup->conf;
	struct client client;
	int rc = client_find(k->store, who->name, &client, e);

	*profile = NULL;
	if (rc < 0)
		return rc == HT_ERR_USAGE ? 0 : rc; /* there is no client */
	if (who->profile[0] != '\0')
		*profile = conf_profile(conf, who->profile);
	else if (client.default_profile != NULL)
		*profile = conf_profile(conf, client.default_profile);
	else if (each_granted(conf, who, &client, keep_profile,
	             (void *)profile) > 1)
		*profile = NULL;
	return 0;
}

const char *
policy_default(struct keyd *k, const struct identity *who)
{
	const struct conf_profile *profile;
	struct ht_error e;

	(void)default_profile(k, who, &profile, &e);
	return profile == NULL ? "" : profile->name;
}

/* The store cannot be read. */
static int
unread(struct protocol_refuse *r, const struct ht_error *e)
{
	keyd_refusal(r, HT_ERR_INTERNAL, "journal", "%s", e->text);
	return HT_ERR_INTERNAL;
}

int
policy_profile(struct keyd *k, const struct identity *who, const char *asked,
    const struct conf_profile **profile, struct protocol_refuse *r)
{
	struct ht_error e;

	if (asked[0] != '\0') {
		*profile = conf_profile(k->setup->conf, asked);
		if (*profile != NULL)
			return 0;
		/* Without a grant, nobody learns which profiles exist. */
		keyd_refusal(r, HT_ERR_DENIED, "profile",
		    "profile %s is not granted to %s", asked, who->name);
		return HT_ERR_DENIED;
	}
	if (default_profile(k, who, profile, &e) < 0)
		return unread(r, &e);
	if (*profile != NULL)
		return 0;
	keyd_refusal(r, HT_ERR_USAGE, "no-default",
	    "%s has no default profile: name one", who->name);
	return HT_ERR_USAGE;
}

/*
 * Return why the certificate cannot sign under the profile now, or NULL.  *code
 * tells whether that passes with time.
 */
static const char *
unusable(const struct conf_profile *profile,
    const struct setup_certificate *certificate, int *code)
{
	const char *why;

	why = setup_fault(certificate, journal_now() / 1000000, code);
	if (certificate->fault != NULL)
		return "cannot be used: an administrator can see why";
	if (why != NULL)
		return why;
	return profile->allow_weak ? NULL : chain_weak(certificate->chain);
}

static int
check_frozen(struct keyd *k, enum freeze_kind kind, const char *what,
    const char *name, struct protocol_refuse *r)
{
	struct freeze freeze;
	struct ht_error e;
	int rc = freeze_find(k->store, kind, name, &freeze, &e);

	if (rc < 0)
		return unread(r, &e);
	if (rc == 0)
		return 0;
	keyd_refusal(r, HT_ERR_DENIED, "frozen",
	    "%s%s is frozen by an administrator", what, name);
	return HT_ERR_DENIED;
}

static int
check_all_frozen(struct keyd *k, const char *client, const char *profile,
    struct protocol_refuse *r)
{
	int rc = check_frozen(k, FREEZE_ALL, "signing", "", r);

	if (rc == 0)
		rc = check_frozen(k, FREEZE_CLIENT, "client ", client, r);
	if (rc == 0)
		rc = check_frozen(k, FREEZE_PROFILE, "profile ", profile, r);
	return rc;
}

static const struct setup_certificate *
certificate_of(struct keyd *k, const struct conf_certificate *conf)
{
	size_t i;

	for (i = 0; i < k->setup->ncertificates; i++)
		if (k->setup->certificates[i].conf == conf)
			return &k->setup->certificates[i];
	return NULL;
}

#define OF_PUBLISHER 4U

/* Whether c is the certificate that was chosen before, if there is one. */
static bool
is_chosen(const struct setup_certificate *c, const struct policy_wish *wish)
{
	uint8_t fingerprint[PROTOCOL_FINGERPRINT];

	if (wish == NULL || wish->certificate[0] == '\0')
		return true;
	if (strcmp(c->conf->name, wish->certificate) != 0 || c->chain == NULL)
		return false;
	chain_fingerprint(c->chain, fingerprint);
	return memcmp(fingerprint, wish->fingerprint, sizeof(fingerprint)) == 0;
}

/*
 * How much is to be said for a certificate that can sign: above all that it is
 * the publisher's, then how soon its token will sign.
 */
static unsigned int
rank(const struct setup_certificate *c, const struct policy_wish *wish)
{
	const char *publisher = wish != NULL ? wish->publisher : "";
	unsigned int n = 0;

	if (publisher[0] == '\0' ||
	    publisher_check(c->chain, publisher, NULL) == 0)
		n |= OF_PUBLISHER;
	return n | token_readiness(c->token, c->key);
}

static bool
may_replace(const struct setup_certificate *c, const struct policy_wish *wish)
{
	return strcmp(token_name(c->token), wish->left) != 0 &&
	    rank(c, wish) >= (OF_PUBLISHER | 2);
}

/* Whether c is to be preferred to best.  0: they are equals. */
static int
compare(const struct setup_certificate *c, const struct setup_certificate *best,
    const struct policy_wish *wish)
{
	size_t jobs = token_jobs(c->token), least = token_jobs(best->token);

	if (rank(c, wish) != rank(best, wish))
		return rank(c, wish) > rank(best, wish) ? 1 : -1;
	return jobs == least ? 0 : jobs < least ? 1 : -1;
}

/* Whether the token takes one more request now. */
static int
check_rates(struct keyd *k, const struct setup_certificate *c,
    const struct policy_wish *wish, struct protocol_refuse *no)
{
	uint64_t size = wish == NULL || wish->size == PROTOCOL_SIZE_UNKNOWN
	    ? 0
	    : wish->size;

	if (wish != NULL && wish->placed)
		return 0;
	return rates_check(k->rates, RATE_TOKEN, token_name(c->token),
	    &c->conf->token->rates, size, no);
}

/* Whether the certificate can sign now.  A locked token needs an administrator. */
static int
check_certificate(struct keyd *k, const struct conf_profile *profile,
    const struct setup_certificate *c, const struct policy_wish *wish,
    struct protocol_refuse *no)
{
	const char *why;
	int code;

	why = unusable(profile, c, &code);
	if (why != NULL) {
		keyd_refusal(no, code, "certificate", "certificate %s: %s",
		    c->conf->name, why);
		return code;
	}
	code = check_frozen(k, FREEZE_CERTIFICATE, "certificate ",
	    c->conf->name, no);
	if (code < 0)
		return code;
	if (strcmp(token_state(c->token), "locked") == 0) {
		keyd_refusal(no, HT_ERR_UNAVAILABLE, "locked",
		    "token %s is locked: an administrator must unlock it",
		    token_name(c->token));
		return HT_ERR_UNAVAILABLE;
	}
	return check_rates(k, c, wish, no);
}

/*
 * Whether a is to be said rather than b: a reason that may pass rather than one
 * that does not, and above all one that does, the soonest.
 */
static bool
says_more(const struct protocol_refuse *a, const struct protocol_refuse *b)
{
	bool passes = a->status == (uint32_t)-HT_ERR_TEMPORARY;

	if (b->status == (uint32_t)-HT_ERR_TEMPORARY)
		return passes && a->retry < b->retry;
	return a->status != (uint32_t)-HT_ERR_REFUSED || b->status == 0 ||
	    b->status == (uint32_t)-HT_ERR_REFUSED;
}

/*
 * Choose one at random among the best certificates that can sign.  A token that
 * is away may be back when the file has arrived.  *r is set only on failure.
 */
static int
choose_certificate(struct keyd *k, const struct conf_profile *profile,
    const struct policy_wish *wish,
    const struct setup_certificate **certificate, struct protocol_refuse *r)
{
	const struct setup_certificate *c;
	struct protocol_refuse no = { 0 }, one;
	uint32_t equals = 0;
	size_t i, n = 0;
	int order;

	for (i = 0; i < profile->ncertificates; i++) {
		c = certificate_of(k, profile->certificates[i]);
		if (!is_chosen(c, wish))
			continue;
		n++;
		if (check_certificate(k, profile, c, wish, &one) < 0) {
			if (says_more(&one, &no))
				no = one;
		} else if (wish == NULL || wish->left == NULL ||
		    may_replace(c, wish)) {
			order =
			    equals == 0 ? 1 : compare(c, *certificate, wish);
			if (order > 0)
				equals = 0;
			/* Each of n equals is kept with a chance of 1/n. */
			if (order >= 0 && arc4random_uniform(++equals) == 0)
				*certificate = c;
		}
	}
	if (equals > 0)
		return 0;
	if (n == 0 && wish != NULL)
		keyd_refusal(&no, HT_ERR_UNAVAILABLE, "certificate",
		    "certificate %s is not in use any more", wish->certificate);
	*r = no;
	return no.status == 0 ? HT_ERR_REFUSED : -(int)no.status;
}

int
policy_can_stamp(const struct keyd *k, const struct conf_profile *profile,
    struct protocol_refuse *r)
{
	const char *why = NULL;

	if (profile->timestamp != CONF_TIMESTAMP_REQUIRED)
		return 0;
	if (!setup_has_server(k->setup, profile))
		why = "no server can be used: an administrator can see why";
	else if (!fetch_is_there(k->fetch))
		why = "htsign-fetch is away";
	if (why == NULL)
		return 0;
	keyd_refusal(r, HT_ERR_UNAVAILABLE, "timestamp", "no timestamp: %s",
	    why);
	return HT_ERR_UNAVAILABLE;
}

int
policy_can_scan(const struct keyd *k, const struct conf_profile *profile,
    struct protocol_refuse *r)
{
	struct ht_error e;

	if (profile->clamav != CONF_SCAN_REQUIRED ||
	    pump_can_scan(k->pump, &e) == 0)
		return 0;
	keyd_refusal(r, HT_ERR_UNAVAILABLE, "scan", "%s", e.text);
	return HT_ERR_UNAVAILABLE;
}

int
policy_can_sign(struct keyd *k, const char *client,
    const struct conf_profile *profile, struct ht_error *e)
{
	const struct setup_certificate *c;
	struct protocol_refuse r;
	int rc = check_all_frozen(k, client, profile->name, &r);

	if (rc == 0)
		rc = choose_certificate(k, profile, NULL, &c, &r);
	if (rc == 0)
		rc = policy_can_stamp(k, profile, &r);
	if (rc == 0)
		rc = policy_can_scan(k, profile, &r);
	if (rc < 0)
		return ht_error_set(e, rc, "%s", r.text);
	return token_check_now(c->token, c->key, e);
}

bool
policy_expires(struct keyd *k, const struct conf_profile *profile,
    char text[PROTOCOL_TEXT])
{
	const struct setup_certificate *c, *last = NULL;
	int64_t from, until, end = 0;
	char when[SETUP_EXPIRES];
	int code;
	size_t i;

	for (i = 0; i < profile->ncertificates; i++) {
		c = certificate_of(k, profile->certificates[i]);
		if (unusable(profile, c, &code) != NULL)
			continue;
		chain_validity(c->chain, &from, &until);
		if (last == NULL || until > end) {
			last = c;
			end = until;
		}
	}
	if (last == NULL ||
	    !setup_expires(end, journal_now() / 1000000, SETUP_SOON, when))
		return false;
	(void)snprintf(text, PROTOCOL_TEXT, "certificate %s %s",
	    last->conf->name, when);
	return true;
}

/* What the user certificate itself limits. */
static int
check_limits(struct keyd *k, const struct identity *who, const char *profile,
    bool decided, struct protocol_refuse *r)
{
	struct ht_error e;
	uint64_t used = 0;

	if (!is_for(who, profile)) {
		keyd_refusal(r, HT_ERR_DENIED, "profile",
		    "certificate %s/%ju is only for profile %s", who->name,
		    (uintmax_t)who->serial, who->profile);
		return HT_ERR_DENIED;
	}
	if (who->uses == 0 || decided)
		return 0;
	if (user_certificate_used(k->store, who->serial, &used, &e) < 0)
		return unread(r, &e);
	if (used < who->uses)
		return 0;
	keyd_refusal(r, HT_ERR_DENIED, "uses",
	    "certificate %s/%ju was for %u request%s and is used up", who->name,
	    (uintmax_t)who->serial, (unsigned int)who->uses,
	    who->uses == 1 ? "" : "s");
	return HT_ERR_DENIED;
}

int
policy_verdict(struct keyd *k, const struct identity *who, const char *name,
    const struct policy_wish *wish,
    const struct setup_certificate **certificate, struct protocol_refuse *r)
{
	const struct conf_profile *profile;
	struct ht_error e;
	unsigned int door;
	int granted;

	if (!policy_clock(k)) {
		keyd_refusal(r, HT_ERR_UNAVAILABLE, "clock",
		    "the clock of the endpoint is not set");
		return HT_ERR_UNAVAILABLE;
	}
	if (identity_stands(k, who, r) < 0)
		return -(int)r->status;
	profile = conf_profile(k->setup->conf, name);
	granted = client_granted(k->store, who->name, name, &e);
	if (granted < 0)
		return unread(r, &e);
	if (profile == NULL || granted == 0) {
		keyd_refusal(r, HT_ERR_DENIED, "profile",
		    "profile %s is not granted to %s", name, who->name);
		return HT_ERR_DENIED;
	}
	if (check_limits(k, who, name, wish != NULL && wish->decided, r) < 0)
		return -(int)r->status;
	door = strcmp(who->door, PROTOCOL_DOOR_OPENSSH) == 0
	    ? CONF_DOOR_OPENSSH
	    : CONF_DOOR_SSHD_SIGN;
	if ((profile->doors & door) == 0) {
		keyd_refusal(r, HT_ERR_DENIED, "door",
		    "profile %s is not served at %s", name, who->door);
		return HT_ERR_DENIED;
	}
	if (check_all_frozen(k, who->name, name, r) < 0)
		return -(int)r->status;
	return choose_certificate(k, profile, wish, certificate, r);
}
