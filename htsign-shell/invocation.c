#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "htsign-shell/invocation.h"
#include "protocol/messages.h"

static int
set_descriptor(const char *text, int *fd, struct ht_error *e)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || n < 3 || n > 255)
		return ht_error_set(e, HT_ERR_USAGE,
		    "%.32s is not a descriptor from 3 to 255", text);
	*fd = (int)n;
	return 0;
}

/* Read one option and its value, which is NULL if there is none. */
static int
read_option(struct invocation *v, const char *option, const char *value,
    struct ht_error *e)
{
	if (value == NULL)
		return ht_error_set(e, HT_ERR_USAGE,
		    "%.32s: unknown, or its value is missing", option);
	if (strcmp(option, "--session") == 0)
		return set_descriptor(value, &v->session, e);
	if (strcmp(option, "--keyd") == 0)
		return set_descriptor(value, &v->keyd, e);
	if (strcmp(option, "--forkserver") == 0)
		return set_descriptor(value, &v->forkserver, e);
	if (strcmp(option, "--ticket") == 0)
		v->ticket = value;
	else if (strcmp(option, "-r") == 0)
		v->rundir = value;
	else if (strcmp(option, "-c") == 0)
		v->command = value;
	else
		return ht_error_set(e, HT_ERR_USAGE, "%.32s: unknown option",
		    option);
	return 0;
}

static int
read_options(struct invocation *v, char *const *word, size_t n,
    struct ht_error *e)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < n && rc == 0; i++) {
		if (strcmp(word[i], "--admin") == 0) {
			v->admin = true;
			continue;
		}
		rc = read_option(v, word[i], i + 1 < n ? word[i + 1] : NULL, e);
		i++;
	}
	return rc;
}

/* htsign-admin: join its words to a command, as ssh does. */
static int
read_admin(struct invocation *v, char *const *word, size_t n,
    struct ht_error *e)
{
	size_t i = 0;

	if (n > 1 && strcmp(word[0], "-r") == 0) {
		v->rundir = word[1];
		i = 2;
	}
	for (; i < n; i++)
		buf_format(&v->line, v->line.len > 0 ? " %s" : "%s", word[i]);
	if (v->line.len == 0 && buf_failed(&v->line) == 0)
		return 0;
	buf_u8(&v->line, '\0');
	if (buf_failed(&v->line) < 0)
		return ht_error_memory(e);
	v->command = (const char *)v->line.data;
	return 0;
}

/* Whether the words are of a forced command, and no administrator's. */
static bool
has_ticket(char *const *word, size_t n)
{
	size_t at = n > 2 && strcmp(word[0], "-r") == 0 ? 2 : 0;

	return n > at && strcmp(word[at], "--ticket") == 0;
}

/* A login shell runs nothing but this program, with a ticket. */
static int
read_forced(struct invocation *v, const char *self, struct ht_error *e)
{
	const char *command = v->command;

	if (words_split(command, &v->words, e) < 0 || v->words.n == 0 ||
	    strcmp(v->words.word[0], self) != 0)
		goto denied;
	v->command = NULL;
	if (read_options(v, v->words.word + 1, v->words.n - 1, e) < 0 ||
	    v->ticket == NULL)
		goto denied;
	return 0;
denied:
	return ht_error_set(e, HT_ERR_DENIED,
	    "this account signs files over SSH and runs nothing else");
}

static bool
is_called(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');

	return strcmp(slash != NULL ? slash + 1 : path, name) == 0;
}

/* Find the door, and check which options it needs and forbids. */
static int
check(struct invocation *v, struct ht_error *e)
{
	bool bare = v->ticket == NULL && v->command == NULL;

	if (v->forkserver >= 0) {
		v->door = PROTOCOL_DOOR_SSHD_SIGN;
		if (bare && !v->admin && v->session < 0 && v->keyd < 0)
			return 0;
		return ht_error_set(e, HT_ERR_USAGE, "--forkserver goes alone");
	}
	if (v->session >= 0 && v->keyd >= 0 && bare) {
		v->door = PROTOCOL_DOOR_SSHD_SIGN;
		return 0;
	}
	if (v->session >= 0 || v->keyd >= 0)
		return ht_error_set(e, HT_ERR_USAGE,
		    "--session and --keyd go together, and alone");
	if (v->ticket != NULL && v->command == NULL) {
		v->door = PROTOCOL_DOOR_OPENSSH;
		return 0;
	}
	if (v->ticket == NULL && v->admin) {
		v->door = PROTOCOL_DOOR_LOCAL;
		return 0;
	}
	return ht_error_set(e, HT_ERR_DENIED, "no ticket: log in over SSH");
}

int
invocation_parse(int argc, char *const *argv, const char *self,
    struct invocation *v, struct ht_error *e)
{
	size_t n = argc > 1 ? (size_t)argc - 1 : 0;
	int rc;

	memset(v, 0, sizeof(*v));
	v->session = v->keyd = v->forkserver = -1;
	v->rundir = INVOCATION_RUNDIR;
	v->admin = is_called(self, "htsign-admin");
	if (argc == 3 && strcmp(argv[1], "-c") == 0) {
		v->command = argv[2];
		rc = read_forced(v, self, e);
	} else if (v->admin && !has_ticket(argv + 1, n)) {
		rc = read_admin(v, argv + 1, n, e);
	} else {
		rc = read_options(v, argv + 1, n, e);
	}
	if (rc == 0)
		rc = check(v, e);
	if (rc < 0)
		invocation_free(v);
	return rc;
}

void
invocation_free(struct invocation *v)
{
	words_free(&v->words);
	buf_free(&v->line);
}
