#include "config.h"

#include <openssl/asn1.h>
#include <openssl/crypto.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include <string.h>

#include "lib/utf8.h"
#include "signature/cms-attributes.h"
#include "signature/spc-asn1.h"
#include "signature/utf16.h"

/* The range of an ASN.1 time: 1950-01-01 to 9999-12-31 (RFC 5280 4.1.2.5). */
#define TIME_FIRST (-631152000LL)
#define TIME_LAST 253402300799LL

/*
 * Check a text of the options.  NULL and "" mean none.
 */
static int
check_text(const char *what, const char *text, bool ascii_only,
    struct ht_error *e)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t n = text == NULL ? 0 : strlen(text);
	size_t length;
	uint32_t v;

	if (n > CMS_TEXT_MAX)
		return ht_error_set(e, HT_ERR_USAGE,
		    "the %s is longer than %d bytes", what, CMS_TEXT_MAX);
	for (; n > 0; p += length, n -= length) {
		length = utf8_next(p, n, &v);
		if (length == 0)
			return ht_error_set(e, HT_ERR_USAGE,
			    "the %s is not UTF-8", what);
		if (v < 0x20 || (v >= 0x7f && v < 0xa0))
			return ht_error_set(e, HT_ERR_USAGE,
			    "the %s holds a control character", what);
		if (ascii_only && (v == ' ' || v > 0x7e))
			return ht_error_set(e, HT_ERR_USAGE,
			    "the %s holds a character that must be escaped "
			    "(RFC 3986)",
			    what);
	}
	return 0;
}

int
cms_options_check(const struct cms_options *options, struct ht_error *e)
{
	int rc;

	rc = check_text("description", options->description, false, e);
	if (rc == 0)
		rc = check_text("URL", options->url, true, e);
	if (rc == 0 && options->signing_time != CMS_NO_TIME &&
	    (options->signing_time < TIME_FIRST ||
	        options->signing_time > TIME_LAST))
		rc = ht_error_set(e, HT_ERR_USAGE,
		    "the signing time is not between 1950 and 9999");
	return rc;
}

static bool
is_ascii(const char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text > 0x7f)
			return false;
	}
	return true;
}

/*
 * Append an attribute with one value.  For a primitive type, value is the ASN.1
 * object and n is -1.  Otherwise value is n bytes; those of a SEQUENCE include
 * tag and length.
 */
static int
add_attribute(SIGNER_INFO *info, const char *oid, int type, const void *value,
    int n)
{
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
	X509_ATTRIBUTE *attribute = NULL;
	int rc = -1;

	if (object == NULL)
		return -1;
	attribute = X509_ATTRIBUTE_new();
	if (attribute != NULL &&
	    X509_ATTRIBUTE_set1_object(attribute, object) == 1 &&
	    X509_ATTRIBUTE_set1_data(attribute, type, value, n) == 1 &&
	    sk_X509_ATTRIBUTE_push(info->signed_attributes, attribute) > 0) {
		attribute = NULL;
		rc = 0;
	}
	X509_ATTRIBUTE_free(attribute);
	ASN1_OBJECT_free(object);
	return rc;
}

static int
add_content_type(SIGNER_INFO *info, const char *dotted)
{
	ASN1_OBJECT *type = OBJ_txt2obj(dotted, 1);
	int rc = -1;

	if (type != NULL)
		rc = add_attribute(info, OID_CONTENT_TYPE, V_ASN1_OBJECT, type,
		    -1);
	ASN1_OBJECT_free(type);
	return rc;
}

static int
add_signing_time(SIGNER_INFO *info, int64_t seconds)
{
	ASN1_TIME *t;
	int rc = -1;

	if (seconds == CMS_NO_TIME)
		return 0;
	/* UTCTime up to 2049, GeneralizedTime after (RFC 5652 11.3). */
	t = ASN1_TIME_set(NULL, (time_t)seconds);
	if (t != NULL)
		rc = add_attribute(info, OID_SIGNING_TIME, t->type, t, -1);
	ASN1_TIME_free(t);
	return rc;
}

static int
add_statement_type(SIGNER_INFO *info, bool commercial)
{
	ASN1_OBJECT *purpose = OBJ_txt2obj(
	    commercial ? OID_SPC_COMMERCIAL : OID_SPC_INDIVIDUAL, 1);
	SPC_STATEMENT_TYPE *statement = sk_ASN1_OBJECT_new_null();
	unsigned char *der = NULL;
	int rc = -1;
	int n;

	if (purpose == NULL || statement == NULL ||
	    sk_ASN1_OBJECT_push(statement, purpose) <= 0)
		goto out;
	purpose = NULL;
	n = i2d_SPC_STATEMENT_TYPE(statement, &der);
	if (n > 0)
		rc = add_attribute(info, OID_SPC_STATEMENT_TYPE,
		    V_ASN1_SEQUENCE, der, n);
out:
	OPENSSL_free(der);
	sk_ASN1_OBJECT_pop_free(statement, ASN1_OBJECT_free);
	ASN1_OBJECT_free(purpose);
	return rc;
}

/* ASCII stays ASCII; all else becomes BMP, which Windows reads. */
static int
set_program_name(SPC_STRING *name, const char *text)
{
	struct buf utf16 = BUF_INIT;
	int rc = -1;

	if (is_ascii(text)) {
		name->value.ascii = ASN1_IA5STRING_new();
		name->type = SPC_STRING_ASCII;
		if (name->value.ascii != NULL &&
		    ASN1_STRING_set(name->value.ascii, text, -1) == 1)
			rc = 0;
		return rc;
	}
	name->value.unicode = ASN1_BMPSTRING_new();
	name->type = SPC_STRING_UNICODE;
	if (name->value.unicode != NULL &&
	    utf16_from_utf8(text, strlen(text), &utf16, NULL) == 0 &&
	    buf_failed(&utf16) == 0 &&
	    ASN1_STRING_set(name->value.unicode, utf16.data, (int)utf16.len) ==
	        1)
		rc = 0;
	buf_free(&utf16);
	return rc;
}

static int
set_more_info(SPC_LINK *link, const char *url)
{
	link->value.url = ASN1_IA5STRING_new();
	link->type = SPC_LINK_URL;
	if (link->value.url == NULL ||
	    ASN1_STRING_set(link->value.url, url, -1) != 1)
		return -1;
	return 0;
}

static int
add_opus_info(SIGNER_INFO *info, const struct cms_options *options)
{
	bool named = options->description != NULL && *options->description;
	bool linked = options->url != NULL && *options->url;
	SPC_SP_OPUS_INFO *opus;
	unsigned char *der = NULL;
	int rc = -1;
	int n;

	if (!named && !linked)
		return 0;
	opus = SPC_SP_OPUS_INFO_new();
	if (opus == NULL)
		return -1;
	if (named) {
		opus->program_name = SPC_STRING_new();
		if (opus->program_name == NULL ||
		    set_program_name(opus->program_name, options->description) <
		        0)
			goto out;
	}
	if (linked) {
		opus->more_info = SPC_LINK_new();
		if (opus->more_info == NULL ||
		    set_more_info(opus->more_info, options->url) < 0)
			goto out;
	}
	n = i2d_SPC_SP_OPUS_INFO(opus, &der);
	if (n > 0)
		rc = add_attribute(info, OID_SPC_SP_OPUS_INFO, V_ASN1_SEQUENCE,
		    der, n);
out:
	OPENSSL_free(der);
	SPC_SP_OPUS_INFO_free(opus);
	return rc;
}

int
cms_attributes_add(SIGNER_INFO *info, const struct cms_options *options,
    const char *type, const struct spc_digest *content)
{
	info->signed_attributes = sk_X509_ATTRIBUTE_new_null();
	if (info->signed_attributes == NULL ||
	    add_content_type(info, type) < 0 ||
	    add_attribute(info, OID_MESSAGE_DIGEST, V_ASN1_OCTET_STRING,
	        content->value, (int)content->length) < 0 ||
	    add_signing_time(info, options->signing_time) < 0 ||
	    add_statement_type(info, options->commercial) < 0 ||
	    add_opus_info(info, options) < 0)
		return -1;
	return 0;
}
