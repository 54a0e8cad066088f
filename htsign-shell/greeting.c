#include "config.h"

#include <string.h>
#include <unistd.h>

#include "htsign-shell/greeting.h"
#include "htsign-shell/report.h"
#include "htsign-shell/request-line.h"

static void
put_text(struct buf *out, const char *text)
{
	report_escaped(out, text, strlen(text));
}

void
greeting_profiles(const struct protocol_welcome *welcome, const char *indent,
    struct buf *out)
{
	struct cursor profiles = welcome->profiles;
	struct cursor name, text;

	while (cursor_string(&profiles, &name) == 0 &&
	    cursor_string(&profiles, &text) == 0) {
		buf_format(out, "%s", indent);
		report_escaped(out, name.p, name.left);
		if (text.left > 0) {
			buf_format(out, "  ");
			report_escaped(out, text.p, text.left);
		}
		if (welcome->profile[0] != '\0' &&
		    cursor_is(name, welcome->profile))
			buf_format(out, " (default)");
		buf_format(out, "\n");
	}
}

void
greeting_put(const struct protocol_welcome *welcome, struct buf *out)
{
	buf_format(out, "htsign: you are the ");
	put_text(out, welcome->role);
	if (welcome->name[0] != '\0') {
		buf_format(out, " ");
		put_text(out, welcome->name);
	}
	if (welcome->notice[0] != '\0') {
		buf_format(out, " (");
		put_text(out, welcome->notice);
		buf_format(out, ")");
	}
	if (welcome->profiles.left > 0)
		buf_format(out, "; your profiles:\n");
	else
		buf_format(out, "; you have no profile\n");
	greeting_profiles(welcome, "htsign:   ", out);
	buf_format(out, "htsign: %s; more: ssh sign@HOST help\n",
	    request_line_usage);
}

void
greeting_show(const struct protocol_welcome *welcome)
{
	struct buf text = BUF_INIT;
	struct ht_error e;

	greeting_put(welcome, &text);
	if (buf_failed(&text) == 0)
		(void)report_write(STDERR_FILENO, text.data, text.len, &e);
	buf_free(&text);
}
