#include "config.h"

#include <errno.h>
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

int
conf_read(const struct conf *c, enum conf_user user, const char *path,
    bool secret, size_t max, struct buf *out, struct ht_error *e)
{
	struct modes m = conf_modes(c, user, secret);
	uint8_t *at;
	ssize_t n = 0;
	size_t start;
	int fd = modes_open(path, &m, e);

	if (fd < 0)
		return fd;
	while (out->len <= max) {
		start = out->len;
		at = buf_room(out, 4096);
		if (at == NULL) {
			errno = ENOMEM;
			n = -1;
			break;
		}
		n = read(fd, at, 4096);
		out->len = start + (n > 0 ? (size_t)n : 0);
		if (n <= 0)
			break;
	}
	if (n < 0)
		(void)ht_error_errno(e, "%s", path);
	(void)close(fd);
	if (n < 0)
		return HT_ERR_INTERNAL;
	if (out->len > max)
		return ht_error_set(e, HT_ERR_USAGE, "%s: more than %zu bytes",
		    path, max);
	return 0;
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
