#include "config.h"

#include <string.h>

#include "signature/der.h"

#define LONG_FORM 0x80
#define HIGH_TAG 0x1f
#define CLASS 0xc0
#define CONTEXT_SPECIFIC 0x80

/* libcrypto goes no deeper than 30, but may do so several times. */
#define DEPTH_MAX 64

static int
read_length(struct cursor *c, size_t *length)
{
	uint8_t octet;
	uint8_t n;

	*length = 0;
	if (cursor_u8(c, &octet) < 0)
		return -1;
	*length = octet;
	if ((octet & LONG_FORM) == 0)
		return 0;
	n = octet & (LONG_FORM - 1);
	if (n == 0 || n > sizeof(uint32_t))
		return -1;
	for (*length = 0; n > 0; n--) {
		if (cursor_u8(c, &octet) < 0)
			return -1;
		*length = *length << 8 | octet;
	}
	return 0;
}

static int
bad_length(struct ht_error *e)
{
	return ht_error_set(e, HT_ERR_DATA,
	    "not DER: a length that is indefinite or too large (X.690 10.1)");
}

int
der_next(struct cursor *c, struct der *out, struct ht_error *e)
{
	struct cursor rest = *c;
	size_t length;

	if (cursor_u8(&rest, &out->tag) < 0 ||
	    (out->tag & HIGH_TAG) == HIGH_TAG ||
	    read_length(&rest, &length) < 0 ||
	    cursor_bytes(&rest, length, &out->value) < 0)
		return bad_length(e);
	out->whole = cursor_over(c->p, c->left - rest.left);
	*c = rest;
	return 0;
}

int
der_expect(struct cursor *c, uint8_t tag, struct der *out, struct ht_error *e)
{
	if (!der_is_next(c, tag))
		return ht_error_set(e, HT_ERR_DATA,
		    "DER: no value with the tag 0x%02x where it should be",
		    (unsigned int)tag);
	return der_next(c, out, e);
}

bool
der_is_next(const struct cursor *c, uint8_t tag)
{
	return c->left > 0 && *c->p == tag;
}

static int
count_more(size_t n, size_t max, size_t *count, struct ht_error *e)
{
	if (n > max || *count > max - n)
		return ht_error_set(e, HT_ERR_DATA, "DER: more than %zu values",
		    max);
	*count += n;
	return 0;
}

/*
 * Count what libcrypto may find in the n octets of a value whose identifier
 * octet says primitive.
 */
static int
count_primitive(uint8_t tag, size_t n, size_t max, size_t *count,
    struct ht_error *e)
{
	if ((tag | DER_CONSTRUCTED) == DER_SEQUENCE ||
	    (tag | DER_CONSTRUCTED) == DER_SET)
		return ht_error_set(e, HT_ERR_DATA,
		    "DER: a SEQUENCE or SET that is primitive (X.690 8.9.1)");
	if ((tag & CLASS) == CONTEXT_SPECIFIC)
		return count_more(n / 2, max, count, e);
	return 0;
}

static int
count_in(struct cursor c, unsigned int depth, size_t max, size_t *count,
    struct ht_error *e)
{
	struct cursor inside;
	bool constructed;
	bool open;
	size_t length;
	uint8_t tag;
	int rc;

	if (depth == DEPTH_MAX)
		return ht_error_set(e, HT_ERR_DATA,
		    "DER: values are nested %d deep or more", DEPTH_MAX);
	while (c.left > 0) {
		if (cursor_u8(&c, &tag) < 0 || (tag & HIGH_TAG) == HIGH_TAG)
			return bad_length(e);
		constructed = (tag & DER_CONSTRUCTED) != 0;
		open = constructed && c.left > 0 && *c.p == LONG_FORM;
		if (open)
			/* Count what is inside as if it followed. */
			(void)cursor_skip(&c, 1);
		else if (read_length(&c, &length) < 0 ||
		    cursor_bytes(&c, length, &inside) < 0)
			return bad_length(e);
		rc = count_more(1, max, count, e);
		if (rc == 0 && !open)
			rc = constructed
			    ? count_in(inside, depth + 1, max, count, e)
			    : count_primitive(tag, length, max, count, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int
der_count(struct cursor c, size_t max, size_t *count, struct ht_error *e)
{
	return count_in(c, 0, max, count, e);
}

size_t
der_size(size_t n)
{
	size_t octets = 0;

	if (n >= LONG_FORM)
		while (octets < sizeof(n) && n >> 8 * octets != 0)
			octets++;
	return 2 + octets + n;
}

void
der_put_header(struct buf *b, uint8_t tag, size_t n)
{
	uint8_t octets = 1;

	buf_u8(b, tag);
	if (n < LONG_FORM) {
		buf_u8(b, (uint8_t)n);
		return;
	}
	while (octets < sizeof(n) && n >> 8 * octets != 0)
		octets++;
	buf_u8(b, LONG_FORM | octets);
	while (octets-- > 0)
		buf_u8(b, (uint8_t)(n >> 8 * octets));
}

bool
der_in_order(struct cursor a, struct cursor b)
{
	size_t n = a.left < b.left ? a.left : b.left;
	int difference = n > 0 ? memcmp(a.p, b.p, n) : 0;

	return difference < 0 || (difference == 0 && a.left <= b.left);
}
