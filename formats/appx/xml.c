#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "formats/appx/xml.h"
#include "lib/utf8.h"

static int
malformed(const struct xml *xml, struct ht_error *e)
{
	return ht_error_set(e, HT_ERR_DATA, "%s is not well-formed XML at %llu",
	    xml->part,
	    (unsigned long long)xml->before +
	        (unsigned long long)(xml->rest.p - xml->start));
}

static bool
is_blank(uint8_t v)
{
	return v == ' ' || v == '\t' || v == '\r' || v == '\n';
}

static void
skip_blanks(struct cursor *c)
{
	while (c->left > 0 && is_blank(*c->p))
		(void)cursor_skip(c, 1);
}

static bool
starts_with(const struct cursor *c, const char *text)
{
	size_t n = strlen(text);

	return c->left >= n && memcmp(c->p, text, n) == 0;
}

/* Move *c past the next occurrence of text. */
static int
skip_past(struct cursor *c, const char *text)
{
	for (; c->left > 0; (void)cursor_skip(c, 1)) {
		if (starts_with(c, text))
			return cursor_skip(c, strlen(text));
	}
	return HT_ERR_DATA;
}

int
xml_open(struct xml *xml, const char *part, const void *p, size_t n,
    struct ht_error *e)
{
	memset(xml, 0, sizeof(*xml));
	xml->part = part;
	xml->start = p;
	xml->rest = cursor_over(p, n);
	if (starts_with(&xml->rest, "\xef\xbb\xbf"))
		(void)cursor_skip(&xml->rest, 3);
	if (n > 0 && memchr(p, '\0', n) != NULL)
		return ht_error_set(e, HT_ERR_DATA, "%s is not UTF-8", part);
	return 0;
}

/*
 * Read what is between '<' and '>', and move *c past it.  A '>' in quotes does
 * not end it.
 */
static int
read_inside(struct cursor *c, struct cursor *inside)
{
	const uint8_t *start;
	uint8_t quote = 0;
	uint8_t v;

	(void)cursor_skip(c, 1);
	start = c->p;
	while (cursor_u8(c, &v) == 0) {
		if (quote != 0 && v == quote)
			quote = 0;
		else if (quote == 0 && (v == '"' || v == '\''))
			quote = v;
		else if (quote == 0 && v == '<')
			return HT_ERR_DATA;
		else if (quote == 0 && v == '>') {
			*inside =
			    cursor_over(start, (size_t)(c->p - start) - 1);
			return 0;
		}
	}
	return HT_ERR_DATA;
}

static void
split_name(struct cursor *c, struct xml_tag *tag)
{
	const uint8_t *colon;
	size_t n = 0;

	while (n < c->left && !is_blank(c->p[n]) && c->p[n] != '/')
		n++;
	(void)cursor_bytes(c, n, &tag->name);
	tag->attributes = *c;
	tag->prefix = cursor_over(NULL, 0);
	colon = n == 0 ? NULL : memchr(tag->name.p, ':', n);
	if (colon == NULL)
		return;
	(void)cursor_bytes(&tag->name, (size_t)(colon - tag->name.p),
	    &tag->prefix);
	(void)cursor_skip(&tag->name, 1);
}

static int
end_tag(struct xml *xml)
{
	size_t offset = (size_t)(xml->rest.p - xml->start);
	struct cursor inside;

	if (xml->depth == 0 || read_inside(&xml->rest, &inside) < 0)
		return HT_ERR_DATA;
	xml->depth--;
	if (xml->depth == 0)
		xml->root_end = offset;
	return 0;
}

static int
start_tag(struct xml *xml, struct xml_tag *tag)
{
	struct cursor inside;
	bool empty;

	if ((xml->depth == 0 && xml->has_root) ||
	    read_inside(&xml->rest, &inside) < 0)
		return HT_ERR_DATA;
	xml->has_root = true;
	empty = inside.left > 0 && inside.p[inside.left - 1] == '/';
	if (empty)
		inside.left--;
	split_name(&inside, tag);
	tag->depth = xml->depth;
	if (!empty)
		xml->depth++;
	return tag->name.left > 0 ? 0 : HT_ERR_DATA;
}

/*
 * Read one character or piece of markup; *is_start if it was a start tag.
 */
static int
next_token(struct xml *xml, struct xml_tag *tag, bool *is_start,
    struct ht_error *e)
{
	struct cursor *c = &xml->rest;
	int rc;

	*is_start = false;
	if (*c->p != '<')
		rc = cursor_skip(c, 1);
	else if (starts_with(c, "<?"))
		rc = skip_past(c, "?>");
	else if (starts_with(c, "<!--"))
		rc = skip_past(c, "-->");
	else if (starts_with(c, "<![CDATA["))
		rc = skip_past(c, "]]>");
	else if (starts_with(c, "<!"))
		return ht_error_set(e, HT_ERR_DATA, "%s has a document type",
		    xml->part);
	else if (starts_with(c, "</"))
		rc = end_tag(xml);
	else {
		*is_start = true;
		rc = start_tag(xml, tag);
	}
	return rc < 0 ? malformed(xml, e) : 0;
}

static int
refill(struct xml *xml, struct ht_error *e)
{
	bool more = false;
	int rc;

	if (xml->fill == NULL || xml->rest.left >= XML_MARKUP_MAX)
		return 0;
	xml->before += (uint64_t)(xml->rest.p - xml->start);
	rc = xml->fill(xml->cookie, &xml->rest, &more, e);
	xml->start = xml->rest.p;
	if (!more)
		xml->fill = NULL;
	return rc;
}

int
xml_next(struct xml *xml, struct xml_tag *tag, bool *more, struct ht_error *e)
{
	int rc = 0;

	*more = false;
	while (rc == 0 && !*more && (rc = refill(xml, e)) == 0 &&
	    xml->rest.left > 0)
		rc = next_token(xml, tag, more, e);
	if (rc == 0 && !*more && (xml->depth > 0 || !xml->has_root))
		rc = malformed(xml, e);
	return rc;
}

int
xml_skip(struct xml *xml, const struct xml_tag *tag, size_t *start, size_t *end,
    struct ht_error *e)
{
	const uint8_t *name =
	    tag->prefix.left > 0 ? tag->prefix.p : tag->name.p;
	struct xml_tag inside;
	bool is_start;
	int rc = 0;

	while (rc == 0 && xml->depth > tag->depth && xml->rest.left > 0)
		rc = next_token(xml, &inside, &is_start, e);
	if (rc == 0 && xml->depth > tag->depth)
		rc = malformed(xml, e);
	*start = (size_t)(name - xml->start) - 1;
	*end = (size_t)(xml->rest.p - xml->start);
	return rc;
}

/* --- attributes -------------------------------------------------------- */

static int
digit_of(uint8_t v, unsigned int base, unsigned long *digit)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = v == 0 ? NULL : strchr(digits, v | 0x20);

	if (v >= '0' && v <= '9')
		found = digits + (v - '0');
	if (found == NULL || (unsigned int)(found - digits) >= base)
		return HT_ERR_DATA;
	*digit = (unsigned long)(found - digits);
	return 0;
}

/* #N or #xN: U+0001 to U+10FFFF, without surrogates. */
static int
put_number(struct cursor number, struct buf *out)
{
	unsigned int base = 10;
	unsigned long value = 0;
	unsigned long digit;
	uint8_t v;

	(void)cursor_skip(&number, 1);
	if (number.left > 0 && *number.p == 'x') {
		base = 16;
		(void)cursor_skip(&number, 1);
	}
	if (number.left == 0 || number.left > 7)
		return HT_ERR_DATA;
	while (cursor_u8(&number, &v) == 0) {
		if (digit_of(v, base, &digit) < 0)
			return HT_ERR_DATA;
		value = value * base + digit;
	}
	if (value == 0 || value > 0x10ffff ||
	    (value >= 0xd800 && value < 0xe000))
		return HT_ERR_DATA;
	utf8_put(out, (uint32_t)value);
	return 0;
}

static int
put_reference(struct cursor *c, struct buf *out)
{
	static const struct {
		const char *name;
		char value;
	} known[] = { { "amp", '&' }, { "apos", '\'' }, { "gt", '>' },
		{ "lt", '<' }, { "quot", '"' } };
	const uint8_t *end = memchr(c->p, ';', c->left);
	struct cursor name;
	size_t i;

	if (end == NULL || cursor_skip(c, 1) < 0 ||
	    cursor_bytes(c, (size_t)(end - c->p), &name) < 0 || name.left == 0)
		return HT_ERR_DATA;
	(void)cursor_skip(c, 1);
	if (*name.p == '#')
		return put_number(name, out);
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (cursor_is(name, known[i].name)) {
			buf_u8(out, (uint8_t)known[i].value);
			return 0;
		}
	}
	return HT_ERR_DATA;
}

static int
put_value(struct cursor value, struct buf *out)
{
	while (value.left > 0) {
		if (*value.p == '&') {
			if (put_reference(&value, out) < 0)
				return HT_ERR_DATA;
			continue;
		}
		/* XML 3.3.3: a blank of any kind becomes a space. */
		buf_u8(out, is_blank(*value.p) ? ' ' : *value.p);
		(void)cursor_skip(&value, 1);
	}
	return 0;
}

/* name = "value" */
static int
read_attribute(struct cursor *c, struct cursor *name, struct cursor *value)
{
	const uint8_t *end;
	size_t n = 0;
	uint8_t quote;

	while (n < c->left && !is_blank(c->p[n]) && c->p[n] != '=')
		n++;
	(void)cursor_bytes(c, n, name);
	skip_blanks(c);
	if (n == 0 || c->left == 0 || *c->p != '=')
		return HT_ERR_DATA;
	(void)cursor_skip(c, 1);
	skip_blanks(c);
	if (cursor_u8(c, &quote) < 0 || (quote != '"' && quote != '\''))
		return HT_ERR_DATA;
	end = c->left == 0 ? NULL : memchr(c->p, quote, c->left);
	if (end == NULL || cursor_bytes(c, (size_t)(end - c->p), value) < 0)
		return HT_ERR_DATA;
	return cursor_skip(c, 1);
}

int
xml_attribute(const struct xml *xml, const struct xml_tag *tag,
    const char *name, struct buf *out, bool *found, struct ht_error *e)
{
	struct cursor c = tag->attributes;
	struct cursor word;
	struct cursor value;

	*found = false;
	for (skip_blanks(&c); c.left > 0; skip_blanks(&c)) {
		if (read_attribute(&c, &word, &value) < 0)
			return malformed(xml, e);
		if (!cursor_is(word, name))
			continue;
		if (*found || put_value(value, out) < 0)
			return malformed(xml, e);
		*found = true;
	}
	if (buf_failed(out) < 0)
		return ht_error_memory(e);
	return 0;
}
