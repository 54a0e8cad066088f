#include "config.h"

#include "keys/keyd/request/request-private.h"

static const struct conf_rates *
profile_rates(const struct request *r)
{
	const struct conf_profile *profile =
	    conf_profile(r->keyd->setup->conf, r->profile);

	return profile == NULL ? NULL : &profile->rates;
}

static uint64_t
announced(const struct request *r)
{
	return r->announced == PROTOCOL_SIZE_UNKNOWN ? 0 : r->announced;
}

int
request_check_client(const struct request *r, struct protocol_refuse *no)
{
	struct conf_rates limits;

	conf_client_rates(r->keyd->setup->conf, r->who.name, &limits);
	return rates_check(r->keyd->rates, RATE_CLIENT, r->who.name, &limits,
	    announced(r), no);
}

int
request_check_profile(const struct request *r, struct protocol_refuse *no)
{
	return rates_check(r->keyd->rates, RATE_PROFILE, r->profile,
	    profile_rates(r), announced(r), no);
}

void
request_let_in(struct request *r, const char *token)
{
	struct rates *s = r->keyd->rates;
	uint64_t size = announced(r);

	rate_take(s, RATE_CLIENT, r->who.name, size, &r->places[RATE_CLIENT]);
	rate_count_request(&r->places[RATE_CLIENT]);
	rate_take(s, RATE_PROFILE, r->profile, size, &r->places[RATE_PROFILE]);
	rate_count_request(&r->places[RATE_PROFILE]);
	rate_take(s, RATE_TOKEN, token, size, &r->places[RATE_TOKEN]);
}

int
request_take_bytes(struct request *r, uint64_t size, struct protocol_refuse *no)
{
	struct conf_rates limits;
	int rc;

	conf_client_rates(r->keyd->setup->conf, r->who.name, &limits);
	rc = rate_check_bytes(&r->places[RATE_CLIENT], &limits, size, no);
	if (rc == 0)
		rc = rate_check_bytes(&r->places[RATE_PROFILE],
		    profile_rates(r), size, no);
	if (rc < 0)
		return rc;
	rate_count_bytes(&r->places[RATE_CLIENT], size);
	rate_count_bytes(&r->places[RATE_PROFILE], size);
	return 0;
}

uint64_t
request_max_size(const struct request *r, const struct conf_profile *profile)
{
	uint64_t most = profile->max_size, tokens = 0, own;
	struct conf_rates limits;
	size_t i;

	conf_client_rates(r->keyd->setup->conf, r->who.name, &limits);
	if (limits.max_size > 0 && limits.max_size < most)
		most = limits.max_size;
	for (i = 0; i < profile->ncertificates; i++) {
		own = profile->certificates[i]->token->rates.max_size;
		if (own == 0)
			return most;
		tokens = own > tokens ? own : tokens;
	}
	return tokens < most ? tokens : most;
}

void
request_leave_places(struct request *r)
{
	size_t i;

	for (i = 0; i < sizeof(r->places) / sizeof(r->places[0]); i++)
		rate_leave(&r->places[i]);
}
