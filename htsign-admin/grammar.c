#include "config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "htsign-admin/grammar.h"

/* The longest word in the arguments of a verb that counts. */
#define WORD 64

/* More words than any verb takes. */
#define WORDS 16

/* --- the list --------------------------------------------------------------- */

/* Split "words\targs\treads" in place.  False if it is something else. */
static bool
read_verb(char *line, struct grammar_verb *v)
{
	char *args = strchr(line, '\t');
	char *kind = args != NULL ? strchr(args + 1, '\t') : NULL;

	if (kind == NULL)
		return false;
	*args = *kind = '\0';
	v->words = line;
	v->args = args + 1;
	v->reads = strcmp(kind + 1, "reads") == 0;
	return true;
}

static size_t
count_lines(const char *text)
{
	size_t n = 1;

	while ((text = strchr(text, '\n')) != NULL) {
		text++;
		n++;
	}
	return n;
}

int
grammar_parse(struct grammar *g, struct cursor list, struct buf *notice,
    struct ht_error *e)
{
	char *line, *end;

	memset(g, 0, sizeof(*g));
	g->text = strndup((const char *)list.p, list.left);
	if (g->text != NULL)
		g->verb = calloc(count_lines(g->text), sizeof(*g->verb));
	if (g->verb == NULL)
		return ht_error_memory(e);
	for (line = g->text; line != NULL; line = end) {
		end = strchr(line, '\n');
		if (end != NULL)
			*end++ = '\0';
		if (read_verb(line, &g->verb[g->n]))
			g->n++;
		else if (line[0] != '\0')
			buf_format(notice, "%s\n", line);
	}
	return buf_failed(notice) < 0 ? ht_error_memory(e) : 0;
}

void
grammar_free(struct grammar *g)
{
	free(g->verb);
	free(g->text);
	memset(g, 0, sizeof(*g));
}

/*
 * How many words the verb has if it begins with the n words, or with as many of
 * them as it has; else 0.  *rest is what follows these in its own words.
 */
static size_t
match(const struct grammar_verb *v, char *const *words, size_t n,
    const char **rest)
{
	const char *at = v->words;
	size_t i, length;

	for (i = 0; i < n && *at != '\0'; i++) {
		length = strlen(words[i]);
		if (strcspn(at, " ") != length ||
		    strncmp(at, words[i], length) != 0)
			return 0;
		at += length;
		at += *at == ' ';
	}
	*rest = at;
	return i;
}

const struct grammar_verb *
grammar_find(const struct grammar *g, char *const *words, size_t n)
{
	const char *rest;
	size_t i;

	for (i = 0; i < g->n; i++)
		if (match(&g->verb[i], words, n, &rest) > 0 && *rest == '\0')
			return &g->verb[i];
	return NULL;
}

/* --- the arguments of a verb -------------------------------------------------- */

/*
 * Take the next word out of a verb's arguments, without brackets.  It is "|"
 * between two choices, and "<" before what comes on stdin.  False at the end.
 */
static bool
next_word(const char **args, char out[WORD])
{
	size_t n;

	*args += strspn(*args, " []");
	n = strcspn(*args, " []");
	if (n == 0 || **args == '<')
		return false;
	(void)snprintf(out, WORD, "%.*s", (int)n, *args);
	*args += n;
	return true;
}

bool
grammar_has(const struct grammar_verb *v, const char *option)
{
	const char *args = v->args;
	size_t n = strlen(option);
	char word[WORD];

	while (next_word(&args, word))
		if (strncmp(word, "--", 2) == 0 &&
		    strncmp(word + 2, option, n) == 0 &&
		    (word[2 + n] == '\0' || (n > 0 && option[n - 1] == '=')))
			return true;
	return false;
}

/* NAME, WHICH and N say little; then the word before it, or the verb, says whose. */
static void
ask_names(const struct grammar_asker *asker, const char *kind,
    const char *whose, const char *prefix)
{
	char name[WORD];
	size_t n;

	if (strcmp(kind, "NAME") != 0 && strcmp(kind, "WHICH") != 0 &&
	    kind[1] != '\0') {
		asker->names(asker->cookie, kind, prefix);
		return;
	}
	for (n = 0; n < WORD - 1 && isalpha((unsigned char)whose[n]); n++)
		name[n] = (char)toupper((unsigned char)whose[n]);
	name[n] = '\0';
	asker->names(asker->cookie, name, prefix);
}

/* One argument: words to choose from, or the kind of a name. */
static void
ask_argument(const struct grammar_asker *asker, const char *argument,
    const char *whose, const char *prefix)
{
	char word[WORD];
	int length;
	size_t n;

	if (isupper((unsigned char)argument[0])) {
		ask_names(asker, argument, whose, prefix);
		return;
	}
	for (; *argument != '\0'; argument += n + (argument[n] == '|')) {
		n = strcspn(argument, "|");
		length = snprintf(word, sizeof(word), "%s%.*s", prefix, (int)n,
		    argument);
		if (n > 0 && length < WORD)
			asker->word(asker->cookie, word, (size_t)length);
	}
}

/* The options that the line does not have yet, or the values of one. */
static void
ask_options(const struct grammar_asker *asker, const struct grammar_verb *v,
    char *const *words, size_t n, const char *typed)
{
	const char *args = v->args;
	char option[WORD], prefix[WORD];
	size_t name, i;

	while (next_word(&args, option)) {
		if (strncmp(option, "--", 2) != 0)
			continue;
		name = strcspn(option, "=");
		name += option[name] == '=';
		if (name > 2 && option[name - 1] == '=' &&
		    strncmp(typed, option, name) == 0) {
			(void)snprintf(prefix, sizeof(prefix), "%.*s",
			    (int)name, option);
			ask_argument(asker, option + name, option + 2, prefix);
			return;
		}
		for (i = 0; i < n; i++)
			if (strncmp(words[i], option, name) == 0)
				break;
		if (i == n && strncmp(option, typed, strlen(typed)) == 0)
			asker->word(asker->cookie, option, name);
	}
}

/* Whether word is one of the choices "input|output". */
static bool
is_choice(const char *choices, const char *word)
{
	size_t n, length = strlen(word);

	for (; *choices != '\0'; choices += n + (choices[n] == '|')) {
		n = strcspn(choices, "|");
		if (n == length && strncmp(choices, word, n) == 0)
			return true;
	}
	return false;
}

/*
 * What comes behind the n words of the line that are no options.  The arguments
 * are one row of words or, with "|" between them, several to choose from.
 */
static void
ask_place(const struct grammar_asker *asker, const struct grammar_verb *v,
    const char *const *words, size_t n)
{
	const char *args = v->args, *whose = v->words;
	char word[WORD];
	bool fits = true; /* the row so far */
	size_t at = 0;

	while (next_word(&args, word)) {
		if (strncmp(word, "--", 2) == 0)
			continue;
		if (strcmp(word, "|") == 0) {
			at = 0;
			fits = true;
			whose = v->words;
			continue;
		}
		if (at == n && fits)
			ask_argument(asker, word, whose, "");
		if (at < n && !isupper((unsigned char)word[0])) {
			fits = fits && is_choice(word, words[at]);
			whose = words[at];
		}
		at++;
	}
}

void
grammar_next(const struct grammar *g, char *const *words, size_t n,
    const char *typed, const struct grammar_asker *asker)
{
	const struct grammar_verb *v;
	const char *rest, *others[WORDS];
	size_t i, own, count = 0;

	for (i = 0; i < g->n; i++) {
		own = match(&g->verb[i], words, n, &rest);
		if (own == n && *rest != '\0')
			asker->word(asker->cookie, rest, strcspn(rest, " "));
	}
	v = n > 0 ? grammar_find(g, words, n) : NULL;
	if (v == NULL)
		return;
	if (typed[0] == '-') {
		ask_options(asker, v, words, n, typed);
		return;
	}
	own = match(v, words, n, &rest);
	for (i = own; i < n && count < WORDS; i++)
		if (strncmp(words[i], "--", 2) != 0)
			others[count++] = words[i];
	ask_place(asker, v, others, count);
}
