#include "config.h"

#include <string.h>

#include "config/table.h"

/* Those of clients alone, beside CONF_RATES. */
#define CLIENT_RATES(base)                                                     \
	{ CONF_RATE(base, refused_minute, conf_read_number) },                 \
	{                                                                      \
		CONF_RATE(base, max_size, conf_read_size)                      \
	}

static const struct conf_field each_client_fields[] = {
	CONF_RATES(0),
	CLIENT_RATES(0),
	{ .key = NULL },
};

static const struct conf_section each_client_section = {
	.fields = each_client_fields,
	.size = sizeof(struct conf_rates),
};

#define RATES offsetof(struct conf_client, rates)

static const struct conf_field client_fields[] = {
	{ .key = "name", .read = conf_read_name, .required = true },
	CONF_RATES(RATES),
	CLIENT_RATES(RATES),
	{ .key = NULL },
};

static const struct conf_section client_section = {
	.fields = client_fields,
	.size = sizeof(struct conf_client),
};

#define ROOT(member) .offset = offsetof(struct conf, member)
#define ROOT_COUNT(member) .count_offset = offsetof(struct conf, member)

static const struct conf_field rates_fields[] = {
	{ "each_client", conf_read_group, ROOT(each_client),
	    .section = &each_client_section },
	{ "clients", conf_read_list, ROOT(clients), ROOT_COUNT(nclients),
	    .section = &client_section },
	{ .key = NULL },
};

const struct conf_section conf_rates_section = {
	.fields = rates_fields,
	.size = sizeof(struct conf),
};

/* Take what over says. */
static void
overrule(struct conf_rates *out, const struct conf_rates *over)
{
	if (over->requests_minute > 0)
		out->requests_minute = over->requests_minute;
	if (over->requests_day > 0)
		out->requests_day = over->requests_day;
	if (over->requests_at_once > 0)
		out->requests_at_once = over->requests_at_once;
	if (over->refused_minute > 0)
		out->refused_minute = over->refused_minute;
	if (over->bytes_day > 0)
		out->bytes_day = over->bytes_day;
	if (over->max_size > 0)
		out->max_size = over->max_size;
}

void
conf_client_rates(const struct conf *c, const char *client,
    struct conf_rates *out)
{
	size_t i;

	*out = c->each_client;
	for (i = 0; i < c->nclients; i++)
		if (strcmp(c->clients[i].name, client) == 0)
			overrule(out, &c->clients[i].rates);
}
