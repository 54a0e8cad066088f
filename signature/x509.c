#include "config.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "signature/spc-asn1.h"
#include "signature/x509.h"

#define DAY ((int64_t)24 * 60 * 60)

/*
 * Read the next certificate of the PEM.  Returns 1 and *certificate, 0 at the
 * end, or HT_ERR_DATA for a block that is not a certificate.
 */
static int
next_certificate(BIO *pem, X509 **certificate, struct ht_error *e)
{
	char *name = NULL;
	char *header = NULL;
	unsigned char *data = NULL;
	const unsigned char *p;
	long n;
	int rc = 0;

	*certificate = NULL;
	if (PEM_read_bio(pem, &name, &header, &data, &n) != 1) {
		if (ERR_GET_REASON(ERR_peek_last_error()) !=
		    PEM_R_NO_START_LINE)
			rc = spc_crypto_error(e, HT_ERR_DATA, "damaged PEM");
		ERR_clear_error();
		goto out;
	}
	if (strcmp(name, PEM_STRING_X509) != 0) {
		rc = ht_error_set(e, HT_ERR_DATA,
		    "the PEM holds a block that is not a certificate: %s",
		    name);
		goto out;
	}
	p = data;
	*certificate = d2i_X509(NULL, &p, n);
	if (*certificate == NULL || p != data + n) {
		X509_free(*certificate);
		*certificate = NULL;
		rc = spc_crypto_error(e, HT_ERR_DATA, "damaged certificate");
		goto out;
	}
	rc = 1;
out:
	OPENSSL_free(name);
	OPENSSL_free(header);
	/* It may have been a private key. */
	if (data != NULL)
		OPENSSL_clear_free(data, (size_t)n);
	return rc;
}

static bool
is_repeated(STACK_OF(X509) *certificates, const X509 *one)
{
	int i;

	for (i = 0; i < sk_X509_num(certificates); i++) {
		if (X509_cmp(sk_X509_value(certificates, i), one) == 0)
			return true;
	}
	return false;
}

int
x509_read_pem(const void *pem, size_t n, int max, bool once,
    STACK_OF(X509) **certificates, struct ht_error *e)
{
	STACK_OF(X509) *all = sk_X509_new_null();
	BIO *bio = n <= INT_MAX ? BIO_new_mem_buf(pem, (int)n) : NULL;
	X509 *certificate = NULL;
	int number = 0;
	int rc;

	*certificates = NULL;
	if (bio == NULL || all == NULL) {
		rc = ht_error_memory(e);
		goto out;
	}
	while ((rc = next_certificate(bio, &certificate, e)) > 0) {
		if (++number > max)
			rc = ht_error_set(e, HT_ERR_DATA,
			    "more than %d certificates", max);
		else if (!is_repeated(all, certificate))
			rc = sk_X509_push(all, certificate) > 0
			    ? 0
			    : ht_error_memory(e);
		else if (once)
			rc = ht_error_set(e, HT_ERR_DATA,
			    "certificate %d is there twice", number);
		else
			X509_free(certificate);
		if (rc < 0)
			goto out;
		certificate = NULL;
	}
	if (rc == 0 && number == 0)
		rc = ht_error_set(e, HT_ERR_DATA, "no certificate in the PEM");
	if (rc < 0)
		goto out;
	*certificates = all;
	all = NULL;
out:
	X509_free(certificate);
	sk_X509_pop_free(all, X509_free);
	BIO_free(bio);
	return rc;
}

bool
x509_is_root(X509 *certificate)
{
	bool root = X509_self_signed(certificate, 1) == 1;

	ERR_clear_error();
	return root;
}

int
x509_check_code_signing(X509 *certificate, struct ht_error *e)
{
	/* Both return all bits set if the extension is absent. */
	uint32_t extended = X509_get_extended_key_usage(certificate);
	uint32_t usage = X509_get_key_usage(certificate);

	if (extended == UINT32_MAX || (extended & XKU_CODE_SIGN) == 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "the certificate is not for code signing (RFC 5280 "
		    "4.2.1.12)");
	if ((usage & KU_DIGITAL_SIGNATURE) == 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "the certificate's key usage lacks digitalSignature (RFC "
		    "5280 4.2.1.3)");
	return 0;
}

int
x509_check_timestamping(X509 *certificate, struct ht_error *e)
{
	EXTENDED_KEY_USAGE *purposes;
	int is_critical;
	bool alone;
	bool good;

	purposes = X509_get_ext_d2i(certificate, NID_ext_key_usage,
	    &is_critical, NULL);
	alone = sk_ASN1_OBJECT_num(purposes) == 1 && is_critical == 1 &&
	    OBJ_obj2nid(sk_ASN1_OBJECT_value(purposes, 0)) == NID_time_stamp;
	EXTENDED_KEY_USAGE_free(purposes);
	good = X509_check_purpose(certificate, X509_PURPOSE_TIMESTAMP_SIGN,
	           0) == 1;
	ERR_clear_error();
	if (!alone)
		return ht_error_set(e, HT_ERR_DATA,
		    "the responder's certificate must have a critical extended "
		    "key usage, timeStamping alone (RFC 3161 2.3)");
	if (!good)
		return ht_error_set(e, HT_ERR_DATA,
		    "the key usage of the responder's certificate is not for "
		    "signatures alone (RFC 5280 4.2.1.3)");
	return 0;
}

bool
x509_is_for_lifetime(X509 *certificate)
{
	EXTENDED_KEY_USAGE *purposes =
	    X509_get_ext_d2i(certificate, NID_ext_key_usage, NULL, NULL);
	bool is = false;
	int i;

	for (i = 0; i < sk_ASN1_OBJECT_num(purposes); i++) {
		if (spc_is_object(sk_ASN1_OBJECT_value(purposes, i),
		        OID_LIFETIME_SIGNING))
			is = true;
	}
	EXTENDED_KEY_USAGE_free(purposes);
	ERR_clear_error();
	return is;
}

int
x509_check_issuer(X509 *certificate, X509 *issuer, struct ht_error *e)
{
	EVP_PKEY *key = X509_get0_pubkey(issuer);
	int reason = X509_check_issued(issuer, certificate);

	if (reason != X509_V_OK)
		return ht_error_set(e, HT_ERR_DATA, "%s",
		    X509_verify_cert_error_string(reason));
	if (X509_check_ca(issuer) == 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "the issuer is not a CA certificate (RFC 5280 4.2.1.9)");
	if (key == NULL || X509_verify(certificate, key) != 1)
		return spc_crypto_error(e, HT_ERR_DATA,
		    "the certificate's signature does not verify");
	return 0;
}

/* timegm(3) would load the time zone. */
int
x509_seconds(const ASN1_TIME *time, int64_t *seconds)
{
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int days;
	int rest;
	int ok;

	ok = epoch != NULL && time != NULL &&
	    ASN1_TIME_diff(&days, &rest, epoch, time) == 1;
	ASN1_TIME_free(epoch);
	if (!ok)
		return -1;
	*seconds = days * DAY + rest;
	return 0;
}

static char *
name_of(const X509_NAME *name)
{
	/* Quotes, not backslashes, which would be escaped where it is shown. */
	unsigned long flags =
	    (XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) | ASN1_STRFLGS_ESC_QUOTE;
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	char *p;
	long n;

	if (bio == NULL)
		return NULL;
	if (X509_NAME_print_ex(bio, name, 0, flags) >= 0) {
		n = BIO_get_mem_data(bio, &p);
		text = n < 0 ? NULL : strndup(n > 0 ? p : "", (size_t)n);
	}
	BIO_free(bio);
	return text;
}

char *
x509_subject(X509 *certificate)
{
	return name_of(X509_get_subject_name(certificate));
}

char *
x509_issuer(X509 *certificate)
{
	return name_of(X509_get_issuer_name(certificate));
}
