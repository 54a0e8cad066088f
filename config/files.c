#include "config.h"

#include <string.h>
#include <unistd.h>

#include "config/files.h"

struct modes
conf_modes(const struct conf *c, enum conf_user user, bool secret)
{
	struct modes m = { .secret = secret, .alone = c->single_user };

	if (user < CONF_USERS)
		m.owner = c->users[user].uid;
	else
		m.owner = c->single_user ? geteuid() : 0;
	return m;
}

/* path may be NULL. */
static int
check(const struct conf *c, const char *path, enum conf_user user, bool secret,
    struct ht_error *e)
{
	struct modes m = conf_modes(c, user, secret);
	int rc = path == NULL ? 0 : modes_check(path, &m, e);

	return rc < 0 ? conf_at(c, path, e) : 0;
}

/* A module trusts the files that its variables name. */
static int
check_environment(const struct conf *c, const struct conf_token *token,
    struct ht_error *e)
{
	const char *value;
	size_t i;
	int rc = 0;

	for (i = 0; i < token->nenvironment && rc == 0; i++) {
		value = strchr(token->environment[i], '=') + 1;
		if (value[0] == '/' && access(value, F_OK) == 0)
			rc = check(c, value, CONF_USER_TOKEN, false, e);
	}
	return rc;
}

int
conf_check_token(const struct conf *c, const struct conf_token *token,
    struct ht_error *e)
{
	int rc = check(c, token->module, CONF_USER_TOKEN, false, e);

	if (rc == 0)
		rc = check_environment(c, token, e);
	if (rc == 0)
		rc = check(c, token->file, CONF_USER_KEYD, true, e);
	if (rc == 0 && token->pin == CONF_PIN_FILE)
		rc = check(c, token->pin_where, CONF_USER_KEYD, true, e);
	return rc;
}

int
conf_check_host_keys(const struct conf *c, struct ht_error *e)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < c->ssh.nhost_keys && rc == 0; i++)
		rc = check(c, c->ssh.host_keys[i], CONF_USERS, true, e);
	return rc;
}
