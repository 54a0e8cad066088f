#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keys/keyd/token/tokens.h"
#include "lib/log.h"
#include "protocol/messages.h"
#include "store/store.h"

struct tokens {
	struct loop *loop;
	struct store *store;
	struct token **token;
	size_t n;
	struct protocol_link parent;
	struct loop_watch *watch;
	struct {
		tokens_spawned_fn *spawned; /* or NULL */
		void *cookie;
	} extra[TOKENS_EXTRA];
	void (*gone)(void *cookie);
	void *cookie;
};

/* --- the parent -------------------------------------------------------- */

static void
lose_parent(struct tokens *ts, const char *text)
{
	log_error("parent: %s", text);
	loop_watch_remove(ts->watch);
	ts->watch = NULL;
	protocol_close(&ts->parent);
	ts->gone(ts->cookie);
}

static int
ask(struct tokens *ts, enum protocol_type type, const void *body,
    struct ht_error *e)
{
	int rc;

	if (ts->parent.channel == NULL)
		return ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "the parent is gone");
	rc = protocol_queue(&ts->parent, type, 0, body, NULL, 0, e);
	if (rc == 0)
		rc = msg_flush(ts->parent.channel, e);
	if (rc == 0)
		loop_watch_events(ts->watch,
		    msg_pending(ts->parent.channel) ? POLLIN | POLLOUT
		                                    : POLLIN);
	return rc;
}

static int
spawn(void *cookie, uint32_t index, struct ht_error *e)
{
	struct protocol_worker body = { index };

	return ask(cookie, PROTOCOL_SPAWN, &body, e);
}

static int
kill_worker(void *cookie, uint32_t index, struct ht_error *e)
{
	struct protocol_worker body = { index };

	return ask(cookie, PROTOCOL_KILL, &body, e);
}

/* Whether fd is taken over. */
static bool
extra_spawned(struct tokens *ts, const struct protocol_worker *body, int fd)
{
	size_t i = body->index - ts->n;

	if (i >= TOKENS_EXTRA || ts->extra[i].spawned == NULL)
		return false;
	ts->extra[i].spawned(ts->extra[i].cookie, fd);
	return true;
}

static void
on_parent(void *cookie, short revents)
{
	struct tokens *ts = cookie;
	union protocol_body body;
	struct ht_error e;
	struct msg m;
	int rc = 1;

	if ((revents & POLLOUT) != 0 && msg_flush(ts->parent.channel, &e) == 0)
		loop_watch_events(ts->watch,
		    msg_pending(ts->parent.channel) ? POLLIN | POLLOUT
		                                    : POLLIN);
	while (ts->parent.channel != NULL && rc == 1) {
		rc = protocol_next(&ts->parent, &m, &body, &e);
		if (rc < 0) {
			lose_parent(ts, e.text);
		} else if (rc == 1 && body.worker.index < ts->n) {
			token_spawned(ts->token[body.worker.index], m.fd[0]);
			m.fd[0] = -1;
		} else if (rc == 1 &&
		    extra_spawned(ts, &body.worker, m.fd[0])) {
			m.fd[0] = -1;
		}
		if (rc == 1)
			msg_close_fds(&m);
	}
}

int
tokens_start(struct tokens *ts, struct store *s, int parent_fd,
    const struct conf_account *users, void (*gone)(void *cookie), void *cookie,
    struct ht_error *e)
{
	struct protocol_ready ready = { UINT32_MAX, UINT32_MAX, 0, UINT32_MAX,
		UINT32_MAX, UINT32_MAX, UINT32_MAX };
	size_t i;
	int rc;

	ts->store = s;
	ts->gone = gone;
	ts->cookie = cookie;
	if (users != NULL) {
		ready.token_uid = (uint32_t)users[CONF_USER_TOKEN].uid;
		ready.token_gid = (uint32_t)users[CONF_USER_TOKEN].gid;
		ready.pump_uid = (uint32_t)users[CONF_USER_PUMP].uid;
		ready.pump_gid = (uint32_t)users[CONF_USER_PUMP].gid;
		ready.reader_uid = (uint32_t)users[CONF_USER_READER].uid;
		ready.reader_gid = (uint32_t)users[CONF_USER_READER].gid;
	}
	ready.tokens = (uint32_t)ts->n;
	rc = protocol_open(&ts->parent, parent_fd, PROTOCOL_LINK_PARENT, true,
	    e);
	if (rc < 0)
		return rc;
	ts->watch = loop_watch_add(ts->loop, parent_fd, POLLIN, on_parent, ts);
	if (ts->watch == NULL)
		return ht_error_memory(e);
	rc = ask(ts, PROTOCOL_READY, &ready, e);
	for (i = 0; i < ts->n && rc == 0; i++)
		token_start(ts->token[i], s);
	return rc;
}

int
tokens_start_extra(struct tokens *ts, enum tokens_extra what,
    tokens_spawned_fn *spawned, void *cookie, struct ht_error *e)
{
	struct protocol_worker body = { (uint32_t)ts->n + what };

	ts->extra[what].spawned = spawned;
	ts->extra[what].cookie = cookie;
	return ask(ts, PROTOCOL_SPAWN, &body, e);
}

int
tokens_kill_extra(struct tokens *ts, enum tokens_extra what, struct ht_error *e)
{
	struct protocol_worker body = { (uint32_t)ts->n + what };

	return ask(ts, PROTOCOL_KILL, &body, e);
}

/* --- the set ----------------------------------------------------------- */

struct tokens *
tokens_new(struct loop *loop, const struct conf *conf, struct ht_error *e)
{
	struct tokens *ts = calloc(1, sizeof(*ts));
	struct token_parent parent = { spawn, kill_worker, ts };
	size_t i;

	if (ts == NULL)
		goto memory;
	ts->loop = loop;
	ts->token = calloc(conf->ntokens + 1, sizeof(struct token *));
	if (ts->token == NULL)
		goto memory;
	for (i = 0; i < conf->ntokens; i++) {
		ts->token[i] = token_new(loop, conf, (uint32_t)i, &parent, e);
		if (ts->token[i] == NULL) {
			tokens_free(ts);
			return NULL;
		}
		ts->n++;
	}
	return ts;
memory:
	tokens_free(ts);
	(void)ht_error_memory(e);
	return NULL;
}

void
tokens_free(struct tokens *ts)
{
	size_t i;

	if (ts == NULL)
		return;
	for (i = 0; i < ts->n; i++)
		token_free(ts->token[i]);
	loop_watch_remove(ts->watch);
	if (ts->parent.channel != NULL)
		protocol_close(&ts->parent);
	free(ts->token);
	free(ts);
}

struct token *
tokens_find(const struct tokens *ts, const char *name)
{
	size_t i;

	for (i = 0; i < ts->n; i++)
		if (strcmp(token_name(ts->token[i]), name) == 0)
			return ts->token[i];
	return NULL;
}

size_t
tokens_count(const struct tokens *ts)
{
	return ts->n;
}

struct token *
tokens_at(const struct tokens *ts, size_t index)
{
	return ts->token[index];
}

void
tokens_committed(struct tokens *ts)
{
	size_t i;

	/* What was written since waits for the next commit. */
	if (store_dirty(ts->store))
		return;
	for (i = 0; i < ts->n; i++)
		token_mark_committed(ts->token[i]);
	for (i = 0; i < ts->n; i++)
		token_committed(ts->token[i]);
}

void
tokens_undo(struct tokens *ts)
{
	size_t i;

	for (i = 0; i < ts->n; i++)
		token_undo(ts->token[i]);
}

bool
tokens_logging_in(const struct tokens *ts)
{
	size_t i;

	for (i = 0; i < ts->n; i++)
		if (token_logging_in(ts->token[i]))
			return true;
	return false;
}

int
tokens_match(const struct tokens *ts, const struct conf *conf,
    struct ht_error *e)
{
	size_t i;

	if (conf->ntokens != ts->n)
		return ht_error_set(e, HT_ERR_USAGE,
		    "tokens cannot be added or removed without a restart");
	for (i = 0; i < ts->n; i++)
		if (!token_matches(ts->token[i], &conf->tokens[i]))
			return ht_error_set(e, HT_ERR_USAGE,
			    "token %s cannot be changed without a restart",
			    conf->tokens[i].name);
	return 0;
}
