#include "config.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <openssl/x509_vfy.h>

#include <stdlib.h>
#include <string.h>

#include "authenticode/cms-asn1.h"
#include "authenticode/pkcs7.h"
#include "authenticode/spc-asn1.h"
#include "authenticode/utf16.h"
#include "authenticode/x509.h"

/* More than any chain that embedded certificates form. */
#define DEPTH_MAX 16

/* More roots than any system trusts. */
#define ROOTS_MAX 1000

struct pkcs7 {
	SIGNED_DATA *data;
	SIGNER_INFO *info;     /* the only signer; inside data */
	X509 *signer;          /* its certificate; inside data */
	const char *algorithm; /* its digest algorithm */
	const char *type;      /* of the content, dotted */
	char *subject;
	char *description;
	char *url;
};

static int
unpack(const void *der, size_t n, SIGNED_DATA **data, struct ht_error *e)
{
	const unsigned char *p = der;
	CONTENT_INFO *info;
	int rc = 0;

	info = d2i_CONTENT_INFO(NULL, &p, (long)n);
	if (info == NULL)
		return spc_crypto_error(e, HT_ERR_DATA,
		    "PKCS#7: not a ContentInfo (RFC 2315 7)");
	if (p != (const unsigned char *)der + n)
		rc = ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: bytes left over behind the ContentInfo");
	else if (OBJ_obj2nid(info->type) != NID_pkcs7_signed ||
	    info->content == NULL)
		rc = ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: not SignedData (RFC 2315 7)");
	if (rc == 0) {
		*data = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(SIGNED_DATA),
		    info->content);
		if (*data == NULL)
			rc = spc_crypto_error(e, HT_ERR_DATA,
			    "PKCS#7: damaged SignedData (RFC 2315 9.1)");
	}
	CONTENT_INFO_free(info);
	return rc;
}

/*
 * Which of the two types that are signed the content is of, or NULL.
 */
static const char *
type_of(const CONTENT_INFO *content)
{
	if (content->content == NULL ||
	    content->content->type != V_ASN1_SEQUENCE)
		return NULL;
	if (spc_is_object(content->type, OID_SPC_INDIRECT_DATA))
		return OID_SPC_INDIRECT_DATA;
	return spc_is_object(content->type, OID_CTL) ? OID_CTL : NULL;
}

static struct cursor
content_of(const SIGNED_DATA *data)
{
	const ASN1_STRING *octets = data->content->content->value.sequence;

	return cursor_over(ASN1_STRING_get0_data(octets),
	    (size_t)ASN1_STRING_length(octets));
}

int
pkcs7_open_ctl(const void *der, size_t n, struct buf *ctl, bool *is_signed,
    struct ht_error *e)
{
	SIGNED_DATA *data = NULL;
	struct cursor content;
	const char *type;
	int rc;

	*is_signed = false;
	rc = unpack(der, n, &data, e);
	if (rc < 0)
		return rc;
	type = type_of(data->content);
	if (type == NULL || strcmp(type, OID_CTL) != 0) {
		rc = ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: the content is not a CTL: no catalog");
	} else {
		content = content_of(data);
		buf_bytes(ctl, content.p, content.left);
		*is_signed = sk_SIGNER_INFO_num(data->signers) > 0;
		if (buf_failed(ctl) < 0)
			rc = ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
	}
	SIGNED_DATA_free(data);
	return rc;
}

static X509 *
find_signer(const SIGNED_DATA *data, const ISSUER_AND_SERIAL *wanted)
{
	X509 *certificate;
	int i;

	for (i = 0; i < sk_X509_num(data->certificates); i++) {
		certificate = sk_X509_value(data->certificates, i);
		if (X509_NAME_cmp(X509_get_issuer_name(certificate),
		        wanted->issuer) == 0 &&
		    ASN1_INTEGER_cmp(X509_get0_serialNumber(certificate),
		        wanted->serial) == 0)
			return certificate;
	}
	return NULL;
}

/*
 * Whether the signature algorithm is that of the signer's key, alone (RFC 2315,
 * signtool) or joined with the digest algorithm (RFC 5652, osslsigncode).
 */
static bool
is_signature_algorithm(const struct pkcs7 *p7)
{
	EVP_PKEY *key = X509_get0_pubkey(p7->signer);
	const ASN1_OBJECT *object;
	int digest;
	int algorithm;
	int parameter;

	X509_ALGOR_get0(&object, &parameter, NULL,
	    p7->info->signature_algorithm);
	if (parameter != V_ASN1_NULL && parameter != V_ASN1_UNDEF)
		return false;
	algorithm = OBJ_obj2nid(object);
	if (OBJ_find_sigid_algs(algorithm, &digest, &algorithm) == 1 &&
	    digest != EVP_MD_get_type(spc_md(p7->algorithm)))
		return false;
	return key != NULL && EVP_PKEY_get_base_id(key) == algorithm;
}

static int
check_versions(const struct pkcs7 *p7, struct ht_error *e)
{
	const SIGNED_DATA *data = p7->data;
	const char *algorithm = NULL;

	if (ASN1_INTEGER_get(data->version) != 1 ||
	    ASN1_INTEGER_get(p7->info->version) != 1)
		return ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: not version 1 (RFC 2315 9.1)");
	if (sk_X509_ALGOR_num(data->digest_algorithms) == 1)
		algorithm = spc_algorithm_of(
		    sk_X509_ALGOR_value(data->digest_algorithms, 0));
	if (algorithm == NULL || strcmp(algorithm, p7->algorithm) != 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: digestAlgorithms are not the signer's (RFC 2315 "
		    "9.1)");
	return 0;
}

static int
check_structure(struct pkcs7 *p7, struct ht_error *e)
{
	p7->type = type_of(p7->data->content);
	if (p7->type == NULL)
		return ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: the content is neither SpcIndirectData nor a CTL");
	if (sk_SIGNER_INFO_num(p7->data->signers) != 1)
		return ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: %d signers instead of one",
		    sk_SIGNER_INFO_num(p7->data->signers));
	p7->info = sk_SIGNER_INFO_value(p7->data->signers, 0);
	p7->algorithm = spc_algorithm_of(p7->info->digest_algorithm);
	if (p7->algorithm == NULL)
		return ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: the digest algorithm is not SHA-256, SHA-384 or "
		    "SHA-512");
	p7->signer = find_signer(p7->data, p7->info->signer);
	if (p7->signer == NULL)
		return ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: the signer's certificate is not in it");
	if (!is_signature_algorithm(p7))
		return ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: the signature algorithm is not that of the "
		    "signer's key (RFC 2315 9.2)");
	return check_versions(p7, e);
}

/*
 * The value of a signed attribute that is there once, with one value of this
 * type; or NULL.
 */
static const ASN1_TYPE *
attribute_value(const struct pkcs7 *p7, const char *oid, int type)
{
	STACK_OF(X509_ATTRIBUTE) *all = p7->info->signed_attributes;
	X509_ATTRIBUTE *found = NULL;
	X509_ATTRIBUTE *attribute;
	const ASN1_TYPE *value;
	int i;

	for (i = 0; i < sk_X509_ATTRIBUTE_num(all); i++) {
		attribute = sk_X509_ATTRIBUTE_value(all, i);
		if (!spc_is_object(X509_ATTRIBUTE_get0_object(attribute), oid))
			continue;
		if (found != NULL || X509_ATTRIBUTE_count(attribute) != 1)
			return NULL;
		found = attribute;
	}
	if (found == NULL)
		return NULL;
	value = X509_ATTRIBUTE_get0_type(found, 0);
	return value != NULL && ASN1_TYPE_get(value) == type ? value : NULL;
}

/*
 * As a string in C.  A NUL must not hide what follows it, so it is shown as
 * U+FFFD, which stands for what cannot be shown.
 */
static char *
text_of(const ASN1_STRING *string, bool is_utf16)
{
	const unsigned char *p = ASN1_STRING_get0_data(string);
	size_t n = (size_t)ASN1_STRING_length(string);
	struct buf utf8 = BUF_INIT;
	struct buf shown = BUF_INIT;
	char *text = NULL;
	size_t i;

	if (is_utf16)
		utf16_to_utf8(p, n, &utf8);
	else
		buf_bytes(&utf8, p, n);
	for (i = 0; i < utf8.len; i++) {
		if (utf8.data[i] == '\0')
			buf_bytes(&shown, "\xef\xbf\xbd", 3);
		else
			buf_u8(&shown, utf8.data[i]);
	}
	buf_u8(&shown, '\0');
	if (buf_failed(&utf8) == 0 && buf_failed(&shown) == 0)
		text = strdup((const char *)shown.data);
	buf_free(&utf8);
	buf_free(&shown);
	return text;
}

/*
 * What there is to show to people.  Nothing depends on it, so an SpcSpOpusInfo
 * that cannot be read is the same as none.
 */
static int
read_texts(struct pkcs7 *p7, struct ht_error *e)
{
	const ASN1_TYPE *value;
	SPC_SP_OPUS_INFO *opus = NULL;
	const SPC_STRING *name;
	const SPC_LINK *link;

	value = attribute_value(p7, OID_SPC_SP_OPUS_INFO, V_ASN1_SEQUENCE);
	if (value != NULL)
		opus = ASN1_TYPE_unpack_sequence(
		    ASN1_ITEM_rptr(SPC_SP_OPUS_INFO), value);
	name = opus != NULL ? opus->program_name : NULL;
	link = opus != NULL ? opus->more_info : NULL;
	if (name != NULL && name->type == SPC_STRING_UNICODE)
		p7->description = text_of(name->value.unicode, true);
	else if (name != NULL)
		p7->description = text_of(name->value.ascii, false);
	else
		p7->description = strdup("");
	if (link != NULL && link->type == SPC_LINK_URL)
		p7->url = text_of(link->value.url, false);
	else
		p7->url = strdup("");
	p7->subject = x509_subject(p7->signer);
	SPC_SP_OPUS_INFO_free(opus);
	ERR_clear_error();
	if (p7->subject == NULL || p7->description == NULL || p7->url == NULL)
		return ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
	return 0;
}

int
pkcs7_parse(const void *der, size_t n, struct pkcs7 **p7, struct ht_error *e)
{
	struct pkcs7 *parsed;
	int rc;

	*p7 = NULL;
	if (n > PKCS7_MAX)
		return ht_error_set(e, HT_ERR_DATA, "PKCS#7: over %zu bytes",
		    PKCS7_MAX);
	parsed = calloc(1, sizeof(*parsed));
	if (parsed == NULL)
		return ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
	if ((rc = unpack(der, n, &parsed->data, e)) < 0 ||
	    (rc = check_structure(parsed, e)) < 0 ||
	    (rc = read_texts(parsed, e)) < 0)
		goto out;
	*p7 = parsed;
	parsed = NULL;
out:
	pkcs7_free(parsed);
	return rc;
}

void
pkcs7_free(struct pkcs7 *p7)
{
	if (p7 == NULL)
		return;
	SIGNED_DATA_free(p7->data);
	free(p7->subject);
	free(p7->description);
	free(p7->url);
	free(p7);
}

struct cursor
pkcs7_content(const struct pkcs7 *p7)
{
	return content_of(p7->data);
}

const char *
pkcs7_type(const struct pkcs7 *p7)
{
	return p7->type;
}

const char *
pkcs7_algorithm(const struct pkcs7 *p7)
{
	return p7->algorithm;
}

const char *
pkcs7_subject(const struct pkcs7 *p7)
{
	return p7->subject;
}

const char *
pkcs7_description(const struct pkcs7 *p7)
{
	return p7->description;
}

const char *
pkcs7_url(const struct pkcs7 *p7)
{
	return p7->url;
}

/*
 * RFC 2315 9.2: the attributes must say the type of the content, and its
 * digest.
 */
static int
check_attributes(const struct pkcs7 *p7, struct ht_error *e)
{
	struct cursor content = pkcs7_content(p7);
	struct spc_digest digest;
	const ASN1_TYPE *value;
	const ASN1_STRING *said;
	int rc;

	value = attribute_value(p7, OID_CONTENT_TYPE, V_ASN1_OBJECT);
	if (value == NULL ||
	    !spc_is_object(value->value.object, p7->type))
		return ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: no contentType attribute that says what the "
		    "content is (RFC 2315 9.2)");
	value = attribute_value(p7, OID_MESSAGE_DIGEST, V_ASN1_OCTET_STRING);
	if (value == NULL)
		return ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: no messageDigest attribute (RFC 2315 9.2)");
	rc = content_digest(content.p, content.left, p7->algorithm, &digest, e);
	if (rc < 0)
		return rc;
	said = value->value.octet_string;
	if ((size_t)ASN1_STRING_length(said) != digest.length ||
	    memcmp(ASN1_STRING_get0_data(said), digest.value, digest.length) !=
	        0)
		return ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: messageDigest is not the digest of the content "
		    "(RFC 2315 9.3)");
	return 0;
}

static X509 *
find_issuer(const SIGNED_DATA *data, X509 *certificate)
{
	X509 *candidate;
	int i;

	for (i = 0; i < sk_X509_num(data->certificates); i++) {
		candidate = sk_X509_value(data->certificates, i);
		if (candidate != certificate &&
		    X509_check_issued(candidate, certificate) == X509_V_OK)
			return candidate;
	}
	return NULL;
}

/* Cross certificates may lead round in a circle. */
static bool
is_among(X509 *const *path, int n, const X509 *certificate)
{
	while (n-- > 0) {
		if (path[n] == certificate)
			return true;
	}
	return false;
}

static int
check_embedded_chain(const struct pkcs7 *p7, struct ht_error *e)
{
	X509 *path[DEPTH_MAX];
	X509 *issuer;
	int depth;
	int rc;

	path[0] = p7->signer;
	for (depth = 0; depth < DEPTH_MAX; depth++) {
		if (x509_is_root(path[depth]))
			return 0;
		issuer = find_issuer(p7->data, path[depth]);
		if (issuer == NULL || is_among(path, depth + 1, issuer))
			return 0;
		rc = x509_check_issuer(path[depth], issuer, e);
		if (rc < 0)
			return rc;
		if (depth + 1 < DEPTH_MAX)
			path[depth + 1] = issuer;
	}
	return ht_error_set(e, HT_ERR_DATA,
	    "PKCS#7: a chain of more than %d certificates", DEPTH_MAX);
}

int
pkcs7_verify(const struct pkcs7 *p7, struct ht_error *e)
{
	struct spc_digest digest;
	const ASN1_STRING *signature = p7->info->signature;
	int rc;

	if ((rc = check_attributes(p7, e)) < 0 ||
	    (rc = attributes_digest(p7->info->signed_attributes, p7->algorithm,
	         &digest, e)) < 0 ||
	    (rc = signature_verify(p7->signer, &digest,
	         ASN1_STRING_get0_data(signature),
	         (size_t)ASN1_STRING_length(signature), e)) < 0 ||
	    (rc = x509_check_code_signing(p7->signer, e)) < 0)
		return rc;
	return check_embedded_chain(p7, e);
}

int
pkcs7_postflight(const void *der, size_t size, const void *content, size_t n,
    struct ht_error *e)
{
	struct pkcs7 *p7;
	struct cursor found;
	int rc;

	rc = pkcs7_parse(der, size, &p7, e);
	if (rc < 0)
		return rc;
	found = pkcs7_content(p7);
	if (found.left != n || memcmp(found.p, content, n) != 0)
		rc = ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: it signs other content than was sent");
	else
		rc = pkcs7_verify(p7, e);
	pkcs7_free(p7);
	return rc;
}

/*
 * libcrypto 3.0 knows no purpose of code signing; so every certificate below
 * the root that narrows its use must allow it.
 */
static int
check_purposes(X509_STORE_CTX *path, struct ht_error *e)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(path);
	uint32_t extended;
	int i;

	for (i = 1; i < sk_X509_num(chain) - 1; i++) {
		extended = X509_get_extended_key_usage(sk_X509_value(chain, i));
		if (extended != UINT32_MAX &&
		    (extended & (XKU_CODE_SIGN | XKU_ANYEKU)) == 0)
			return ht_error_set(e, HT_ERR_DATA,
			    "certificate %d of the chain does not allow code "
			    "signing (RFC 5280 4.2.1.12)",
			    i + 1);
	}
	return 0;
}

static int
verify_path(const struct pkcs7 *p7, X509_STORE *roots, struct ht_error *e)
{
	X509_STORE_CTX *path = X509_STORE_CTX_new();
	int rc;

	if (path == NULL ||
	    X509_STORE_CTX_init(path, roots, p7->signer,
	        p7->data->certificates) != 1 ||
	    X509_STORE_CTX_set_purpose(path, X509_PURPOSE_ANY) != 1)
		rc = spc_crypto_error(e, HT_ERR_INTERNAL,
		    "cannot check the chain");
	else if (X509_verify_cert(path) != 1)
		rc = ht_error_set(e, HT_ERR_DATA,
		    "the certificate chain is not valid: %s",
		    X509_verify_cert_error_string(
		        X509_STORE_CTX_get_error(path)));
	else
		rc = check_purposes(path, e);
	X509_STORE_CTX_free(path);
	ERR_clear_error();
	return rc;
}

int
pkcs7_verify_chain(const struct pkcs7 *p7, const void *pem, size_t n,
    struct ht_error *e)
{
	STACK_OF(X509) *certificates = NULL;
	X509_STORE *roots = NULL;
	int rc;
	int i;

	rc = x509_read_pem(pem, n, ROOTS_MAX, &certificates, e);
	if (rc == HT_ERR_DATA) {
		rc = HT_ERR_USAGE;
		if (e != NULL)
			e->code = rc;
	}
	if (rc < 0)
		goto out;
	roots = X509_STORE_new();
	if (roots == NULL)
		rc = ht_error_set(e, HT_ERR_INTERNAL, "out of memory");
	for (i = 0; rc == 0 && i < sk_X509_num(certificates); i++) {
		if (X509_STORE_add_cert(roots,
		        sk_X509_value(certificates, i)) != 1)
			rc = spc_crypto_error(e, HT_ERR_INTERNAL,
			    "cannot take a root");
	}
	if (rc == 0)
		rc = verify_path(p7, roots, e);
out:
	X509_STORE_free(roots);
	sk_X509_pop_free(certificates, X509_free);
	return rc;
}
