#include "config.h"

#include <stdio.h>
#include <string.h>

#include "keys/keyd/admin/verbs-private.h"
#include "keys/keyd/archive.h"
#include "keys/keyd/reader-link.h"
#include "signature/pkcs7-nest.h"
#include "store/journal/journal.h"
#include "store/journal/result.h"

/* --- the journal ------------------------------------------------------- */

/* A text that has to fit: nothing longer can be in the journal. */
static int
copy_option(const struct verbs_command *c, const char *name, char *out,
    size_t size, struct ht_error *e)
{
	const char *value = verbs_option(c, name);

	if (value == NULL)
		return 0;
	if ((size_t)snprintf(out, size, "%s", value) >= size)
		return ht_error_set(e, HT_ERR_USAGE, "--%s: at most %zu bytes",
		    name, size - 1);
	return 0;
}

/* Have htsign-reader answer. */
static int
ask_reader(struct verbs_command *c, struct protocol_read *what,
    struct ht_error *e)
{
	what->json = verbs_option(c, "json") != NULL;
	return reader_ask(c->keyd->reader, what, &c->reader, e);
}

static int
list_requests(struct verbs_command *c, struct ht_error *e)
{
	struct protocol_read what = { .what = PROTOCOL_READ_LOG };
	const char *result = verbs_option(c, "result");
	int rc = verbs_limit(c, &what.limit, e);

	if (result != NULL && !journal_result_exists(result))
		return ht_error_set(e, HT_ERR_USAGE,
		    "--result=%.32s: the results are %s", result,
		    journal_results);
	if (rc == 0)
		rc = copy_option(c, "client", what.client, sizeof(what.client),
		    e);
	if (rc == 0)
		rc = copy_option(c, "profile", what.profile,
		    sizeof(what.profile), e);
	if (rc == 0)
		rc = copy_option(c, "status", what.status, sizeof(what.status),
		    e);
	if (rc == 0)
		rc = copy_option(c, "result", what.result, sizeof(what.result),
		    e);
	return rc < 0 ? rc : ask_reader(c, &what, e);
}

static int
read_request(const struct verbs_command *c, uint64_t *request,
    struct ht_error *e)
{
	if (verbs_number(c->words[1], request) < 0)
		return ht_error_set(e, HT_ERR_USAGE,
		    "%s is not the number of a request", c->words[1]);
	return 0;
}

static int
show(struct verbs_command *c, struct ht_error *e)
{
	struct protocol_read what = { .what = PROTOCOL_READ_SHOW };
	int rc = read_request(c, &what.request, e);

	return rc < 0 ? rc : ask_reader(c, &what, e);
}

/* The signature as it was given out: with its timestamp. */
static int
put_pkcs7(struct verbs_command *c, uint64_t request, struct ht_error *e)
{
	struct buf pkcs7 = BUF_INIT, token = BUF_INIT;
	int rc;

	rc = journal_pkcs7(c->keyd->store, request, &pkcs7, &token, e);
	if (rc == 0 && token.len > 0)
		rc = pkcs7_stamp(pkcs7.data, pkcs7.len, token.data, token.len,
		    &c->out, e);
	else if (rc == 0)
		buf_bytes(&c->out, pkcs7.data, pkcs7.len);
	buf_free(&pkcs7);
	buf_free(&token);
	return rc;
}

/* Whether the file of a request, or its output, is there to be fetched. */
static int
check_kept(const struct journal_archive *a, bool output, struct ht_error *e)
{
	if (!a->kept)
		return ht_error_set(e, HT_ERR_USAGE,
		    "nothing was kept of this request: its profile had no "
		    "archive");
	if (a->pruned[0] != '\0')
		return ht_error_set(e, HT_ERR_USAGE,
		    "the file was pruned at %s", a->pruned);
	if (output && !a->released)
		return ht_error_set(e, HT_ERR_USAGE,
		    "no output of this request was released");
	if (!output || a->as_it_came || a->recipe.len > 0)
		return 0;
	if (a->both)
		return ht_error_set(e, HT_ERR_USAGE,
		    "the file was pruned, and came again: how this output was "
		    "made of it is kept no more");
	return ht_error_set(e, HT_ERR_USAGE,
	    "only the input was kept: archive = \"both\" in the profile "
	    "keeps the output, too");
}

/* A kept file, or what was made of it. */
static int
put_file(struct verbs_command *c, uint64_t request, bool output,
    struct ht_error *e)
{
	struct journal_archive a;
	int rc;

	memset(&a, 0, sizeof(a));
	rc = journal_archive_find(c->keyd->store, request, &a, e);
	if (rc == 0)
		rc = check_kept(&a, output, e);
	if (rc == 0) {
		c->fd = archive_open(c->keyd->archive, a.name, e);
		rc = c->fd < 0 ? e->code : 0;
	}
	if (rc == 0) {
		c->size = output ? a.output_size : a.size;
		memcpy(c->sha256, output ? a.output_sha256 : a.sha256,
		    sizeof(c->sha256));
		if (output)
			buf_bytes(&c->out, a.recipe.data, a.recipe.len);
	}
	buf_free(&a.recipe);
	return rc;
}

static int
fetch(struct verbs_command *c, struct ht_error *e)
{
	const char *what = c->words[2];
	uint64_t request;
	int rc = read_request(c, &request, e);

	if (rc < 0)
		return rc;
	if (strcmp(what, "pkcs7") == 0)
		return put_pkcs7(c, request, e);
	if (strcmp(what, "input") == 0 || strcmp(what, "output") == 0)
		return put_file(c, request, strcmp(what, "output") == 0, e);
	return ht_error_set(e, HT_ERR_USAGE,
	    "%s is nothing that is kept: fetch input, output or pkcs7", what);
}

static int
rebuild(struct verbs_command *c, struct ht_error *e)
{
	struct store_actor actor = identity_actor(c->who);
	uint64_t events;
	int rc = journal_rebuild(c->keyd->store, &actor, &events, e);

	if (rc == 0)
		(void)snprintf(c->text, sizeof(c->text),
		    "the table of requests was made anew from %llu events",
		    (unsigned long long)events);
	return rc;
}

static int
list_events(struct verbs_command *c, struct ht_error *e)
{
	struct protocol_read what = { .what = PROTOCOL_READ_EVENTS };
	int rc = verbs_limit(c, &what.limit, e);

	return rc < 0 ? rc : ask_reader(c, &what, e);
}

const struct verb verbs_of_journal[] = {
	{ "log",
	    "[--json] [--client=NAME] [--profile=NAME] [--status=WORD] "
	    "[--result=WORD] [--limit=N]",
	    1, 1, VERBS_READERS, list_requests, "requests, the newest last" },
	{ "show", "REQUEST [--json]", 2, 2, VERBS_READERS, show,
	    "one request and its events" },
	{ "fetch", "REQUEST input|output|pkcs7", 3, 3, VERBS_ADMINS, fetch,
	    "a kept file, or the signature, to standard output" },
	{ "events", "[--json] [--limit=N]", 1, 1, VERBS_READERS, list_events,
	    "events of all kinds, the newest last" },
	{ "rebuild", "", 1, 1, VERBS_ADMINS, rebuild,
	    "make the table of requests anew from the events" },
	{ .words = NULL },
};
