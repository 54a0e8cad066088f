#include "config.h"

#include <string.h>

#include "config/table.h"

int
conf_read_http(struct conf_reader *r, const config_setting_t *s,
    const struct conf_field *f, void *out)
{
	const char *url = conf_string(r, s);

	if (url == NULL)
		return r->e->code;
	if ((strncmp(url, "http://", 7) != 0 &&
	        strncmp(url, "https://", 8) != 0) ||
	    strchr(url, ' ') != NULL)
		return conf_mistake(r, s,
		    "%s must be an http:// or https:// "
		    "URL",
		    f->key);
	memcpy((char *)out + f->offset, &url, sizeof(url));
	return 0;
}

#define SERVER(member) .offset = offsetof(struct conf_server, member)

static const struct conf_field server_fields[] = {
	{ "name", conf_read_name, SERVER(name), .required = true },
	{ "url", conf_read_http, SERVER(url), .required = true },
	{ "operator", conf_read_text, SERVER(operator), .required = true },
	{ "interval", conf_read_number, SERVER(interval), .max = 3600 },
	{ "roots", conf_read_path, SERVER(roots), .required = true },
	{ .key = NULL },
};

const struct conf_section conf_server_section = {
	.fields = server_fields,
	.size = sizeof(struct conf_server),
};

const struct conf_server *
conf_server(const struct conf *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->nservers; i++)
		if (strcmp(c->servers[i].name, name) == 0)
			return &c->servers[i];
	return NULL;
}
