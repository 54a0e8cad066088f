#include "config.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fetch/revocation.h"
#include "signature/spc-asn1.h"
#include "signature/x509.h"

/* How far the clocks of a responder and ours may differ, in seconds. */
#define CLOCK 300

struct revocation {
	X509 *certificate;
	X509 *issuer;
};

/* What is signed (RFC 5280 5.1.1), whatever it says. */
typedef struct {
	ASN1_STRING *said;
	X509_ALGOR *algorithm;
	ASN1_BIT_STRING *signature;
} SAID;

DECLARE_ASN1_FUNCTIONS(SAID)
/* clang-format off */
ASN1_SEQUENCE(SAID) = {
	ASN1_SIMPLE(SAID, said, ASN1_SEQUENCE),
	ASN1_SIMPLE(SAID, algorithm, X509_ALGOR),
	ASN1_SIMPLE(SAID, signature, ASN1_BIT_STRING)
} ASN1_SEQUENCE_END(SAID)
IMPLEMENT_ASN1_FUNCTIONS(SAID)
/* clang-format on */

static X509 *
read_certificate(struct cursor der)
{
	const unsigned char *p = der.p;
	X509 *certificate = d2i_X509(NULL, &p, (long)der.left);

	if (certificate != NULL && p == der.p + der.left)
		return certificate;
	X509_free(certificate);
	return NULL;
}

struct revocation *
revocation_new(struct cursor certificate, struct cursor issuer,
    struct ht_error *e)
{
	struct revocation *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		(void)ht_error_memory(e);
		return NULL;
	}
	r->certificate = read_certificate(certificate);
	r->issuer = read_certificate(issuer);
	if (r->certificate == NULL || r->issuer == NULL)
		(void)spc_crypto_error(e, HT_ERR_DATA, "not a certificate");
	else if (x509_check_issuer(r->certificate, r->issuer, e) == 0)
		return r;
	revocation_free(r);
	return NULL;
}

void
revocation_free(struct revocation *r)
{
	if (r == NULL)
		return;
	X509_free(r->certificate);
	X509_free(r->issuer);
	free(r);
}

/* --- where ------------------------------------------------------------- */

/* A copy of a URL of http, or NULL. */
static char *
http_url(const GENERAL_NAME *name)
{
	const ASN1_IA5STRING *uri;
	const char *text;

	if (name->type != GEN_URI)
		return NULL;
	uri = name->d.uniformResourceIdentifier;
	text = (const char *)ASN1_STRING_get0_data(uri);
	if ((size_t)ASN1_STRING_length(uri) != strlen(text) ||
	    strncasecmp(text, "http://", 7) != 0)
		return NULL;
	return strdup(text);
}

char *
revocation_ocsp_url(const struct revocation *r)
{
	AUTHORITY_INFO_ACCESS *access =
	    X509_get_ext_d2i(r->certificate, NID_info_access, NULL, NULL);
	const ACCESS_DESCRIPTION *one;
	char *url = NULL;
	int i;

	for (i = 0; i < sk_ACCESS_DESCRIPTION_num(access) && url == NULL; i++) {
		one = sk_ACCESS_DESCRIPTION_value(access, i);
		if (OBJ_obj2nid(one->method) == NID_ad_OCSP)
			url = http_url(one->location);
	}
	AUTHORITY_INFO_ACCESS_free(access);
	ERR_clear_error();
	return url;
}

char *
revocation_crl_url(const struct revocation *r)
{
	CRL_DIST_POINTS *points = X509_get_ext_d2i(r->certificate,
	    NID_crl_distribution_points, NULL, NULL);
	const DIST_POINT_NAME *name;
	char *url = NULL;
	int i, k;

	for (i = 0; i < sk_DIST_POINT_num(points); i++) {
		name = sk_DIST_POINT_value(points, i)->distpoint;
		if (name == NULL || name->type != 0)
			continue;
		for (k = 0; url == NULL &&
		     k < sk_GENERAL_NAME_num(name->name.fullname);
		     k++)
			url = http_url(
			    sk_GENERAL_NAME_value(name->name.fullname, k));
	}
	CRL_DIST_POINTS_free(points);
	ERR_clear_error();
	return url;
}

/* --- OCSP -------------------------------------------------------------- */

int
revocation_query(const struct revocation *r, struct buf *out,
    struct ht_error *e)
{
	OCSP_REQUEST *request = OCSP_REQUEST_new();
	/* Responders know certificates by SHA-1, which decides nothing here. */
	OCSP_CERTID *id =
	    OCSP_cert_to_id(EVP_sha1(), r->certificate, r->issuer);
	unsigned char *der = NULL;
	int n = -1;

	if (request != NULL && id != NULL &&
	    OCSP_request_add0_id(request, id) != NULL) {
		id = NULL;
		n = i2d_OCSP_REQUEST(request, &der);
	}
	OCSP_CERTID_free(id);
	OCSP_REQUEST_free(request);
	if (n <= 0)
		return spc_crypto_error(e, HT_ERR_INTERNAL,
		    "cannot make an OCSP request");
	buf_bytes(out, der, (size_t)n);
	OPENSSL_free(der);
	return buf_failed(out) < 0 ? ht_error_memory(e) : 0;
}

/* The issuer alone is trusted, whoever has issued it. */
static X509_STORE *
trust_issuer(const struct revocation *r, int64_t now, unsigned long flags)
{
	X509_STORE *store = X509_STORE_new();
	X509_VERIFY_PARAM *parameters;

	if (store == NULL || X509_STORE_add_cert(store, r->issuer) != 1) {
		X509_STORE_free(store);
		return NULL;
	}
	parameters = X509_STORE_get0_param(store);
	X509_VERIFY_PARAM_set_time(parameters, (time_t)now);
	(void)X509_VERIFY_PARAM_set_flags(parameters,
	    X509_V_FLAG_PARTIAL_CHAIN | flags);
	return store;
}

static OCSP_BASICRESP *
read_response(struct cursor der, struct ht_error *e)
{
	const unsigned char *p = der.p;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &p, (long)der.left);
	OCSP_BASICRESP *basic = NULL;
	int status = -1;

	if (response != NULL && p == der.p + der.left) {
		status = OCSP_response_status(response);
		if (status == OCSP_RESPONSE_STATUS_SUCCESSFUL)
			basic = OCSP_response_get1_basic(response);
	}
	OCSP_RESPONSE_free(response);
	ERR_clear_error();
	if (basic == NULL)
		(void)ht_error_set(e, HT_ERR_DATA, "OCSP: %s",
		    status > 0 ? OCSP_response_status_str(status)
		               : "not a response");
	return basic;
}

/*
 * Whether what it says of one certificate is of now.  If it does not say until
 * when, newer information is there at any time (RFC 6960 4.2.2.1).
 */
static bool
is_current(const ASN1_GENERALIZEDTIME *from, const ASN1_GENERALIZEDTIME *until,
    int64_t now)
{
	int64_t since, to;

	return x509_seconds(from, &since) == 0 &&
	    x509_seconds(until != NULL ? until : from, &to) == 0 &&
	    since <= now + CLOCK && to >= now - CLOCK;
}

static int
find_status(const struct revocation *r, OCSP_BASICRESP *basic, int64_t now,
    int64_t *revoked, struct ht_error *e)
{
	OCSP_CERTID *id =
	    OCSP_cert_to_id(EVP_sha1(), r->certificate, r->issuer);
	ASN1_GENERALIZEDTIME *when = NULL, *from = NULL, *until = NULL;
	int status = V_OCSP_CERTSTATUS_UNKNOWN, reason, found = 0;

	if (id != NULL)
		found = OCSP_resp_find_status(basic, id, &status, &reason,
		    &when, &from, &until);
	OCSP_CERTID_free(id);
	if (found != 1 || status == V_OCSP_CERTSTATUS_UNKNOWN)
		return ht_error_set(e, HT_ERR_DATA,
		    "OCSP: the responder does not know the certificate");
	if (!is_current(from, until, now))
		return ht_error_set(e, HT_ERR_DATA,
		    "OCSP: the response is not of now");
	if (status == V_OCSP_CERTSTATUS_REVOKED &&
	    (x509_seconds(when, revoked) < 0 || *revoked <= 0))
		*revoked = now;
	return 0;
}

int
revocation_ocsp(const struct revocation *r, struct cursor der, int64_t now,
    int64_t *revoked, struct ht_error *e)
{
	X509_STORE *store = trust_issuer(r, now, 0);
	OCSP_BASICRESP *basic = read_response(der, e);
	STACK_OF(X509) *issuers = sk_X509_new_null();
	int rc = HT_ERR_DATA;

	*revoked = 0;
	if (store == NULL || issuers == NULL ||
	    sk_X509_push(issuers, r->issuer) <= 0)
		rc = ht_error_memory(e);
	else if (basic != NULL &&
	    OCSP_basic_verify(basic, issuers, store, 0) != 1)
		rc = spc_crypto_error(e, HT_ERR_DATA,
		    "OCSP: the response does not verify");
	else if (basic != NULL)
		rc = find_status(r, basic, now, revoked, e);
	sk_X509_free(issuers);
	OCSP_BASICRESP_free(basic);
	X509_STORE_free(store);
	ERR_clear_error();
	return rc;
}

/* --- CRL --------------------------------------------------------------- */

/*
 * libcrypto can make half a gigabyte of REVOCATION_CRL_MAX.  So it only reads
 * what the issuer has signed.
 */
static X509_CRL *
read_crl(const struct revocation *r, struct cursor der, struct ht_error *e)
{
	const unsigned char *p = der.p;
	SAID *outer = d2i_SAID(NULL, &p, (long)der.left);
	X509_CRL *crl = NULL;

	if (outer == NULL || p != der.p + der.left) {
		(void)ht_error_set(e, HT_ERR_DATA, "CRL: not a CRL");
	} else if (ASN1_item_verify(ASN1_ITEM_rptr(ASN1_SEQUENCE),
	               outer->algorithm, outer->signature, outer->said,
	               X509_get0_pubkey(r->issuer)) != 1) {
		(void)ht_error_set(e, HT_ERR_DATA,
		    "CRL: the issuer has not signed it");
	} else {
		p = der.p;
		crl = d2i_X509_CRL(NULL, &p, (long)der.left);
		if (crl == NULL)
			(void)ht_error_set(e, HT_ERR_DATA, "CRL: not a CRL");
	}
	SAID_free(outer);
	return crl;
}

static int64_t
crl_time(X509_CRL *crl, X509 *certificate, int64_t now)
{
	X509_REVOKED *entry = NULL;
	int64_t when;

	if (X509_CRL_get0_by_cert(crl, &entry, certificate) != 1 ||
	    x509_seconds(X509_REVOKED_get0_revocationDate(entry), &when) < 0 ||
	    when <= 0)
		return now;
	return when;
}

/* libcrypto checks a CRL: signature, times, scope, critical extensions. */
static int
check_crl(const struct revocation *r, X509_CRL *crl, X509_STORE *store,
    int64_t now, int64_t *revoked, struct ht_error *e)
{
	X509_STORE_CTX *path = X509_STORE_CTX_new();
	STACK_OF(X509_CRL) *crls = sk_X509_CRL_new_null();
	int rc, code;

	if (path == NULL || crls == NULL || sk_X509_CRL_push(crls, crl) <= 0 ||
	    X509_STORE_CTX_init(path, store, r->certificate, NULL) != 1) {
		rc = ht_error_memory(e);
	} else {
		X509_STORE_CTX_set0_crls(path, crls);
		rc = X509_verify_cert(path) == 1 ? 0 : HT_ERR_DATA;
		code = X509_STORE_CTX_get_error(path);
		if (rc < 0 && code == X509_V_ERR_CERT_REVOKED) {
			*revoked = crl_time(crl, r->certificate, now);
			rc = 0;
		} else if (rc < 0) {
			(void)ht_error_set(e, rc, "CRL: %s",
			    X509_verify_cert_error_string(code));
		}
	}
	sk_X509_CRL_free(crls);
	X509_STORE_CTX_free(path);
	return rc;
}

int
revocation_crl(const struct revocation *r, struct cursor der, int64_t now,
    int64_t *revoked, struct ht_error *e)
{
	X509_STORE *store = trust_issuer(r, now, X509_V_FLAG_CRL_CHECK);
	X509_CRL *crl = read_crl(r, der, e);
	int rc = HT_ERR_DATA;

	*revoked = 0;
	if (store == NULL)
		rc = ht_error_memory(e);
	else if (crl != NULL)
		rc = check_crl(r, crl, store, now, revoked, e);
	X509_CRL_free(crl);
	X509_STORE_free(store);
	ERR_clear_error();
	return rc;
}
