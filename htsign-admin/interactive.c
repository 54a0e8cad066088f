#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "htsign-admin/grammar.h"
#include "htsign-admin/interactive.h"
#include "htsign-admin/screen.h"
#include "htsign-shell/admin.h"
#include "htsign-shell/report.h"
#include "lib/log.h"

/* How often --follow asks again, in milliseconds. */
#define FOLLOW 2000

struct interactive {
	struct session *session;
	struct grammar grammar;
	struct screen screen;
	struct buf rest; /* of a line whose end has not come yet */
	char limit[32];  /* a word of --follow */
};

/* What completion knows of a line. */
struct completion {
	struct interactive *i;
	const char *typed;
	struct buf *out;
};

/* Which command lists the names of a kind, first in its lines. */
static const struct {
	const char *kind;
	const char *command;
} lists[] = {
	{ "certificate", "certificate list" },
	{ "client", "client list" },
	{ "profile", "profile list" },
	{ "request", "log --limit=20" },
	{ "serial", "certificates" },
	{ "token", "token list" },
	{ "token", "tokens" },
};

/* What the shell itself adds to keyd's help. */
static const char own_help[] =
    "exit\n    leave; so does Ctrl-D\n"
    "... --follow\n"
    "    show again and again what a command shows, until Ctrl-C\n";

static volatile sig_atomic_t interrupted;

static void
interrupt(int number)
{
	interrupted = number;
}

/*
 * Wait until fd can be read (unless it is -1) or the time is over.  Ctrl-C ends
 * it: no signal is lost between the look at interrupted and the wait.
 */
static int
wait_for(int fd, int milliseconds, struct ht_error *e)
{
	const struct timespec time = { milliseconds / 1000,
		milliseconds % 1000 * 1000000L };
	struct pollfd ready = { fd, POLLIN, 0 };
	sigset_t block, before;
	int rc = 0;

	(void)sigemptyset(&block);
	(void)sigaddset(&block, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &block, &before);
	if (!interrupted)
		rc = ppoll(&ready, 1, &time, &before);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	if (interrupted)
		return ht_error_set(e, HT_ERR_TEMPORARY, "interrupted");
	if (rc == 0 && fd >= 0)
		return ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "htsign-keyd does not answer");
	return 0; /* a signal, too: what calls looks again */
}

static int
wait_for_keyd(int fd, struct ht_error *e)
{
	return wait_for(fd, KEYD_CLIENT_TIMEOUT, e);
}

/* --- what keyd prints ----------------------------------------------------------- */

static int
show(struct interactive *i, struct cursor text, struct ht_error *e)
{
	struct buf out = BUF_INIT;
	int rc;

	screen_fit(&i->screen, text, &out);
	rc = buf_failed(&out) < 0
	    ? ht_error_memory(e)
	    : report_write(STDOUT_FILENO, out.data, out.len, e);
	buf_free(&out);
	return rc;
}

/* Show the lines that are whole, and keep the rest. */
static int
print(void *cookie, struct cursor bytes, struct ht_error *e)
{
	struct interactive *i = cookie;
	const uint8_t *end =
	    bytes.left == 0 ? NULL : memrchr(bytes.p, '\n', bytes.left);
	size_t n = end == NULL ? 0 : (size_t)(end - bytes.p) + 1;
	int rc = 0;

	if (interrupted)
		return ht_error_set(e, HT_ERR_TEMPORARY, "interrupted");
	buf_bytes(&i->rest, bytes.p, n);
	if (buf_failed(&i->rest) < 0)
		return ht_error_memory(e);
	if (n > 0) {
		rc = show(i, buf_cursor(&i->rest), e);
		buf_reset(&i->rest);
	}
	buf_bytes(&i->rest, bytes.p + n, bytes.left - n);
	return rc;
}

static int
collect(void *cookie, struct cursor bytes, struct ht_error *e)
{
	struct buf *out = cookie;

	buf_bytes(out, bytes.p, bytes.left);
	return buf_failed(out) < 0 ? ht_error_memory(e) : 0;
}

/* --- commands ------------------------------------------------------------------ */

/* Run a command, once keyd has ended the one before. */
static int
run(struct interactive *i, const struct words *words,
    keyd_client_print_fn *print_fn, void *cookie, struct ht_error *e)
{
	struct keyd_client *keyd = &i->session->keyd;
	int rc = 0;

	while (rc == 0 && keyd_client_busy(keyd)) {
		rc = wait_for_keyd(keyd_client_fd(keyd), e);
		if (rc == 0)
			rc = keyd_client_rest(keyd, e);
	}
	if (rc == 0)
		rc = admin_run(keyd, words, print_fn, cookie, e);
	return rc;
}

/* The same, for the texts of our tables, into out. */
static int
ask(struct interactive *i, const char *command, struct buf *out,
    struct ht_error *e)
{
	struct words words;
	int rc = words_split(command, &words, e);

	if (rc == 0)
		rc = run(i, &words, collect, out, e);
	words_free(&words);
	return rc;
}

/* Replace what the terminal shows by as much of text as it has room for. */
static int
show_again(struct interactive *i, struct cursor text, bool last,
    struct ht_error *e)
{
	static const char how[] = "(every 2 seconds; Ctrl-C ends it)";
	const struct screen *screen = &i->screen;
	struct buf fit = BUF_INIT, out = BUF_INIT;
	struct cursor cut;
	uint8_t byte;
	int rc;

	screen_fit(screen, text, &fit);
	cut = screen_cut(buf_cursor(&fit), screen->rows - 1, last);
	buf_format(&out, "%s", screen->plain ? "" : SCREEN_HOME);
	while (cursor_u8(&cut, &byte) == 0) {
		if (byte == '\n' && !screen->plain)
			buf_format(&out, SCREEN_LINE);
		buf_u8(&out, byte);
	}
	buf_format(&out, screen->plain ? "\n" : "%s" SCREEN_BELOW, how);
	rc = buf_failed(&fit) < 0 || buf_failed(&out) < 0
	    ? ht_error_memory(e)
	    : report_write(STDOUT_FILENO, out.data, out.len, e);
	buf_free(&fit);
	buf_free(&out);
	return rc;
}

static int
repeat(struct interactive *i, const struct words *words, bool last,
    struct ht_error *e)
{
	struct buf text = BUF_INIT;
	int rc;

	do {
		buf_reset(&text);
		screen_read(&i->screen);
		rc = run(i, words, collect, &text, e);
		if (rc == 0)
			rc = show_again(i, buf_cursor(&text), last, e);
		if (rc == 0)
			rc = wait_for(-1, FOLLOW, e);
	} while (rc == 0);
	buf_free(&text);
	(void)fputc('\n', stdout);
	return interrupted ? 0 : rc;
}

/* Whether one of the words is this option, or gives it a value. */
static char **
find_option(const struct words *words, const char *option)
{
	size_t i, n = strlen(option);

	for (i = 0; i < words->n; i++)
		if (strncmp(words->word[i], option, n) == 0)
			return &words->word[i];
	return NULL;
}

/*
 * Repeat a command until Ctrl-C.  at is its word --follow.  A list is asked for
 * as many rows as there is room for.
 */
static int
follow(struct interactive *i, struct words *words, char **at,
    struct ht_error *e)
{
	const struct grammar_verb *v =
	    grammar_find(&i->grammar, words->word, words->n);
	bool limited;

	if (v == NULL || !v->reads)
		return ht_error_set(e, HT_ERR_USAGE,
		    "--follow is for commands that only show something");
	limited = grammar_has(v, "limit=");
	(void)snprintf(i->limit, sizeof(i->limit), "--limit=%u",
	    i->screen.rows > 2 ? i->screen.rows - 1 : 1);
	if (limited && find_option(words, "--limit=") == NULL) {
		*at = i->limit;
	} else {
		for (; at < words->word + words->n; at++)
			at[0] = at[1];
		words->n--;
	}
	return repeat(i, words, limited, e);
}

static int
run_line(struct interactive *i, struct words *words, struct ht_error *e)
{
	char **at = find_option(words, "--follow");
	struct cursor rest;
	int rc;

	if (at != NULL)
		return follow(i, words, at, e);
	rc = run(i, words, print, i, e);
	rest = buf_cursor(&i->rest);
	if (rc == 0)
		rc = show(i, rest, e);
	if (rc == 0 && words->n == 1 && strcmp(words->word[0], "help") == 0)
		rc = show(i, cursor_over(own_help, sizeof(own_help) - 1), e);
	return rc;
}

/* Returns 1 if the person leaves.  What fails is shown. */
static int
serve_line(struct interactive *i, const char *line)
{
	struct words words;
	struct ht_error e;
	int rc;

	interrupted = 0;
	ht_error_clear(&e);
	screen_read(&i->screen);
	buf_reset(&i->rest);
	rc = words_split(line, &words, &e);
	if (rc == 0 && words.n == 1 &&
	    (strcmp(words.word[0], "exit") == 0 ||
	        strcmp(words.word[0], "quit") == 0))
		rc = 1;
	else if (rc == 0 && words.n > 0)
		rc = run_line(i, &words, &e);
	words_free(&words);
	if (rc < 0 && interrupted)
		log_notice("interrupted; what keyd has begun, it ends, and the "
		           "journal has it");
	else if (rc < 0)
		log_error("%s", e.text);
	return rc == 1;
}

/* --- completion ------------------------------------------------------------------ */

/* Whether a list of texts has this one, or it is no word that keyd would have. */
static bool
is_needless(const struct buf *list, const char *text)
{
	const char *all = (const char *)list->data;
	size_t at;

	for (at = 0; at < list->len; at += strlen(all + at) + 1)
		if (strcmp(all + at, text) == 0)
			return true;
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text > '~')
			return true;
	return false;
}

static void
offer(const struct completion *c, const char *prefix, const char *word,
    size_t n)
{
	char text[PROMPT_WORD];
	int length =
	    snprintf(text, sizeof(text), "%s%.*s", prefix, (int)n, word);

	if (length < (int)sizeof(text) &&
	    strncmp(text, c->typed, strlen(c->typed)) == 0 &&
	    !is_needless(c->out, text))
		buf_bytes(c->out, text, (size_t)length + 1);
}

static void
offer_word(void *cookie, const char *word, size_t n)
{
	offer(cookie, "", word, n);
}

/* The first word of each line that the command prints for this kind. */
static void
offer_names(void *cookie, const char *kind, const char *prefix)
{
	const struct completion *c = cookie;
	struct buf text = BUF_INIT;
	struct ht_error e;
	struct words words;
	const char *line;
	bool known;
	size_t i;

	for (i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		if (strcasecmp(lists[i].kind, kind) != 0 ||
		    words_split(lists[i].command, &words, &e) < 0)
			continue;
		known =
		    grammar_find(&c->i->grammar, words.word, words.n) != NULL;
		words_free(&words);
		if (known && ask(c->i, lists[i].command, &text, &e) == 0)
			break;
	}
	buf_u8(&text, '\0');
	line = buf_failed(&text) < 0 ? NULL : (const char *)text.data;
	while (line != NULL) {
		if (line[0] != '\0')
			offer(c, prefix, line, strcspn(line, " \n"));
		line = strchr(line, '\n');
		line += line != NULL;
	}
	buf_free(&text);
}

static void
complete(void *cookie, const char *line, struct buf *out, size_t *typed)
{
	struct interactive *i = cookie;
	const struct grammar_verb *v;
	struct completion c = { i, "", out };
	const struct grammar_asker asker = { offer_word, offer_names, &c };
	size_t n = strlen(line);
	struct words words;
	struct ht_error e;

	interrupted = 0;
	if (words_split(line, &words, &e) < 0)
		return;
	if (words.n > 0 && line[n - 1] != ' ')
		c.typed = words.word[--words.n];
	*typed = strlen(c.typed);
	/* What was quoted stands in the line in another way. */
	if (*typed <= n && strcmp(line + n - *typed, c.typed) == 0)
		grammar_next(&i->grammar, words.word, words.n, c.typed, &asker);
	v = grammar_find(&i->grammar, words.word, words.n);
	if (c.typed[0] == '-' && v != NULL && v->reads)
		offer(&c, "", "--follow", 8);
	words_free(&words);
}

/* --- all of it ----------------------------------------------------------------- */

static int
watch(void *cookie, struct ht_error *e)
{
	struct interactive *i = cookie;

	return keyd_client_rest(&i->session->keyd, e);
}

static void
catch_signals(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = interrupt;
	(void)sigaction(SIGINT, &action, NULL);
	(void)signal(SIGTSTP, SIG_IGN);
	(void)signal(SIGQUIT, SIG_IGN);
}

/* Say who is there, and what waits for him.  Learn the verbs. */
static int
greet(struct interactive *i, struct ht_error *e)
{
	const struct protocol_welcome *w = &i->session->welcome;
	struct buf list = BUF_INIT, notice = BUF_INIT;
	int rc;

	rc = ask(i, "help --verbs", &list, e);
	if (rc == 0)
		rc = grammar_parse(&i->grammar, buf_cursor(&list), &notice, e);
	buf_format(&notice, "%s, %s%s: help lists the commands, exit leaves\n",
	    w->name, w->role, w->notice[0] != '\0' ? " (test)" : "");
	if (rc == 0 && buf_failed(&notice) == 0)
		rc = show(i, buf_cursor(&notice), e);
	buf_free(&list);
	buf_free(&notice);
	return rc;
}

int
interactive_run(struct session *s, struct prompt *prompt, struct ht_error *e)
{
	struct interactive i = { s, { NULL, 0, NULL }, { 80, 24, true, false },
		BUF_INIT, "" };
	const struct prompt_owner owner = { complete, watch,
		keyd_client_fd(&s->keyd), &i };
	const char *line;
	int rc;

	catch_signals();
	s->keyd.pause = wait_for_keyd;
	screen_read(&i.screen);
	rc = greet(&i, e);
	while (rc == 0) {
		rc = prompt_read(prompt, &owner, i.screen.colour, &line, e);
		if (rc == 0)
			(void)fputc('\n', stdout);
		if (rc <= 0 || serve_line(&i, line))
			break;
		rc = 0;
	}
	grammar_free(&i.grammar);
	buf_free(&i.rest);
	return rc < 0 ? rc : 0;
}
