#include "config.h"

#include <openssl/asn1.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include <stdlib.h>
#include <string.h>

#include "signature/cms-asn1.h"
#include "signature/cms-attributes.h"
#include "signature/cms.h"
#include "signature/content.h"
#include "signature/spc-asn1.h"
#include "signature/x509.h"

struct cms_signer {
	SIGNED_DATA *data; /* complete except for the signature */
	SIGNER_INFO *info; /* its only signer; inside data */
	X509 *certificate; /* the signer's */
	struct spc_digest file;
	struct spc_digest attributes;
	bool is_signed;
};

static int
set_algorithm(X509_ALGOR *out, int nid)
{
	/* Parameters are NULL, in RFC 2315 and in what signtool writes. */
	return X509_ALGOR_set0(out, OBJ_nid2obj(nid), V_ASN1_NULL, NULL) == 1
	    ? 0
	    : -1;
}

/*
 * Add the signer's certificate and the others, but no root.  Windows has roots
 * of its own, and fetches no missing certificate on the way to them.
 */
static int
add_certificates(SIGNED_DATA *data, const struct chain *chain)
{
	STACK_OF(X509) *all = chain_certificates(chain);
	X509 *certificate;
	int i;

	data->certificates = sk_X509_new_null();
	if (data->certificates == NULL)
		return -1;
	for (i = 0; i < sk_X509_num(all); i++) {
		certificate = sk_X509_value(all, i);
		if (i > 0 && x509_is_root(certificate))
			continue;
		if (sk_X509_push(data->certificates, certificate) <= 0)
			return -1;
		if (X509_up_ref(certificate) != 1) {
			(void)sk_X509_pop(data->certificates);
			return -1;
		}
	}
	return 0;
}

static int
add_digest_algorithm(SIGNED_DATA *data, int nid)
{
	X509_ALGOR *algorithm = X509_ALGOR_new();

	if (algorithm == NULL || set_algorithm(algorithm, nid) < 0 ||
	    sk_X509_ALGOR_push(data->digest_algorithms, algorithm) <= 0) {
		X509_ALGOR_free(algorithm);
		return -1;
	}
	return 0;
}

static int
set_signer(SIGNER_INFO *info, const struct chain *chain, int digest_nid)
{
	X509 *certificate = sk_X509_value(chain_certificates(chain), 0);
	int key = chain_key(chain) == CHAIN_RSA ? NID_rsaEncryption
	                                        : NID_X9_62_id_ecPublicKey;

	if (ASN1_INTEGER_set(info->version, 1) != 1 ||
	    X509_NAME_set(&info->signer->issuer,
	        X509_get_issuer_name(certificate)) != 1)
		return -1;
	ASN1_INTEGER_free(info->signer->serial);
	info->signer->serial =
	    ASN1_INTEGER_dup(X509_get0_serialNumber(certificate));
	if (info->signer->serial == NULL ||
	    set_algorithm(info->digest_algorithm, digest_nid) < 0 ||
	    set_algorithm(info->signature_algorithm, key) < 0)
		return -1;
	return 0;
}

static int
build(struct cms_signer *s, const struct chain *chain, const char *type,
    const void *content, size_t n, const struct spc_digest *digest,
    const struct cms_options *options)
{
	int nid = EVP_MD_get_type(spc_md(s->file.algorithm));

	s->certificate = sk_X509_value(chain_certificates(chain), 0);
	if (X509_up_ref(s->certificate) != 1) {
		s->certificate = NULL;
		return -1;
	}
	s->data = SIGNED_DATA_new();
	s->info = SIGNER_INFO_new();
	if (s->data == NULL || s->info == NULL)
		return -1;
	if (sk_SIGNER_INFO_push(s->data->signers, s->info) <= 0) {
		SIGNER_INFO_free(s->info);
		return -1;
	}
	if (ASN1_INTEGER_set(s->data->version, 1) != 1 ||
	    add_digest_algorithm(s->data, nid) < 0 ||
	    signed_data_set_content(s->data, type, content, n) < 0 ||
	    add_certificates(s->data, chain) < 0 ||
	    set_signer(s->info, chain, nid) < 0 ||
	    cms_attributes_add(s->info, options, type, digest) < 0)
		return -1;
	return 0;
}

int
cms_signer_new(const struct chain *chain, const char *format,
    const void *content, size_t n, const struct cms_options *options,
    struct cms_signer **signer, struct ht_error *e)
{
	struct spc_digest digest;
	struct cms_signer *s;
	int rc;

	*signer = NULL;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return ht_error_memory(e);
	if ((rc = cms_options_check(options, e)) < 0 ||
	    (rc = content_parse(format, content, n, options->algorithm,
	         &s->file, e)) < 0 ||
	    (rc = content_digest(content, n, s->file.algorithm, &digest, e)) <
	        0)
		goto out;
	if (build(s, chain, content_type(format), content, n, &digest,
	        options) < 0) {
		rc = spc_crypto_error(e, HT_ERR_INTERNAL,
		    "cannot make the SignedData");
		goto out;
	}
	if ((rc = attributes_sort(&s->info->signed_attributes, e)) < 0 ||
	    (rc = attributes_digest(s->info->signed_attributes,
	         s->file.algorithm, &s->attributes, e)) < 0)
		goto out;
	*signer = s;
	s = NULL;
out:
	cms_signer_free(s);
	return rc;
}

void
cms_signer_free(struct cms_signer *signer)
{
	if (signer == NULL)
		return;
	SIGNED_DATA_free(signer->data);
	X509_free(signer->certificate);
	free(signer);
}

struct cursor
cms_signer_content(const struct cms_signer *signer)
{
	const ASN1_STRING *der = signer->data->content->content->value.sequence;

	return cursor_over(ASN1_STRING_get0_data(der),
	    (size_t)ASN1_STRING_length(der));
}

const struct spc_digest *
cms_signer_digest(const struct cms_signer *signer)
{
	return &signer->attributes;
}

const struct spc_digest *
cms_signer_file(const struct cms_signer *signer)
{
	return &signer->file;
}

int
cms_signer_signature(struct cms_signer *signer, const void *signature, size_t n,
    struct ht_error *e)
{
	int rc;

	rc = signature_verify(signer->certificate, &signer->attributes,
	    signature, n, e);
	if (rc < 0) {
		if (e != NULL)
			e->code = HT_ERR_INTERNAL;
		return HT_ERR_INTERNAL;
	}
	if (ASN1_OCTET_STRING_set(signer->info->signature, signature, (int)n) !=
	    1)
		return spc_crypto_error(e, HT_ERR_INTERNAL,
		    "cannot keep the signature");
	signer->is_signed = true;
	return 0;
}

int
cms_signer_finish(const struct cms_signer *signer, struct buf *der,
    struct ht_error *e)
{
	if (!signer->is_signed)
		return ht_error_set(e, HT_ERR_INTERNAL,
		    "there is no signature yet");
	return signed_data_encode(signer->data, der, e);
}
