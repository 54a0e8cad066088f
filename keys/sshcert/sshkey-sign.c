#include "config.h"

#include <string.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "keys/sshcert/sshkey-format.h"
#include "keys/sshcert/sshkey.h"
#include "lib/buf.h"
#include "lib/error.h"

/* The longest ECDSA-Sig-Value: P-521, two integers of up to 66 bytes. */
#define ECDSA_DER_MAX 160

/*
 * True if a key of this format may sign with this algorithm.  *digest is the
 * algorithm's digest; NULL if the algorithm digests the data itself.
 */
static bool
algorithm_fits(const struct sshkey_format *format, struct cursor algorithm,
    const char **digest)
{
	*digest = format->digest;
	if (format->sk)
		return false;
	if (format->type != SSHKEY_RSA)
		return cursor_is(algorithm, format->name);
	/* RFC 8332.  "ssh-rsa" would be SHA-1. */
	if (cursor_is(algorithm, "rsa-sha2-256"))
		*digest = "SHA2-256";
	else if (cursor_is(algorithm, "rsa-sha2-512"))
		*digest = "SHA2-512";
	return *digest != NULL;
}

/* Convert mpint r, mpint s (RFC 5656 §3.1.2) to an ECDSA-Sig-Value in DER. */
static int
ecdsa_to_der(struct cursor raw, uint8_t der[ECDSA_DER_MAX], size_t *n)
{
	ECDSA_SIG *sig = NULL;
	BIGNUM *r = NULL, *s = NULL;
	struct cursor r_bytes, s_bytes;
	int rc = HT_ERR_INTERNAL, len;

	if (sshkey_mpint_get(&raw, &r_bytes) < 0 || r_bytes.left > 66 ||
	    sshkey_mpint_get(&raw, &s_bytes) < 0 || s_bytes.left > 66 ||
	    cursor_end(&raw) < 0)
		return HT_ERR_DATA;
	sig = ECDSA_SIG_new();
	r = BN_bin2bn(r_bytes.p, (int)r_bytes.left, NULL);
	s = BN_bin2bn(s_bytes.p, (int)s_bytes.left, NULL);
	if (sig == NULL || r == NULL || s == NULL ||
	    ECDSA_SIG_set0(sig, r, s) != 1)
		goto out;
	r = NULL;
	s = NULL;
	len = i2d_ECDSA_SIG(sig, NULL);
	if (len <= 0 || len > ECDSA_DER_MAX)
		goto out;
	*n = (size_t)i2d_ECDSA_SIG(sig, &der);
	rc = 0;
out:
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return rc;
}

/* Convert an ECDSA-Sig-Value in DER to mpint r, mpint s. */
static int
ecdsa_from_der(const uint8_t *der, size_t n, struct buf *raw)
{
	ECDSA_SIG *sig;
	uint8_t number[66];
	const BIGNUM *part[2];
	int i, len, rc = 0;

	sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
	if (sig == NULL)
		return HT_ERR_INTERNAL;
	ECDSA_SIG_get0(sig, &part[0], &part[1]);
	for (i = 0; i < 2; i++) {
		if (BN_num_bytes(part[i]) > (int)sizeof(number)) {
			rc = HT_ERR_INTERNAL;
			break;
		}
		len = BN_bn2bin(part[i], number);
		sshkey_mpint_put(raw, number, (size_t)len);
	}
	ECDSA_SIG_free(sig);
	return rc;
}

static int
evp_verify(EVP_PKEY *evp, const char *digest, struct cursor data,
    struct cursor signature)
{
	EVP_MD_CTX *ctx;
	int rc = HT_ERR_INTERNAL;

	ctx = EVP_MD_CTX_new();
	if (ctx != NULL &&
	    EVP_DigestVerifyInit_ex(ctx, NULL, digest, NULL, NULL, evp, NULL) ==
	        1)
		rc = EVP_DigestVerify(ctx, signature.p, signature.left, data.p,
		         data.left) == 1
		    ? 0
		    : HT_ERR_DENIED;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return rc;
}

int
sshkey_verify(const struct sshkey *key, struct cursor data,
    struct cursor signature, struct ht_error *e)
{
	const char *digest;
	struct cursor algorithm, raw;
	uint8_t der[ECDSA_DER_MAX];
	size_t n;
	int rc;

	if (cursor_string(&signature, &algorithm) < 0 ||
	    cursor_string(&signature, &raw) < 0 || cursor_end(&signature) < 0)
		return ht_error_set(e, HT_ERR_DENIED,
		    "the signature is damaged");
	if (!algorithm_fits(key->format, algorithm, &digest))
		return ht_error_set(e, HT_ERR_DENIED,
		    "the signature's algorithm does not fit a %s key",
		    key->format->name);
	if (key->format->curve != NULL) {
		rc = ecdsa_to_der(raw, der, &n);
		if (rc == HT_ERR_INTERNAL)
			return ht_error_memory(e);
		if (rc < 0)
			return ht_error_set(e, HT_ERR_DENIED,
			    "the ECDSA signature is damaged");
		raw = cursor_over(der, n);
	}
	rc = evp_verify(key->evp, digest, data, raw);
	if (rc == HT_ERR_INTERNAL)
		return ht_error_memory(e);
	if (rc < 0)
		return ht_error_set(e, rc, "the signature does not verify");
	return 0;
}

/* Make a raw signature: 64 bytes of Ed25519, or an ECDSA-Sig-Value. */
static int
evp_sign(EVP_PKEY *evp, const char *digest, struct cursor data,
    uint8_t signature[ECDSA_DER_MAX], size_t *n)
{
	EVP_MD_CTX *ctx;
	int ok = 0;

	*n = ECDSA_DER_MAX;
	ctx = EVP_MD_CTX_new();
	if (ctx != NULL &&
	    EVP_DigestSignInit_ex(ctx, NULL, digest, NULL, NULL, evp, NULL) ==
	        1)
		ok = EVP_DigestSign(ctx, signature, n, data.p, data.left) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok ? 0 : HT_ERR_INTERNAL;
}

int
sshkey_private_sign(const struct sshkey_private *key, struct cursor data,
    struct buf *signature, struct ht_error *e)
{
	const struct sshkey_format *format = key->public->format;
	struct buf raw = BUF_INIT;
	uint8_t bytes[ECDSA_DER_MAX];
	size_t n;
	int rc;

	rc = evp_sign(key->evp, format->digest, data, bytes, &n);
	if (rc == 0 && format->curve != NULL)
		rc = ecdsa_from_der(bytes, n, &raw);
	else if (rc == 0)
		buf_bytes(&raw, bytes, n);
	if (rc == 0 && buf_failed(&raw) == 0) {
		buf_text(signature, format->name);
		buf_string(signature, raw.data, raw.len);
	}
	if (rc < 0 || buf_failed(&raw) < 0 || buf_failed(signature) < 0)
		rc = ht_error_set(e, HT_ERR_INTERNAL,
		    "signing with an SSH key failed");
	buf_free(&raw);
	return rc;
}
