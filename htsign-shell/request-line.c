#include "config.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "htsign-shell/request-line.h"
#include "htsign-shell/words.h"
#include "lib/utf8.h"
#include "protocol/names.h"

/* --- values -------------------------------------------------------------- */

/* Copy text that is well-formed UTF-8 without control characters. */
static int
set_text(const char *what, const char *value, char *out, size_t size,
    struct ht_error *e)
{
	size_t n = strlen(value);
	size_t i, take;
	uint32_t point;

	if (n >= size)
		return ht_error_set(e, HT_ERR_USAGE,
		    "the %s is longer than %zu bytes", what, size - 1);
	for (i = 0; i < n; i += take) {
		take = utf8_next((const uint8_t *)value + i, n - i, &point);
		if (take == 0)
			return ht_error_set(e, HT_ERR_USAGE,
			    "the %s is not UTF-8", what);
		if (point < 0x20 || (point >= 0x7f && point < 0xa0))
			return ht_error_set(e, HT_ERR_USAGE,
			    "the %s has a control character", what);
	}
	memcpy(out, value, n + 1);
	return 0;
}

static int
set_description(struct request_line *r, const char *value, struct ht_error *e)
{
	return set_text("description", value, r->begin.description,
	    sizeof(r->begin.description), e);
}

/* SpcSpOpusInfo holds it as an IA5String. */
static int
set_url(struct request_line *r, const char *value, struct ht_error *e)
{
	const char *p;

	for (p = value; *p != '\0'; p++) {
		if (*p <= ' ' || *p > '~')
			return ht_error_set(e, HT_ERR_USAGE,
			    "a URL consists of visible ASCII characters");
	}
	return set_text("URL", value, r->begin.url, sizeof(r->begin.url), e);
}

static int
set_name(struct request_line *r, const char *value, struct ht_error *e)
{
	if (strpbrk(value, "/\\") != NULL || strcmp(value, ".") == 0 ||
	    strcmp(value, "..") == 0)
		return ht_error_set(e, HT_ERR_USAGE,
		    "a file's name is given without its folder");
	return set_text("file's name", value, r->begin.name,
	    sizeof(r->begin.name), e);
}

static int
set_pkcs7(struct request_line *r, const char *value, struct ht_error *e)
{
	(void)value;
	(void)e;
	r->begin.reply = PROTOCOL_REPLY_PKCS7;
	return 0;
}

static int
set_size(struct request_line *r, const char *value, struct ht_error *e)
{
	uint64_t size = 0;
	uint64_t digit;
	const char *p;

	for (p = value; *p >= '0' && *p <= '9'; p++) {
		digit = (uint64_t)(*p - '0');
		if (size > (PROTOCOL_SIZE_UNKNOWN - 1 - digit) / 10)
			break;
		size = size * 10 + digit;
	}
	if (p == value || *p != '\0')
		return ht_error_set(e, HT_ERR_USAGE,
		    "a size is a number of bytes");
	r->begin.size = size;
	return 0;
}

static int
hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = strchr(digits, tolower((unsigned char)c));

	return c == '\0' || at == NULL ? -1 : (int)(at - digits);
}

static int
set_sha256(struct request_line *r, const char *value, struct ht_error *e)
{
	size_t n = strlen(value);
	size_t i;
	int high, low;

	for (i = 0; n == 2 * REQUEST_LINE_SHA256 && i < n; i += 2) {
		high = hex_digit(value[i]);
		low = hex_digit(value[i + 1]);
		if (high < 0 || low < 0)
			break;
		r->sha256[i / 2] = (uint8_t)(high << 4 | low);
	}
	if (n != 2 * REQUEST_LINE_SHA256 || i < n)
		return ht_error_set(e, HT_ERR_USAGE,
		    "a SHA-256 is 64 hexadecimal digits");
	r->begin.sha256 = cursor_over(r->sha256, sizeof(r->sha256));
	return 0;
}

/* --- tables -------------------------------------------------------------- */

typedef int set_fn(struct request_line *r, const char *value,
    struct ht_error *e);

enum {
	OPTION_URL,
	OPTION_NAME,
	OPTION_PKCS7,
	OPTION_PAGE_HASHES,
	OPTION_MSI_EX,
	OPTION_SIZE,
	OPTION_SHA256
};

/* An option that is a word in BEGIN's options and a switch in r->signature. */
#define SIGNATURE(name) offsetof(struct format_options, name)

static const struct option {
	const char *name;
	const char *value; /* name of what follows "=", or NULL */
	set_fn *set;       /* NULL: the option is a switch, */
	size_t switch_at;  /* which is there: SIGNATURE(name) */
	const char *help;
} options[] = {
	[OPTION_URL] = { "url", "URL", set_url, 0,
	    "where to learn more; becomes part of the signature" },
	[OPTION_NAME] = { "name", "FILE", set_name, 0,
	    "the file's name: for the journal, and needed for scripts" },
	[OPTION_PKCS7] = { "pkcs7", NULL, set_pkcs7, 0,
	    "reply with the signature alone (PKCS#7, DER)" },
	[OPTION_PAGE_HASHES] = { "page-hashes", NULL, NULL,
	    SIGNATURE(page_hashes), "PE: sign the hash of each page, too" },
	[OPTION_MSI_EX] = { "msi-ex", NULL, NULL, SIGNATURE(msi_ex),
	    "MSI: sign names, sizes and times, too" },
	[OPTION_SIZE] = { "size", "N", set_size, 0,
	    "what is sent has N bytes; anything else is not signed" },
	[OPTION_SHA256] = { "sha256", "HEX", set_sha256, 0,
	    "what is sent has this SHA-256" },
};
#define OPTIONS (sizeof(options) / sizeof(options[0]))

static const struct verb {
	const char *word;
	const char *arguments;
	bool built;
	enum request_line_verb verb;
	const char *help;
} verbs[] = {
	{ "default", " [DESCRIPTION ...]", true, REQUEST_LINE_SIGN,
	    "sign under your default profile" },
	{ "help", "", true, REQUEST_LINE_HELP, "show this" },
	{ "profiles", "", true, REQUEST_LINE_PROFILES,
	    "list the profiles that you may use" },
	{ "result", "", false, REQUEST_LINE_SIGN, NULL },
	{ "verify", "", false, REQUEST_LINE_SIGN, NULL },
	{ "wait", "", false, REQUEST_LINE_SIGN, NULL },
};
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

/* What people type who take this for another server. */
static const struct foreign {
	const char *word;
	const char *title;
} foreigners[] = {
	{ "internal-sftp", "SFTP" },
	{ "ls", "ls" },
	{ "rsync", "rsync" },
	{ "scp", "scp" },
	{ "sftp", "SFTP" },
	{ "sftp-server", "SFTP" },
};

#define TYPE                                                                   \
	"ssh sign@HOST [PROFILE [DESCRIPTION ...]] [OPTION ...] < FILE > "     \
	"SIGNED"

const char request_line_usage[] = "usage: " TYPE;

void
request_line_help(struct buf *out)
{
	char left[64];
	size_t i;

	buf_format(out, "%s\n\nWithout a profile, your default one signs.\n",
	    request_line_usage);
	buf_format(out, "\nInstead of a profile:\n");
	for (i = 0; i < VERBS; i++) {
		if (!verbs[i].built)
			continue;
		(void)snprintf(left, sizeof(left), "%s%s", verbs[i].word,
		    verbs[i].arguments);
		buf_format(out, "  %-27s %s\n", left, verbs[i].help);
	}
	buf_format(out, "\nOptions, behind the description:\n");
	for (i = 0; i < OPTIONS; i++) {
		(void)snprintf(left, sizeof(left), "--%s%s%s", options[i].name,
		    options[i].value != NULL ? "=" : "",
		    options[i].value != NULL ? options[i].value : "");
		buf_format(out, "  %-27s %s\n", left, options[i].help);
	}
}

/* --- the line ------------------------------------------------------------ */

/* A line that is being read. */
struct reading {
	struct request_line *r;
	bool given[OPTIONS];
	size_t positional;  /* words so far that are no options */
	const char *option; /* the last word that is one, or NULL */
	struct buf description;
};

/* Find the option in word (without dashes).  *value is its value, or NULL. */
static const struct option *
find_option(const char *word, const char **value)
{
	size_t n = strcspn(word, "=");
	size_t i;

	*value = word[n] == '=' ? word + n + 1 : NULL;
	for (i = 0; i < OPTIONS; i++)
		if (strlen(options[i].name) == n &&
		    memcmp(options[i].name, word, n) == 0)
			return &options[i];
	return NULL;
}

/* Whether a word was meant as an option: -pkcs7, or with a typographic dash. */
static bool
is_dashed(const char *word)
{
	const char *value;
	size_t dash = 1;

	if (strncmp(word, "\xe2\x80\x93", 3) == 0 ||
	    strncmp(word, "\xe2\x80\x94", 3) == 0)
		dash = 3;
	else if (word[0] != '-')
		return false;
	return find_option(word + dash, &value) != NULL;
}

static int
read_option(struct reading *g, const char *word, struct ht_error *e)
{
	const char *value;
	const struct option *o = find_option(word + 2, &value);

	if (o == NULL)
		return ht_error_set(e, HT_ERR_USAGE,
		    "there is no option \"%.64s\" (try `help`)", word);
	if (o->value != NULL && value == NULL)
		return ht_error_set(e, HT_ERR_USAGE,
		    "write the option as --%s=%s", o->name, o->value);
	if (o->value == NULL && value != NULL)
		return ht_error_set(e, HT_ERR_USAGE,
		    "the option --%s has no value", o->name);
	if (g->given[o - options])
		return ht_error_set(e, HT_ERR_USAGE,
		    "the option --%s is given twice", o->name);
	g->given[o - options] = true;
	g->option = word;
	return o->set != NULL ? o->set(g->r, value, e) : 0;
}

/* What another server would be asked for gets a line that says what to type. */
static int
check_foreign(const char *word, struct ht_error *e)
{
	const char *slash = strrchr(word, '/');
	const char *name = slash == NULL ? word : slash + 1;
	size_t i;

	for (i = 0; i < sizeof(foreigners) / sizeof(foreigners[0]); i++) {
		if (strcmp(name, foreigners[i].word) == 0)
			return ht_error_set(e, HT_ERR_USAGE,
			    "there is no %s here: the file goes through stdin, "
			    "and what is signed comes from stdout.  Type: %s",
			    foreigners[i].title, TYPE);
	}
	return 0;
}

/*
 * A word after an option is a slip: a value with a space and no quotes, which
 * ssh hands on as two words.
 */
static int
misplaced(const struct reading *g, const char *word, struct ht_error *e)
{
	const char *equals = strchr(g->option, '=');

	if (equals == NULL)
		return ht_error_set(e, HT_ERR_USAGE,
		    "\"%.40s\" stands behind %.40s: options come last, as in "
		    "ssh sign@HOST PROFILE DESCRIPTION %.40s",
		    word, g->option, g->option);
	return ht_error_set(e, HT_ERR_USAGE,
	    "\"%.40s\" stands behind %.40s.  Quote twice what has spaces: "
	    "\"%.*s='%.40s %.40s'\".  A description comes before the options",
	    word, g->option, (int)(equals - g->option), g->option, equals + 1,
	    word);
}

/* The first word that is no option: a verb, or the name of a profile. */
static int
read_first(struct reading *g, const char *word, struct ht_error *e)
{
	size_t i;

	for (i = 0; i < VERBS; i++) {
		if (strcmp(verbs[i].word, word) != 0)
			continue;
		g->r->verb = verbs[i].verb;
		if (!verbs[i].built)
			return ht_error_set(e, HT_ERR_USAGE,
			    "`%s` is not built yet", word);
		return 0;
	}
	if (!names_valid(word))
		return ht_error_set(e, HT_ERR_USAGE,
		    "\"%.64s\" is not the name of a profile (try `profiles`)",
		    word);
	memcpy(g->r->begin.profile, word, strlen(word) + 1);
	return 0;
}

static int
read_word(struct reading *g, const char *word, struct ht_error *e)
{
	if (g->option != NULL)
		return misplaced(g, word, e);
	if (g->positional++ == 0)
		return read_first(g, word, e);
	if (g->positional > 2)
		buf_u8(&g->description, ' ');
	buf_bytes(&g->description, word, strlen(word));
	return 0;
}

static int
read_words(struct reading *g, const struct words *w, struct ht_error *e)
{
	bool options_end = false;
	const char *word;
	size_t i;
	int rc = w->n == 0 ? 0 : check_foreign(w->word[0], e);

	for (i = 0; i < w->n && rc == 0; i++) {
		word = w->word[i];
		if (!options_end && is_dashed(word))
			rc = ht_error_set(e, HT_ERR_USAGE,
			    "\"%.64s\" is no option: they begin with two "
			    "hyphens (or write -- before it)",
			    word);
		else if (options_end || strncmp(word, "--", 2) != 0)
			rc = read_word(g, word, e);
		else if (word[2] == '\0')
			options_end = true;
		else
			rc = read_option(g, word, e);
	}
	if (rc == 0 && g->r->verb != REQUEST_LINE_SIGN && w->n > 1)
		rc = ht_error_set(e, HT_ERR_USAGE,
		    "`help` and `profiles` stand alone");
	return rc;
}

/* Apply a default from the environment, unless the line has given a value. */
static int
apply(struct request_line *r, bool given, const char *variable,
    const char *value, set_fn *set, struct ht_error *e)
{
	struct ht_error why;
	int rc;

	if (given || value == NULL)
		return 0;
	rc = set(r, value, &why);
	if (rc < 0)
		rc = ht_error_set(e, rc, "%s: %s", variable, why.text);
	return rc;
}

/* Set r->signature, and list its options in BEGIN in the order of the table. */
static void
apply_switches(struct reading *g)
{
	static const bool on = true;
	char *words = g->r->begin.options;
	size_t i;
	size_t n;

	for (i = 0; i < OPTIONS; i++) {
		if (options[i].set != NULL || !g->given[i])
			continue;
		memcpy((char *)&g->r->signature + options[i].switch_at, &on,
		    sizeof(on));
		n = strlen(words);
		(void)snprintf(words + n, sizeof(g->r->begin.options) - n,
		    "%s%s", n > 0 ? " " : "", options[i].name);
	}
}

static int
apply_defaults(struct reading *g, const struct request_line_defaults *d,
    struct ht_error *e)
{
	int rc;

	rc = apply(g->r, g->positional > 1, "HTSIGN_DESCRIPTION",
	    d->description, set_description, e);
	if (rc == 0)
		rc = apply(g->r, g->given[OPTION_URL], "HTSIGN_URL", d->url,
		    set_url, e);
	if (rc == 0)
		rc = apply(g->r, g->given[OPTION_NAME], "HTSIGN_NAME", d->name,
		    set_name, e);
	return rc;
}

int
request_line_parse(const char *line,
    const struct request_line_defaults *defaults, struct request_line *r,
    struct ht_error *e)
{
	struct reading g;
	struct words w;
	int rc;

	memset(r, 0, sizeof(*r));
	memset(&g, 0, sizeof(g));
	g.r = r;
	r->begin.size = PROTOCOL_SIZE_UNKNOWN;
	rc = words_split(line != NULL ? line : "", &w, e);
	if (rc < 0)
		return rc;
	r->bare = w.n == 0;
	rc = read_words(&g, &w, e);
	buf_u8(&g.description, '\0');
	if (rc == 0 && buf_failed(&g.description) < 0)
		rc = ht_error_memory(e);
	if (rc == 0)
		rc = set_description(r, (char *)g.description.data, e);
	apply_switches(&g);
	if (rc == 0 && r->verb == REQUEST_LINE_SIGN)
		rc = apply_defaults(&g, defaults, e);
	buf_free(&g.description);
	words_free(&w);
	return rc;
}
