#include "config.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdlib.h>
#include <string.h>

#include "signature/pkcs7-info.h"
#include "signature/pkcs7-private.h"
#include "signature/x509.h"

static int64_t
seconds_of(const ASN1_TIME *asn1)
{
	int64_t seconds;

	return x509_seconds(asn1, &seconds) < 0 ? PKCS7_NO_TIME : seconds;
}

static X509 *
find_issuer(const struct pkcs7 *p7, X509 *certificate)
{
	STACK_OF(X509) *all = p7->data->certificates;
	X509 *candidate;
	int i;

	for (i = 0; i < sk_X509_num(all); i++) {
		candidate = sk_X509_value(all, i);
		if (candidate != certificate &&
		    X509_check_issued(candidate, certificate) == X509_V_OK)
			return candidate;
	}
	return NULL;
}

/*
 * Certificate i of the chain, or NULL.  The limit ends a circle of cross
 * certificates.
 */
static X509 *
find_certificate(const struct pkcs7 *p7, size_t i)
{
	X509 *certificate = p7->signer;

	if (i >= PKCS7_INFO_CHAIN)
		return NULL;
	while (i-- > 0 && certificate != NULL)
		certificate = x509_is_root(certificate)
		    ? NULL
		    : find_issuer(p7, certificate);
	return certificate;
}

static char *
serial_of(X509 *certificate)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
	BIGNUM *number = ASN1_INTEGER_to_BN(serial, NULL);
	char *hex = number != NULL ? BN_bn2hex(number) : NULL;
	char *text = hex != NULL ? strdup(hex) : NULL;
	char *p;

	for (p = text; p != NULL && *p != '\0'; p++) {
		if (*p >= 'A' && *p <= 'F')
			*p = (char)(*p - 'A' + 'a');
	}
	OPENSSL_free(hex);
	BN_free(number);
	return text;
}

int
pkcs7_certificate(const struct pkcs7 *p7, size_t i,
    struct pkcs7_certificate *out, struct ht_error *e)
{
	X509 *certificate = find_certificate(p7, i);
	unsigned int n = sizeof(out->sha256);

	memset(out, 0, sizeof(*out));
	ERR_clear_error();
	if (certificate == NULL)
		return 0;
	out->subject = x509_subject(certificate);
	out->issuer = x509_issuer(certificate);
	out->serial = serial_of(certificate);
	out->not_before = seconds_of(X509_get0_notBefore(certificate));
	out->not_after = seconds_of(X509_get0_notAfter(certificate));
	if (out->subject != NULL && out->issuer != NULL &&
	    out->serial != NULL &&
	    X509_digest(certificate, EVP_sha256(), out->sha256, &n) == 1)
		return 1;
	pkcs7_certificate_clear(out);
	return spc_crypto_error(e, HT_ERR_INTERNAL,
	    "cannot take a certificate apart");
}

void
pkcs7_certificate_clear(struct pkcs7_certificate *certificate)
{
	free(certificate->subject);
	free(certificate->issuer);
	free(certificate->serial);
	memset(certificate, 0, sizeof(*certificate));
}

int64_t
pkcs7_signing_time(const struct pkcs7 *p7)
{
	const ASN1_TYPE *value;

	value = pkcs7_signed_value(p7, OID_SIGNING_TIME, V_ASN1_UTCTIME);
	if (value != NULL)
		return seconds_of(value->value.utctime);
	value =
	    pkcs7_signed_value(p7, OID_SIGNING_TIME, V_ASN1_GENERALIZEDTIME);
	if (value != NULL)
		return seconds_of(value->value.generalizedtime);
	return PKCS7_NO_TIME;
}

int
pkcs7_countersignature(const struct pkcs7 *p7, const struct pkcs7_unsigned *a,
    struct timestamp *out, struct ht_error *e)
{
	const unsigned char *p = a->value.p;
	struct pkcs7 counter = { 0 };
	X509 *signer = NULL;
	int rc = HT_ERR_DATA;

	memset(out, 0, sizeof(*out));
	counter.info = d2i_SIGNER_INFO(NULL, &p, (long)a->value.left);
	if (counter.info != NULL) {
		signer = pkcs7_find_signer(p7->data, counter.info->signer);
		out->time = pkcs7_signing_time(&counter);
	}
	if (signer == NULL || out->time == PKCS7_NO_TIME)
		rc = spc_crypto_error(e, rc,
		    "counter-signature: no time, or no certificate of its "
		    "signer");
	else if ((out->authority = x509_subject(signer)) == NULL)
		rc = ht_error_memory(e);
	else
		rc = 0;
	if (rc < 0)
		timestamp_clear(out);
	SIGNER_INFO_free(counter.info);
	ERR_clear_error();
	return rc;
}
