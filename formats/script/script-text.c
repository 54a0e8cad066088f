#include "config.h"

#include <string.h>

#include "formats/forward.h"
#include "formats/remains.h"
#include "formats/script/script-text.h"
#include "lib/base64.h"
#include "lib/utf8.h"

#define CRLF "\r\n"

/* No signer writes longer lines of Base64; most write 64. */
#define LINE_MAX_BASE64 76

/* --- code units ----------------------------------------------------------- */

static bool
at_end(const struct script_text *t, size_t at)
{
	return at >= t->bytes.len;
}

/*
 * The code unit at that offset, which must be before the end.
 */
static unsigned int
unit_at(const struct script_text *t, size_t at)
{
	const uint8_t *p = t->bytes.data + at;

	return t->unit == 1 ? p[0] : p[0] | (unsigned int)p[1] << 8;
}

static unsigned int
lower(unsigned int c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/*
 * Whether the ASCII text s is at that offset, without regard to case.
 */
static bool
is_like(const struct script_text *t, size_t at, const char *s)
{
	for (; *s != '\0'; s++, at += t->unit) {
		if (at_end(t, at) ||
		    lower(unit_at(t, at)) != lower((unsigned char)*s))
			return false;
	}
	return true;
}

/*
 * Whether s is at *at, with regard to case.  If so, move *at past it.
 */
static bool
take(const struct script_text *t, size_t *at, const char *s)
{
	size_t p = *at;

	for (; *s != '\0'; s++, p += t->unit) {
		if (at_end(t, p) || unit_at(t, p) != (unsigned char)*s)
			return false;
	}
	*at = p;
	return true;
}

static bool
is_line_start(const struct script_text *t, size_t at)
{
	unsigned int before;

	if (at == t->mark)
		return true;
	before = unit_at(t, at - t->unit);
	return before == '\r' || before == '\n';
}

/*
 * Move *at to the next place that any program could take for the beginning of a
 * block.
 */
static bool
find_marker(const struct script_text *t, const struct script_kind *kind,
    size_t *at)
{
	for (; !at_end(t, *at); *at += t->unit) {
		if ((kind->anywhere || is_line_start(t, *at)) &&
		    is_like(t, *at, kind->marker))
			return true;
	}
	return false;
}

/*
 * Find the last occurrence of s from the offset `from` on.
 */
static bool
find_last(const struct script_text *t, size_t from, const char *s, size_t *at)
{
	bool found = false;
	size_t p;
	size_t i;

	for (i = from; !at_end(t, i); i += t->unit) {
		p = i;
		if (take(t, &p, s)) {
			*at = i;
			found = true;
		}
	}
	return found;
}

/* --- the block ------------------------------------------------------------ */

static int
block_error(size_t at, const char *what, struct ht_error *e)
{
	return ht_error_at(e, HT_ERR_DATA, at, "signature block: %s", what);
}

static bool
is_base64(unsigned int c)
{
	return c < 0x80 && c != '\0' &&
	    strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	           "0123456789+/=",
	        (int)c) != NULL;
}

/*
 * Take a line end: CRLF or, if others are allowed, LF or the end of the file.
 */
static bool
take_line_end(const struct script_text *t, size_t *at, bool any)
{
	return take(t, at, CRLF) ||
	    (any && (at_end(t, *at) || take(t, at, "\n")));
}

/*
 * Take one line of Base64, with its opening and its line end.
 */
static bool
take_line(const struct script_text *t, const struct script_kind *kind,
    size_t *at, struct buf *base64, bool any_end)
{
	size_t n = 0;

	if (!take(t, at, kind->open))
		return false;
	for (; !at_end(t, *at) && is_base64(unit_at(t, *at)); n++) {
		buf_u8(base64, (uint8_t)unit_at(t, *at));
		*at += t->unit;
	}
	return n > 0 && n <= LINE_MAX_BASE64 && take(t, at, kind->close) &&
	    take_line_end(t, at, any_end);
}

/*
 * Read the block whose first line is at *at, and move *at past it.
 */
static int
read_block(struct script_text *t, const struct script_kind *kind, size_t *at,
    struct ht_error *e)
{
	struct buf base64 = BUF_INIT;
	int rc = 0;

	if (!take(t, at, kind->begin) || !take(t, at, CRLF))
		return block_error(*at, "its first line is damaged", e);
	while (!take(t, at, kind->end)) {
		if (!take_line(t, kind, at, &base64, false)) {
			rc = block_error(*at, "a line is damaged", e);
			goto out;
		}
	}
	if (!take(t, at, CRLF)) {
		rc = block_error(*at, "no CRLF at its end", e);
		goto out;
	}
	rc = buf_failed(&base64);
	if (rc == 0 && base64.len > 0 && base64.len <= 2 * SCRIPT_PKCS7_MAX)
		rc =
		    base64_decode(buf_cursor(&base64), BASE64_STANDARD, &t->p7);
	if (rc == HT_ERR_INTERNAL)
		rc = ht_error_memory(e);
	else if (rc < 0 || t->p7.len == 0)
		rc = block_error(t->end, "not Base64 of a signature", e);
out:
	buf_free(&base64);
	return rc;
}

/*
 * Find where a block goes if there is none.
 */
static int
find_end(struct script_text *t, const struct script_kind *kind, size_t from,
    size_t *at, struct ht_error *e)
{
	*at = t->bytes.len;
	if (kind->before != NULL && !find_last(t, from, kind->before, at))
		return ht_error_at(e, HT_ERR_DATA, t->bytes.len,
		    "no %s: a signature block goes before it", kind->before);
	return 0;
}

/*
 * HT_ERR_DATA if another block begins from there on.
 */
static int
only_one(const struct script_text *t, const struct script_kind *kind,
    size_t from, struct ht_error *e)
{
	return find_marker(t, kind, &from)
	    ? block_error(from, "there is a second one", e)
	    : 0;
}

static int
find_block(struct script_text *t, const struct script_kind *kind,
    struct ht_error *e)
{
	size_t crlf = sizeof(CRLF) - 1;
	size_t at = t->mark;
	size_t behind;
	size_t other;
	int rc;

	if (!find_marker(t, kind, &at)) {
		rc = find_end(t, kind, t->mark, &t->end, e);
		t->rest = t->end;
		return rc;
	}
	behind = at;
	if (at < t->mark + crlf * t->unit)
		return block_error(at, "no CRLF before it", e);
	t->end = at - crlf * t->unit;
	other = t->end;
	if (!take(t, &other, CRLF))
		return block_error(at, "no CRLF before it", e);
	rc = read_block(t, kind, &behind, e);
	if (rc < 0)
		return rc;
	t->rest = behind;
	rc = only_one(t, kind, behind, e);
	if (rc < 0)
		return rc;
	rc = find_end(t, kind, behind, &other, e);
	if (rc == 0 && other != behind)
		rc = block_error(behind,
		    kind->before == NULL ? "text behind it"
		                         : "not before the last end tag",
		    e);
	return rc;
}

/* --- what is left of a block ---------------------------------------------- */

/*
 * Move *at past spaces and line ends.
 */
static void
skip_blank(const struct script_text *t, size_t *at)
{
	while (!at_end(t, *at) && unit_at(t, *at) < 0x80 &&
	    strchr(" \t\r\n", (int)unit_at(t, *at)) != NULL)
		*at += t->unit;
}

/*
 * The offset of the line end before this one, or the same offset if there is
 * none.
 */
static size_t
before_line_end(const struct script_text *t, size_t at)
{
	size_t start = at;

	if (start > t->mark && unit_at(t, start - t->unit) == '\n')
		start -= t->unit;
	if (start < at && start > t->mark &&
	    unit_at(t, start - t->unit) == '\r')
		start -= t->unit;
	return start;
}

/*
 * Take the lines of a block with any line ends, and its PKCS#7 if that is
 * whole.  The file may end inside.
 */
static bool
take_block(struct script_text *t, const struct script_kind *kind, size_t *at)
{
	struct buf base64 = BUF_INIT;
	size_t line;
	bool whole;
	bool ok;

	if (!take(t, at, kind->begin) || !take_line_end(t, at, true))
		return false;
	for (;;) {
		line = *at;
		whole = take(t, at, kind->end);
		if (whole || !take_line(t, kind, at, &base64, true))
			break;
	}
	ok = whole || at_end(t, line);
	if (!whole)
		*at = line;
	buf_reset(&t->p7);
	if (whole && base64.len <= 2 * SCRIPT_PKCS7_MAX &&
	    base64_decode(buf_cursor(&base64), BASE64_STANDARD, &t->p7) < 0)
		buf_reset(&t->p7);
	buf_free(&base64);
	return ok;
}

/*
 * Take for remains what find_block has refused as damaged, if that is a block
 * in which only line ends differ, or which is cut off, and only blank lines
 * follow.  Otherwise returns that error.
 */
static int
find_remains(struct script_text *t, const struct script_kind *kind,
    struct format_remains *remains, const struct ht_error *damage,
    struct ht_error *e)
{
	size_t at = t->mark;
	size_t behind;
	size_t end;

	if (e != NULL)
		*e = *damage;
	if (!find_marker(t, kind, &at))
		return damage->code;
	t->end = before_line_end(t, at);
	if (!take_block(t, kind, &at))
		return damage->code;
	/* It would be found in the signed file. */
	if (only_one(t, kind, at, e) < 0)
		return HT_ERR_DATA;
	behind = at;
	(void)take_line_end(t, &behind, true);
	t->rest = at;
	skip_blank(t, &t->rest);
	if (find_end(t, kind, t->rest, &end, NULL) < 0 || end != t->rest)
		return damage->code;
	return remains_of_signature(remains, t->rest - behind, e,
	    damage->offset, "%s", damage->text);
}

/* --- the encoding --------------------------------------------------------- */

static int
set_encoding(struct script_text *t, const struct script_kind *kind,
    struct ht_error *e)
{
	const uint8_t *p = t->bytes.data;
	size_t n = t->bytes.len;

	t->unit = 1;
	t->encoding = kind->guess_utf8 ? SCRIPT_UTF8 : SCRIPT_ANSI;
	if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
		t->encoding = SCRIPT_UTF8;
		t->mark = 3;
	} else if (n >= 2 && memcmp(p, "\xff\xfe", 2) == 0) {
		t->encoding = SCRIPT_UTF16;
		t->mark = 2;
		t->unit = 2;
		if (n % 2 != 0)
			return ht_error_at(e, HT_ERR_DATA, n - 1,
			    "UTF-16 text has an odd number of bytes");
	} else if (n >= 2 && memcmp(p, "\xfe\xff", 2) == 0) {
		return ht_error_at(e, HT_ERR_DATA, 0,
		    "UTF-16 in big-endian order: save it in little-endian "
		    "order or as UTF-8");
	}
	return 0;
}

/*
 * Check the text.  No text has NULs.  A program would read bytes that are not
 * UTF-8, in spite of the mark, as something else.
 */
static int
check_text(struct script_text *t, struct ht_error *e)
{
	const uint8_t *p = t->bytes.data;
	size_t at;
	size_t n;

	for (at = t->mark; !at_end(t, at); at += t->unit) {
		if (unit_at(t, at) == 0)
			return ht_error_at(e, HT_ERR_DATA, at,
			    "a NUL: this is not text, or it is UTF-16 without "
			    "a byte order mark");
	}
	if (t->encoding != SCRIPT_UTF8)
		return 0;
	for (at = t->mark; !at_end(t, at); at += n) {
		n = utf8_next(p + at, t->bytes.len - at, NULL);
		if (n > 0)
			continue;
		if (t->mark > 0)
			return ht_error_at(e, HT_ERR_DATA, at,
			    "not UTF-8 (RFC 3629), although its byte order "
			    "mark says so");
		t->encoding = SCRIPT_ANSI;
		break;
	}
	return 0;
}

/* --- all of it ------------------------------------------------------------ */

static int
too_large(uint64_t at, struct ht_error *e)
{
	return ht_error_at(e, HT_ERR_REFUSED, at,
	    "a script of more than 12 MiB");
}

int
script_text_read(struct input *in, const struct script_kind *kind,
    struct format_remains *remains, struct script_text *text,
    struct ht_error *e)
{
	struct ht_error damage;
	bool fits;
	int rc;

	memset(text, 0, sizeof(*text));
	rc = forward_all(in, SCRIPT_SIGNED_MAX, &text->bytes, &fits, e);
	if (rc == 0 && !fits)
		rc = too_large(SCRIPT_SIGNED_MAX, e);
	if (rc < 0 || (rc = set_encoding(text, kind, e)) < 0 ||
	    (rc = check_text(text, e)) < 0)
		goto out;
	rc = find_block(text, kind, &damage);
	if (rc == HT_ERR_DATA && remains != NULL)
		rc = find_remains(text, kind, remains, &damage, e);
	else if (rc < 0 && e != NULL)
		*e = damage;
	if (rc < 0)
		goto out;
	if (text->end + (text->bytes.len - text->rest) > SCRIPT_MAX)
		rc = too_large(SCRIPT_MAX, e);
out:
	if (rc < 0)
		script_text_clear(text);
	return rc;
}

void
script_text_clear(struct script_text *text)
{
	buf_free(&text->bytes);
	buf_free(&text->p7);
	memset(text, 0, sizeof(*text));
}

void
script_text_put(const struct script_text *text, const void *p, size_t n,
    struct buf *out)
{
	const uint8_t *c = p;
	size_t i;

	if (text->unit == 1) {
		buf_bytes(out, p, n);
		return;
	}
	for (i = 0; i < n; i++)
		buf_u16le(out, c[i]);
}
