#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "keys/keyd/admin/verbs-private.h"
#include "store/authority/clients.h"

/* Rows that log and events show without --limit. */
#define LIMIT_DEFAULT 100

const char *
verbs_option(const struct verbs_command *c, const char *name)
{
	size_t i, n = strlen(name);

	for (i = 0; i < c->noptions; i++) {
		if (strncmp(c->options[i], name, n) != 0)
			continue;
		if (c->options[i][n] == '=')
			return c->options[i] + n + 1;
		if (c->options[i][n] == '\0')
			return c->options[i] + n;
	}
	return NULL;
}

int
verbs_number(const char *text, uint64_t *n)
{
	char *rest;

	if (text[0] < '0' || text[0] > '9')
		return HT_ERR_USAGE;
	errno = 0;
	*n = strtoull(text, &rest, 10);
	return errno != 0 || *rest != '\0' ? HT_ERR_USAGE : 0;
}

int
verbs_duration(const char *text, uint64_t *seconds, struct ht_error *e)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	uint64_t factor = 1;
	char digits[16];
	size_t i, n = strlen(text);

	if (n == 0 || n >= sizeof(digits))
		goto bad;
	memcpy(digits, text, n + 1);
	for (i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (digits[n - 1] == units[i].unit) {
			factor = units[i].seconds;
			digits[n - 1] = '\0';
			break;
		}
	if (verbs_number(digits, seconds) == 0 && *seconds > 0 &&
	    *seconds <= CLIENT_MAX_TTL_LIMIT / factor) {
		*seconds *= factor;
		return 0;
	}
bad:
	return ht_error_set(e, HT_ERR_USAGE,
	    "%s is not a time up to ten years: say 90s, 15m, 8h or 30d", text);
}

int
verbs_limit(const struct verbs_command *c, unsigned int *rows,
    struct ht_error *e)
{
	const char *text = verbs_option(c, "limit");
	uint64_t n = LIMIT_DEFAULT;

	if (text != NULL && (verbs_number(text, &n) < 0 || n > UINT32_MAX))
		return ht_error_set(e, HT_ERR_USAGE, "--limit=%s: not a number",
		    text);
	*rows = (unsigned int)n;
	return 0;
}

int
verbs_check_profile(const struct verbs_command *c, const char *profile,
    struct ht_error *e)
{
	if (conf_profile(c->keyd->setup->conf, profile) != NULL)
		return 0;
	return ht_error_set(e, HT_ERR_USAGE,
	    "there is no profile %s in the configuration", profile);
}
