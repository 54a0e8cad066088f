#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "keys/keyd/token/token-private.h"
#include "lib/log.h"

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

	/* If this fails, the next commit fails, too, and keyd ends. */
	if (journal_token(t->store, actor, change, t->name, text, &e) < 0)
		log_error("journal: %s", e.text);
}

static void
on_deadline(void *cookie)
{
	struct token *t = cookie;
	char text[PROTOCOL_TEXT];

	t->deadline = NULL;
	if (t->phase == TOKEN_READY && !t->slow && t->timeout > TOKEN_SLOW) {
		t->slow = true;
		t->machine->slow(t);
		return;
	}
	(void)snprintf(text, sizeof(text), "no answer in %u s",
	    t->timeout / 1000);
	t->machine->failed(t, text);
}

void
token_await_nothing(struct token *t)
{
	loop_timer_remove(t->deadline);
	t->deadline = NULL;
}

void
token_await_since(struct token *t, uint64_t since)
{
	bool patient =
	    t->phase != TOKEN_READY || t->slow || t->timeout <= TOKEN_SLOW;
	uint64_t until = since + (patient ? t->timeout : TOKEN_SLOW);
	uint64_t now = loop_now();

	token_await_nothing(t);
	t->deadline = loop_timer_add(t->loop, until > now ? until - now : 0,
	    on_deadline, t);
	if (t->deadline == NULL)
		log_error("token %s: out of memory: no deadline", t->name);
}

void
token_await(struct token *t)
{
	token_await_since(t, loop_now());
}

static void
flush(struct token *t)
{
	struct ht_error e;

	if (msg_flush(t->link.channel, &e) < 0)
		t->machine->failed(t, e.text);
	else
		loop_watch_events(t->watch,
		    msg_pending(t->link.channel) ? POLLIN | POLLOUT : POLLIN);
}

bool
token_say(struct token *t, enum protocol_type type, uint32_t tag,
    const void *body, int fd)
{
	struct ht_error e;

	if (protocol_queue(&t->link, type, tag, body, &fd, fd >= 0 ? 1 : 0,
	        &e) < 0)
		t->machine->failed(t, e.text);
	else
		flush(t);
	return t->link.channel != NULL;
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
			t->machine->answered(t, &m, &body);
		else if (rc < 0)
			t->machine->failed(t,
			    rc == HT_ERR_UNAVAILABLE ? "the worker died"
			                             : e.text);
	}
}

void
token_spawned(struct token *t, int fd)
{
	struct ht_error e;

	if (t->spawns > 0)
		t->spawns--;
	/* This answers a request that was given up meanwhile. */
	if (t->phase != TOKEN_STARTING || t->spawns > 0) {
		(void)close(fd);
		return;
	}
	if (protocol_open(&t->link, fd, PROTOCOL_LINK_TOKEN, true, &e) < 0) {
		t->machine->failed(t, e.text);
		return;
	}
	t->watch = loop_watch_add(t->loop, fd, POLLIN, on_worker, t);
	if (t->watch == NULL) {
		t->machine->failed(t, "out of memory");
		return;
	}
	t->phase = TOKEN_OPENING;
	if (token_say(t, PROTOCOL_TOKEN_OPEN, 0, &t->open, t->key_file))
		token_await(t);
}

/* --- starting and failing ---------------------------------------------- */

void
token_stop(struct token *t)
{
	struct ht_error e;

	token_await_nothing(t);
	loop_timer_remove(t->restart);
	loop_timer_remove(t->missing);
	t->restart = t->missing = NULL;
	loop_watch_remove(t->watch);
	t->watch = NULL;
	if (t->link.channel != NULL)
		protocol_close(&t->link);
	token_unguard(t);
	if (t->phase >= TOKEN_STARTING &&
	    t->parent.kill(t->parent.cookie, t->index, &e) < 0)
		log_error("token %s: %s", t->name, e.text);
	t->phase = TOKEN_DOWN;
	t->slow = false;
}

static int
start(struct token *t, struct ht_error *e)
{
	size_t i;
	int rc = token_guard(t, e);

	loop_timer_remove(t->restart);
	t->restart = NULL;
	if (rc < 0)
		return rc;
	t->next_key = 0;
	t->ready_said = false;
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
	if (start(t, &e) < 0) {
		t->machine->not_started(t, &e);
		token_look_again(t);
	}
}

void
token_look_again(struct token *t)
{
	uint64_t now = loop_now();
	uint64_t at = now + TOKEN_LOOK;

	if (t->phase != TOKEN_DOWN)
		return;
	if (at < t->retry_at)
		at = t->retry_at;
	loop_timer_remove(t->restart);
	t->restart = loop_timer_add(t->loop, at - now, on_restart, t);
}

/* Jobs wait: start a worker, at retry_at or later. */
static int
start_soon(struct token *t, struct ht_error *e)
{
	uint64_t now = loop_now();

	if (now >= t->retry_at)
		return start(t, e);
	loop_timer_remove(t->restart);
	t->restart = loop_timer_add(t->loop, t->retry_at - now, on_restart, t);
	if (t->restart == NULL)
		return ht_error_memory(e);
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
