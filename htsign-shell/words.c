#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "htsign-shell/words.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* A backslash and a newline, which a shell removes (XCU 2.2.1). */
static bool
is_continuation(const char *p)
{
	return p[0] == '\\' && p[1] == '\n';
}

static const char *
skip_blanks(const char *p)
{
	while (is_blank(*p) || is_continuation(p))
		p += is_blank(*p) ? 1 : 2;
	return p;
}

/* Whether a backslash quotes c.  quote is the open quote, or '\0'. */
static bool
backslash_quotes(char c, char quote)
{
	if (quote == '\'')
		return false;
	return quote == '\0' || (c != '\0' && strchr("$`\"\\\n", c) != NULL);
}

/*
 * Copy the word at *in to *out, without its quotes and NUL-terminated.  Both
 * pointers advance.  The copy is never longer than its source.
 */
static int
copy_word(const char **in, char **out, struct ht_error *e)
{
	const char *p = *in;
	char *q = *out;
	char quote = '\0';

	while (*p != '\0' && (quote != '\0' || !is_blank(*p))) {
		if (quote == '\0' && (*p == '\'' || *p == '"')) {
			quote = *p++;
		} else if (*p == quote) {
			quote = '\0';
			p++;
		} else if (*p != '\\' || !backslash_quotes(p[1], quote)) {
			*q++ = *p++;
		} else if (p[1] == '\0') {
			return ht_error_set(e, HT_ERR_USAGE,
			    "the command ends in a backslash");
		} else {
			if (!is_continuation(p))
				*q++ = p[1];
			p += 2;
		}
	}
	if (quote != '\0')
		return ht_error_set(e, HT_ERR_USAGE,
		    "the command has a quote (%c) that is not closed", quote);
	*q++ = '\0';
	*in = p;
	*out = q;
	return 0;
}

int
words_split(const char *line, struct words *w, struct ht_error *e)
{
	size_t length = strnlen(line, WORDS_LINE_MAX + 1);
	const char *in;
	char *out;
	int rc = 0;

	memset(w, 0, sizeof(*w));
	if (length > WORDS_LINE_MAX)
		return ht_error_set(e, HT_ERR_USAGE,
		    "the command is longer than %zu bytes", WORDS_LINE_MAX);
	/* Each word takes at least one character and a separator. */
	w->word = calloc(length / 2 + 2, sizeof(*w->word));
	w->text = malloc(length + 1);
	if (w->word == NULL || w->text == NULL)
		rc = ht_error_memory(e);
	out = w->text;
	in = skip_blanks(line);
	while (rc == 0 && *in != '\0') {
		w->word[w->n++] = out;
		rc = copy_word(&in, &out, e);
		in = skip_blanks(in);
	}
	if (rc < 0)
		words_free(w);
	return rc;
}

void
words_free(struct words *w)
{
	free(w->word);
	free(w->text);
	memset(w, 0, sizeof(*w));
}
