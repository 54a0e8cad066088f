#include "config.h"

#include <string.h>

#include "keys/keyd/admin/verbs-private.h"
#include "store/journal/journal.h"

/* --- the journal ------------------------------------------------------- */

static int
put_row(void *cookie, const struct journal_row *row)
{
	struct verbs_command *c = cookie;

	if (verbs_option(c, "json") != NULL) {
		verbs_put_json(&c->out, row->json);
		return buf_failed(&c->out);
	}
	buf_format(&c->out, "%-6llu %s %-12s ",
	    (unsigned long long)row->request, row->asked, row->client);
	verbs_put_column(&c->out, 12, row->profile);
	verbs_put_column(&c->out, 14, row->status);
	verbs_put_escaped(&c->out, row->name);
	buf_u8(&c->out, ' ');
	verbs_put_escaped(&c->out,
	    row->error[0] != '\0' ? row->error : row->description);
	buf_u8(&c->out, '\n');
	return buf_failed(&c->out);
}

static int
put_event(void *cookie, const struct journal_event *event)
{
	struct verbs_command *c = cookie;

	if (verbs_option(c, "json") != NULL) {
		verbs_put_json(&c->out, event->json);
		return buf_failed(&c->out);
	}
	buf_format(&c->out, "%-8llu %s %-18s ",
	    (unsigned long long)event->sequence, event->at, event->kind);
	verbs_put_column(&c->out, 12, event->actor);
	verbs_put_escaped(&c->out, event->detail);
	buf_u8(&c->out, '\n');
	return buf_failed(&c->out);
}

static int
list_requests(struct verbs_command *c, struct ht_error *e)
{
	struct journal_filter filter = { verbs_option(c, "client"),
		verbs_option(c, "profile"), verbs_option(c, "status"), 0 };
	int rc = verbs_limit(c, &filter.limit, e);

	if (rc == 0)
		rc = journal_log(c->keyd->store, &filter, put_row, c, e);
	return rc;
}

static int
show(struct verbs_command *c, struct ht_error *e)
{
	uint64_t request;

	if (verbs_number(c->words[1], &request) < 0)
		return ht_error_set(e, HT_ERR_USAGE,
		    "%s is not the number of a request", c->words[1]);
	return journal_show(c->keyd->store, request, put_row, put_event, c, e);
}

static int
list_events(struct verbs_command *c, struct ht_error *e)
{
	unsigned int rows;
	int rc = verbs_limit(c, &rows, e);

	if (rc == 0)
		rc = journal_events(c->keyd->store, rows, put_event, c, e);
	return rc;
}

const struct verb verbs_of_journal[] = {
	{ "log",
	    "[--json] [--client=NAME] [--profile=NAME] [--status=WORD] "
	    "[--limit=N]",
	    "json client profile status limit ", 1, 1, VERBS_READERS,
	    list_requests, "requests, the newest last" },
	{ "show", "REQUEST [--json]", "json ", 2, 2, VERBS_READERS, show,
	    "one request and its events" },
	{ "events", "[--json] [--limit=N]", "json limit ", 1, 1, VERBS_READERS,
	    list_events, "events of all kinds, the newest last" },
	{ .words = NULL },
};
