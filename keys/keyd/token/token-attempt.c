#include "config.h"

#include <stdio.h>
#include <string.h>

#include "keys/keyd/token/token-private.h"
#include "lib/log.h"
#include "store/journal/pins.h"

/* The time until an outcome that was undone is written again, in ms. */
#define OUTCOME_AGAIN 1000

const char *
token_guarded(const struct token *t)
{
	return t->serial[0] != '\0' ? t->serial : t->name;
}

/*
 * Write the outcome.  Where this fails for want of room the commit fails, too,
 * and is undone.
 */
static void
write_outcome(struct token *t)
{
	struct token_outcome *o = &t->outcome;
	bool accepted = o->what == OUTCOME_ACCEPTED;
	struct ht_error e;
	int rc;

	rc = accepted ? pin_attempt_clear(t->store, o->guarded, NULL, &e)
	              : pin_attempt_refused(t->store, o->guarded, &e);
	if (rc < 0)
		log_error("token %s: %s", t->name, e.text);
	if (!accepted || !o->each)
		token_note(t,
		    accepted ? JOURNAL_TOKEN_UNLOCKED
		             : JOURNAL_TOKEN_PIN_REFUSED,
		    o->text);
}

static void
write_again(void *cookie)
{
	struct token *t = cookie;
	struct ht_error e;

	t->outcome.later = NULL;
	if (store_reserve(t->store, 0, &e) == 0)
		write_outcome(t);
	else
		token_outcome_undone(t);
}

void
token_outcome_undone(struct token *t)
{
	struct token_outcome *o = &t->outcome;

	if (o->what != OUTCOME_DURABLE && o->later == NULL)
		o->later =
		    loop_timer_add(t->loop, OUTCOME_AGAIN, write_again, t);
}

void
token_outcome_committed(struct token *t)
{
	if (t->outcome.later == NULL)
		t->outcome.what = OUTCOME_DURABLE;
}

void
token_outcome_now(struct token *t)
{
	if (t->outcome.later == NULL)
		return;
	loop_timer_remove(t->outcome.later);
	t->outcome.later = NULL;
	write_outcome(t);
}

void
token_outcome(struct token *t, bool accepted, bool each, const char *text)
{
	struct token_outcome *o = &t->outcome;

	o->each = each;
	o->what = accepted ? OUTCOME_ACCEPTED : OUTCOME_REFUSED;
	(void)snprintf(o->guarded, sizeof(o->guarded), "%s", token_guarded(t));
	(void)snprintf(o->text, sizeof(o->text), "%s", text);
	write_outcome(t);
}

/* --- a PIN for each signature ------------------------------------------ */

bool
token_each_record(struct token *t)
{
	const struct pin_attempt a = { .flags = t->pin_flags, .unknown = 1 };
	struct ht_error e;

	if (t->each.phase == EACH_NONE) {
		token_outcome_now(t);
		/* If this fails, the next commit fails, too. */
		if (pin_attempt_add(t->store, token_guarded(t), t->each.salt,
		        t->each.hash, &a, &e) < 0)
			log_error("token %s: %s", t->name, e.text);
		t->each.phase = EACH_WRITTEN;
	}
	return t->each.phase == EACH_DURABLE;
}

void
token_each_done(struct token *t)
{
	bool cleared = t->each.phase != EACH_NONE && !t->each.at_risk;

	t->each.phase = EACH_NONE;
	t->each.at_risk = false;
	if (cleared)
		token_outcome(t, true, true, "");
}

void
token_each_failed(struct token *t, bool refused, const char *text)
{
	t->each.phase = EACH_NONE;
	t->each.at_risk = false;
	if (refused)
		token_outcome(t, false, true, text);
}
