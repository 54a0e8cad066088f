#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keys/keyd/greet.h"
#include "keys/keyd/quota.h"
#include "keys/keyd/request/policy.h"
#include "keys/keyd/request/request.h"
#include "keys/keyd/sign-link.h"
#include "lib/log.h"
#include "lib/utf8.h"

/* Seconds after which a session may have ended. */
#define RETRY 5

/* The most bytes for the profiles in a WELCOME. */
#define PROFILES_SIZE ((size_t)48 << 10)

struct welcomed {
	struct keyd *keyd;
	const char *client;
	struct buf list;
	size_t n;
};

/* One connection.  It has one request at a time. */
struct sign_link {
	struct keyd_connection c; /* first, for the callbacks */
	bool bound;
	struct identity who;
	char place[NAMES_SIZE];  /* who has its place among the links; "" before
	                            a HELLO has said who that is */
	uint32_t tag;            /* of the last message */
	struct request *request; /* the last one, or NULL */
};

static int
take_place(struct keyd *k, const char *name, struct ht_error *e)
{
	if (share_take(&k->links, name, 1))
		return 0;
	return ht_error_set(e, HT_ERR_TEMPORARY,
	    "%s has %zu sessions open, which is its share: let some end first",
	    name, share_of(&k->links, name));
}

/* List what WELCOME has room for.  The other profiles work, too. */
static void
list_profile(void *cookie, const struct conf_profile *profile)
{
	struct welcomed *w = cookie;
	struct buf text = BUF_INIT;
	char expires[PROTOCOL_TEXT];
	struct ht_error e;

	buf_format(&text, "%s", profile->text);
	if (policy_can_sign(w->keyd, w->client, profile, &e) < 0)
		buf_format(&text, "%s(cannot sign now: %s)",
		    text.len > 0 ? " " : "", e.text);
	if (policy_expires(w->keyd, profile, expires))
		buf_format(&text, "%s(%s)", text.len > 0 ? " " : "", expires);
	if (w->n < PROTOCOL_PROFILES_MAX &&
	    strlen(profile->name) + text.len + 8 <=
	        PROFILES_SIZE - w->list.len) {
		w->n++;
		buf_text(&w->list, profile->name);
		buf_string(&w->list, text.data, text.len);
	}
	buf_free(&text);
}

/* Tell the shell that the client may not go on. */
static void
refuse(struct sign_link *s, const struct protocol_refuse *no)
{
	keyd_say(&s->c, PROTOCOL_REFUSE, s->tag, no, NULL, 0);
	keyd_close(&s->c);
}

/* HELLO has said who this is.  Returns false after a refusal. */
static bool
move_place(struct sign_link *s)
{
	struct keyd *k = s->c.keyd;
	struct protocol_refuse no;
	struct ht_error e;

	if (take_place(k, s->who.name, &e) < 0) {
		keyd_refusal(&no, e.code, "connections", "%s", e.text);
		no.retry = RETRY;
		identity_refused(k, &s->who, &no);
		refuse(s, &no);
		return false;
	}
	share_give(&k->links, s->place, 1);
	memcpy(s->place, s->who.name, sizeof(s->place));
	return true;
}

static void
hello(struct sign_link *s, const struct msg *m,
    const struct protocol_hello *hello)
{
	struct keyd *k = s->c.keyd;
	struct welcomed listed = { k, s->who.name, BUF_INIT, 0 };
	struct protocol_welcome w;

	if (greet_shell(&s->c, m->tag, hello, s->bound, &s->who, &w) < 0)
		return;
	if (!s->bound && !move_place(s))
		return;
	(void)snprintf(w.profile, sizeof(w.profile), "%s",
	    policy_default(k, &s->who));
	(void)policy_granted(k, &s->who, list_profile, &listed);
	w.profiles = buf_cursor(&listed.list);
	keyd_say(&s->c, PROTOCOL_WELCOME, m->tag, &w, NULL, 0);
	buf_free(&listed.list);
}

/* Whether word is one of the list, which ends with NULL. */
static bool
is_among(const char *word, const char *const *list)
{
	while (*list != NULL && strcmp(word, *list) != 0)
		list++;
	return *list != NULL;
}

/*
 * Whether a shell that is ours can have sent this.  What it says of a request is
 * recorded as it comes, so what it cannot say is not taken.
 */
static bool
can_begin(const struct protocol_begin *b)
{
	static const char *const options[] = { "", "page-hashes", "msi-ex",
		"page-hashes msi-ex", NULL };

	return (b->profile[0] == '\0' || names_valid(b->profile)) &&
	    b->reply <= PROTOCOL_REPLY_PKCS7 && is_among(b->options, options) &&
	    utf8_plain(b->description) && utf8_plain(b->url) &&
	    utf8_plain(b->name) && strpbrk(b->name, "/\\") == NULL;
}

static bool
can_fail(const struct protocol_fail *f)
{
	static const char *const codes[] = { "usage", "empty", "upload",
		"not-signable", "format", "damaged", "cut", "existing",
		"output", "internal", NULL };

	return is_among(f->code, codes);
}

static void
begin(struct sign_link *s, const struct msg *m,
    const struct protocol_begin *begin)
{
	struct request_peer peer = { &s->c, &s->who, m->tag };

	if (!can_begin(begin)) {
		keyd_close(&s->c);
		return;
	}
	if (s->request != NULL)
		request_abandon(s->request); /* it has ended */
	s->request = request_begin(&peer, begin);
}

static void
fail(struct sign_link *s, const struct msg *m, const struct protocol_fail *fail)
{
	struct request_peer peer = { &s->c, &s->who, m->tag };

	if (!can_fail(fail)) {
		keyd_close(&s->c);
		return;
	}
	if (s->request != NULL && !request_ended(s->request))
		request_fail(s->request, fail);
	else
		request_failed_early(&peer, fail);
}

static void
handle(struct sign_link *s, struct msg *m, union protocol_body *body)
{
	s->tag = m->tag;
	switch (m->type) {
	case PROTOCOL_HELLO:
		hello(s, m, &body->hello);
		break;
	case PROTOCOL_BEGIN:
		begin(s, m, &body->begin);
		break;
	case PROTOCOL_CONTENT:
		request_content(s->request, &body->content);
		break;
	case PROTOCOL_PART:
		request_part(s->request, body->part.bytes);
		break;
	case PROTOCOL_OUTPUT:
		request_output(s->request, &body->output);
		break;
	case PROTOCOL_KEPT:
		request_kept(s->request, &body->kept);
		break;
	case PROTOCOL_DELIVERED:
		request_delivered(s->request, body->delivered.bytes);
		break;
	case PROTOCOL_FAIL:
		fail(s, m, &body->fail);
		break;
	default: /* the link lets nothing else through */
		keyd_close(&s->c);
		break;
	}
}

/* What this writes is the client's. */
static void
receive(struct keyd_connection *c, struct msg *m, union protocol_body *body)
{
	struct sign_link *s = (struct sign_link *)c;
	uint64_t before = store_written(c->keyd->store);

	handle(s, m, body);
	quota_charge(c->keyd->quota, s->who.name, 0,
	    store_written(c->keyd->store) - before);
}

static bool
more(struct keyd_connection *c)
{
	struct sign_link *s = (struct sign_link *)c;

	return s->request != NULL && request_more(s->request);
}

static void
gone(struct keyd_connection *c)
{
	struct sign_link *s = (struct sign_link *)c;

	if (s->request != NULL)
		request_abandon(s->request);
	share_give(&c->keyd->links, s->place, 1);
	free(s);
}

/*
 * The shell hears that its client may not go on.  A request that the token has
 * ends after the token has answered, and what is released is not called back.
 */
static void
revoked(struct keyd_connection *c, const struct protocol_revoked *what)
{
	struct sign_link *s = (struct sign_link *)c;
	struct protocol_refuse no;

	(void)what; /* the store knows */
	if (c->link.state == PROTOCOL_NEW ||
	    identity_stands(c->keyd, &s->who, &no) == 0)
		return;
	if (s->request != NULL && !request_ended(s->request))
		request_revoke(s->request, &no);
	else
		refuse(s, &no);
}

int
sign_link_accept(struct keyd *k, int fd, const struct identity *who,
    struct ht_error *e)
{
	struct sign_link *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL) {
		(void)close(fd);
		return ht_error_memory(e);
	}
	s->c.receive = receive;
	s->c.more = more;
	s->c.gone = gone;
	s->c.revoked = revoked;
	s->c.client = s->place;
	if (who != NULL) {
		s->bound = true;
		s->who = *who;
		memcpy(s->place, who->name, sizeof(s->place));
	}
	rc = take_place(k, s->place, e);
	if (rc < 0) {
		(void)close(fd);
		free(s);
		return rc;
	}
	rc = keyd_connection_add(k, &s->c, fd, PROTOCOL_LINK_SIGN, e);
	if (rc < 0) {
		share_give(&k->links, s->place, 1);
		free(s);
	}
	return rc;
}
