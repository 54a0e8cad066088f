#include "config.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "htsign-shell/admin.h"
#include "htsign-shell/fetched.h"
#include "htsign-shell/report.h"
#include "htsign-shell/words.h"
#include "lib/log.h"

/* What a command wants on stdin. */
enum want { WANT_NOTHING, WANT_FILE, WANT_SECRET };

static const struct {
	const char *word;
	enum want want;
} wants[] = {
	{ "issue", WANT_FILE },    /* a public key */
	{ "unlock", WANT_SECRET }, /* a PIN */
};

static enum want
want_of(const struct words *words)
{
	enum want want = WANT_NOTHING;
	size_t i;

	for (i = 0; i < sizeof(wants) / sizeof(wants[0]); i++)
		if (strcmp(wants[i].word, words->word[0]) == 0)
			want = wants[i].want;
	for (i = 1; i < words->n; i++)
		if (strcmp(words->word[i], "--new-key") == 0)
			want = WANT_NOTHING;
	return want;
}

/* --- stdin --------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void
interrupt(int number)
{
	interrupted = number;
}

/*
 * Read one line of stdin, or all of it, into out, at most ADMIN_INPUT_MAX
 * bytes.  No other copy of the bytes stays in our memory.
 */
static int
read_input(bool line, struct buf *out, struct ht_error *e)
{
	uint8_t bytes[512];
	bool more = true;
	ssize_t n = 0;

	out->limit = ADMIN_INPUT_MAX;
	while (more && !interrupted && buf_failed(out) == 0) {
		n = read(STDIN_FILENO, bytes, line ? 1 : sizeof(bytes));
		if (n > 0)
			buf_bytes(out, bytes, (size_t)n);
		more = n < 0 ? errno == EINTR
		             : n > 0 && !(line && bytes[0] == '\n');
	}
	ht_wipe(bytes, sizeof(bytes));
	if (interrupted)
		return ht_error_set(e, HT_ERR_USAGE, "interrupted");
	if (n < 0)
		return ht_error_errno(e, "cannot read the input");
	if (buf_failed(out) < 0)
		return ht_error_set(e, HT_ERR_USAGE,
		    "the input is longer than %zu bytes", ADMIN_INPUT_MAX);
	return 0;
}

/* Signals that would leave the terminal without echo. */
static const int fatal[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP };
#define FATAL (sizeof(fatal) / sizeof(fatal[0]))

static void
catch_signals(struct sigaction before[FATAL])
{
	struct sigaction action;
	size_t i;

	memset(&action, 0, sizeof(action));
	action.sa_handler = interrupt;
	for (i = 0; i < FATAL; i++)
		(void)sigaction(fatal[i], &action, &before[i]);
}

static void
restore_signals(const struct sigaction before[FATAL])
{
	size_t i;

	for (i = 0; i < FATAL; i++)
		(void)sigaction(fatal[i], &before[i], NULL);
}

/* Read a line from the terminal without showing it. */
static int
read_hidden(struct termios *shown, struct buf *out, struct ht_error *e)
{
	struct sigaction before[FATAL];
	struct termios hidden = *shown;
	struct ht_error ignored;
	int rc;

	hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	interrupted = 0;
	catch_signals(before);
	(void)report_write(STDERR_FILENO, "PIN: ", 5, &ignored);
	rc = 0;
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) < 0)
		rc = ht_error_errno(e, "cannot turn off the echo");
	if (rc == 0)
		rc = read_input(true, out, e);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, shown);
	(void)report_write(STDERR_FILENO, "\n", 1, &ignored);
	restore_signals(before);
	return rc;
}

/* Read a PIN: one line, without its line end.  None is keyd's own. */
static int
read_secret(struct buf *out, struct ht_error *e)
{
	struct termios shown;
	int rc;

	if (tcgetattr(STDIN_FILENO, &shown) == 0)
		rc = read_hidden(&shown, out, e);
	else
		rc = read_input(true, out, e);
	if (rc < 0)
		return rc;
	if (out->len > 0 && out->data[out->len - 1] == '\n')
		out->len--;
	if (out->len > 0 && out->data[out->len - 1] == '\r')
		out->len--;
	return 0;
}

/* Read all of a file.  A person at a terminal is told how it ends. */
static int
read_file(struct buf *out, struct ht_error *e)
{
	static const char how[] = "Paste it, and press Ctrl-D on a new line:\n";
	struct sigaction before[FATAL];
	struct ht_error ignored;
	int rc;

	if (!isatty(STDIN_FILENO))
		return read_input(false, out, e);
	interrupted = 0;
	catch_signals(before);
	(void)report_write(STDERR_FILENO, how, sizeof(how) - 1, &ignored);
	rc = read_input(false, out, e);
	restore_signals(before);
	return rc;
}

/* --- the command --------------------------------------------------------- */

/* What keyd answers. */
struct answer {
	keyd_client_print_fn *print; /* which gets it; NULL means stdout */
	void *cookie;
	struct fetched *f; /* a file that is fetched */
	bool unfit;        /* a file that cannot go where the answer goes */
};

static int
print(void *cookie, struct cursor bytes, struct ht_error *e)
{
	struct answer *a = cookie;

	if (a->unfit)
		return 0;
	if (a->f != NULL)
		return fetched_recipe(a->f, bytes, e);
	if (a->print != NULL)
		return a->print(a->cookie, bytes, e);
	return report_write(STDOUT_FILENO, bytes.p, bytes.left, e);
}

/* Bytes of a stranger could do anything to a terminal. */
static int
take_file(void *cookie, int fd, const struct protocol_file *file,
    struct ht_error *e)
{
	struct answer *a = cookie;

	if (a->print != NULL || isatty(STDOUT_FILENO)) {
		a->unfit = true;
		(void)close(fd);
		return 0;
	}
	a->f = fetched_new(fd, file, e);
	return a->f == NULL ? e->code : 0;
}

static int
code_of(uint32_t status)
{
	return status >= 64 && status <= 78 ? -(int)status : HT_ERR_INTERNAL;
}

/* Have keyd run the command in words. */
static int
run(struct keyd_client *keyd, const struct words *words,
    const struct buf *input, struct answer *answer, struct ht_error *e)
{
	struct buf encoded = BUF_INIT;
	struct protocol_done done = { 0 };
	size_t i;
	int rc;

	keyd->file = take_file;

	for (i = 0; i < words->n; i++)
		buf_text(&encoded, words->word[i]);
	if (buf_failed(&encoded) < 0)
		rc = ht_error_memory(e);
	else
		rc = keyd_client_command(keyd, &encoded, buf_cursor(input),
		    print, answer, &done, e);
	if (rc == 0 && done.status == 0 && answer->f != NULL)
		rc = fetched_write(answer->f, STDOUT_FILENO, e);
	fetched_free(answer->f);
	buf_free(&encoded);
	if (rc < 0)
		return rc;
	if (done.status != 0)
		return ht_error_set(e, code_of(done.status), "%s", done.text);
	if (answer->unfit)
		return ht_error_set(e, HT_ERR_USAGE,
		    "a file cannot go to a terminal: give the command to ssh, "
		    "and write what comes to a file");
	if (done.text[0] != '\0')
		log_notice("%s", done.text);
	return 0;
}

static int
print_help(void *cookie, struct cursor bytes, struct ht_error *e)
{
	(void)cookie;
	return report_write(STDERR_FILENO, bytes.p, bytes.left, e);
}

/* There is no command: show keyd's help. */
static int
show_help(struct keyd_client *keyd, struct ht_error *e)
{
	struct words help;
	int rc;

	rc = words_split("help", &help, e);
	if (rc == 0)
		rc = admin_run(keyd, &help, print_help, NULL, e);
	words_free(&help);
	return rc < 0 ? rc : ht_error_set(e, HT_ERR_USAGE, "no command");
}

int
admin_run(struct keyd_client *keyd, const struct words *words,
    keyd_client_print_fn *print_fn, void *cookie, struct ht_error *e)
{
	struct answer answer = { print_fn, cookie, NULL, false };
	struct buf input = BUF_INIT;
	enum want want = want_of(words);
	int rc = 0;

	if (want == WANT_FILE)
		rc = read_file(&input, e);
	else if (want == WANT_SECRET)
		rc = read_secret(&input, e);
	if (rc == 0)
		rc = run(keyd, words, &input, &answer, e);
	buf_free(&input);
	return rc;
}

int
admin_command(struct keyd_client *keyd, const char *line, struct ht_error *e)
{
	struct words words;
	int rc;

	rc = words_split(line != NULL ? line : "", &words, e);
	if (rc < 0)
		return rc;
	if (words.n == 0)
		rc = show_help(keyd, e);
	else
		rc = admin_run(keyd, &words, NULL, NULL, e);
	words_free(&words);
	return rc;
}
