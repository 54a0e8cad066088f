#include "config.h"

#include <string.h>

#include "signature/der.h"
#include "signature/pkcs7-nest.h"
#include "signature/pkcs7.h"

/*
 * pkcs7-signedData, szOID_NESTED_SIGNATURE and szOID_RFC3161_counterSign, as
 * contents octets.
 */
static const uint8_t signed_data_oid[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
	0x01, 0x07, 0x02 };
static const uint8_t nested_oid[] = { 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37,
	0x02, 0x04, 0x01 };
static const uint8_t timestamp_oid[] = { 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82,
	0x37, 0x03, 0x03, 0x01 };

#define OID 10
_Static_assert(sizeof(nested_oid) == OID && sizeof(timestamp_oid) == OID,
    "both attributes have a type of so many octets");

/* What encloses the unsigned attributes, from the outside (RFC 2315 7, 9). */
enum level {
	CONTENT_INFO,
	CONTENT, /* [0] EXPLICIT */
	SIGNED_DATA,
	SIGNERS, /* SET OF SignerInfo */
	SIGNER,  /* the first of them */
	LEVELS
};

struct opened {
	struct der level[LEVELS];
	struct cursor attributes; /* [1] with its header; empty and at the
	                             end of the signer if it has none */
	struct cursor elements;   /* its contents: a SET OF Attribute */
	const uint8_t *oid;       /* of the Attribute that is looked for */
	struct cursor found;      /* it, or empty */
	struct cursor values;     /* its values: a SET OF ContentInfo */
	size_t count;             /* how many values */
	struct cursor replaced;   /* the value that a new one replaces, or
	                             empty */
};

static bool
is_object(const struct der *object, const uint8_t *oid, size_t n)
{
	return object->value.left == n && memcmp(object->value.p, oid, n) == 0;
}

static int
left_over(const struct cursor *c, struct ht_error *e)
{
	if (cursor_end(c) == 0)
		return 0;
	return ht_error_set(e, HT_ERR_DATA,
	    "PKCS#7: bytes left over where a structure ends");
}

/*
 * Open everything down to the SET OF SignerInfo.
 */
static int
open_signed_data(struct cursor c, struct opened *o, struct ht_error *e)
{
	struct der skipped;
	int rc;

	if ((rc = der_expect(&c, DER_SEQUENCE, &o->level[CONTENT_INFO], e)) <
	        0 ||
	    (rc = left_over(&c, e)) < 0)
		return rc;
	c = o->level[CONTENT_INFO].value;
	if ((rc = der_expect(&c, DER_OBJECT, &skipped, e)) < 0)
		return rc;
	if (!is_object(&skipped, signed_data_oid, sizeof(signed_data_oid)))
		return ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: not SignedData (RFC 2315 7)");
	if ((rc = der_expect(&c, DER_CONTEXT(0), &o->level[CONTENT], e)) < 0 ||
	    (rc = left_over(&c, e)) < 0)
		return rc;
	c = o->level[CONTENT].value;
	if ((rc = der_expect(&c, DER_SEQUENCE, &o->level[SIGNED_DATA], e)) <
	        0 ||
	    (rc = left_over(&c, e)) < 0)
		return rc;
	c = o->level[SIGNED_DATA].value;
	if ((rc = der_expect(&c, DER_INTEGER, &skipped, e)) < 0 ||
	    (rc = der_expect(&c, DER_SET, &skipped, e)) < 0 ||
	    (rc = der_expect(&c, DER_SEQUENCE, &skipped, e)) < 0)
		return rc;
	/* Certificates, revocation lists. */
	if (der_is_next(&c, DER_CONTEXT(0)))
		rc = der_next(&c, &skipped, e);
	if (rc == 0 && der_is_next(&c, DER_CONTEXT(1)))
		rc = der_next(&c, &skipped, e);
	if (rc == 0)
		rc = der_expect(&c, DER_SET, &o->level[SIGNERS], e);
	return rc < 0 ? rc : left_over(&c, e);
}

/*
 * Open everything down to the unsigned attributes of the first SignerInfo.
 */
static int
open_signer(struct opened *o, struct ht_error *e)
{
	struct cursor c = o->level[SIGNERS].value;
	struct der skipped;
	struct der attributes;
	int rc;

	if ((rc = der_expect(&c, DER_SEQUENCE, &o->level[SIGNER], e)) < 0)
		return rc;
	c = o->level[SIGNER].value;
	if ((rc = der_expect(&c, DER_INTEGER, &skipped, e)) < 0 ||
	    (rc = der_expect(&c, DER_SEQUENCE, &skipped, e)) < 0 ||
	    (rc = der_expect(&c, DER_SEQUENCE, &skipped, e)) < 0)
		return rc;
	if (der_is_next(&c, DER_CONTEXT(0)))
		rc = der_next(&c, &skipped, e);
	if (rc < 0 || (rc = der_expect(&c, DER_SEQUENCE, &skipped, e)) < 0 ||
	    (rc = der_expect(&c, DER_OCTETS, &skipped, e)) < 0)
		return rc;
	if (!der_is_next(&c, DER_CONTEXT(1))) {
		o->attributes = c;
		o->elements = c;
		return left_over(&c, e);
	}
	if ((rc = der_next(&c, &attributes, e)) < 0)
		return rc;
	o->attributes = attributes.whole;
	o->elements = attributes.value;
	return left_over(&c, e);
}

static int
count_values(struct opened *o, struct ht_error *e)
{
	struct cursor c = o->values;
	struct der value;
	int rc;

	for (o->count = 0; c.left > 0; o->count++) {
		rc = der_expect(&c, DER_SEQUENCE, &value, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/*
 * Find the attribute, the first of several.  All are checked here, so that
 * put_elements later meets no damaged one.
 */
static int
find_attribute(struct opened *o, struct ht_error *e)
{
	struct cursor c = o->elements;
	struct cursor inside;
	struct der attribute;
	struct der type;
	struct der values;
	int rc;

	while (c.left > 0) {
		if ((rc = der_expect(&c, DER_SEQUENCE, &attribute, e)) < 0)
			return rc;
		inside = attribute.value;
		if ((rc = der_expect(&inside, DER_OBJECT, &type, e)) < 0 ||
		    (rc = der_expect(&inside, DER_SET, &values, e)) < 0 ||
		    (rc = left_over(&inside, e)) < 0)
			return rc;
		if (o->found.left == 0 && is_object(&type, o->oid, OID)) {
			o->found = attribute.whole;
			o->values = values.value;
		}
	}
	return count_values(o, e);
}

static int
open_pkcs7(const void *der, size_t n, const uint8_t *oid, struct opened *o,
    struct ht_error *e)
{
	int rc;

	memset(o, 0, sizeof(*o));
	o->oid = oid;
	if (n > PKCS7_PAGED_MAX)
		return ht_error_set(e, HT_ERR_DATA, "PKCS#7: over %zu bytes",
		    PKCS7_PAGED_MAX);
	if ((rc = open_signed_data(cursor_over(der, n), o, e)) < 0 ||
	    (rc = open_signer(o, e)) < 0)
		return rc;
	return find_attribute(o, e);
}

/*
 * Append the elements of a SET OF together with added.  It goes before the
 * first element that DER puts behind it.  The element that starts at old is
 * left out.
 */
static int
put_elements(struct cursor elements, struct cursor added, const uint8_t *old,
    struct buf *out, struct ht_error *e)
{
	bool is_put = false;
	struct der element;
	int rc;

	while (elements.left > 0) {
		rc = der_next(&elements, &element, e);
		if (rc < 0)
			return rc;
		if (element.whole.p == old)
			continue;
		if (!is_put && !der_in_order(element.whole, added)) {
			buf_bytes(out, added.p, added.left);
			is_put = true;
		}
		buf_bytes(out, element.whole.p, element.whole.left);
	}
	if (!is_put)
		buf_bytes(out, added.p, added.left);
	return 0;
}

/*
 * Append the attribute, with added as one more value or in place of one.
 */
static int
put_attribute(const struct opened *o, struct cursor added, struct buf *out,
    struct ht_error *e)
{
	size_t values = o->values.left - o->replaced.left + added.left;
	size_t n = der_size(OID) + der_size(values);

	buf_reserve(out, der_size(n));
	der_put_header(out, DER_SEQUENCE, n);
	der_put_header(out, DER_OBJECT, OID);
	buf_bytes(out, o->oid, OID);
	der_put_header(out, DER_SET, values);
	return put_elements(o->values, added, o->replaced.p, out, e);
}

/*
 * The level below, or the attributes below the last level.
 */
static struct cursor
inside(const struct opened *o, int level)
{
	return level + 1 < LEVELS ? o->level[level + 1].whole : o->attributes;
}

/*
 * Append everything, with the new attribute in place of the old one.  Lengths
 * are computed from the inside out.  Then every byte is copied once, because
 * there may be many.  Only the new attribute with its inner signature was put
 * together before.
 */
static int
rebuild(const struct opened *o, struct cursor attribute, struct buf *out,
    struct ht_error *e)
{
	size_t n = o->elements.left - o->found.left + attribute.left;
	size_t size = der_size(n);
	size_t contents[LEVELS];
	const struct cursor *value;
	struct cursor part;
	int level;
	int rc;

	for (level = LEVELS - 1; level >= 0; level--) {
		contents[level] =
		    o->level[level].value.left - inside(o, level).left + size;
		size = der_size(contents[level]);
	}
	if (size > PKCS7_PAGED_MAX)
		return ht_error_set(e, HT_ERR_DATA, "PKCS#7: over %zu bytes",
		    PKCS7_PAGED_MAX);
	buf_reserve(out, size);
	for (level = 0; level < LEVELS; level++) {
		value = &o->level[level].value;
		der_put_header(out, o->level[level].tag, contents[level]);
		buf_bytes(out, value->p,
		    (size_t)(inside(o, level).p - value->p));
	}
	der_put_header(out, DER_CONTEXT(1), n);
	rc = put_elements(o->elements, attribute, o->found.p, out, e);
	for (level = LEVELS - 1; level >= 0; level--) {
		value = &o->level[level].value;
		part = inside(o, level);
		buf_bytes(out, part.p + part.left,
		    (size_t)(value->p + value->left - (part.p + part.left)));
	}
	return rc;
}

static int
check_inner(const void *inner, size_t m, struct ht_error *e)
{
	struct opened o;
	int rc;

	rc = open_pkcs7(inner, m, nested_oid, &o, e);
	if (rc == 0 && o.found.left > 0)
		rc = ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: a signature that nests others cannot be nested");
	return rc;
}

/* Put a value into the attribute that o has found, or into a new one. */
static int
add_value(const struct opened *o, struct cursor value, struct buf *out,
    struct ht_error *e)
{
	struct buf attribute = BUF_INIT;
	size_t before = out->len;
	int rc;

	rc = put_attribute(o, value, &attribute, e);
	if (rc == 0 && buf_failed(&attribute) == 0)
		rc = rebuild(o, buf_cursor(&attribute), out, e);
	if (rc == 0 && (buf_failed(&attribute) < 0 || buf_failed(out) < 0))
		rc = ht_error_memory(e);
	if (rc < 0)
		out->len = before;
	buf_free(&attribute);
	return rc;
}

int
pkcs7_nest(const void *outer, size_t n, const void *inner, size_t m,
    struct buf *out, struct ht_error *e)
{
	struct opened o;
	int rc;

	if ((rc = check_inner(inner, m, e)) < 0 ||
	    (rc = open_pkcs7(outer, n, nested_oid, &o, e)) < 0)
		return rc;
	if (o.count >= PKCS7_NESTED_MAX)
		return ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: %d signatures are nested already",
		    PKCS7_NESTED_MAX);
	return add_value(&o, cursor_over(inner, m), out, e);
}

/* Find the value with exactly the bytes of old. */
static int
find_value(struct opened *o, struct cursor old, struct ht_error *e)
{
	struct cursor c = o->values;
	struct der value;

	/* count_values has read them all. */
	while (c.left > 0 && der_next(&c, &value, e) == 0) {
		if (value.whole.left == old.left &&
		    memcmp(value.whole.p, old.p, old.left) == 0) {
			o->replaced = value.whole;
			return 0;
		}
	}
	return ht_error_set(e, HT_ERR_DATA,
	    "PKCS#7: the signature to replace is not nested in it");
}

int
pkcs7_nest_instead(const void *outer, size_t n, struct cursor old,
    const void *inner, size_t m, struct buf *out, struct ht_error *e)
{
	struct opened o;
	int rc;

	if ((rc = check_inner(inner, m, e)) < 0 ||
	    (rc = open_pkcs7(outer, n, nested_oid, &o, e)) < 0 ||
	    (rc = find_value(&o, old, e)) < 0)
		return rc;
	return add_value(&o, cursor_over(inner, m), out, e);
}

int
pkcs7_stamp(const void *der, size_t n, const void *token, size_t m,
    struct buf *out, struct ht_error *e)
{
	struct cursor c = cursor_over(token, m);
	struct opened o;
	struct der one;
	int rc;

	if ((rc = der_expect(&c, DER_SEQUENCE, &one, e)) < 0 ||
	    (rc = left_over(&c, e)) < 0 ||
	    (rc = open_pkcs7(der, n, timestamp_oid, &o, e)) < 0)
		return rc;
	return add_value(&o, one.whole, out, e);
}
