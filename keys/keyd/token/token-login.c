#include "config.h"

#include <stdio.h>
#include <string.h>

#include "keys/keyd/token/token-private.h"
#include "lib/log.h"
#include "store/journal/pins.h"

/*
 * The PIN guard (DESIGN.md, section 10).  An attempt is recorded and
 * durable before the token sees the PIN.  Only success removes the record.  It
 * stays if the worker, keyd or the machine crashes in between.  may_repeat()
 * alone decides whether a PIN with a record is tried again.
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
	char text[PROTOCOL_TEXT];
	struct ht_error e;

	token_await_nothing(t);
	t->phase = TOKEN_LOCKED;
	(void)snprintf(text, sizeof(text), "%s; type: htsign-admin unlock %s",
	    reason, t->name);
	token_set_reason(t, text);
	log_error("token %s is locked: %s", t->name, t->reason);
	(void)ht_error_set(&e, HT_ERR_UNAVAILABLE,
	    "token %s is locked: an administrator must unlock it", t->name);
	token_unlock_end(t, &e);
	token_end_all(t, &e);
}

/*
 * Whether the PIN may be tried again, although the attempt *a with it stands.
 * *why says why, or why not.  If nobody knows how the attempt ended, no process
 * that has the PIN lives any more: the token's lock is ours.  So a token that
 * counts, and had nothing to tell before and now, has not refused the PIN.  If
 * it had something to tell before, one more refusal need not show.
 */
static bool
may_repeat(const struct token *t, struct pin_attempt *a, const char **why)
{
	const uint8_t end = PROTOCOL_PIN_FINAL_TRY | PROTOCOL_PIN_LOCKED;

	if (a->lost) {
		*why = "pin.key was lost, so nobody knows with which PIN the "
		       "last attempt was";
		return false;
	}
	if (a->unknown == 0) {
		*why = "the token has refused this PIN before";
		return false;
	}
	if (t->pin_counted && a->flags == 0) {
		*why = t->pin_flags == 0
		    ? "the token says that it has not refused this PIN"
		    : "the token says that it has refused this PIN";
		a->unknown = 0;
		return t->pin_flags == 0;
	}
	*why = "nobody knows how the last attempt with this PIN ended";
	return a->unknown <= t->pin_retries && (t->pin_flags & end) == 0;
}

/*
 * An attempt with the PIN stands.  Return whether it may be tried all the same.
 * An administrator who unlocks says so.
 */
static bool
is_allowed(struct token *t, struct pin_attempt *a, const char **why)
{
	if (t->unlocking.active) {
		a->unknown = 0;
		token_note(t, JOURNAL_TOKEN_PIN_CLEARED, "");
		return true;
	}
	if (!may_repeat(t, a, why)) {
		token_note(t, JOURNAL_TOKEN_PIN_HELD, *why);
		return false;
	}
	token_note(t, JOURNAL_TOKEN_PIN_REPEATED, *why);
	log_notice("token %s: the PIN is tried again: %s", t->name, *why);
	return true;
}

/*
 * 1: the PIN may be tried, and the attempt is recorded.  0: it may not, and
 * *why says why.
 */
static int
record_attempt(struct token *t, const char **why, struct ht_error *e)
{
	uint8_t salt[PIN_SALT], hash[PIN_HASH];
	struct pin_attempt a;
	int rc;

	token_outcome_now(t);
	rc = pin_salt(t->store, token_guarded(t), salt, e);
	if (rc == 0)
		rc = secret_hash(pin_of(t), salt, sizeof(salt), hash,
		    sizeof(hash), e);
	if (rc == 0)
		rc =
		    pin_attempt_stands(t->store, token_guarded(t), hash, &a, e);
	if (rc == 0 || (rc == 1 && is_allowed(t, &a, why))) {
		a.flags = t->pin_flags;
		a.unknown++;
		rc = pin_attempt_add(t->store, token_guarded(t), salt, hash, &a,
		    e);
		if (rc == 0)
			rc = 1;
		memcpy(t->each.salt, salt, sizeof(salt));
		memcpy(t->each.hash, hash, sizeof(hash));
	} else if (rc == 1) {
		rc = 0;
	}
	ht_wipe(hash, sizeof(hash));
	return rc;
}

void
token_login(struct token *t)
{
	const char *why = "";
	struct ht_error e;
	int rc;

	if (t->held && !t->unlocking.active) {
		lock(t, "an administrator has locked it");
		return;
	}
	if (!secret_held(pin_of(t))) {
		token_note(t, JOURNAL_TOKEN_LOCKED, "no PIN was given");
		lock(t, "no PIN was given");
		return;
	}
	rc = record_attempt(t, &why, &e);
	if (rc < 0) {
		token_unlock_end(t, &e);
		lock(t, e.text);
	} else if (rc == 0) {
		lock(t, why);
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
	if (token_say(t, PROTOCOL_TOKEN_LOGIN, 0, &body, t->guard)) {
		token_await(t);
		token_unguard(t); /* now it is the worker's */
	}
}

void
token_logged_in(struct token *t)
{
	t->held = false;
	token_outcome(t, true, false, "");
	token_unlock_end(t, NULL);
}

void
token_pin_refused(struct token *t, const char *text)
{
	struct ht_error e;

	token_outcome(t, false, false, text);
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
	if (t->unusable)
		return ht_error_set(e, HT_ERR_USAGE,
		    "token %s cannot be used: %s", t->name, t->reason);
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

int
token_hold(struct token *t, const struct store_actor *actor, struct ht_error *e)
{
	if (t->key_file >= 0 || t->unusable || !t->logs_in)
		return ht_error_set(e, HT_ERR_USAGE,
		    "token %s has taken no PIN", t->name);
	if (t->held || t->phase == TOKEN_LOCKED)
		return ht_error_set(e, HT_ERR_USAGE,
		    "token %s is locked already", t->name);
	t->held = true;
	secret_forget(t->given);
	return journal_token(t->store, actor, JOURNAL_TOKEN_LOCKED, t->name,
	    "an administrator has locked it", e);
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
	const char *why;
	int rc = may_unlock(t, e);

	if (rc == 0)
		rc = token_guard(t, e);
	if (rc == 0)
		rc = take_pin(t, pin, n, e);
	if (rc < 0)
		return rc;
	remember(t, actor, fn, cookie);
	if (t->phase != TOKEN_LOCKED)
		rc = token_wake_now(t, e);
	else if ((rc = record_attempt(t, &why, e)) == 1)
		t->phase = TOKEN_PIN_WRITTEN;
	if (rc >= 0)
		return 0;
	/* It did not begin: nobody waits, and the PIN is not kept. */
	secret_forget(t->given);
	t->unlocking.fn = NULL;
	token_unlock_end(t, NULL);
	return rc;
}
