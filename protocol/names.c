#include "config.h"

#include <stdio.h>
#include <string.h>

#include "protocol/names.h"

static const char *const roles[] = {
	[NAMES_CLIENT] = "client",
	[NAMES_ADMIN] = "admin",
	[NAMES_APPROVER] = "approver",
	[NAMES_AUDITOR] = "auditor",
};

static const char *const verbs[] = { "default", "help", "ls", "profiles",
	"result", "rsync", "scp", "sftp", "verify", "wait" };

#define ALPHANUMERIC "abcdefghijklmnopqrstuvwxyz0123456789"

bool
names_valid(const char *name)
{
	size_t n;

	if (name == NULL)
		return false;
	n = strlen(name);
	return n >= 1 && n <= NAMES_MAX && strspn(name, ALPHANUMERIC) >= 1 &&
	    strspn(name, ALPHANUMERIC "._-") == n;
}

bool
names_is_verb(const char *word)
{
	size_t i;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(word, verbs[i]) == 0)
			return true;
	return false;
}

const char *
names_role_text(enum names_role role)
{
	return roles[role];
}

/* "client" is none. */
static bool
parse_role(const char *word, enum names_role *role)
{
	int i;

	for (i = NAMES_ADMIN; i <= NAMES_AUDITOR; i++) {
		if (strcmp(word, roles[i]) == 0) {
			*role = (enum names_role)i;
			return true;
		}
	}
	return false;
}

int
names_principal_parse(const char *text, struct names_principal *p,
    struct ht_error *e)
{
	memset(p, 0, sizeof(*p));
	if (strncmp(text, "client:", 7) == 0 && names_valid(text + 7)) {
		p->role = NAMES_CLIENT;
		memcpy(p->client, text + 7, strlen(text + 7) + 1);
		return 0;
	}
	if (strncmp(text, "role:", 5) == 0 && parse_role(text + 5, &p->role))
		return 0;
	return ht_error_set(e, HT_ERR_DENIED,
	    "\"%s\" is neither client:NAME nor role:ROLE", text);
}

void
names_principal_format(const struct names_principal *p,
    char out[NAMES_PRINCIPAL_SIZE])
{
	if (p->role == NAMES_CLIENT)
		(void)snprintf(out, NAMES_PRINCIPAL_SIZE, "client:%s",
		    p->client);
	else
		(void)snprintf(out, NAMES_PRINCIPAL_SIZE, "role:%s",
		    names_role_text(p->role));
}
