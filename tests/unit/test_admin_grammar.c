/*
 * What may stand next in an administrator's line.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>

#include "htsign-admin/grammar.h"

static const char list[] =
    "token soft is locked: type: unlock soft\n"
    "\n"
    "help\t[VERB ...] [--verbs]\treads\n"
    "client add\tNAME [--default=PROFILE] [--ttl=TIME]\tacts\n"
    "client list\t[--json]\treads\n"
    "issue\tCLIENT [--ttl=TIME] < KEY.pub\tacts\n"
    "revoke\tSERIAL | CLIENT\tacts\n"
    "fetch\tREQUEST input|output|pkcs7\tacts\n"
    "log\t[--json] [--client=NAME] [--limit=N] [--how=short|long]\treads\n"
    "freeze\tclient NAME | profile NAME | all [--why=TEXT]\tacts\n"
    "certificates\t[CLIENT] [--json]\treads\n";

static struct grammar grammar;
static char told[4096];

static void
word(void *cookie, const char *text, size_t n)
{
	size_t at = strlen(told);

	(void)cookie;
	(void)snprintf(told + at, sizeof(told) - at, "%.*s ", (int)n, text);
}

static void
names(void *cookie, const char *kind, const char *prefix)
{
	size_t at = strlen(told);

	(void)cookie;
	(void)snprintf(told + at, sizeof(told) - at, "%s<%s> ", prefix, kind);
}

/* What stands behind the words of line, if typed is there already. */
static const char *
next(const char *line, const char *typed)
{
	static const struct grammar_asker asker = { word, names, NULL };
	struct ht_error e;
	struct words w;

	told[0] = '\0';
	assert_int_equal(words_split(line, &w, &e), 0);
	grammar_next(&grammar, w.word, w.n, typed, &asker);
	words_free(&w);
	return told;
}

static const struct grammar_verb *
find(const char *line)
{
	const struct grammar_verb *v;
	struct ht_error e;
	struct words w;

	assert_int_equal(words_split(line, &w, &e), 0);
	v = grammar_find(&grammar, w.word, w.n);
	words_free(&w);
	return v;
}

static int
parse(void **state)
{
	struct buf notice = BUF_INIT;
	struct ht_error e;

	(void)state;
	assert_int_equal(grammar_parse(&grammar,
	                     cursor_over(list, sizeof(list) - 1), &notice, &e),
	    0);
	assert_int_equal(grammar.n, 9);
	assert_true(cursor_is(buf_cursor(&notice),
	    "token soft is locked: type: unlock soft\n"));
	buf_free(&notice);
	return 0;
}

static int
forget(void **state)
{
	(void)state;
	grammar_free(&grammar);
	return 0;
}

static void
verbs(void **state)
{
	(void)state;
	assert_string_equal(next("", ""),
	    "help client client issue revoke fetch log freeze certificates ");
	assert_string_equal(next("client", ""), "add list ");
	assert_string_equal(next("clien", ""), "");
	assert_string_equal(next("client show", ""), "");
	assert_string_equal(find("client add x --y")->args,
	    "NAME [--default=PROFILE] [--ttl=TIME]");
	assert_false(find("client add")->reads);
	assert_true(find("client list")->reads);
	assert_null(find("client"));
	assert_null(find("clients"));
	assert_null(find(""));
}

static void
arguments(void **state)
{
	(void)state;
	assert_string_equal(next("client add", ""), "<CLIENT> ");
	assert_string_equal(next("client add x", ""), "");
	assert_string_equal(next("issue", ""), "<CLIENT> ");
	assert_string_equal(next("issue --ttl=8h", ""), "<CLIENT> ");
	assert_string_equal(next("issue ci", ""), "");
	assert_string_equal(next("revoke", ""), "<SERIAL> <CLIENT> ");
	assert_string_equal(next("revoke 1", ""), "");
	assert_string_equal(next("fetch", ""), "<REQUEST> ");
	assert_string_equal(next("fetch 17", ""), "input output pkcs7 ");
	assert_string_equal(next("certificates", "c"), "<CLIENT> ");
	assert_string_equal(next("fetch 17 output", ""), "");
}

/* One of several rows of words. */
static void
rows(void **state)
{
	(void)state;
	assert_string_equal(next("freeze", ""), "client profile all ");
	assert_string_equal(next("freeze client", ""), "<CLIENT> ");
	assert_string_equal(next("freeze --why=x profile", ""), "<PROFILE> ");
	assert_string_equal(next("freeze all", ""), "");
	assert_string_equal(next("freeze nobody", ""), "");
	assert_string_equal(next("freeze client ci", ""), "");
}

static void
options(void **state)
{
	(void)state;
	assert_string_equal(next("log", "-"),
	    "--json --client= --limit= --how= ");
	assert_string_equal(next("log --json --client=ci", "--"),
	    "--limit= --how= ");
	assert_string_equal(next("log", "--client="), "--client=<CLIENT> ");
	assert_string_equal(next("log", "--client=c"), "--client=<CLIENT> ");
	assert_string_equal(next("client add x", "--default="),
	    "--default=<PROFILE> ");
	assert_string_equal(next("issue ci", "-"), "--ttl= ");
	assert_string_equal(next("no such", "-"), "");
	assert_true(grammar_has(find("log"), "limit="));
	assert_true(grammar_has(find("log"), "json"));
	assert_false(grammar_has(find("log"), "js"));
	assert_false(grammar_has(find("client list"), "limit="));
}

/* Choices of an option come with its name. */
static void
values_of_an_option(void **state)
{
	(void)state;
	assert_string_equal(next("log", "--how="), "--how=short --how=long ");
}

/* Whatever keyd prints, nothing is read behind it. */
static void
damaged_lists(void **state)
{
	struct grammar_asker asker = { word, names, NULL };
	char *words[] = { NULL, NULL };
	struct buf notice = BUF_INIT;
	struct grammar g;
	struct ht_error e;
	uint8_t bytes[sizeof(list)];
	size_t n, i;

	(void)state;
	for (n = 0; n < sizeof(list); n++) {
		memcpy(bytes, list, n);
		for (i = n % 7; i < n; i += 11)
			bytes[i] ^= (uint8_t)(1 << n % 8);
		buf_reset(&notice);
		assert_int_equal(
		    grammar_parse(&g, cursor_over(bytes, n), &notice, &e), 0);
		for (i = 0; i < g.n; i++) {
			words[0] = strndup(g.verb[i].words,
			    strcspn(g.verb[i].words, " "));
			told[0] = '\0';
			grammar_next(&g, words, 1, "", &asker);
			grammar_next(&g, words, 1, "-", &asker);
			free(words[0]);
		}
		grammar_free(&g);
	}
	buf_free(&notice);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verbs),
		cmocka_unit_test(arguments),
		cmocka_unit_test(rows),
		cmocka_unit_test(options),
		cmocka_unit_test(values_of_an_option),
		cmocka_unit_test(damaged_lists),
	};

	return cmocka_run_group_tests(tests, parse, forget);
}
