#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "htsign-shell/environment.h"
#include "lib/base64.h"

/* The only variables that we read. */
static const struct variable {
	const char *name;
	size_t offset; /* of its text in struct environment */
} variables[] = {
	{ "SSH_ORIGINAL_COMMAND", offsetof(struct environment, command) },
	{ "SSH_CONNECTION", offsetof(struct environment, connection) },
	{ "SSH_CLIENT_BANNER", offsetof(struct environment, banner) },
	{ "SSH_TTY", offsetof(struct environment, terminal) },
	{ "HTSIGN_DESCRIPTION", offsetof(struct environment, description) },
	{ "HTSIGN_URL", offsetof(struct environment, url) },
	{ "HTSIGN_NAME", offsetof(struct environment, name) },
};
#define VARIABLES (sizeof(variables) / sizeof(variables[0]))

static char **
text_of(struct environment *env, const struct variable *v)
{
	return (char **)(void *)((char *)env + v->offset);
}

/* Read fd to its end, at most max bytes. */
static int
read_all(int fd, size_t max, struct buf *out, struct ht_error *e)
{
	uint8_t bytes[4096];
	ssize_t n;

	for (;;) {
		n = read(fd, bytes, sizeof(bytes));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ht_error_errno(e, "cannot read the session");
		if (n == 0)
			break;
		buf_bytes(out, bytes, (size_t)n);
		if (out->len > max)
			return ht_error_set(e, HT_ERR_USAGE,
			    "the session is too long");
	}
	if (buf_failed(out) < 0)
		return ht_error_memory(e);
	return 0;
}

/* --- the environment, at OpenSSH ----------------------------------------- */

int
environment_open_user_auth(int *fd, struct ht_error *e)
{
	const char *path = getenv("SSH_USER_AUTH");

	*fd = -1;
	if (path == NULL)
		return 0;
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (*fd < 0)
		return ht_error_errno(e, "%.128s", path);
	return 0;
}

static int
read_environment(struct environment *env, struct ht_error *e)
{
	const char *value;
	size_t i;

	for (i = 0; i < VARIABLES; i++) {
		value = getenv(variables[i].name);
		if (value == NULL)
			continue;
		*text_of(env, &variables[i]) = strdup(value);
		if (*text_of(env, &variables[i]) == NULL)
			return ht_error_memory(e);
	}
	return 0;
}

/* Take the bytes before the first stop byte, and skip that byte. */
static struct cursor
take_until(struct cursor *c, int stop)
{
	const uint8_t *at = NULL;
	struct cursor taken;

	if (c->left > 0)
		at = memchr(c->p, stop, c->left);
	(void)cursor_bytes(c, at == NULL ? c->left : (size_t)(at - c->p),
	    &taken);
	if (at != NULL)
		(void)cursor_skip(c, 1);
	return taken;
}

static bool
names_certificate(struct cursor type)
{
	static const char end[] = "-cert-v01@openssh.com";
	size_t n = sizeof(end) - 1;

	return type.left > n && memcmp(type.p + type.left - n, end, n) == 0;
}

int
environment_certificate(const void *p, size_t n, struct buf *certificate,
    struct ht_error *e)
{
	struct cursor file = cursor_over(p, n);
	struct cursor line;
	int rc;

	while (file.left > 0) {
		line = take_until(&file, '\n');
		if (!cursor_is(take_until(&line, ' '), "publickey") ||
		    !names_certificate(take_until(&line, ' ')))
			continue;
		rc = base64_decode(line, BASE64_STANDARD, certificate);
		if (rc == HT_ERR_INTERNAL)
			return ht_error_memory(e);
		if (rc < 0)
			return ht_error_set(e, HT_ERR_USAGE,
			    "the server's record of the login is damaged");
		return 0;
	}
	return 0;
}

static int
read_user_auth(int fd, struct environment *env, struct ht_error *e)
{
	struct buf file = BUF_INIT;
	int rc;

	if (fd < 0)
		return 0;
	rc = read_all(fd, ENVIRONMENT_USER_AUTH_MAX, &file, e);
	if (rc == 0)
		rc = environment_certificate(file.data, file.len,
		    &env->certificate, e);
	buf_free(&file);
	return rc;
}

/* --- the blob, at sshd-sign ---------------------------------------------- */

/* Keep "NAME=value" if NAME is one of our variables. */
static int
keep_variable(struct environment *env, struct cursor pair)
{
	struct cursor value = pair;
	struct cursor name = take_until(&value, '=');
	size_t i;
	char **text;

	if (name.left == pair.left ||
	    (value.left > 0 && memchr(value.p, '\0', value.left) != NULL))
		return HT_ERR_USAGE;
	for (i = 0; i < VARIABLES; i++) {
		text = text_of(env, &variables[i]);
		if (!cursor_is(name, variables[i].name))
			continue;
		free(*text); /* the last of several values counts */
		*text = strndup((const char *)value.p, value.left);
		return *text == NULL ? HT_ERR_INTERNAL : 0;
	}
	return 0;
}

static int
read_blob(int fd, struct environment *env, struct ht_error *e)
{
	struct protocol_session_blob blob;
	struct buf bytes = BUF_INIT;
	struct cursor pair;
	int rc;

	rc = read_all(fd, PROTOCOL_SESSION_MAX, &bytes, e);
	if (rc < 0)
		goto out;
	rc = protocol_session_get(buf_cursor(&bytes), &blob);
	while (rc == 0 && blob.environment.left > 0) {
		rc = cursor_string(&blob.environment, &pair);
		if (rc == 0)
			rc = keep_variable(env, pair);
	}
	if (rc == HT_ERR_INTERNAL)
		rc = ht_error_memory(e);
	else if (rc < 0)
		rc = ht_error_set(e, HT_ERR_USAGE,
		    "the session request is malformed");
out:
	buf_free(&bytes);
	return rc;
}

/* --- both ---------------------------------------------------------------- */

int
environment_read(struct environment_source *source, struct environment *env,
    struct ht_error *e)
{
	int rc;

	memset(env, 0, sizeof(*env));
	if (source->blob >= 0) {
		rc = read_blob(source->blob, env, e);
		(void)close(source->blob);
	} else {
		rc = read_environment(env, e);
		if (rc == 0)
			rc = read_user_auth(source->user_auth, env, e);
		if (source->user_auth >= 0)
			(void)close(source->user_auth);
	}
	source->blob = source->user_auth = -1;
	return rc;
}

void
environment_free(struct environment *env)
{
	size_t i;

	for (i = 0; i < VARIABLES; i++)
		free(*text_of(env, &variables[i]));
	buf_free(&env->certificate);
	memset(env, 0, sizeof(*env));
}

/* Copy a word of SSH_CONNECTION, if it fits into out. */
static void
copy_address(struct cursor word, char out[PROTOCOL_ADDRESS])
{
	if (word.left < PROTOCOL_ADDRESS && word.left > 0)
		memcpy(out, word.p, word.left);
}

/* Read a port, if word is one. */
static void
read_port(struct cursor word, uint32_t *port)
{
	uint32_t n = 0;
	size_t i;

	for (i = 0; i < word.left && n <= UINT16_MAX; i++) {
		if (word.p[i] < '0' || word.p[i] > '9')
			return;
		n = n * 10 + (word.p[i] - '0');
	}
	if (n <= UINT16_MAX)
		*port = n;
}

/* SSH_CONNECTION is "peer port local port". */
void
environment_hello(const struct environment *env, struct protocol_hello *hello)
{
	struct cursor c;

	hello->certificate = buf_cursor(&env->certificate);
	if (env->banner != NULL)
		(void)snprintf(hello->banner, sizeof(hello->banner), "%s",
		    env->banner);
	if (env->connection == NULL)
		return;
	c = cursor_over(env->connection, strlen(env->connection));
	copy_address(take_until(&c, ' '), hello->peer);
	read_port(take_until(&c, ' '), &hello->port);
	copy_address(take_until(&c, ' '), hello->local);
}
