#include "config.h"

#include <stdio.h>
#include <string.h>

#include "keys/keyd/token/token-private.h"
#include "lib/log.h"

/* A token that refused to open is not opened again earlier than this. */
#define REFUSED_WAIT 1000U /* ms */

/* A key that the token did not show is looked for again after this. */
#define MISSING_WAIT 5000U /* ms */

static void next_key(struct token *t);

/* --- failing ----------------------------------------------------------- */

/* A token that is away is looked for often, and said to be away once. */
static bool
is_news(const struct token *t, const char *text)
{
	return t->phase == TOKEN_READY || t->unlocking.active ||
	    strncmp(t->reason, text, sizeof(t->reason) - 1) != 0;
}

/*
 * The worker works, but the token cannot be opened or used.  Kill the worker
 * and end all jobs.  The next job tries again.
 */
static void
refuse(struct token *t, const char *text)
{
	bool news = is_news(t, text);
	struct ht_error e;

	token_set_reason(t, text);
	if (news)
		log_error("token %s: %s", t->name, t->reason);
	token_stop(t);
	token_each_done(t);
	t->retry_at = loop_now() + REFUSED_WAIT;
	(void)token_say_away(t, &e);
	token_unlock_end(t, &e);
	token_end_all(t, &e);
	token_look_again(t);
}

/*
 * The worker died, hung, or lost its token.  Kill it.  Its jobs are handed over
 * once more when it has started again.
 */
static void
failed(struct token *t, const char *text)
{
	bool worked = t->phase == TOKEN_READY;
	bool news = is_news(t, text);
	struct ht_error e;
	unsigned int wait;

	token_set_reason(t, text);
	token_stop(t);
	token_each_done(t);
	if (news) {
		log_error("token %s: %s", t->name, t->reason);
		token_note(t, JOURNAL_TOKEN_RESTARTED, t->reason);
	}
	wait = proc_backoff_next(&t->backoff);
	t->retry_at = loop_now() + wait;
	(void)token_say_away(t, &e);
	token_unlock_end(t, &e);
	token_take_back(t, t->reason);
	token_offer(t, &e);
	/* A callback may have started a worker meanwhile. */
	if (t->phase == TOKEN_DOWN && t->njobs > 0 &&
	    (!worked || wait > TOKEN_PATIENCE || token_wake(t, &e) < 0))
		token_end_all(t, &e);
	token_look_again(t);
}

/* Jobs that wait behind one that takes long go to other tokens. */
static void
is_slow(struct token *t)
{
	struct ht_error e;

	token_set_reason(t, "it takes long to answer");
	token_await_jobs(t);
	(void)ht_error_set(&e, HT_ERR_UNAVAILABLE, "token %s: %s", t->name,
	    t->reason);
	token_offer(t, &e);
}

/* --- what a worker is asked, and answers --------------------------------- */

void
token_look_for_keys(struct token *t)
{
	if (t->phase == TOKEN_READY && t->next_key < t->nkeys && t->nsent == 0)
		next_key(t);
}

/* Use the room in the window.  A callback may end the worker. */
static void
go_on(struct token *t)
{
	token_hand_over(t);
	token_look_for_keys(t);
	token_fill(t);
}

static void
job_answered(struct token *t, bool asked)
{
	if (asked)
		go_on(t);
	else
		failed(t, "the worker answered what was not asked");
}

/* Some tokens show nothing at first, and some get a certificate later. */
static void
on_missing(void *cookie)
{
	struct token *t = cookie;

	t->missing = NULL;
	if (t->phase != TOKEN_READY)
		return;
	t->next_key = 0;
	token_look_for_keys(t);
}

static void
look_again_later(struct token *t)
{
	size_t i;

	for (i = 0; i < t->nkeys && t->missing == NULL; i++)
		if (!t->keys[i].found)
			t->missing = loop_timer_add(t->loop, MISSING_WAIT,
			    on_missing, t);
}

static void
be_ready(struct token *t)
{
	token_await_nothing(t);
	if (!t->ready_said)
		log_notice("token %s: ready", t->name);
	t->ready_said = true;
	token_set_reason(t, "");
	t->phase = TOKEN_READY;
	t->backoff.served = true;
	look_again_later(t);
	go_on(t);
}

/* Look for the next key.  If there is none, the token is ready. */
static void
next_key(struct token *t)
{
	struct protocol_token_key body;
	struct token_key *key;

	while (t->next_key < t->nkeys && t->keys[t->next_key].found)
		t->next_key++;
	if (t->next_key == t->nkeys) {
		be_ready(t);
		return;
	}
	key = &t->keys[t->next_key];
	memset(&body, 0, sizeof(body));
	body.key = (uint32_t)t->next_key;
	memcpy(body.uri, key->uri, sizeof(body.uri));
	body.spki = cursor_over(key->spki, key->nspki);
	t->phase = TOKEN_KEYS;
	if (token_say(t, PROTOCOL_TOKEN_KEY, 0, &body, -1))
		token_await(t);
}

/* What the token would give away is no secret of the token's. */
static void
warn_of(struct token *t, struct token_key *key)
{
	char text[PROTOCOL_TEXT];

	if (key->warned)
		return;
	key->warned = true;
	(void)snprintf(text, sizeof(text),
	    "the key \"%.180s\" can be copied off the token (CKA_EXTRACTABLE)",
	    key->uri);
	log_error("token %s: %s", t->name, text);
	token_note(t, JOURNAL_TOKEN_EXTRACTABLE, text);
}

static void
key_answered(struct token *t, const char *trouble,
    const struct protocol_token_key_found *found)
{
	struct token_key *key = &t->keys[t->next_key];

	key->found = found != NULL;
	key->each = found != NULL && found->each != 0;
	if (found != NULL && found->extractable != 0)
		warn_of(t, key);
	if (trouble != NULL && strcmp(trouble, key->reason) != 0)
		log_error("token %s: key \"%s\": %s", t->name, key->uri,
		    trouble);
	(void)snprintf(key->reason, sizeof(key->reason), "%s",
	    trouble != NULL ? trouble : "");
	t->next_key++;
	next_key(t);
}

/* The journal says it again if another token is in the slot. */
static void
record_device(struct token *t, const struct protocol_token_opened *body)
{
	char about[PROTOCOL_TEXT];

	(void)snprintf(about, sizeof(about), "%s, firmware %s, serial %s",
	    body->model, body->firmware, body->serial);
	if (strcmp(about, t->about) == 0)
		return;
	memcpy(t->about, about, sizeof(about));
	token_note(t, JOURNAL_TOKEN_OPENED, about);
}

static void
opened(struct token *t, const struct protocol_token_opened *body)
{
	if (t->key_file < 0)
		record_device(t, body);
	(void)snprintf(t->serial, sizeof(t->serial), "%s", body->serial);
	t->pin_flags = body->pin_flags;
	t->logs_in = body->login;
	token_await_nothing(t);
	if (body->login && t->key_file >= 0)
		failed(t, "a key file has no PIN");
	else if (body->login)
		token_login(t);
	else
		next_key(t);
}

static void
logged_in(struct token *t)
{
	token_logged_in(t);
	next_key(t);
}

/*
 * The PIN that the token took before was refused for a signature, or nobody
 * knows.  The worker starts anew, and the PIN guard decides.
 */
static void
pin_failed(struct token *t, uint32_t tag, bool refused, const char *text)
{
	token_each_failed(t, refused, text);
	if (token_not_signed(t, tag, text))
		failed(t, text);
	else
		job_answered(t, false);
}

static void
in_trouble(struct token *t, uint32_t tag,
    const struct protocol_token_trouble *why)
{
	bool pin = why->trouble == PROTOCOL_TROUBLE_PIN ||
	    why->trouble == PROTOCOL_TROUBLE_LOCKED;
	bool key = why->trouble == PROTOCOL_TROUBLE_KEY ||
	    why->trouble == PROTOCOL_TROUBLE_FAILED;
	bool gone = why->trouble == PROTOCOL_TROUBLE_GONE ||
	    why->trouble == PROTOCOL_TROUBLE_LOGIN;

	if (t->phase == TOKEN_READY && t->each.at_risk &&
	    (pin || why->trouble == PROTOCOL_TROUBLE_UNKNOWN)) {
		pin_failed(t, tag, pin, why->text);
	} else if (t->phase == TOKEN_READY && gone) {
		t->each.at_risk = false;
		failed(t, why->text);
	} else if (t->phase == TOKEN_READY) {
		job_answered(t, token_not_signed(t, tag, why->text));
	} else if (t->phase == TOKEN_LOGGING_IN && pin) {
		token_pin_refused(t, why->text);
	} else if (t->phase == TOKEN_KEYS && key) {
		key_answered(t, why->text, NULL);
	} else {
		refuse(t, why->text);
	}
}

/* Handle one message.  Anything that the phase does not allow is an error. */
static void
answered(struct token *t, const struct msg *m, const union protocol_body *body)
{
	if (t->phase == TOKEN_OPENING && m->type == PROTOCOL_TOKEN_OPENED)
		opened(t, &body->token_opened);
	else if (t->phase == TOKEN_LOGGING_IN &&
	    m->type == PROTOCOL_TOKEN_LOGGED_IN)
		logged_in(t);
	else if (t->phase == TOKEN_READY && m->type == PROTOCOL_TOKEN_LOGGED_IN)
		t->each.at_risk = false;
	else if (t->phase == TOKEN_KEYS &&
	    m->type == PROTOCOL_TOKEN_KEY_FOUND &&
	    body->token_key_found.key == t->next_key)
		key_answered(t, NULL, &body->token_key_found);
	else if (t->phase == TOKEN_READY && m->type == PROTOCOL_TOKEN_SIGNATURE)
		job_answered(t,
		    token_signed(t, m->tag, body->token_signature.bytes));
	else if (m->type == PROTOCOL_TOKEN_TROUBLE &&
	    t->phase != TOKEN_LOCKED && t->phase != TOKEN_PIN_WRITTEN &&
	    t->phase != TOKEN_PIN_COMMITTED)
		in_trouble(t, m->tag, &body->token_trouble);
	else
		failed(t, "the worker spoke out of turn");
}

const struct token_machine token_machine = { answered, failed, token_end_all,
	is_slow };

/* --- the owner's side -------------------------------------------------- */

void
token_start(struct token *t, struct store *s)
{
	struct ht_error e;

	t->store = s;
	if (!t->unusable && token_wake_now(t, &e) < 0)
		refuse(t, e.text);
}

int
token_lock(struct token *t, const struct store_actor *actor, struct ht_error *e)
{
	int rc = token_hold(t, actor, e);

	if (rc == 0)
		failed(t, "an administrator has locked it");
	return rc;
}

void
token_mark_committed(struct token *t)
{
	struct token_job *job;

	TAILQ_FOREACH(job, &t->window, entry)
		if (job->phase == JOB_WRITTEN)
			job->phase = JOB_COMMITTED;
	token_outcome_committed(t);
	if (t->each.phase == EACH_WRITTEN)
		t->each.phase = EACH_DURABLE;
	if (t->phase == TOKEN_PIN_WRITTEN)
		t->phase = TOKEN_PIN_COMMITTED;
}

void
token_undo(struct token *t)
{
	token_outcome_undone(t);
	if (t->each.phase == EACH_WRITTEN)
		t->each.phase = EACH_NONE;
	if (t->phase == TOKEN_PIN_WRITTEN)
		refuse(t, "no room to record the attempt to log in");
	else
		token_end_written(t);
}

void
token_committed(struct token *t)
{
	if (t->phase == TOKEN_PIN_COMMITTED)
		token_login_committed(t);
	else if (t->phase == TOKEN_READY)
		go_on(t);
}
