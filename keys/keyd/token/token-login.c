#include "config.h"

#include <stdio.h>
#include <string.h>

#include "keys/keyd/token/token-private.h"
#include "lib/log.h"
#include "store/journal/pins.h"

/*
 * The PIN guard (DESIGN.md, section 10).  An attempt is recorded and
 * durable before the token sees the PIN.  Only success removes the record.  It
 * stays if the worker, keyd or the machine crashes in between.  A PIN with a
 * record is not tried again.
 */

/* The administrator's PIN if there is one, otherwise the configured PIN. */
static const struct secret *
pin_of(const struct token *t)
{
	return secret_held(t->given) ? t->given : t->configured;
}

static void
lock(struct token *t, const char *reason)
{
	struct ht_error e;

	token_await_nothing(t);
	t->phase = TOKEN_LOCKED;
	token_set_reason(t, reason);
	log_notice("token %s is locked: %s", t->name, reason);
	(void)ht_error_set(&e, HT_ERR_UNAVAILABLE,
	    "token %s is locked: an administrator must unlock it", t->name);
	token_unlock_end(t, &e);
	token_end_all(t, &e);
}

/* The name of the token in the guard's records. */
static const char *
guarded(const struct token *t)
{
	return t->serial[0] != '\0' ? t->serial : t->name;
}

/* An administrator unlocks: remove the guard's record for this token. */
static int
clear_guard(struct token *t, struct ht_error *e)
{
	uint64_t stood;
	int rc;

	if (!t->unlocking.clear)
		return 0;
	t->unlocking.clear = false;
	rc = pin_attempt_clear(t->store, guarded(t), &stood, e);
	if (rc == 0 && stood > 0)
		token_note(t, JOURNAL_TOKEN_PIN_CLEARED, "");
	return rc;
}

/* 1: the PIN may be tried, and the attempt is recorded.  0: it may not. */
static int
record_attempt(struct token *t, struct ht_error *e)
{
	uint8_t salt[PIN_SALT], hash[PIN_HASH];
	int rc;

	rc = clear_guard(t, e);
	if (rc == 0)
		rc = pin_salt(t->store, guarded(t), salt, e);
	if (rc == 0)
		rc = secret_hash(pin_of(t), salt, sizeof(salt), hash,
		    sizeof(hash), e);
	if (rc == 0)
		rc = pin_attempt_stands(t->store, guarded(t), hash, e);
	if (rc == 0) {
		rc = pin_attempt_add(t->store, guarded(t), salt, hash, e);
		if (rc == 0)
			rc = 1;
	} else if (rc == 1) {
		rc = 0;
	}
	ht_wipe(hash, sizeof(hash));
	return rc;
}

void
token_login(struct token *t)
{
	struct ht_error e;
	int rc;

	if (!secret_held(pin_of(t))) {
		token_note(t, JOURNAL_TOKEN_LOCKED, "no PIN was given");
		lock(t, "no PIN was given");
		return;
	}
	rc = record_attempt(t, &e);
	if (rc < 0) {
		token_unlock_end(t, &e);
		lock(t, e.text);
	} else if (rc == 0) {
		token_note(t, JOURNAL_TOKEN_PIN_HELD,
		    "it was tried before, and not seen to work");
		lock(t, "the PIN was tried before without success");
	} else {
		t->phase = TOKEN_PIN_WRITTEN;
	}
}

void
token_login_committed(struct token *t)
{
	struct protocol_token_login body;
	const uint8_t *pin;
	size_t n;

	pin = secret_bytes(pin_of(t), &n);
	body.pin = cursor_over(pin, n);
	t->phase = TOKEN_LOGGING_IN;
	if (token_say(t, PROTOCOL_TOKEN_LOGIN, 0, &body))
		token_await(t);
}

void
token_logged_in(struct token *t)
{
	struct ht_error e;

	/* An attempt that cannot be cleared stays: that is the safe side. */
	if (pin_attempt_clear(t->store, guarded(t), NULL, &e) < 0)
		log_error("token %s: %s", t->name, e.text);
	token_note(t, JOURNAL_TOKEN_UNLOCKED, "");
	token_unlock_end(t, NULL);
}

void
token_pin_refused(struct token *t, const char *text)
{
	struct ht_error e;

	token_note(t, JOURNAL_TOKEN_PIN_REFUSED, text);
	secret_forget(t->given);
	(void)ht_error_set(&e, HT_ERR_DENIED,
	    "token %s does not accept the PIN: %s", t->name, text);
	token_unlock_end(t, &e);
	lock(t, text);
}

/* --- an administrator -------------------------------------------------- */

void
token_unlock_end(struct token *t, const struct ht_error *e)
{
	token_unlock_fn *fn = t->unlocking.fn;
	void *cookie = t->unlocking.cookie;

	memset(&t->unlocking, 0, sizeof(t->unlocking));
	if (fn != NULL)
		fn(cookie, e);
}

void
token_unlock_forget(struct token *t, void *cookie)
{
	if (t->unlocking.cookie != cookie)
		return;
	t->unlocking.fn = NULL;
	t->unlocking.cookie = NULL;
}

static const char *
copy(char *out, size_t size, const char *text)
{
	if (text == NULL)
		return NULL;
	(void)snprintf(out, size, "%s", text);
	return out;
}

static void
remember(struct token *t, const struct store_actor *actor, token_unlock_fn *fn,
    void *cookie)
{
	struct token_unlocking *u = &t->unlocking;

	u->active = true;
	u->clear = true;
	u->fn = fn;
	u->cookie = cookie;
	u->actor.name = copy(u->name, sizeof(u->name), actor->name);
	u->actor.role = copy(u->role, sizeof(u->role), actor->role);
	u->actor.peer = copy(u->peer, sizeof(u->peer), actor->peer);
}

static int
may_unlock(const struct token *t, struct ht_error *e)
{
	if (t->key_file >= 0)
		return ht_error_set(e, HT_ERR_USAGE, "token %s needs no PIN",
		    t->name);
	if (t->unlocking.active)
		return ht_error_set(e, HT_ERR_USAGE,
		    "token %s is being unlocked already", t->name);
	if (t->phase == TOKEN_READY || t->phase == TOKEN_KEYS)
		return ht_error_set(e, HT_ERR_USAGE, "token %s is not locked",
		    t->name);
	if (t->phase >= TOKEN_STARTING && t->phase != TOKEN_LOCKED)
		return ht_error_set(e, HT_ERR_USAGE,
		    "token %s is starting: try again in a while", t->name);
	return 0;
}

static int
take_pin(struct token *t, const uint8_t *pin, size_t n, struct ht_error *e)
{
	if (n > 0)
		return secret_set(t->given, pin, n, e);
	secret_forget(t->given);
	if (!secret_held(t->configured))
		return ht_error_set(e, HT_ERR_USAGE,
		    "token %s has no configured PIN: give one", t->name);
	return 0;
}

int
token_unlock(struct token *t, const struct store_actor *actor,
    const uint8_t *pin, size_t n, token_unlock_fn *fn, void *cookie,
    struct ht_error *e)
{
	int rc = may_unlock(t, e);

	if (rc == 0)
		rc = take_pin(t, pin, n, e);
	if (rc < 0)
		return rc;
	remember(t, actor, fn, cookie);
	if (t->phase != TOKEN_LOCKED)
		rc = token_wake_now(t, e);
	else if ((rc = record_attempt(t, e)) == 1)
		t->phase = TOKEN_PIN_WRITTEN;
	else if (rc == 0)
		rc = ht_error_set(e, HT_ERR_INTERNAL,
		    "token %s: the PIN guard was not cleared", t->name);
	if (rc >= 0)
		return 0;
	/* It did not begin: nobody waits, and the PIN is not kept. */
	secret_forget(t->given);
	t->unlocking.fn = NULL;
	token_unlock_end(t, NULL);
	return rc;
}
