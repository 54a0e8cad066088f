#include "config.h"

#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "store/journal/journal.h"
#include "store/journal/result.h"

static struct buf protocol_md;

/* The text of a file in the source tree; the caller frees it. */
static void
read_source(const char *path, struct buf *text)
{
	char bytes[4096];
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	while ((n = fread(bytes, 1, sizeof(bytes), f)) > 0)
		buf_bytes(text, bytes, n);
	(void)fclose(f);
	buf_u8(text, '\0');
	assert_int_equal(buf_failed(text), 0);
}

static int
set_up(void **state)
{
	char path[PATH_MAX];

	(void)state;
	assert_non_null(getenv("srcdir"));
	(void)snprintf(path, sizeof(path), "%s/PROTOCOL.%s", getenv("srcdir"),
	    "md");
	read_source(path, &protocol_md);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	buf_free(&protocol_md);
	return 0;
}

/* --- the codes of the code ----------------------------------------------- */

/* The source of argument i (from 0) of a call, from behind its bracket. */
static void
argument(const char *at, size_t i, char *out, size_t size)
{
	bool quoted = false;
	int depth = 0;
	size_t n = 0;

	for (; *at != '\0' && depth >= 0 && (depth > 0 || i > 0 || *at != ',');
	     at++) {
		if (*at == '"')
			quoted = !quoted;
		if (!quoted && *at == ',' && depth == 0)
			i--;
		else if (i == 0 && n + 1 < size && strchr(" \t\n", *at) == NULL)
			out[n++] = *at;
		if (!quoted)
			depth += (*at == '(') - (*at == ')');
	}
	out[n] = '\0';
}

static unsigned int codes;

/* A code has a word, and PROTOCOL.md says which. */
static void
check_word(const char *path, const char *code)
{
	char quoted[80];

	codes++;
	if (!journal_result_has_code(code))
		fail_msg("%s: store/journal/result.c has no word for the code "
		         "%s",
		    path, code);
	(void)snprintf(quoted, sizeof(quoted), "`%s`", code);
	if (strstr((const char *)protocol_md.data, quoted) == NULL)
		fail_msg("%s: PROTOCOL.md does not have the code %s", path,
		    code);
}

/* A literal is a code.  Of anything else it must be known where it comes from. */
static void
check_code(const char *path, const char *source)
{
	static const char *const others[] = {
		"constchar*word", /* a definition */
		"word",           /* *word = "…" */
		"reason",         /* of a login, which has no row */
		"s.why",          /* #define WHY_… "…" */
	};
	char code[64];
	size_t i;

	if (sscanf(source, "\"%63[^\"]\"", code) == 1 ||
	    (strcmp(source, "PROTOCOL_UNKNOWN_KEY") == 0 &&
	        snprintf(code, sizeof(code), "unknown-key") > 0)) {
		check_word(path, code);
		return;
	}
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(source, others[i]) == 0)
			return;
	fail_msg("%s: what codes can %s be?", path, source);
}

static void
check_file(const char *path)
{
	static const struct {
		const char *before; /* what comes before a code */
		size_t i;           /* the argument that is one */
	} places[] = {
		{ "keyd_refusal(", 2 },
		{ "request_give_up(", 1 },
		{ "keyd_client_fail(", 2 },
		{ "*word = ", 0 },
		{ "#define WHY_", 0 },
	};
	struct buf text = BUF_INIT;
	const char *at;
	char source[128];
	size_t i;

	read_source(path, &text);
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		at = (const char *)text.data;
		while ((at = strstr(at, places[i].before)) != NULL) {
			at += strlen(places[i].before);
			if (strchr(places[i].before, '#') != NULL)
				at = strchr(at, ' ');
			argument(at, places[i].i, source, sizeof(source));
			source[strcspn(source, ";")] = '\0';
			if (source[0] == '"' && strchr(source + 1, '"') != NULL)
				strchr(source + 1, '"')[1] = '\0';
			check_code(path, source);
		}
	}
	buf_free(&text);
}

/* Whatever ends a request has a word: a new code without one fails here. */
static void
test_every_code_has_a_word(void **state)
{
	static const char *const where[] = { "keys/keyd/request/*.c",
		"keys/keyd/identity.c", "htsign-shell/*.c" };
	const char *srcdir = getenv("srcdir");
	char pattern[PATH_MAX];
	glob_t found;
	size_t i, j;

	(void)state;
	assert_non_null(srcdir);
	for (i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
		(void)snprintf(pattern, sizeof(pattern), "%s/%s", srcdir,
		    where[i]);
		assert_int_equal(glob(pattern, 0, NULL, &found), 0);
		for (j = 0; j < found.gl_pathc; j++)
			check_file(found.gl_pathv[j]);
		globfree(&found);
	}
	assert_true(codes > 60);
	check_word("journal.h", JOURNAL_CUT);
	check_word("journal.h", JOURNAL_ENDPOINT);
	assert_false(journal_result_has_code("nonsense"));
}

/* --- the table of PROTOCOL.md ---------------------------------------------- */

/* A line "| `result` | … `code`, `code` with STATUS, … |". */
static unsigned int
check_line(const char *line)
{
	char result[32], code[32];
	unsigned int n = 0;
	const char *at, *end = strchr(line, '\n');
	int exit;

	assert_int_equal(sscanf(line, "| `%31[a-z-]` |", result), 1);
	assert_true(journal_result_exists(result));
	at = strchr(line + 2, '|');
	while ((at = strchr(at, '`')) != NULL && at < end &&
	    sscanf(at, "`%31[a-z0-9-]`", code) == 1) {
		at += strlen(code) + 2;
		exit = 70;
		(void)sscanf(at, " with %d", &exit);
		if (!journal_result_has_code(code)) /* an event */
			continue;
		if (strcmp(journal_result("failed", exit, code), result) != 0)
			fail_msg("PROTOCOL.md has %s for %s with %d", result,
			    code, exit);
		n++;
	}
	return n;
}

static void
test_the_table_is_documented(void **state)
{
	const char *line = strstr((const char *)protocol_md.data, "| result |");
	unsigned int results = 0, rules = 0;

	(void)state;
	assert_non_null(line);
	for (; *line == '|'; line = strchr(line, '\n') + 1) {
		if (strncmp(line, "| `", 3) != 0)
			continue;
		rules += check_line(line);
		results++;
	}
	assert_int_equal(results, 11);
	assert_true(rules > 40);
}

/* --- the words ------------------------------------------------------------- */

static void
test_words(void **state)
{
	(void)state;
	assert_string_equal(journal_result("delivered", 0, NULL), "success");
	assert_string_equal(journal_result("aborted", 0, "cut"), "cancelled");
	assert_string_equal(journal_result("aborted", 0, NULL), "cancelled");
	assert_string_equal(journal_result("undelivered", 0, "cut"),
	    "cancelled");
	assert_string_equal(journal_result("aborted", 0, "endpoint"),
	    "internal-error");
	assert_string_equal(journal_result("undelivered", 0, "endpoint"),
	    "internal-error");
	assert_string_equal(journal_result("refused", 66, "virus"), "virus");
	assert_string_equal(journal_result("failed", 66, "upload"), "too-big");
	assert_string_equal(journal_result("failed", 75, "upload"),
	    "rate-limited");
	assert_string_equal(journal_result("refused", 75, "rate"),
	    "rate-limited");
	assert_string_equal(journal_result("failed", 69, "upload"),
	    "cancelled");
	assert_string_equal(journal_result("failed", 70, "upload"),
	    "internal-error");
	/* Who is over his share is, whatever it is a share of. */
	assert_string_equal(journal_result("refused", 75, "archive"),
	    "rate-limited");
	assert_string_equal(journal_result("refused", 75, "ending"),
	    "internal-error");
	/* Codes of others: the status says it. */
	assert_string_equal(journal_result("refused", 77, "x"), "not-allowed");
	assert_string_equal(journal_result("failed", 65, NULL),
	    "unsupported-format");
	assert_string_equal(journal_result("failed", 75, "x"), "rate-limited");
	assert_string_equal(journal_result("failed", 69, NULL),
	    "internal-error");
	assert_string_equal(journal_result("failed", 0, NULL),
	    "internal-error");
	assert_true(journal_result_exists("success"));
	assert_true(journal_result_exists("internal-error"));
	assert_false(journal_result_exists("internal"));
	assert_false(journal_result_exists(""));
	assert_false(journal_result_exists("success, sign-error"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_code_has_a_word),
		cmocka_unit_test(test_the_table_is_documented),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
