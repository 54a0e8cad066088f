#include "config.h"

#include <errno.h>
#include <histedit.h>
#include <limits.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "htsign-admin/prompt.h"
#include "htsign-admin/screen.h"

/* How many lines the history keeps. */
#define HISTORY 500

/*
 * Terminals, and what Debian's ncurses-base has that is enough of them.  The
 * person's word for it is looked up here and nowhere else.
 */
static const struct {
	const char *family; /* up to a '-' */
	const char *terminal;
} terminals[] = {
	{ "xterm", "xterm" },
	{ "alacritty", "xterm" },
	{ "cygwin", "cygwin" },
	{ "foot", "xterm" },
	{ "ghostty", "xterm" },
	{ "gnome", "xterm" },
	{ "kitty", "xterm" },
	{ "konsole", "xterm" },
	{ "linux", "linux" },
	{ "mintty", "xterm" },
	{ "putty", "xterm" },
	{ "rxvt", "rxvt" },
	{ "screen", "screen" },
	{ "st", "xterm" },
	{ "tmux", "screen" },
	{ "vt100", "vt100" },
	{ "vt102", "vt102" },
	{ "vt220", "vt220" },
	{ "vte", "xterm" },
	{ "wezterm", "xterm" },
};

struct prompt {
	EditLine *edit;
	History *history;
	const struct prompt_owner *owner; /* during prompt_read */
	struct ht_error *error;           /* the same: of owner->watch */
	bool failed;
	bool bold;
	char *line;
};

static volatile sig_atomic_t resized;

static void
note_size(int number)
{
	resized = number;
}

/* --- what is typed ---------------------------------------------------------- */

static char *
show_prompt(EditLine *edit)
{
	static char plain[] = "htsign> ";
	/* libedit takes what is between two of these for no columns. */
	static char bold[] =
	    "\001" SCREEN_BOLD "\001htsign>\001" SCREEN_USUAL "\001 ";
	struct prompt *p = NULL;

	(void)el_get(edit, EL_CLIENTDATA, &p);
	return p->bold ? bold : plain;
}

/* Wait for a byte.  Meanwhile the owner's descriptor is looked after. */
static int
await_byte(EditLine *edit, struct prompt *p)
{
	struct pollfd fds[2] = { { STDIN_FILENO, POLLIN, 0 },
		{ p->owner->fd, POLLIN, 0 } };

	for (;;) {
		if (resized) {
			resized = 0;
			el_resize(edit);
		}
		if (poll(fds, 2, -1) < 0) {
			if (errno == EINTR && resized)
				continue;
			return -1;
		}
		if (fds[1].revents != 0 &&
		    p->owner->watch(p->owner->cookie, p->error) < 0) {
			p->failed = true;
			return -1;
		}
		if (fds[0].revents != 0)
			return 0;
	}
}

/* One character, for libedit: 1, 0 at the end, -1 on error. */
static int
get_char(EditLine *edit, wchar_t *out)
{
	struct prompt *p = NULL;
	mbstate_t state;
	size_t length = (size_t)-2;
	char byte;
	ssize_t n;

	(void)el_get(edit, EL_CLIENTDATA, &p);
	memset(&state, 0, sizeof(state));
	while (length == (size_t)-2) {
		if (await_byte(edit, p) < 0)
			return -1;
		n = read(STDIN_FILENO, &byte, 1);
		if (n <= 0)
			return n == 0 ? 0 : -1;
		length = mbrtowc(out, &byte, 1, &state);
	}
	if (length == (size_t)-1) /* not UTF-8 */
		*out = L'?';
	return 1;
}

/* --- keys ------------------------------------------------------------------- */

static unsigned char
empty_line(EditLine *edit, int key)
{
	const LineInfoW *line = el_wline(edit);

	(void)key;
	(void)el_cursor(edit, (int)(line->lastchar - line->cursor));
	el_deletestr(edit, (int)(line->lastchar - line->buffer));
	return CC_REFRESH;
}

/* How many bytes all the texts of a list begin with. */
static size_t
common(struct cursor list)
{
	const char *first = (const char *)list.p, *text;
	size_t n = list.left > 0 ? strlen(first) : 0, i, at;

	for (at = 0; at < list.left; at += strlen(text) + 1) {
		text = first + at;
		for (i = 0; i < n && text[i] == first[i];)
			i++;
		n = i;
	}
	return n;
}

/* Show a list below the line, in columns. */
static void
show_list(struct cursor list)
{
	const char *first = (const char *)list.p;
	size_t at, length, widest = 1, column = 0;
	struct screen screen;

	screen_read(&screen);
	for (at = 0; at < list.left; at += length + 1) {
		length = strlen(first + at);
		widest = length > widest ? length : widest;
	}
	for (at = 0; at < list.left; at += strlen(first + at) + 1) {
		if (column + widest >= screen.columns)
			column = 0;
		printf("%s%-*s", column == 0 ? "\n" : "  ", (int)widest,
		    first + at);
		column += widest + 2;
	}
	printf("\n");
}

static unsigned char
complete(EditLine *edit, int key)
{
	const LineInfo *line = el_line(edit);
	struct buf list = BUF_INIT;
	char text[PROMPT_WORD + 2];
	struct prompt *p = NULL;
	size_t typed = 0, n;
	unsigned char rc = CC_ERROR;
	char *before;
	bool one;

	(void)key;
	(void)el_get(edit, EL_CLIENTDATA, &p);
	before = strndup(line->buffer, (size_t)(line->cursor - line->buffer));
	if (before != NULL)
		p->owner->complete(p->owner->cookie, before, &list, &typed);
	free(before);
	n = common(buf_cursor(&list));
	if (buf_failed(&list) < 0 || list.len == 0 || n < typed ||
	    n - typed >= PROMPT_WORD)
		goto out;
	one = n + 1 == list.len;
	memcpy(text, list.data + typed, n - typed);
	text[n - typed] = '\0';
	if (one && list.data[n - 1] != '=')
		memcpy(text + n - typed, " ", 2);
	if (text[0] != '\0') {
		rc = el_insertstr(edit, text) == 0 ? CC_REFRESH : CC_ERROR;
	} else if (!one) {
		show_list(buf_cursor(&list));
		rc = CC_REDISPLAY;
	}
out:
	buf_free(&list);
	return rc;
}

/* --- all of it ---------------------------------------------------------------- */

static void
fix_terminal(void)
{
	static const char *const others[] = { "TERMCAP", "TERMINFO",
		"TERMINFO_DIRS", "HOME", "EDITRC", "LINES", "COLUMNS" };
	const char *name = getenv("TERM"), *found = "dumb";
	size_t i, n = name != NULL ? strcspn(name, "-") : 0;

	for (i = 0; i < sizeof(terminals) / sizeof(*terminals); i++)
		if (n > 0 && strlen(terminals[i].family) == n &&
		    strncmp(terminals[i].family, name, n) == 0)
			found = terminals[i].terminal;
	(void)setenv("TERM", found, 1);
	for (i = 0; i < sizeof(others) / sizeof(*others); i++)
		(void)unsetenv(others[i]);
}

/* Have the C library load how characters are encoded. */
static void
load_characters(void)
{
	char bytes[MB_LEN_MAX];
	mbstate_t state;
	wchar_t wide;
	size_t n;

	(void)setlocale(LC_CTYPE, "C.UTF-8");
	memset(&state, 0, sizeof(state));
	n = mbrtowc(&wide, "\xc3\xa4", 2, &state);
	if (n == 2)
		n = wcrtomb(bytes, wide, &state);
	(void)n;
}

static void
bind_keys(struct prompt *p)
{
	EditLine *edit = p->edit;

	(void)el_set(edit, EL_CLIENTDATA, p);
	(void)el_set(edit, EL_PROMPT_ESC, show_prompt, '\001');
	(void)el_set(edit, EL_EDITOR, "emacs");
	(void)el_set(edit, EL_SIGNAL, 0);
	(void)el_set(edit, EL_GETCFN, get_char);
	(void)el_set(edit, EL_HIST, history, p->history);
	/* Wide, as libedit would copy others, and not free them. */
	(void)el_wset(edit, EL_ADDFN, L"complete", L"complete the word",
	    complete);
	(void)el_set(edit, EL_BIND, "^I", "complete", NULL);
	(void)el_wset(edit, EL_ADDFN, L"empty-line", L"empty it", empty_line);
	/* Keys, not signals, while a line is edited. */
	(void)el_set(edit, EL_SETTY, "-d", "-isig", NULL);
	(void)el_set(edit, EL_BIND, "^C", "empty-line", NULL);
	(void)el_set(edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
	(void)el_set(edit, EL_BIND, "^W", "ed-delete-prev-word", NULL);
}

struct prompt *
prompt_new(struct ht_error *e)
{
	struct prompt *p = calloc(1, sizeof(*p));
	struct sigaction action;
	HistEvent event;

	if (p == NULL) {
		(void)ht_error_memory(e);
		return NULL;
	}
	load_characters();
	fix_terminal();
	p->history = history_init();
	p->edit = el_init("htsign-admin", stdin, stdout, stderr);
	if (p->history == NULL || p->edit == NULL) {
		(void)ht_error_set(e, HT_ERR_INTERNAL,
		    "the terminal cannot be used");
		prompt_free(p);
		return NULL;
	}
	(void)history(p->history, &event, H_SETSIZE, HISTORY);
	(void)history(p->history, &event, H_SETUNIQUE, 1);
	bind_keys(p);
	memset(&action, 0, sizeof(action));
	action.sa_handler = note_size;
	(void)sigaction(SIGWINCH, &action, NULL);
	return p;
}

void
prompt_free(struct prompt *p)
{
	if (p == NULL)
		return;
	if (p->edit != NULL)
		el_end(p->edit);
	if (p->history != NULL)
		history_end(p->history);
	free(p->line);
	free(p);
}

int
prompt_read(struct prompt *p, const struct prompt_owner *owner, bool bold,
    const char **line, struct ht_error *e)
{
	const char *typed;
	HistEvent event;
	int n = 0;

	p->owner = owner;
	p->error = e;
	p->failed = false;
	p->bold = bold;
	free(p->line);
	p->line = NULL;
	typed = el_gets(p->edit, &n);
	while (typed == NULL && n < 0 && errno == EINTR) {
		(void)fputc('\n', stdout); /* Ctrl-C, at a dumb terminal */
		el_reset(p->edit);
		typed = el_gets(p->edit, &n);
	}
	p->owner = NULL;
	if (p->failed)
		return e->code;
	/* A line that was not ended was not sent. */
	if (typed == NULL || strchr(typed, '\n') == NULL)
		return 0;
	p->line = strndup(typed, strcspn(typed, "\n"));
	if (p->line == NULL)
		return ht_error_memory(e);
	if (p->line[strspn(p->line, " ")] != '\0')
		(void)history(p->history, &event, H_ENTER, p->line);
	*line = p->line;
	return 1;
}
