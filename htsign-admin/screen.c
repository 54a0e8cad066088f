#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "htsign-admin/screen.h"
#include "lib/log.h"
#include "lib/utf8.h"

/* How far a line that goes on is indented. */
#define INDENT 4

#define RED "\033[31m"
#define GREEN "\033[32m"
#define YELLOW "\033[33m"

static const struct {
	const char *word;
	const char *colour;
} colours[] = {
	{ "delivered", GREEN },
	{ "good", GREEN },
	{ "ready", GREEN },
	{ "asked", YELLOW },
	{ "locked", YELLOW },
	{ "slow", YELLOW },
	{ "starting", YELLOW },
	{ "undelivered", YELLOW },
	{ "(disabled)", RED },
	{ "(revoked)", RED },
	{ "failed", RED },
	{ "frozen", RED },
	{ "refused", RED },
	{ "revoked", RED },
};

void
screen_read(struct screen *s)
{
	const char *terminal = getenv("TERM");
	const char *no_color = getenv("NO_COLOR");
	struct winsize size;

	s->columns = 80;
	s->rows = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 &&
	    size.ws_row > 0) {
		s->columns = size.ws_col;
		s->rows = size.ws_row;
	}
	s->plain = terminal == NULL || strcmp(terminal, "dumb") == 0;
	s->colour = !s->plain && (no_color == NULL || no_color[0] == '\0');
}

/* Append a word so that it is only seen.  Returns its width in columns. */
static size_t
put_shown(const uint8_t *p, size_t n, struct buf *out)
{
	size_t i, take, length, width = 0;
	uint32_t point;
	char shown[8];
	int columns;

	for (i = 0; i < n; i += take) {
		take = utf8_next(p + i, n - i, &point);
		if (take == 0)
			take = 1;
		if (p[i] == '\\') { /* keyd has escaped with it */
			buf_u8(out, p[i]);
			width++;
			continue;
		}
		length = log_escape(shown, sizeof(shown), p + i, take);
		if (take > 1 && length != take) { /* each of its bytes */
			take = 1;
			length = log_escape(shown, sizeof(shown), p + i, 1);
		}
		buf_bytes(out, shown, length);
		columns = length == take ? wcwidth((wchar_t)point) : -1;
		width += columns < 0 ? length : (size_t)columns;
	}
	return width;
}

static const char *
colour_of(const struct screen *s, const uint8_t *p, size_t n)
{
	size_t i;

	for (i = 0; s->colour && i < sizeof(colours) / sizeof(*colours); i++)
		if (strlen(colours[i].word) == n &&
		    memcmp(colours[i].word, p, n) == 0)
			return colours[i].colour;
	return NULL;
}

/* Whether all its words fit.  A key is left to the terminal, to be copied. */
static bool
can_fold(const struct screen *s, const uint8_t *p, size_t n)
{
	size_t i, length = 0;

	for (i = 0; i < n && length + INDENT <= s->columns; i++)
		length = p[i] == ' ' ? 0 : length + 1;
	return i == n;
}

static void
fit_line(const struct screen *s, const uint8_t *p, size_t n, struct buf *out)
{
	struct buf word = BUF_INIT;
	size_t i = 0, at = 0, blanks, length, width;
	bool folds = can_fold(s, p, n);
	const char *colour;

	while (i < n) {
		for (blanks = 0; i < n && p[i] == ' '; i++)
			blanks++;
		for (length = 0; i + length < n && p[i + length] != ' ';)
			length++;
		if (length == 0)
			break; /* blanks at the end of a line */
		buf_reset(&word);
		width = put_shown(p + i, length, &word);
		if (folds && at > INDENT && at + blanks + width > s->columns) {
			buf_u8(out, '\n');
			at = 0;
			blanks = INDENT;
		}
		colour = colour_of(s, p + i, length);
		buf_format(out, "%*s%s", (int)blanks, "",
		    colour != NULL ? colour : "");
		buf_bytes(out, word.data, word.len);
		buf_format(out, "%s", colour != NULL ? SCREEN_USUAL : "");
		at += blanks + width;
		i += length;
	}
	if (buf_failed(&word) < 0)
		out->failed = true;
	buf_free(&word);
	buf_u8(out, '\n');
}

void
screen_fit(const struct screen *s, struct cursor text, struct buf *out)
{
	const uint8_t *end;
	size_t n;

	while (text.left > 0) {
		end = memchr(text.p, '\n', text.left);
		n = end == NULL ? text.left : (size_t)(end - text.p);
		fit_line(s, text.p, n, out);
		(void)cursor_skip(&text, end == NULL ? n : n + 1);
	}
}

struct cursor
screen_cut(struct cursor text, unsigned int rows, bool last)
{
	size_t i, lines = 0, skip = 0;

	for (i = 0; i < text.left; i++)
		lines += text.p[i] == '\n';
	if (last && lines > rows)
		skip = lines - rows;
	for (i = 0; skip > 0 && i < text.left; i++)
		skip -= text.p[i] == '\n';
	(void)cursor_skip(&text, i);
	for (i = 0; i < text.left && rows > 0; i++)
		rows -= text.p[i] == '\n';
	return cursor_over(text.p, i);
}
