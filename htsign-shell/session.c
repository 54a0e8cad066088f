#include "config.h"

#include <limits.h>
#include <string.h>

#include "htsign-shell/session.h"
#include "lib/proc.h"

void
session_init(struct session *s)
{
	memset(s, 0, sizeof(*s));
	s->source.blob = s->source.user_auth = -1;
}

void
session_free(struct session *s)
{
	keyd_client_close(&s->keyd);
	environment_free(&s->environment);
	buf_free(&s->profiles);
	invocation_free(&s->invocation);
}

int
session_prepare(struct session *s, const char *program, int argc,
    char *const *argv, struct ht_error *e)
{
	struct invocation *v = &s->invocation;
	char self[PATH_MAX];
	int rc;

	rc = proc_harden(e);
	if (rc == 0)
		rc = proc_program(program, self, sizeof(self), e);
	if (rc == 0)
		rc = invocation_parse(argc, argv, self, v, e);
	if (rc < 0)
		return rc;
	s->source.blob = v->session;
	if (strcmp(v->door, PROTOCOL_DOOR_OPENSSH) == 0)
		rc = environment_open_user_auth(&s->source.user_auth, e);
	return rc;
}

int
session_connect(struct session *s, struct ht_error *e)
{
	const struct invocation *v = &s->invocation;
	enum protocol_kind kind =
	    v->admin ? PROTOCOL_LINK_ADMIN : PROTOCOL_LINK_SIGN;
	char path[PATH_MAX];

	if (v->keyd >= 0)
		return keyd_client_bound(&s->keyd, v->keyd, kind, e);
	(void)snprintf(path, sizeof(path), "%s/%s", v->rundir,
	    v->admin ? PROTOCOL_SOCKET_ADMIN : PROTOCOL_SOCKET_SIGN);
	return keyd_client_connect(&s->keyd, path, kind, e);
}

static int
greet_keyd(struct session *s, struct ht_error *e)
{
	const struct invocation *v = &s->invocation;
	struct protocol_hello hello;

	memset(&hello, 0, sizeof(hello));
	hello.version = PROTOCOL_VERSION;
	(void)snprintf(hello.door, sizeof(hello.door), "%s", v->door);
	if (v->ticket != NULL) {
		if (strlen(v->ticket) >= sizeof(hello.ticket))
			return ht_error_set(e, HT_ERR_DENIED,
			    "the ticket is too long");
		memcpy(hello.ticket, v->ticket, strlen(v->ticket) + 1);
	}
	environment_hello(&s->environment, &hello);
	return keyd_client_greet(&s->keyd, &hello, &s->welcome, &s->profiles,
	    e);
}

int
session_begin(struct session *s, struct ht_error *e)
{
	struct ht_error ignored;
	int rc;

	if (strcmp(s->invocation.door, PROTOCOL_DOOR_LOCAL) == 0)
		return greet_keyd(s, e);
	rc = environment_read(&s->source, &s->environment, e);
	if (rc == 0)
		return greet_keyd(s, e);
	if (!s->invocation.admin && greet_keyd(s, &ignored) == 0)
		(void)keyd_client_fail(&s->keyd, e, "usage", &ignored);
	return rc;
}
