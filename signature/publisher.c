#include "config.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include <string.h>
#include <strings.h>

#include "signature/publisher.h"
#include "signature/x509.h"

/* The schema's names of attribute types, and their identifiers. */
static const struct {
	const char *name;
	const char *dotted;
} types[] = {
	{ "C", "2.5.4.6" },
	{ "CN", "2.5.4.3" },
	{ "DC", "0.9.2342.19200300.100.1.25" },
	{ "Description", "2.5.4.13" },
	{ "E", "1.2.840.113549.1.9.1" },
	{ "G", "2.5.4.42" },
	{ "I", "2.5.4.43" },
	{ "L", "2.5.4.7" },
	{ "O", "2.5.4.10" },
	{ "OU", "2.5.4.11" },
	{ "POBox", "2.5.4.18" },
	{ "Phone", "2.5.4.20" },
	{ "PostalCode", "2.5.4.17" },
	{ "S", "2.5.4.8" },
	{ "SERIALNUMBER", "2.5.4.5" },
	{ "SN", "2.5.4.4" },
	{ "ST", "2.5.4.8" },
	{ "STREET", "2.5.4.9" },
	{ "T", "2.5.4.12" },
	{ "X21Address", "2.5.4.24" },
	{ "dnQualifier", "2.5.4.46" },
};
#define TYPES (sizeof(types) / sizeof(types[0]))

static int
malformed(struct ht_error *e)
{
	return ht_error_set(e, HT_ERR_DATA,
	    "the manifest's Publisher is not a name that its schema allows");
}

static void
skip_blanks(struct cursor *c)
{
	while (c->left > 0 && (*c->p == ' ' || *c->p == '\t'))
		(void)cursor_skip(c, 1);
}

/*
 * Read an attribute's type into dotted, as a NUL-terminated identifier.
 */
static int
read_type(struct cursor *c, struct buf *dotted, struct ht_error *e)
{
	const uint8_t *equals =
	    c->left == 0 ? NULL : memchr(c->p, '=', c->left);
	struct cursor word;
	size_t i;

	if (equals == NULL ||
	    cursor_bytes(c, (size_t)(equals - c->p), &word) < 0)
		return malformed(e);
	(void)cursor_skip(c, 1);
	if (word.left > 4 &&
	    strncasecmp((const char *)word.p, "OID.", 4) == 0) {
		buf_bytes(dotted, word.p + 4, word.left - 4);
		buf_u8(dotted, '\0');
		return 0;
	}
	for (i = 0; i < TYPES; i++) {
		if (strlen(types[i].name) == word.left &&
		    strncasecmp(types[i].name, (const char *)word.p,
		        word.left) == 0) {
			buf_bytes(dotted, types[i].dotted,
			    strlen(types[i].dotted) + 1);
			return 0;
		}
	}
	return malformed(e);
}

static int
read_quoted(struct cursor *c, struct buf *value, struct ht_error *e)
{
	uint8_t v;

	(void)cursor_skip(c, 1);
	while (cursor_u8(c, &v) == 0) {
		if (v == '"' && (c->left == 0 || *c->p != '"'))
			return 0;
		if (v == '"')
			(void)cursor_skip(c, 1);
		buf_u8(value, v);
	}
	return malformed(e);
}

static int
read_plain(struct cursor *c, struct buf *value, struct ht_error *e)
{
	while (c->left > 0 && *c->p != ',') {
		if (strchr("+=\"<>#;", *c->p) != NULL)
			return malformed(e);
		buf_u8(value, *c->p);
		(void)cursor_skip(c, 1);
	}
	while (value->len > 0 && value->data[value->len - 1] == ' ')
		value->len--;
	return value->len > 0 ? 0 : malformed(e);
}

/*
 * Read one attribute and put it into subject before the others: the text has
 * them in reverse order.
 */
static int
read_attribute(struct cursor *c, X509_NAME *subject, struct ht_error *e)
{
	struct buf type = BUF_INIT;
	struct buf value = BUF_INIT;
	ASN1_OBJECT *object = NULL;
	int rc;

	skip_blanks(c);
	rc = read_type(c, &type, e);
	if (rc < 0)
		goto out;
	if (c->left > 0 && *c->p == '"')
		rc = read_quoted(c, &value, e);
	else
		rc = read_plain(c, &value, e);
	skip_blanks(c);
	if (buf_failed(&type) < 0 || buf_failed(&value) < 0)
		rc = ht_error_memory(e);
	if (rc < 0)
		goto out;
	object = OBJ_txt2obj((const char *)type.data, 1);
	if (object == NULL ||
	    X509_NAME_add_entry_by_OBJ(subject, object, V_ASN1_UTF8STRING,
	        value.data, (int)value.len, 0, 0) != 1)
		rc = malformed(e);
	ERR_clear_error();
out:
	ASN1_OBJECT_free(object);
	buf_free(&type);
	buf_free(&value);
	return rc;
}

static int
read_publisher(const char *publisher, X509_NAME *subject, struct ht_error *e)
{
	struct cursor c = cursor_over(publisher, strlen(publisher));
	uint8_t comma;
	int rc;

	for (;;) {
		rc = read_attribute(&c, subject, e);
		if (rc < 0 || c.left == 0)
			return rc;
		if (cursor_u8(&c, &comma) < 0 || comma != ',')
			return malformed(e);
	}
}

/*
 * Whether two attributes have the same type and the same text.  The kind of
 * string may differ.
 */
static bool
same_entry(const X509_NAME_ENTRY *a, const X509_NAME_ENTRY *b)
{
	unsigned char *one = NULL;
	unsigned char *other = NULL;
	int n = ASN1_STRING_to_UTF8(&one, X509_NAME_ENTRY_get_data(a));
	int m = ASN1_STRING_to_UTF8(&other, X509_NAME_ENTRY_get_data(b));
	bool same;

	same = n >= 0 && n == m && memcmp(one, other, (size_t)n) == 0 &&
	    OBJ_cmp(X509_NAME_ENTRY_get_object(a),
	        X509_NAME_ENTRY_get_object(b)) == 0;
	OPENSSL_free(one);
	OPENSSL_free(other);
	ERR_clear_error();
	return same;
}

/*
 * A Publisher cannot express an RDN of several attributes, so that never
 * matches.
 */
static bool
same_name(const X509_NAME *a, const X509_NAME *b)
{
	int n = X509_NAME_entry_count(a);
	int i;

	if (n != X509_NAME_entry_count(b))
		return false;
	for (i = 0; i < n; i++) {
		if (X509_NAME_ENTRY_set(X509_NAME_get_entry(b, i)) != i ||
		    !same_entry(X509_NAME_get_entry(a, i),
		        X509_NAME_get_entry(b, i)))
			return false;
	}
	return true;
}

/*
 * Append an attribute as Windows writes it: in double quotes if it has any of
 * the characters that have a meaning, or blanks at an end.
 */
static void
put_attribute(const X509_NAME_ENTRY *entry, struct buf *out)
{
	char dotted[80] = "";
	unsigned char *text = NULL;
	int n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry));
	bool quoted = false;
	size_t i;
	int at;

	(void)OBJ_obj2txt(dotted, sizeof(dotted),
	    X509_NAME_ENTRY_get_object(entry), 1);
	for (i = 0; i < TYPES && strcmp(types[i].dotted, dotted) != 0; i++)
		;
	if (i < TYPES)
		buf_format(out, "%s=", types[i].name);
	else
		buf_format(out, "OID.%s=", dotted);
	for (at = 0; at < n; at++)
		quoted = quoted || text[at] == '\0' ||
		    strchr(",+=\"\n<>#;", text[at]) != NULL ||
		    (text[at] == ' ' && (at == 0 || at == n - 1));
	if (quoted)
		buf_u8(out, '"');
	for (at = 0; at < n; at++) {
		if (text[at] == '"')
			buf_u8(out, '"');
		buf_u8(out, text[at]);
	}
	if (quoted)
		buf_u8(out, '"');
	OPENSSL_free(text);
}

/* The Publisher that the manifest must have: the last attribute comes first. */
static int
put_publisher(const X509_NAME *name, struct buf *out)
{
	int i;

	for (i = X509_NAME_entry_count(name) - 1; i >= 0; i--) {
		put_attribute(X509_NAME_get_entry(name, i), out);
		if (i > 0)
			buf_bytes(out, ", ", 2);
	}
	buf_u8(out, '\0');
	ERR_clear_error();
	return buf_failed(out);
}

int
publisher_check(const struct chain *chain, const char *publisher,
    struct ht_error *e)
{
	X509 *signer = sk_X509_value(chain_certificates(chain), 0);
	const X509_NAME *wanted = X509_get_subject_name(signer);
	X509_NAME *subject = X509_NAME_new();
	struct buf text = BUF_INIT;
	int rc;

	if (subject == NULL)
		return ht_error_memory(e);
	rc = read_publisher(publisher, subject, e);
	if (rc == 0 && !same_name(subject, wanted)) {
		rc = put_publisher(wanted, &text) < 0
		    ? ht_error_memory(e)
		    : ht_error_set(e, HT_ERR_REFUSED,
		          "the manifest's Publisher is not the certificate's "
		          "subject.  It must be: %s",
		          (const char *)text.data);
	}
	buf_free(&text);
	X509_NAME_free(subject);
	return rc;
}
