#include "config.h"

#include <string.h>
#include <time.h>

#include "formats/several.h"
#include "htsign-shell/postflight.h"
#include "signature/der.h"

static int
unverified(const struct ht_error *why, struct ht_error *e)
{
	if (why->code == HT_ERR_UNAVAILABLE) {
		*e = *why;
		return why->code;
	}
	return ht_error_set(e, HT_ERR_INTERNAL,
	    "the result does not verify: %s", why->text);
}

/* The last of several signatures, or the only one. */
static struct cursor
last_of(const struct buf *pkcs7, unsigned int *index)
{
	unsigned int n = several_count(pkcs7->data, pkcs7->len);

	*index = n > 0 ? n - 1 : 0;
	return n > 1 ? several_nth(pkcs7->data, pkcs7->len, *index)
	             : buf_cursor(pkcs7);
}

/* The file must have these signatures, byte for byte. */
static int
check_signatures(const struct format *format, struct input *in,
    const struct buf *pkcs7, struct ht_error *e)
{
	struct buf found = BUF_INIT;
	int rc;

	rc = format_signature(format, in, &found, NULL, e);
	if (rc == 0 &&
	    (found.len != pkcs7->len ||
	        memcmp(found.data, pkcs7->data, found.len) != 0))
		rc = ht_error_set(e, HT_ERR_INTERNAL, "its signatures differ");
	buf_free(&found);
	return rc;
}

/* Verify and hash the file that in reads. */
static int
verify(const struct format *format, struct input *in, const struct buf *pkcs7,
    struct cursor content, uint64_t size, uint8_t sha256[TAP_SHA256],
    struct ht_error *e)
{
	struct format_wanted wanted = { .content = content };
	struct tap tap = { NULL, 0, false };
	struct format_verified found;
	int rc;

	memset(&found, 0, sizeof(found));
	(void)last_of(pkcs7, &wanted.index);
	rc = tap_start(&tap, e);
	if (rc == 0)
		rc = input_tap(in, tap_bytes, &tap, e);
	if (rc == 0)
		rc = format_verify(format, in, &wanted, &found, e);
	if (rc == 0 && found.size != size)
		rc = ht_error_set(e, HT_ERR_INTERNAL, "its size differs");
	if (rc == 0 && wanted.index > 0)
		rc = check_signatures(format, in, pkcs7, e);
	if (rc == 0)
		rc = tap_end(&tap, sha256, e);
	format_verified_clear(&found);
	tap_free(&tap);
	return rc;
}

int
postflight_file(const struct format *format, const struct output *plan,
    const struct buf *pkcs7, struct cursor content, uint8_t sha256[TAP_SHA256],
    struct ht_error *e)
{
	struct input *in = output_as_input(plan, e);
	struct ht_error why;
	int rc;

	if (in == NULL)
		return HT_ERR_INTERNAL;
	rc =
	    verify(format, in, pkcs7, content, output_size(plan), sha256, &why);
	input_free(in);
	return rc < 0 ? unverified(&why, e) : 0;
}

int
postflight_pkcs7(const struct buf *pkcs7, struct cursor content,
    uint8_t sha256[TAP_SHA256], struct ht_error *e)
{
	struct ht_error why;
	unsigned int index;
	struct cursor last = last_of(pkcs7, &index);

	if (pkcs7_postflight(last.p, last.left, content.p, content.left, &why) <
	    0)
		return unverified(&why, e);
	return tap_once(pkcs7->data, pkcs7->len, sha256, e);
}

static bool
is_of_now(int64_t then)
{
	int64_t now = (int64_t)time(NULL);

	return then >= now - POSTFLIGHT_CLOCK && then <= now + POSTFLIGHT_CLOCK;
}

int
postflight_stamp(const struct buf *pkcs7, struct cursor roots,
    struct ht_error *e)
{
	struct timestamp timestamp = { 0 };
	struct pkcs7 *p7 = NULL;
	struct ht_error why;
	int rc;

	rc = pkcs7_parse(pkcs7->data, pkcs7->len, &p7, &why);
	if (rc == 0)
		rc = pkcs7_verify_timestamps(p7, roots.p, roots.left,
		    &timestamp, &why);
	if (rc == 0 && timestamp.authority == NULL)
		rc = ht_error_set(&why, HT_ERR_INTERNAL, "it has no timestamp");
	else if (rc == 0 && !is_of_now(timestamp.time))
		rc = ht_error_set(&why, HT_ERR_INTERNAL,
		    "timestamp: it is not of now");
	timestamp_clear(&timestamp);
	pkcs7_free(p7);
	return rc < 0 ? unverified(&why, e) : 0;
}

struct cursor
postflight_find(const struct buf *whole, struct cursor bytes)
{
	const uint8_t *found = NULL;

	if (whole->len > 0 && bytes.left > 0)
		found = memmem(whole->data, whole->len, bytes.p, bytes.left);
	return found == NULL ? bytes : cursor_over(found, bytes.left);
}

/* --- nesting ------------------------------------------------------------- */

/* A bit of an identifier octet (X.690 8.1.2.5): the value contains values. */
#define CONSTRUCTED 0x20

/* 1.3.6.1.4.1.311.2.4.1, szOID_NESTED_SIGNATURE, as DER. */
static const uint8_t nested_signature[] = { 0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04,
	0x01, 0x82, 0x37, 0x02, 0x04, 0x01 };

static bool
same(struct cursor a, struct cursor b)
{
	return a.left == b.left &&
	    (a.left == 0 || memcmp(a.p, b.p, a.left) == 0);
}

/* Whether value has this tag and contains exactly one value, *out. */
static bool
unwrap(struct der value, uint8_t tag, struct der *out)
{
	return value.tag == tag && der_next(&value.value, out, NULL) == 0 &&
	    value.value.left == 0;
}

/* Whether added is inner, its attribute, or unsignedAttrs with that alone. */
static bool
holds_only(struct der added, struct cursor inner)
{
	struct der type;
	struct der set;

	if (same(added.whole, inner))
		return true;
	if (added.tag == DER_CONTEXT(1) &&
	    !unwrap(added, DER_CONTEXT(1), &added))
		return false;
	return added.tag == DER_SEQUENCE &&
	    der_next(&added.value, &type, NULL) == 0 &&
	    same(type.whole,
	        cursor_over(nested_signature, sizeof(nested_signature))) &&
	    der_next(&added.value, &set, NULL) == 0 && added.value.left == 0 &&
	    unwrap(set, DER_SET, &added) && same(added.whole, inner);
}

/*
 * At each level, skip the values that both have.  Where they differ, merged
 * has one more value, or a value that differs inside.  Descend into the latter.
 */
bool
postflight_is_nested(struct cursor outer, struct cursor inner,
    struct cursor merged)
{
	struct cursor before;
	struct der ours;
	struct der theirs;
	bool more;

	for (;;) {
		before = outer;
		more = der_next(&outer, &theirs, NULL) == 0;
		if (der_next(&merged, &ours, NULL) < 0)
			return false;
		if (more && same(ours.whole, theirs.whole))
			continue;
		if (same(merged, before))
			return holds_only(ours, inner);
		if (!more || ours.tag != theirs.tag ||
		    (ours.tag & CONSTRUCTED) == 0 || !same(merged, outer))
			return false;
		merged = ours.value;
		outer = theirs.value;
	}
}
