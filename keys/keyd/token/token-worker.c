#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "keys/keyd/token/token-private.h"
#include "lib/log.h"

/* How soon a token that refused to open is asked again, at most. */
#define REFUSED_WAIT 1000U /* ms */

/* --- the worker -------------------------------------------------------- */

void
token_set_reason(struct token *t, const char *text)
{
	size_t n = strnlen(text, sizeof(t->reason) - 1);

	memmove(t->reason, text, n);
	t->reason[n] = '\0';
}

void
token_note(struct token *t, enum journal_token_change change, const char *text)
{
	const struct store_actor *actor =
	    t->unlocking.active ? &t->unlocking.actor : NULL;
	struct ht_error e;

	/* A store that fails here fails the next commit, which ends keyd. */
	if (journal_token(t->store, actor, change, t->name, text, &e) < 0)
		log_error("journal: %s", e.text);
}

static void
on_deadline(void *cookie)
{
	struct token *t = cookie;
	char text[PROTOCOL_TEXT];

	t->deadline = NULL;
	(void)snprintf(text, sizeof(text), "no answer in %u s",
	    t->timeout / 1000);
	token_failed(t, text);
}

void
token_await_nothing(struct token *t)
{
	loop_timer_remove(t->deadline);
	t->deadline = NULL;
}

void
token_await(struct token *t)
{
	token_await_nothing(t);
	t->deadline = loop_timer_add(t->loop, t->timeout, on_deadline, t);
	if (t->deadline == NULL)
		log_error("token %s: out of memory: no deadline", t->name);
}

static void
flush(struct token *t)
{
	struct ht_error e;

	if (msg_flush(t->link.channel, &e) < 0)
		token_failed(t, e.text);
	else
		loop_watch_events(t->watch,
		    msg_pending(t->link.channel) ? POLLIN | POLLOUT : POLLIN);
}

static bool
say(struct token *t, enum protocol_type type, uint32_t tag, const void *body,
    const int *fds, size_t nfds)
{
	struct ht_error e;

	if (protocol_queue(&t->link, type, tag, body, fds, nfds, &e) < 0)
		token_failed(t, e.text);
	else
		flush(t);
	return t->link.channel != NULL;
}

bool
token_say(struct token *t, enum protocol_type type, uint32_t tag,
    const void *body)
{
	return say(t, type, tag, body, NULL, 0);
}

void
token_next_key(struct token *t)
{
	struct protocol_token_key body;
	struct token_key *key;

	if (t->next_key == t->nkeys) {
		token_await_nothing(t);
		token_set_reason(t, "");
		t->phase = TOKEN_READY;
		log_notice("token %s: ready", t->name);
		token_hand_over(t);
		token_fill(t);
		return;
	}
	key = &t->keys[t->next_key];
	memset(&body, 0, sizeof(body));
	body.key = (uint32_t)t->next_key;
	memcpy(body.uri, key->uri, sizeof(body.uri));
	body.spki = cursor_over(key->spki, key->nspki);
	t->phase = TOKEN_KEYS;
	if (token_say(t, PROTOCOL_TOKEN_KEY, 0, &body))
		token_await(t);
}

static void
key_answered(struct token *t, const char *trouble)
{
	struct token_key *key = &t->keys[t->next_key];

	key->found = trouble == NULL;
	(void)snprintf(key->reason, sizeof(key->reason), "%s",
	    trouble != NULL ? trouble : "");
	if (trouble != NULL)
		log_error("token %s: key \"%s\": %s", t->name, key->uri,
		    trouble);
	t->next_key++;
	token_next_key(t);
}

static void
opened(struct token *t, const struct protocol_token_opened *body)
{
	(void)snprintf(t->serial, sizeof(t->serial), "%s", body->serial);
	token_await_nothing(t);
	if (body->login && t->key_file >= 0)
		token_failed(t, "a key file wants no PIN");
	else if (body->login)
		token_login(t);
	else
		token_next_key(t);
}

static void
in_trouble(struct token *t, uint32_t tag,
    const struct protocol_token_trouble *why)
{
	bool pin = why->trouble == PROTOCOL_TROUBLE_PIN ||
	    why->trouble == PROTOCOL_TROUBLE_LOCKED;
	bool key = why->trouble == PROTOCOL_TROUBLE_KEY ||
	    why->trouble == PROTOCOL_TROUBLE_FAILED;

	if (t->phase == TOKEN_READY)
		token_not_signed(t, tag, why);
	else if (t->phase == TOKEN_LOGGING_IN && pin)
		token_pin_refused(t, why->text);
	else if (t->phase == TOKEN_KEYS && key)
		key_answered(t, why->text);
	else
		token_refuses(t, why->text);
}

/* One answer.  What does not belong to the phase is no answer of a worker's. */
static void
answered(struct token *t, const struct msg *m, const union protocol_body *body)
{
	if (t->phase == TOKEN_OPENING && m->type == PROTOCOL_TOKEN_OPENED)
		opened(t, &body->token_opened);
	else if (t->phase == TOKEN_LOGGING_IN &&
	    m->type == PROTOCOL_TOKEN_LOGGED_IN)
		token_logged_in(t);
	else if (t->phase == TOKEN_KEYS &&
	    m->type == PROTOCOL_TOKEN_KEY_FOUND &&
	    body->token_key_found.key == t->next_key)
		key_answered(t, NULL);
	else if (t->phase == TOKEN_READY && m->type == PROTOCOL_TOKEN_SIGNATURE)
		token_signed(t, m->tag, body->token_signature.bytes);
	else if (m->type == PROTOCOL_TOKEN_TROUBLE &&
	    t->phase != TOKEN_LOCKED && t->phase != TOKEN_PIN_WRITTEN &&
	    t->phase != TOKEN_PIN_COMMITTED)
		in_trouble(t, m->tag, &body->token_trouble);
	else
		token_failed(t, "the worker spoke out of turn");
}

static void
on_worker(void *cookie, short revents)
{
	struct token *t = cookie;
	union protocol_body body;
	struct ht_error e;
	struct msg m;
	int rc = 1;

	if (revents & POLLOUT)
		flush(t);
	while (rc == 1 && t->link.channel != NULL) {
		rc = protocol_next(&t->link, &m, &body, &e);
		if (rc == 1)
			answered(t, &m, &body);
		else if (rc < 0)
			token_failed(t,
			    rc == HT_ERR_UNAVAILABLE ? "the worker died"
			                             : e.text);
	}
}

void
token_spawned(struct token *t, int fd)
{
	bool key_file = t->key_file >= 0;
	struct ht_error e;

	if (t->spawns > 0)
		t->spawns--;
	/* The answer to one that was given up meanwhile. */
	if (t->phase != TOKEN_STARTING || t->spawns > 0) {
		(void)close(fd);
		return;
	}
	if (protocol_open(&t->link, fd, PROTOCOL_LINK_TOKEN, true, &e) < 0) {
		token_failed(t, e.text);
		return;
	}
	t->watch = loop_watch_add(t->loop, fd, POLLIN, on_worker, t);
	if (t->watch == NULL) {
		token_failed(t, "out of memory");
		return;
	}
	t->phase = TOKEN_OPENING;
	if (say(t, PROTOCOL_TOKEN_OPEN, 0, &t->open, &t->key_file,
	        key_file ? 1 : 0))
		token_await(t);
}

/* --- starting and failing ---------------------------------------------- */

void
token_stop(struct token *t)
{
	struct ht_error e;

	token_await_nothing(t);
	loop_timer_remove(t->restart);
	t->restart = NULL;
	loop_watch_remove(t->watch);
	t->watch = NULL;
	if (t->link.channel != NULL)
		protocol_close(&t->link);
	if (t->phase >= TOKEN_STARTING &&
	    t->parent.kill(t->parent.cookie, t->index, &e) < 0)
		log_error("token %s: %s", t->name, e.text);
	t->phase = TOKEN_DOWN;
}

static int
start(struct token *t, struct ht_error *e)
{
	size_t i;
	int rc;

	loop_timer_remove(t->restart);
	t->restart = NULL;
	t->next_key = 0;
	for (i = 0; i < t->nkeys; i++)
		t->keys[i].found = false;
	proc_backoff_started(&t->backoff);
	rc = t->parent.spawn(t->parent.cookie, t->index, e);
	if (rc < 0)
		return rc;
	t->spawns++;
	t->phase = TOKEN_STARTING;
	token_await(t);
	return 0;
}

static void
on_restart(void *cookie)
{
	struct token *t = cookie;
	struct ht_error e;

	t->restart = NULL;
	t->phase = TOKEN_DOWN;
	if (start(t, &e) < 0)
		token_end_all(t, &e);
}

/* Jobs are there: start the worker, now or when it is not too soon. */
static int
start_soon(struct token *t, struct ht_error *e)
{
	uint64_t now = loop_now();

	if (now >= t->retry_at)
		return start(t, e);
	t->restart = loop_timer_add(t->loop, t->retry_at - now, on_restart, t);
	if (t->restart == NULL)
		return ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
	t->phase = TOKEN_WAITING;
	return 0;
}

int
token_wake(struct token *t, struct ht_error *e)
{
	return t->phase == TOKEN_DOWN ? start_soon(t, e) : 0;
}

int
token_wake_now(struct token *t, struct ht_error *e)
{
	return start(t, e);
}

int
token_say_away(const struct token *t, struct ht_error *e)
{
	return ht_error_set(e, HT_ERR_UNAVAILABLE, "token %s is away: %s",
	    t->name, t->reason);
}

void
token_refuses(struct token *t, const char *text)
{
	struct ht_error e;

	token_set_reason(t, text);
	log_error("token %s: %s", t->name, t->reason);
	token_stop(t);
	t->retry_at = loop_now() + REFUSED_WAIT;
	(void)token_say_away(t, &e);
	token_unlock_end(t, &e);
	token_end_all(t, &e);
}

void
token_failed(struct token *t, const char *text)
{
	bool worked = t->phase == TOKEN_READY;
	struct ht_error e;
	unsigned int wait;

	token_set_reason(t, text);
	log_error("token %s: %s", t->name, t->reason);
	token_stop(t);
	token_note(t, JOURNAL_TOKEN_RESTARTED, t->reason);
	wait = proc_backoff_next(&t->backoff);
	t->retry_at = loop_now() + wait;
	(void)token_say_away(t, &e);
	token_unlock_end(t, &e);
	token_take_back(t, t->reason);
	/* A callback may have started it again meanwhile. */
	if (t->phase != TOKEN_DOWN || t->njobs == 0)
		return;
	if (!worked || wait > TOKEN_PATIENCE || start_soon(t, &e) < 0)
		token_end_all(t, &e);
}

void
token_start(struct token *t, struct store *s)
{
	struct ht_error e;

	t->store = s;
	if (start(t, &e) < 0)
		token_refuses(t, e.text);
}

void
token_mark_committed(struct token *t)
{
	struct token_job *job;

	TAILQ_FOREACH(job, &t->window, entry)
		if (job->phase == JOB_WRITTEN)
			job->phase = JOB_COMMITTED;
	if (t->phase == TOKEN_PIN_WRITTEN)
		t->phase = TOKEN_PIN_COMMITTED;
}

void
token_committed(struct token *t)
{
	if (t->phase == TOKEN_PIN_COMMITTED)
		token_login_committed(t);
	else if (t->phase == TOKEN_READY) {
		token_hand_over(t);
		token_fill(t);
	}
}
