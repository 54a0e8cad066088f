#include "config.h"

#include <stdio.h>

#include "lib/put.h"
#include "reader/print.h"

void
print_row(struct buf *out, const struct journal_row *row, bool json)
{
	if (json) {
		put_json(out, row->json);
		return;
	}
	buf_format(out, "%-6llu %s %-12s ", (unsigned long long)row->request,
	    row->asked, row->client);
	put_column(out, 12, row->profile);
	put_column(out, 14, row->status);
	put_escaped(out, row->name);
	buf_u8(out, ' ');
	put_escaped(out, row->error[0] != '\0' ? row->error : row->description);
	buf_u8(out, '\n');
}

void
print_event(struct buf *out, const struct journal_event *event, bool json)
{
	if (json) {
		put_json(out, event->json);
		return;
	}
	buf_format(out, "%-8llu %s %-18s ", (unsigned long long)event->sequence,
	    event->at, event->kind);
	put_column(out, 12, event->actor);
	put_escaped(out, event->detail);
	buf_u8(out, '\n');
}

void
print_step(struct buf *out, const struct journal_event *event)
{
	buf_format(out, "%s  %s%s", event->at, event->kind,
	    event->actor[0] != '\0' ? "  " : "");
	put_escaped(out, event->actor);
	buf_format(out, "\n    ");
	put_wrapped(out, 4, event->detail);
}
