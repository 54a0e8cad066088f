#include "config.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signature/chain.h"
#include "signature/spc-asn1.h"
#include "signature/x509.h"

struct chain {
	STACK_OF(X509) *certificates; /* the signer's first */
	enum chain_key key;
	unsigned int bits;
	char weak[80];
	char *subject;
	uint8_t fingerprint[32];
	int64_t not_before;
	int64_t not_after;
};

static X509 *
leaf_of(const struct chain *chain)
{
	return sk_X509_value(chain->certificates, 0);
}

static int
check_order(const struct chain *chain, struct ht_error *e)
{
	struct ht_error why;
	X509 *issuer;
	int i;

	if (sk_X509_num(chain->certificates) == 1 &&
	    !x509_is_root(leaf_of(chain)))
		return ht_error_set(e, HT_ERR_DATA,
		    "the issuer of certificate 1 is not there");
	for (i = 1; i < sk_X509_num(chain->certificates); i++) {
		issuer = sk_X509_value(chain->certificates, i);
		if (x509_check_issuer(sk_X509_value(chain->certificates, i - 1),
		        issuer, &why) < 0)
			return ht_error_set(e, HT_ERR_DATA,
			    "certificate %d is not the issuer of certificate "
			    "%d: %s",
			    i + 1, i, why.text);
	}
	return 0;
}

static int
read_key(struct chain *chain, struct ht_error *e)
{
	EVP_PKEY *key = X509_get0_pubkey(leaf_of(chain));
	char group[32] = "";

	if (key == NULL)
		return spc_crypto_error(e, HT_ERR_DATA,
		    "certificate 1 has no usable public key");
	chain->bits = (unsigned int)EVP_PKEY_get_bits(key);
	if (EVP_PKEY_is_a(key, "RSA")) {
		chain->key = CHAIN_RSA;
		if (chain->bits >= 1024 && chain->bits <= 8192)
			return 0;
	} else if (EVP_PKEY_is_a(key, "EC") &&
	    EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1) {
		chain->key = CHAIN_P256;
		if (strcmp(group, SN_X9_62_prime256v1) == 0)
			return 0;
		chain->key = CHAIN_P384;
		if (strcmp(group, SN_secp384r1) == 0)
			return 0;
	}
	ERR_clear_error();
	return ht_error_set(e, HT_ERR_DATA,
	    "certificate 1: a key of %u bits that is neither RSA, P-256 nor "
	    "P-384",
	    chain->bits);
}

static void
find_weakness(struct chain *chain)
{
	X509 *certificate;
	int digest;
	int i;

	if (chain->key == CHAIN_RSA && chain->bits != 3072 &&
	    chain->bits != 4096) {
		(void)snprintf(chain->weak, sizeof(chain->weak),
		    "RSA key of %u bits, not 3072 or 4096", chain->bits);
		return;
	}
	for (i = 0; i < sk_X509_num(chain->certificates); i++) {
		certificate = sk_X509_value(chain->certificates, i);
		if (X509_get_signature_info(certificate, &digest, NULL, NULL,
		        NULL) != 1)
			digest = NID_undef;
		if ((digest == NID_sha1 || digest == NID_md5 ||
		        digest == NID_md5_sha1) &&
		    !x509_is_root(certificate)) {
			(void)snprintf(chain->weak, sizeof(chain->weak),
			    "certificate %d is signed with %s", i + 1,
			    digest == NID_sha1 ? "SHA-1" : "MD5");
			return;
		}
	}
}

static int
read_validity(struct chain *chain, struct ht_error *e)
{
	X509 *certificate;
	int64_t from;
	int64_t to;
	int i;

	chain->not_before = INT64_MIN;
	chain->not_after = INT64_MAX;
	for (i = 0; i < sk_X509_num(chain->certificates); i++) {
		certificate = sk_X509_value(chain->certificates, i);
		if (x509_seconds(X509_get0_notBefore(certificate), &from) < 0 ||
		    x509_seconds(X509_get0_notAfter(certificate), &to) < 0)
			return spc_crypto_error(e, HT_ERR_DATA,
			    "a certificate's validity cannot be read");
		if (from > chain->not_before)
			chain->not_before = from;
		if (to < chain->not_after)
			chain->not_after = to;
	}
	return 0;
}

static int
read_names(struct chain *chain, struct ht_error *e)
{
	X509 *leaf = leaf_of(chain);

	chain->subject = x509_subject(leaf);
	if (chain->subject == NULL ||
	    X509_digest(leaf, EVP_sha256(), chain->fingerprint, NULL) != 1)
		return spc_crypto_error(e, HT_ERR_INTERNAL,
		    "cannot read the certificate");
	return 0;
}

int
chain_load(const void *pem, size_t n, struct chain **chain, struct ht_error *e)
{
	struct chain *c;
	int rc;

	*chain = NULL;
	if (n > CHAIN_PEM_MAX)
		return ht_error_set(e, HT_ERR_DATA,
		    "a chain of more than %zu bytes", CHAIN_PEM_MAX);
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return ht_error_memory(e);
	if ((rc = x509_read_pem(pem, n, CHAIN_CERTIFICATES, true,
	         &c->certificates, e)) < 0 ||
	    (rc = x509_check_code_signing(leaf_of(c), e)) < 0 ||
	    (rc = read_key(c, e)) < 0 || (rc = check_order(c, e)) < 0 ||
	    (rc = read_validity(c, e)) < 0 || (rc = read_names(c, e)) < 0)
		goto out;
	find_weakness(c);
	*chain = c;
	c = NULL;
out:
	chain_free(c);
	return rc;
}

void
chain_free(struct chain *chain)
{
	if (chain == NULL)
		return;
	sk_X509_pop_free(chain->certificates, X509_free);
	free(chain->subject);
	free(chain);
}

enum chain_key
chain_key(const struct chain *chain)
{
	return chain->key;
}

const char *
chain_weak(const struct chain *chain)
{
	return chain->weak[0] == '\0' ? NULL : chain->weak;
}

const char *
chain_subject(const struct chain *chain)
{
	return chain->subject;
}

void
chain_fingerprint(const struct chain *chain, uint8_t out[32])
{
	memcpy(out, chain->fingerprint, sizeof(chain->fingerprint));
}

void
chain_validity(const struct chain *chain, int64_t *not_before,
    int64_t *not_after)
{
	*not_before = chain->not_before;
	*not_after = chain->not_after;
}

int
chain_der(const struct chain *chain, int i, struct buf *out, struct ht_error *e)
{
	X509 *certificate = sk_X509_value(chain->certificates, i);
	unsigned char *der = NULL;
	int n;

	if (certificate == NULL)
		return ht_error_set(e, HT_ERR_DATA,
		    "the chain has no certificate %d", i + 1);
	n = i2d_X509(certificate, &der);
	if (n <= 0)
		return spc_crypto_error(e, HT_ERR_INTERNAL,
		    "cannot encode the certificate");
	buf_bytes(out, der, (size_t)n);
	OPENSSL_free(der);
	return buf_failed(out) < 0 ? ht_error_memory(e) : 0;
}

STACK_OF(X509) *
chain_certificates(const struct chain *chain)
{
	return chain->certificates;
}

int
chain_spki(const struct chain *chain, struct buf *out, struct ht_error *e)
{
	unsigned char *der = NULL;
	int n;

	n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf_of(chain)), &der);
	if (n <= 0)
		return spc_crypto_error(e, HT_ERR_INTERNAL,
		    "cannot encode the public key");
	buf_bytes(out, der, (size_t)n);
	OPENSSL_free(der);
	if (buf_failed(out) < 0)
		return ht_error_memory(e);
	return 0;
}
