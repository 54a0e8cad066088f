#include "config.h"

#include <openssl/objects.h>
#include <openssl/x509.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signature/der.h"
#include "signature/pkcs7-private.h"
#include "signature/x509-only.h"

static int
not_signed_data(struct ht_error *e)
{
	return spc_crypto_error(e, HT_ERR_DATA,
	    "PKCS#7: not a ContentInfo with SignedData (RFC 2315 7, 9.1)");
}

/*
 * libcrypto takes 0.1 ms for each certificate, and up to 80 times its size in
 * memory.
 */
static int
check_certificates(struct cursor set, struct ht_error *e)
{
	struct der certificate;
	size_t n = 0;
	int rc;

	if (set.left > PKCS7_CERTIFICATES_SIZE)
		return ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: certificates of more than %zu bytes",
		    PKCS7_CERTIFICATES_SIZE);
	for (; set.left > 0; n++) {
		if (n == PKCS7_CERTIFICATES_MAX)
			return ht_error_set(e, HT_ERR_DATA,
			    "PKCS#7: more than %d certificates",
			    PKCS7_CERTIFICATES_MAX);
		rc = der_next(&set, &certificate, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/*
 * Check the sizes of what libcrypto is going to parse: all of the ContentInfo
 * but the content.
 */
static int
check_sizes(const void *der, size_t n, struct ht_error *e)
{
	struct cursor c = cursor_over(der, n);
	struct der part;
	size_t values = 0;
	int rc = 0;

	if (der_expect(&c, DER_SEQUENCE, &part, NULL) < 0)
		return not_signed_data(e);
	c = part.value;
	if (der_expect(&c, DER_OBJECT, &part, NULL) < 0 ||
	    der_expect(&c, DER_CONTEXT(0), &part, NULL) < 0)
		return not_signed_data(e);
	c = part.value;
	if (der_expect(&c, DER_SEQUENCE, &part, NULL) < 0)
		return not_signed_data(e);
	for (c = part.value; rc == 0 && c.left > 0;) {
		rc = der_next(&c, &part, e);
		if (rc == 0 && part.tag != DER_INTEGER &&
		    (part.tag & DER_CONSTRUCTED) == 0)
			return not_signed_data(e);
		if (rc == 0 && part.tag == DER_CONTEXT(0))
			rc = check_certificates(part.value, e);
		if (rc == 0 && part.tag != DER_SEQUENCE)
			rc =
			    der_count(part.whole, PKCS7_VALUES_MAX, &values, e);
	}
	return rc;
}

/*
 * Unpack what has passed check_sizes.
 */
static int
unpack_checked(struct cursor der, SIGNED_DATA **data, struct ht_error *e)
{
	const unsigned char *p = der.p;
	SIGNED_DATA_INFO *info;
	int rc = 0;

	info = d2i_SIGNED_DATA_INFO(NULL, &p, (long)der.left);
	if (info == NULL)
		return not_signed_data(e);
	if (p != der.p + der.left)
		rc = ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: bytes left over behind the ContentInfo");
	else if (OBJ_obj2nid(info->type) != NID_pkcs7_signed ||
	    info->data == NULL)
		rc = ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: not SignedData (RFC 2315 7)");
	if (rc == 0) {
		*data = info->data;
		info->data = NULL;
	}
	SIGNED_DATA_INFO_free(info);
	return rc;
}

/*
 * A signature with the hashes of many pages is not held twice: none that has
 * attribute certificates is known.
 */
static int
unpack(const void *der, size_t n, SIGNED_DATA **data, struct ht_error *e)
{
	struct cursor c = cursor_over(der, n);
	struct buf without = BUF_INIT;
	struct buf left_out = BUF_INIT;
	int rc = check_sizes(der, n, e);

	if (rc == 0 && n <= PKCS7_MAX)
		rc = x509_only(c, &without, &left_out, e);
	if (rc == 0)
		rc = unpack_checked(without.len > 0 ? buf_cursor(&without) : c,
		    data, e);
	buf_free(&without);
	buf_free(&left_out);
	return rc;
}

/*
 * The content type if it is one of the two that are signed, else NULL.
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
			rc = ht_error_memory(e);
	}
	SIGNED_DATA_free(data);
	return rc;
}

X509 *
pkcs7_find_signer(const SIGNED_DATA *data, const ISSUER_AND_SERIAL *wanted)
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
 * Whether the signature algorithm is that of the signer's key.  It may stand
 * alone (RFC 2315, signtool) or include the digest algorithm (RFC 5652,
 * osslsigncode).
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
	if (algorithm != EVP_PKEY_RSA && algorithm != EVP_PKEY_EC)
		return false;
	return key != NULL && EVP_PKEY_get_base_id(key) == algorithm;
}

/*
 * Note that p7 breaks a rule.
 */
static void __attribute__((format(printf, 2, 3)))
problem(struct pkcs7 *p7, const char *fmt, ...)
{
	va_list ap;

	if (p7->problem_count == PKCS7_PROBLEMS_MAX)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(p7->problems[p7->problem_count++],
	    sizeof(p7->problems[0]), fmt, ap);
	va_end(ap);
}

static void
check_versions(struct pkcs7 *p7)
{
	const SIGNED_DATA *data = p7->data;
	const char *algorithm = NULL;

	if (ASN1_INTEGER_get(data->version) != 1 ||
	    ASN1_INTEGER_get(p7->info->version) != 1)
		problem(p7, "not version 1 (RFC 2315 9.1)");
	if (p7->algorithm == NULL)
		return;
	if (sk_X509_ALGOR_num(data->digest_algorithms) == 1)
		algorithm = spc_algorithm_of(
		    sk_X509_ALGOR_value(data->digest_algorithms, 0));
	if (algorithm == NULL || strcmp(algorithm, p7->algorithm) != 0)
		problem(p7,
		    "digestAlgorithms are not the signer's (RFC 2315 9.1)");
}

/*
 * Find the parts of p7, and note the rules that it breaks.
 */
static int
check_structure(struct pkcs7 *p7, struct ht_error *e)
{
	char name[SPC_NAME_SIZE];
	int signers = sk_SIGNER_INFO_num(p7->data->signers);

	if (signers < 1)
		return ht_error_set(e, HT_ERR_DATA, "PKCS#7: no signer");
	p7->info = sk_SIGNER_INFO_value(p7->data->signers, 0);
	p7->type = type_of(p7->data->content);
	if (p7->type == NULL)
		problem(p7, "the content is neither SpcIndirectData nor a CTL");
	if (signers > 1)
		problem(p7, "%d signers instead of one", signers);
	p7->algorithm = spc_algorithm_of(p7->info->digest_algorithm);
	if (p7->algorithm == NULL)
		problem(p7, "digest: %s, not accepted",
		    spc_algorithm_name(p7->info->digest_algorithm, name));
	p7->signer = pkcs7_find_signer(p7->data, p7->info->signer);
	if (p7->signer == NULL)
		problem(p7, "the signer's certificate is not in it");
	else if (p7->algorithm != NULL && !is_signature_algorithm(p7))
		problem(p7,
		    "the signature algorithm is not that of the signer's key "
		    "(RFC 2315 9.2)");
	check_versions(p7);
	return 0;
}

int
pkcs7_read(const void *der, size_t n, struct pkcs7 **p7, struct ht_error *e)
{
	struct pkcs7 *read;
	int rc;

	*p7 = NULL;
	if (n > PKCS7_PAGED_MAX)
		return ht_error_set(e, HT_ERR_DATA, "PKCS#7: over %zu bytes",
		    PKCS7_PAGED_MAX);
	read = calloc(1, sizeof(*read));
	if (read == NULL)
		return ht_error_memory(e);
	if ((rc = unpack(der, n, &read->data, e)) < 0 ||
	    (rc = check_structure(read, e)) < 0 ||
	    (rc = pkcs7_read_texts(read, e)) < 0 ||
	    (rc = pkcs7_read_unsigned(read, e)) < 0)
		goto out;
	*p7 = read;
	read = NULL;
out:
	pkcs7_free(read);
	return rc;
}

int
pkcs7_parse(const void *der, size_t n, struct pkcs7 **p7, struct ht_error *e)
{
	struct pkcs7 *read;
	int rc;

	*p7 = NULL;
	rc = pkcs7_read(der, n, &read, e);
	if (rc == 0 && read->problem_count > 0)
		rc = ht_error_set(e, HT_ERR_DATA, "PKCS#7: %s",
		    read->problems[0]);
	if (rc == 0)
		*p7 = read;
	else
		pkcs7_free(read);
	return rc;
}

const char *
pkcs7_problem(const struct pkcs7 *p7, size_t i)
{
	return i < p7->problem_count ? p7->problems[i] : NULL;
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
	free(p7->attributes);
	free(p7);
}

int
pkcs7_nested(const struct pkcs7 *p7, size_t i, struct pkcs7 **nested,
    struct ht_error *e)
{
	struct cursor der;
	struct pkcs7 *inner;
	size_t at;
	int rc;

	*nested = NULL;
	for (at = 0; at < p7->count; at++) {
		if (p7->attributes[at].kind == PKCS7_NESTED && i-- == 0)
			break;
	}
	if (at == p7->count)
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "PKCS#7: no such nested signature");
	der = p7->attributes[at].value;
	rc = pkcs7_parse(der.p, der.left, &inner, e);
	if (rc < 0)
		return rc;
	if (pkcs7_count(inner, PKCS7_NESTED) > 0) {
		pkcs7_free(inner);
		return ht_error_set(e, HT_ERR_DATA,
		    "PKCS#7: a nested signature that nests others");
	}
	*nested = inner;
	return 0;
}

struct cursor
pkcs7_content(const struct pkcs7 *p7)
{
	return p7->type == NULL ? cursor_over(NULL, 0) : content_of(p7->data);
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
