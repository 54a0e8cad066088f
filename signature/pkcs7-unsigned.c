#include "config.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include <stdlib.h>
#include <string.h>

#include "signature/pkcs7-private.h"

static const struct {
	const char *oid;
	enum pkcs7_unsigned_kind kind;
} kinds[] = {
	{ OID_TIMESTAMP, PKCS7_TIMESTAMP },
	{ OID_COUNTERSIGNATURE, PKCS7_COUNTERSIGNATURE },
	{ OID_NESTED_SIGNATURE, PKCS7_NESTED },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void
read_type(const ASN1_OBJECT *type, struct pkcs7_unsigned *out)
{
	static const char more[] = "...";
	size_t i;
	int n;

	out->kind = PKCS7_OTHER;
	n = OBJ_obj2txt(out->oid, sizeof(out->oid), type, 1);
	if (n >= (int)sizeof(out->oid)) {
		memcpy(out->oid + sizeof(out->oid) - sizeof(more), more,
		    sizeof(more));
		return;
	}
	for (i = 0; i < KINDS; i++) {
		if (strcmp(out->oid, kinds[i].oid) == 0)
			out->kind = kinds[i].kind;
	}
}

static void
read_value(const ASN1_TYPE *value, struct pkcs7_unsigned *out)
{
	const ASN1_STRING *sequence;
	int n = i2d_ASN1_TYPE(value, NULL);

	out->size = n > 0 ? (size_t)n : 0;
	if (ASN1_TYPE_get(value) != V_ASN1_SEQUENCE)
		return;
	sequence = value->value.sequence;
	out->value = cursor_over(ASN1_STRING_get0_data(sequence),
	    (size_t)ASN1_STRING_length(sequence));
}

/*
 * The number of values of all attributes.  An attribute without a value counts
 * as one.  Counting stops above the limit.
 */
static size_t
count_values(const STACK_OF(X509_ATTRIBUTE) *attributes)
{
	size_t total = 0;
	int n;
	int i;

	for (i = 0; i < sk_X509_ATTRIBUTE_num(attributes) &&
	     total <= PKCS7_UNSIGNED_MAX;
	     i++) {
		n = X509_ATTRIBUTE_count(
		    sk_X509_ATTRIBUTE_value(attributes, i));
		total += n > 0 ? (size_t)n : 1;
	}
	return total;
}

/*
 * Read the values of one attribute into out[0] and what follows.  Returns how
 * many entries it filled.
 */
static size_t
read_attribute(X509_ATTRIBUTE *attribute, struct pkcs7_unsigned *out)
{
	int n = X509_ATTRIBUTE_count(attribute);
	int i;

	if (n <= 0) {
		read_type(X509_ATTRIBUTE_get0_object(attribute), out);
		return 1;
	}
	for (i = 0; i < n; i++) {
		read_type(X509_ATTRIBUTE_get0_object(attribute), out + i);
		read_value(X509_ATTRIBUTE_get0_type(attribute, i), out + i);
	}
	return (size_t)n;
}

int
pkcs7_read_unsigned(struct pkcs7 *p7, struct ht_error *e)
{
	STACK_OF(X509_ATTRIBUTE) *all = p7->info->unsigned_attributes;
	size_t total = count_values(all);
	int i;

	if (total > PKCS7_UNSIGNED_MAX)
		return ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: more than %d unsigned attributes",
		    PKCS7_UNSIGNED_MAX);
	if (total == 0)
		return 0;
	p7->attributes = calloc(total, sizeof(*p7->attributes));
	if (p7->attributes == NULL)
		return ht_error_memory(e);
	for (i = 0; i < sk_X509_ATTRIBUTE_num(all); i++)
		p7->count += read_attribute(sk_X509_ATTRIBUTE_value(all, i),
		    p7->attributes + p7->count);
	ERR_clear_error();
	if (pkcs7_count(p7, PKCS7_NESTED) > PKCS7_NESTED_MAX)
		return ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: more than %d nested signatures", PKCS7_NESTED_MAX);
	return 0;
}

size_t
pkcs7_unsigned_count(const struct pkcs7 *p7)
{
	return p7->count;
}

const struct pkcs7_unsigned *
pkcs7_unsigned(const struct pkcs7 *p7, size_t i)
{
	return &p7->attributes[i];
}

size_t
pkcs7_count(const struct pkcs7 *p7, enum pkcs7_unsigned_kind kind)
{
	size_t total = 0;
	size_t i;

	for (i = 0; i < p7->count; i++)
		total += p7->attributes[i].kind == kind;
	return total;
}

/*
 * Keep the earlier one in *earliest, and free the other.
 */
static void
keep_earlier(struct timestamp *earliest, struct timestamp *one)
{
	struct timestamp other;

	if (earliest->authority == NULL || one->time < earliest->time) {
		other = *earliest;
		*earliest = *one;
		*one = other;
	}
	timestamp_clear(one);
}

int
pkcs7_verify_timestamps(const struct pkcs7 *p7, const void *pem, size_t n,
    struct timestamp *out, struct ht_error *e)
{
	const ASN1_STRING *signature = p7->info->signature;
	struct cursor token;
	struct timestamp one;
	size_t i;
	int rc;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < p7->count; i++) {
		if (p7->attributes[i].kind != PKCS7_TIMESTAMP)
			continue;
		token = p7->attributes[i].value;
		rc = timestamp_verify(token.p, token.left,
		    ASN1_STRING_get0_data(signature),
		    (size_t)ASN1_STRING_length(signature), pem, n, &one, e);
		if (rc < 0) {
			timestamp_clear(out);
			return rc;
		}
		keep_earlier(out, &one);
	}
	return 0;
}
