#include "config.h"

#include <stdbool.h>
#include <string.h>

#include "formats/text-damage.h"
#include "lib/buf.h"
#include "lib/utf8.h"

#define MAGIC_MAX 8

/* So many line ends are no coincidence. */
#define LINES_LEAST 16

/* How far the PE header can be from its place: a byte for each line. */
#define MOVED_MAX 64

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD in UTF-8 */

static const struct magic {
	const char *title;
	size_t n;
	uint8_t bytes[MAGIC_MAX];
	const char *base64; /* how it begins then */
} magics[] = {
	{ "a cabinet", 4, "MSCF", "TVNDRg" },
	{ "a program (PE)", 2, "MZ", "TV" },
	{ "a package (APPX)", 4, "PK\3\4", "UEsDB" },
	{ "an MSI", 8, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "0M8R4KGx" },
};
#define MAGICS (sizeof(magics) / sizeof(magics[0]))

enum encoding { UTF8, UTF16LE, UTF16BE, ENCODINGS };

/* The next character; HT_ERR_DATA if there is none. */
static int
next_character(struct cursor *c, enum encoding encoding, uint32_t *point)
{
	uint16_t unit = 0;
	size_t n;
	int rc;

	if (encoding == UTF8) {
		n = c->left == 0 ? 0 : utf8_next(c->p, c->left, point);
		return n == 0 ? HT_ERR_DATA : cursor_skip(c, n);
	}
	rc = encoding == UTF16LE ? cursor_u16le(c, &unit)
	                         : cursor_u16be(c, &unit);
	*point = unit;
	return rc;
}

/*
 * Whether the text begins with what a magic number becomes.  A byte beyond
 * ASCII becomes whatever that is in the code page of a console, U+FFFD, or a
 * question mark.
 */
static bool
begins_with(struct cursor text, enum encoding encoding,
    const struct magic *magic)
{
	struct cursor after = text;
	uint32_t point;
	size_t i;

	if (next_character(&after, encoding, &point) == 0 && point == 0xfeff)
		text = after;
	for (i = 0; i < magic->n; i++) {
		if (next_character(&text, encoding, &point) < 0)
			return false;
		if (magic->bytes[i] < 0x80 ? point != magic->bytes[i]
		                           : point < 0x80 && point != '?')
			return false;
	}
	return true;
}

static bool
is_base64(struct cursor head, const struct magic *magic)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklm"
	                               "nopqrstuvwxyz0123456789+/=\r\n";
	size_t n = strlen(magic->base64);
	size_t i;

	if (head.left < 24 || memcmp(head.p, magic->base64, n) != 0)
		return false;
	for (i = n; i < 24; i++) {
		if (head.p[i] == '\0' || strchr(alphabet, head.p[i]) == NULL)
			return false;
	}
	return true;
}

static int
explain(const char *title, const char *how, struct ht_error *e)
{
	return ht_error_at(e, HT_ERR_DATA, 0,
	    "not a file to sign, but %s %s.  On Windows type: cmd /c \"ssh "
	    "sign@HOST PROFILE < a.exe > b.exe\" (htsign-windows(7))",
	    title, how);
}

/* Whether each line feed follows a carriage return. */
static bool
only_crlf(struct cursor head)
{
	size_t lines = 0;
	size_t i;

	for (i = 1; i < head.left; i++) {
		if (head.p[i] != '\n')
			continue;
		if (head.p[i - 1] != '\r')
			return false;
		lines++;
	}
	return lines >= LINES_LEAST;
}

/*
 * How far the PE header is behind its place; negative before it.  0 if it is
 * there, or not near it.
 */
static long
pe_moved(struct cursor head)
{
	struct cursor c = head;
	uint32_t at;
	long moved;

	if (cursor_skip(&c, 0x3c) < 0 || cursor_u32le(&c, &at) < 0)
		return 0;
	for (moved = -MOVED_MAX; moved <= MOVED_MAX; moved++) {
		c = head;
		if ((moved < 0 && at < (uint32_t)-moved) ||
		    cursor_skip(&c, (size_t)((long)at + moved)) < 0)
			continue;
		if (c.left >= 4 && memcmp(c.p, "PE\0\0", 4) == 0)
			return moved;
	}
	return 0;
}

/* No byte beyond ASCII, and question marks where a binary file has them. */
static bool
is_ascii(struct cursor head)
{
	size_t marks = 0;
	size_t i;

	for (i = 0; i < head.left; i++) {
		if (head.p[i] >= 0x80)
			return false;
		marks += head.p[i] == '?';
	}
	return marks >= LINES_LEAST;
}

/* How a file became text whose first bytes are still those of its format. */
static const char *
damage_inside(struct cursor head)
{
	long moved = memcmp(head.p, "MZ", 2) == 0 ? pe_moved(head) : 0;

	if (memmem(head.p, head.left < 4096 ? head.left : 4096, REPLACEMENT,
	        3) != NULL)
		return "in which U+FFFD stands for bytes: PowerShell's | or > "
		       "made it UTF-8 text";
	if (is_ascii(head))
		return "in which ? stands for bytes: PowerShell's | made it "
		       "ASCII text";
	if (moved > 0 || only_crlf(head))
		return "with CR LF for each LF: something sent it as text";
	if (moved < 0)
		return "with LF for each CR LF: something sent it as text";
	return NULL;
}

static int
explain_text(struct cursor head, int code, struct ht_error *e)
{
	int encoding;
	size_t i;

	for (i = 0; i < MAGICS; i++) {
		if (is_base64(head, &magics[i]))
			return ht_error_at(e, HT_ERR_DATA, 0,
			    "not a file to sign, but %s in base64: decode it "
			    "first (base64 -d, certutil -decode)",
			    magics[i].title);
		for (encoding = 0; encoding < ENCODINGS; encoding++) {
			if (begins_with(head, (enum encoding)encoding,
			        &magics[i]))
				return explain(magics[i].title,
				    encoding == UTF8
				        ? "in UTF-8: PowerShell's | or > "
				          "made it text"
				        : "in UTF-16: PowerShell's > made it "
				          "text",
				    e);
		}
	}
	return code;
}

int
text_damage_explain(struct input *in, bool recognised, int code,
    struct ht_error *e)
{
	const uint8_t *p;
	const char *how;
	size_t got;
	size_t i;

	if (code != HT_ERR_DATA ||
	    input_read(in, 0, recognised ? INPUT_HEAD : 32, &p, &got, NULL) < 0)
		return code;
	if (!recognised)
		return explain_text(cursor_over(p, got), code, e);
	for (i = 0; i < MAGICS; i++) {
		if (got < magics[i].n || got < 4 ||
		    memcmp(p, magics[i].bytes, magics[i].n) != 0)
			continue;
		how = damage_inside(cursor_over(p, got));
		if (how != NULL)
			return explain(magics[i].title, how, e);
	}
	return code;
}
