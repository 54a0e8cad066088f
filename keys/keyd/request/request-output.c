#include "config.h"

#include <string.h>

#include "keys/keyd/request/request-private.h"

/* "finished" is durable.  May the client still have the result? */
static void
release(void *cookie)
{
	struct request *r = cookie;
	const struct setup_certificate *certificate;
	struct protocol_number number = { r->number };
	struct protocol_refuse no;

	if (request_verdict(r, &certificate, &no) < 0) {
		request_say_no(r, false, &no);
		return;
	}
	spool_keep(r->spool);
	keyd_say(r->connection, PROTOCOL_RELEASE, r->tag, &number, NULL, 0);
}

/* The end is recorded.  release() follows after the commit. */
static void
finish(struct request *r, uint64_t output)
{
	r->output = output;
	r->phase = REQUEST_FINISHED;
	loop_timer_remove(r->deadline);
	r->deadline = NULL;
	r->release.run = release;
	r->release.cookie = r;
	commit_after(&r->keyd->commits, &r->release);
}

/* The output is whole, and so is its recipe, if there is one. */
static void
take_output(struct request *r, const struct protocol_output *output)
{
	struct keyd *k = r->keyd;
	struct ht_error e;

	keyd_must(k,
	    journal_finished(k->store, r->number, output->size,
	        output->sha256.p, &e),
	    &e);
	if (r->recipe.len > 0)
		keyd_must(k,
		    journal_recipe(k->store, r->number, r->recipe.data,
		        r->recipe.len, &e),
		    &e);
	request_let_go(r);
	finish(r, output->size);
}

/* Take room for a recipe here, and in the journal. */
static void
expect_recipe(struct request *r, const struct protocol_output *output)
{
	struct protocol_refuse no;

	if (request_take(r, output->length, &no) < 0 ||
	    request_room(r->keyd, output->length, &no) < 0) {
		request_say_no(r, false, &no);
		return;
	}
	r->made = *output;
	memcpy(r->made_sha256, output->sha256.p, sizeof(r->made_sha256));
	r->made.sha256.p = r->made_sha256;
	request_start_transfer(r);
}

void
request_recipe_part(struct request *r, struct cursor bytes)
{
	struct ht_error e;

	if (bytes.left == 0 || bytes.left > r->made.length - r->recipe.len) {
		keyd_close(r->connection);
		return;
	}
	buf_bytes(&r->recipe, bytes.p, bytes.left);
	if (buf_failed(&r->recipe) < 0) {
		(void)ht_error_memory(&e);
		request_give_up(r, "output", &e);
	} else if (r->recipe.len == r->made.length) {
		take_output(r, &r->made);
	}
}

void
request_output(struct request *r, const struct protocol_output *output)
{
	if (r->phase != REQUEST_SIGNED || r->pkcs7.len > 0 ||
	    r->made.length > 0 || output->sha256.left != JOURNAL_SHA256 ||
	    output->size > JOURNAL_SIZE_MAX ||
	    output->length > PROTOCOL_RECIPE_MAX ||
	    (output->length > 0) != r->both)
		keyd_close(r->connection);
	else if (r->both)
		expect_recipe(r, output);
	else
		take_output(r, output);
}

/* Check a kept file: the profile must take its format and its size. */
static int
check_kept(const struct request *r, const struct protocol_kept *kept,
    struct ht_error *e)
{
	const struct conf_profile *profile =
	    conf_profile(r->keyd->setup->conf, r->profile);

	if (profile == NULL ||
	    !conf_format_in(profile->formats, kept->format) ||
	    kept->size > profile->max_size)
		return ht_error_set(e, HT_ERR_REFUSED,
		    "profile %s does not take such a file", r->profile);
	return 0;
}

void
request_keep(struct request *r)
{
	const struct protocol_kept *kept = &r->kept;
	const struct journal_kept record = { r->decision.input,
		kept->output_size, kept->output_sha256.p };
	struct ht_error e;

	if (check_kept(r, kept, &e) < 0) {
		request_give_up(r, "kept", &e);
		return;
	}
	keyd_must(r->keyd, request_first_use(r, &e), &e);
	keyd_must(r->keyd, journal_kept(r->keyd->store, r->number, &record, &e),
	    &e);
	finish(r, kept->output_size);
}

void
request_delivered(struct request *r, uint64_t bytes)
{
	struct ht_error e;

	if (bytes != r->output) {
		keyd_close(r->connection);
		return;
	}
	keyd_must(r->keyd,
	    journal_delivered(r->keyd->store, r->number, bytes, &e), &e);
	request_end(r);
}
