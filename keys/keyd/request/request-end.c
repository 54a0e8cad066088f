#include "config.h"

#include <stdlib.h>

#include "keys/keyd/request/policy.h"
#include "keys/keyd/request/request-private.h"

/*
 * Milliseconds in which a shell sends the content that it announced, or takes
 * the PKCS#7.  The shell is a local process and has both ready.
 */
#define TRANSFER 30000

/* Milliseconds until a waiting shell is told; then again, so it stays. */
#define WAIT_FIRST 2000
#define WAIT_AGAIN 20000

void
request_let_go(struct request *r)
{
	loop_timer_remove(r->transfer);
	r->transfer = NULL;
	pump_cancel(r->pump);
	r->pump = NULL;
	checks_cancel(r->check);
	r->check = NULL;
	fetch_cancel(r->stamp);
	r->stamp = NULL;
	cms_signer_free(r->signer);
	r->signer = NULL;
	buf_free(&r->der);
	buf_free(&r->pkcs7);
	buf_free(&r->recipe);
	r->held = 0;
}

void
request_free(struct request *r)
{
	commit_forget(&r->release);
	loop_timer_remove(r->waiting);
	loop_timer_remove(r->deadline);
	spool_leave(r->spool);
	spool_leave(r->archive);
	request_let_go(r);
	request_leave_places(r);
	if (r->at != NULL) {
		*r->at = r->next;
		if (r->next != NULL)
			r->next->at = r->at;
	}
	free(r);
}

void
request_end(struct request *r)
{
	r->phase = REQUEST_ENDED;
	commit_forget(&r->release);
	loop_timer_remove(r->waiting);
	r->waiting = NULL;
	loop_timer_remove(r->deadline);
	r->deadline = NULL;
	spool_leave(r->spool);
	r->spool = NULL;
	spool_leave(r->archive);
	r->archive = NULL;
	request_let_go(r);
	request_leave_places(r);
	if (r->connection == NULL)
		request_free(r);
}

/* What is known of the input, if the journal does not have it yet. */
static const struct journal_input *
new_input(const struct request *r)
{
	const struct journal_input *input = &r->decision.input;

	if (input->format == NULL || r->decision.attempt > 0 ||
	    r->phase == REQUEST_FINISHED)
		return NULL;
	return input;
}

static void
record_end(struct request *r, bool refused, int status, const char *code,
    uint64_t offset, const char *text)
{
	struct journal_end why = { status, code, offset, text, new_input(r) };
	struct keyd *k = r->keyd;
	struct ht_error e;

	if (r->unrecorded)
		return;
	rates_ended(k->rates, r->who.name, status);
	if (refused)
		keyd_must(k, journal_refused(k->store, r->number, &why, &e),
		    &e);
	else
		keyd_must(k, journal_failed(k->store, r->number, &why, &e), &e);
}

void
request_say_no(struct request *r, bool refused, struct protocol_refuse *why)
{
	why->number = r->number;
	record_end(r, refused, (int)why->status, why->code, HT_NO_OFFSET,
	    why->text);
	if (r->connection != NULL) {
		keyd_say(r->connection, PROTOCOL_REFUSE, r->tag, why, NULL, 0);
		keyd_close(r->connection);
	}
	request_end(r);
}

void
request_give_up(struct request *r, const char *word, const struct ht_error *e)
{
	struct protocol_refuse why;

	keyd_refusal(&why, e->code, word, "%s", e->text);
	request_say_no(r, false, &why);
}

void
request_note_fail(struct request *r, const struct protocol_fail *fail)
{
	struct protocol_number number = { r->number };
	int status = fail->status >= 64 && fail->status <= 78
	    ? (int)fail->status
	    : -HT_ERR_INTERNAL;
	uint64_t offset =
	    fail->offset <= JOURNAL_SIZE_MAX ? fail->offset : HT_NO_OFFSET;

	record_end(r, false, status, fail->code, offset, fail->text);
	if (r->connection != NULL)
		keyd_say(r->connection, PROTOCOL_NOTED, r->tag, &number, NULL,
		    0);
	request_end(r);
}

bool
request_ended(const struct request *r)
{
	return r->phase == REQUEST_ENDED;
}

void
request_abandon(struct request *r)
{
	struct store *s = r->keyd->store;
	struct ht_error e;

	r->connection = NULL;
	spool_leave(r->spool);
	r->spool = NULL;
	if (r->phase == REQUEST_QUEUED)
		(void)token_cancel(r->job);
	if (r->unrecorded && r->phase != REQUEST_HANDED)
		r->phase = REQUEST_ENDED;
	switch (r->phase) {
	case REQUEST_OPEN:
	case REQUEST_QUEUED:
	case REQUEST_STAMPING:
	case REQUEST_SIGNED:
		keyd_must(r->keyd,
		    journal_aborted(s, r->number, JOURNAL_CUT,
		        "the connection was cut", &e),
		    &e);
		break;
	case REQUEST_FINISHED:
		keyd_must(r->keyd,
		    journal_undelivered(s, r->number, JOURNAL_CUT,
		        "the connection was cut", &e),
		    &e);
		break;
	case REQUEST_HANDED: /* done() ends it */
		return;
	case REQUEST_ENDED:
		break;
	}
	request_free(r);
}

/* Whether the request can end now, since no token has it. */
static bool
is_free(struct request *r)
{
	if (r->phase == REQUEST_HANDED ||
	    (r->phase == REQUEST_QUEUED && !token_cancel(r->job)))
		return false;
	r->job = NULL;
	return true;
}

bool
request_over(void *cookie)
{
	struct request *r = cookie;
	struct ht_error e;

	if (!is_free(r))
		return false;
	(void)ht_error_set(&e, HT_ERR_TEMPORARY,
	    "%s holds more than its share of the room for uploads",
	    r->who.name);
	request_give_up(r, "room", &e);
	return true;
}

/* The token's answer to one that it has is recorded first. */
static void
too_late(void *cookie)
{
	struct request *r = cookie;

	r->deadline = NULL;
	keyd_refusal(&r->refusal, HT_ERR_UNAVAILABLE, "deadline",
	    "it has taken longer than profile %s allows: try again",
	    r->profile);
	if (is_free(r))
		request_say_no(r, false, &r->refusal);
}

void
request_start_deadline(struct request *r, unsigned int seconds)
{
	r->ends = loop_now() + (uint64_t)seconds * 1000;
	r->deadline = loop_timer_add(r->keyd->loop, (uint64_t)seconds * 1000,
	    too_late, r);
}

void
request_revoke(struct request *r, struct protocol_refuse *no)
{
	if (r->phase == REQUEST_OPEN || r->phase == REQUEST_STAMPING ||
	    r->phase == REQUEST_SIGNED ||
	    (r->phase == REQUEST_QUEUED && token_cancel(r->job)))
		request_say_no(r,
		    r->phase != REQUEST_STAMPING && r->phase != REQUEST_SIGNED,
		    no);
}

void
request_revoke_refused(struct keyd *k)
{
	const struct setup_certificate *certificate;
	struct request *r, *next;
	struct protocol_refuse no;

	for (r = k->requests; r != NULL; r = next) {
		next = r->next;
		if (!request_ended(r) &&
		    request_verdict(r, &certificate, &no) < 0)
			request_revoke(r, &no);
	}
}

static void
too_slow(void *cookie)
{
	struct request *r = cookie;
	struct ht_error e;

	r->transfer = NULL;
	(void)ht_error_set(&e, HT_ERR_UNAVAILABLE, "htsign-shell did not %s",
	    r->phase == REQUEST_OPEN ? "send all of the content in time"
	        : r->made.length > 0 ? "send all of the recipe in time"
	                             : "take the signature in time");
	request_give_up(r, "stalled", &e);
}

void
request_start_transfer(struct request *r)
{
	r->transfer = loop_timer_add(r->keyd->loop, TRANSFER, too_slow, r);
}

void
request_stop_transfer(struct request *r)
{
	if (!r->whole || (r->pumps && !r->pumped))
		return;
	loop_timer_remove(r->transfer);
	r->transfer = NULL;
}

/* Tell the shell what it waits for, and that we are alive. */
static void
still_waiting(void *cookie)
{
	struct request *r = cookie;
	struct protocol_wait wait = { 0 };

	if (r->phase == REQUEST_STAMPING) {
		(void)snprintf(wait.reason, sizeof(wait.reason), "timestamp");
		(void)snprintf(wait.text, sizeof(wait.text),
		    "waiting for a timestamp");
	} else if (r->check != NULL) {
		(void)snprintf(wait.reason, sizeof(wait.reason), "virustotal");
		(void)snprintf(wait.text, sizeof(wait.text),
		    "waiting for VirusTotal");
	} else if (r->phase == REQUEST_OPEN) {
		(void)snprintf(wait.reason, sizeof(wait.reason), "scan");
		(void)snprintf(wait.text, sizeof(wait.text),
		    r->whole ? "waiting until the file is scanned"
		             : "waiting for a place at the virus scanner");
	} else {
		(void)snprintf(wait.reason, sizeof(wait.reason), "queue");
		(void)snprintf(wait.text, sizeof(wait.text),
		    "waiting for token %s", r->token);
	}
	r->waiting =
	    loop_timer_add(r->keyd->loop, WAIT_AGAIN, still_waiting, r);
	/* A shell that said FAIL expects only NOTED. */
	if (r->connection != NULL && r->fail.status == 0)
		keyd_say(r->connection, PROTOCOL_WAIT, r->tag, &wait, NULL, 0);
}

void
request_start_waiting(struct request *r)
{
	r->waiting =
	    loop_timer_add(r->keyd->loop, WAIT_FIRST, still_waiting, r);
}

int
request_verdict(const struct request *r,
    const struct setup_certificate **certificate, struct protocol_refuse *no)
{
	const struct policy_wish wish = { .certificate = r->certificate,
		.fingerprint = r->fingerprint,
		.publisher = r->publisher,
		.size = r->whole ? r->decision.input.size : r->announced,
		.placed = r->places[RATE_TOKEN].rate != NULL,
		.decided = r->decision.attempt > 0 };

	return policy_verdict(r->keyd, &r->who, r->profile, &wish, certificate,
	    no);
}

const struct setup_certificate *
request_other(const struct request *r)
{
	const struct policy_wish wish = { .certificate = "",
		.publisher = r->publisher,
		.left = r->token,
		.size = r->decision.input.size,
		.decided = r->decision.attempt > 0 };
	const struct conf_profile *profile =
	    conf_profile(r->keyd->setup->conf, r->profile);
	const struct setup_certificate *certificate;
	struct protocol_refuse no;

	if (r->connection == NULL || r->unrecorded || r->fail.status != 0 ||
	    r->refusal.status != 0 || r->lost >= TOKEN_ATTEMPTS ||
	    profile == NULL || r->moves >= profile->ncertificates ||
	    policy_verdict(r->keyd, &r->who, r->profile, &wish, &certificate,
	        &no) < 0)
		return NULL;
	return certificate;
}
