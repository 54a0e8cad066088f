#include "config.h"

#include <string.h>

#include "keys/token/uri.h"
#include "lib/buf.h"

static const char scheme[] = "pkcs11:";

/* pk11-path-res-avail and unreserved of RFC 7512, section 2.3. */
static bool
stands_for_itself(uint8_t c)
{
	static const char marks[] = "-._~:[]@!$'()*+,=&";

	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || (c != '\0' && strchr(marks, c) != NULL);
}

static int
hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Take one byte of a value, written literally or as %XX. */
static int
take_byte(struct cursor *in, uint8_t *v)
{
	uint8_t high, low;

	if (cursor_u8(in, v) < 0)
		return HT_ERR_USAGE;
	if (*v != '%')
		return stands_for_itself(*v) ? 0 : HT_ERR_USAGE;
	if (cursor_u8(in, &high) < 0 || cursor_u8(in, &low) < 0 ||
	    hex_digit(high) < 0 || hex_digit(low) < 0)
		return HT_ERR_USAGE;
	*v = (uint8_t)(hex_digit(high) << 4 | hex_digit(low));
	return 0;
}

static int
take_value(struct cursor in, struct uri_value *v, struct ht_error *e)
{
	if (v->given)
		return ht_error_set(e, HT_ERR_USAGE,
		    "an attribute is given twice");
	v->given = true;
	while (in.left > 0) {
		if (v->n == URI_VALUE - 1)
			return ht_error_set(e, HT_ERR_USAGE,
			    "a value is too long");
		if (take_byte(&in, &v->bytes[v->n]) < 0)
			return ht_error_set(e, HT_ERR_USAGE,
			    "a value has a character to be written as %%XX");
		v->n++;
	}
	return 0;
}

/* Take the bytes before the first c, and skip c.  Without a c, take all. */
static struct cursor
take_until(struct cursor *in, char c)
{
	const uint8_t *at = in->left > 0 ? memchr(in->p, c, in->left) : NULL;
	struct cursor piece;
	size_t n = at != NULL ? (size_t)(at - in->p) : in->left;

	(void)cursor_bytes(in, n, &piece);
	if (at != NULL)
		(void)cursor_skip(in, 1);
	return piece;
}

static struct uri_value *
attribute(struct uri *uri, struct cursor name)
{
	if (cursor_is(name, "token"))
		return &uri->token;
	if (cursor_is(name, "manufacturer"))
		return &uri->manufacturer;
	if (cursor_is(name, "model"))
		return &uri->model;
	if (cursor_is(name, "serial"))
		return &uri->serial;
	if (cursor_is(name, "object"))
		return &uri->object;
	if (cursor_is(name, "id"))
		return &uri->id;
	return NULL;
}

static int
take_attribute(struct cursor in, struct uri *uri, struct ht_error *e)
{
	struct cursor name;
	struct uri_value *v;

	if (in.left == 0 || memchr(in.p, '=', in.left) == NULL)
		return ht_error_set(e, HT_ERR_USAGE,
		    "an attribute is written NAME=VALUE");
	name = take_until(&in, '=');
	if (cursor_is(name, "type")) {
		if (cursor_is(in, "private"))
			return 0;
		return ht_error_set(e, HT_ERR_USAGE, "type must be private");
	}
	v = attribute(uri, name);
	if (v == NULL)
		return ht_error_set(e, HT_ERR_USAGE,
		    "attribute \"%.*s\" is not known",
		    name.left < 64 ? (int)name.left : 64, (const char *)name.p);
	return take_value(in, v, e);
}

int
uri_parse(const char *text, struct uri *uri, struct ht_error *e)
{
	struct cursor in = cursor_over(text, strlen(text));
	struct cursor start;
	int rc = 0;

	memset(uri, 0, sizeof(*uri));
	if (cursor_bytes(&in, strlen(scheme), &start) < 0 ||
	    !cursor_is(start, scheme))
		return ht_error_set(e, HT_ERR_USAGE,
		    "a key's URI starts with \"pkcs11:\"");
	if (strchr(text, '?') != NULL)
		rc = ht_error_set(e, HT_ERR_USAGE,
		    "module and PIN belong to the token, not into a key's URI");
	while (rc == 0 && in.left > 0)
		rc = take_attribute(take_until(&in, ';'), uri, e);
	if (rc < 0)
		memset(uri, 0, sizeof(*uri));
	return rc;
}

bool
uri_fits(const struct uri_value *v, const void *bytes, size_t n)
{
	return !v->given ||
	    (v->n == n && (n == 0 || memcmp(v->bytes, bytes, n) == 0));
}
