#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keys/keyd/greet.h"
#include "keys/keyd/request/policy.h"
#include "keys/keyd/request/request.h"
#include "keys/keyd/sign-link.h"
#include "lib/log.h"

/* The most that the profiles of a WELCOME take, in bytes. */
#define PROFILES_SIZE ((size_t)48 << 10)

struct welcomed {
	struct buf list;
	size_t n;
};

/* One connection; its requests come one at a time. */
struct agent {
	struct keyd_connection c; /* first: the callbacks get this */
	bool bound;
	struct identity who;
	struct request *request; /* the open one, or NULL */
};

/* As many as a WELCOME has room for; the others can be used all the same. */
static void
list_profile(void *cookie, const struct conf_profile *profile)
{
	struct welcomed *w = cookie;
	size_t n = strlen(profile->name) + strlen(profile->text) + 8;

	if (w->n == PROTOCOL_PROFILES_MAX || n > PROFILES_SIZE - w->list.len)
		return;
	w->n++;
	buf_text(&w->list, profile->name);
	buf_text(&w->list, profile->text);
}

static void
hello(struct agent *a, const struct msg *m, const struct protocol_hello *hello)
{
	struct keyd *k = a->c.keyd;
	struct welcomed listed = { BUF_INIT, 0 };
	struct protocol_welcome w;

	if (greet_shell(&a->c, m->tag, hello, a->bound, &a->who, &w) < 0)
		return;
	(void)snprintf(w.profile, sizeof(w.profile), "%s",
	    policy_default(k, &a->who));
	(void)policy_granted(k, &a->who, list_profile, &listed);
	w.profiles = buf_cursor(&listed.list);
	keyd_say(&a->c, PROTOCOL_WELCOME, m->tag, &w, NULL, 0);
	buf_free(&listed.list);
}

static void
begin(struct agent *a, const struct msg *m, const struct protocol_begin *begin)
{
	struct request_peer peer = { &a->c, &a->who, m->tag };

	if (a->request != NULL)
		request_abandon(a->request); /* the last one, which has ended */
	a->request = request_begin(&peer, begin);
}

static void
fail(struct agent *a, const struct msg *m, const struct protocol_fail *fail)
{
	struct request_peer peer = { &a->c, &a->who, m->tag };

	if (a->request != NULL && !request_ended(a->request))
		request_fail(a->request, fail);
	else
		request_failed_early(&peer, fail);
}

static void
receive(struct keyd_connection *c, struct msg *m, union protocol_body *body)
{
	struct agent *a = (struct agent *)c;

	switch (m->type) {
	case PROTOCOL_HELLO:
		hello(a, m, &body->hello);
		break;
	case PROTOCOL_BEGIN:
		begin(a, m, &body->begin);
		break;
	case PROTOCOL_CONTENT:
		request_content(a->request, &body->content);
		break;
	case PROTOCOL_PART:
		request_part(a->request, body->part.bytes);
		break;
	case PROTOCOL_OUTPUT:
		request_output(a->request, &body->output);
		break;
	case PROTOCOL_KEPT:
		request_kept(a->request, &body->kept);
		break;
	case PROTOCOL_DELIVERED:
		request_delivered(a->request, body->delivered.bytes);
		break;
	case PROTOCOL_FAIL:
		fail(a, m, &body->fail);
		break;
	default: /* the link's rules let nothing else through */
		keyd_close(c);
		break;
	}
}

static bool
more(struct keyd_connection *c)
{
	struct agent *a = (struct agent *)c;

	return a->request != NULL && request_more(a->request);
}

static void
gone(struct keyd_connection *c)
{
	struct agent *a = (struct agent *)c;

	if (a->request != NULL)
		request_abandon(a->request);
	free(a);
}

int
agent_accept(struct keyd *k, int fd, const struct identity *who,
    struct ht_error *e)
{
	struct agent *a = calloc(1, sizeof(*a));
	int rc;

	if (a == NULL) {
		(void)close(fd);
		return ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
	}
	a->c.receive = receive;
	a->c.more = more;
	a->c.gone = gone;
	if (who != NULL) {
		a->bound = true;
		a->who = *who;
	}
	rc = keyd_connection_add(k, &a->c, fd, PROTOCOL_LINK_SIGN, e);
	if (rc < 0)
		free(a);
	return rc;
}
