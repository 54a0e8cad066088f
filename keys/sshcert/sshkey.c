#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "keys/sshcert/sshkey-format.h"
#include "keys/sshcert/sshkey.h"
#include "lib/base64.h"
#include "lib/buf.h"
#include "lib/error.h"

/* No real FIDO application name is longer than this. */
#define APPLICATION_SIZE 256

/* With a large modulus, OpenSSL accepts no larger exponent either. */
#define RSA_EXPONENT_MAX_BYTES 8

#define ED25519_BYTES 32

static const struct sshkey_format formats[] = {
	{ "ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com", NULL, NULL, NULL,
	    ED25519_BYTES, SSHKEY_ED25519, false },
	{ "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256-cert-v01@openssh.com",
	    "nistp256", "prime256v1", "SHA2-256", 65, SSHKEY_ECDSA_P256,
	    false },
	{ "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384-cert-v01@openssh.com",
	    "nistp384", "secp384r1", "SHA2-384", 97, SSHKEY_ECDSA_P384, false },
	{ "ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521-cert-v01@openssh.com",
	    "nistp521", "secp521r1", "SHA2-512", 133, SSHKEY_ECDSA_P521,
	    false },
	{ "ssh-rsa", "ssh-rsa-cert-v01@openssh.com", NULL, NULL, NULL, 0,
	    SSHKEY_RSA, false },
	{ "sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519-cert-v01@openssh.com",
	    NULL, NULL, NULL, ED25519_BYTES, SSHKEY_SK_ED25519, true },
	{ "sk-ecdsa-sha2-nistp256@openssh.com",
	    "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", "nistp256",
	    "prime256v1", "SHA2-256", 65, SSHKEY_SK_ECDSA_P256, true },
};

#define FORMATS (sizeof(formats) / sizeof(formats[0]))

const struct sshkey_format *
sshkey_format_of_key(struct cursor name)
{
	size_t i;

	for (i = 0; i < FORMATS; i++) {
		if (cursor_is(name, formats[i].name))
			return &formats[i];
	}
	return NULL;
}

const struct sshkey_format *
sshkey_format_of_cert(struct cursor name)
{
	size_t i;

	for (i = 0; i < FORMATS; i++) {
		if (cursor_is(name, formats[i].cert_name))
			return &formats[i];
	}
	return NULL;
}

const struct sshkey_format *
sshkey_format_of_group(const char *group)
{
	size_t i;

	for (i = 0; i < FORMATS; i++) {
		if (formats[i].group != NULL && !formats[i].sk &&
		    strcmp(formats[i].group, group) == 0)
			return &formats[i];
	}
	return NULL;
}

int
sshkey_mpint_get(struct cursor *c, struct cursor *magnitude)
{
	struct cursor in = *c, bytes;
	uint8_t first;

	if (cursor_string(&in, &bytes) < 0 || bytes.left == 0)
		return HT_ERR_DATA;
	if (bytes.p[0] > 0x7f)
		return HT_ERR_DATA;
	if (bytes.p[0] == 0) {
		if (cursor_u8(&bytes, &first) < 0 || bytes.left == 0 ||
		    bytes.p[0] <= 0x7f)
			return HT_ERR_DATA;
	}
	*magnitude = bytes;
	*c = in;
	return 0;
}

void
sshkey_mpint_put(struct buf *b, const uint8_t *p, size_t n)
{
	while (n > 0 && *p == 0) {
		p++;
		n--;
	}
	if (n > 0 && *p > 0x7f) {
		buf_u32be(b, (uint32_t)n + 1);
		buf_u8(b, 0);
		buf_bytes(b, p, n);
	} else {
		buf_string(b, p, n);
	}
}

/* Make an EVP key from params, or return NULL if they are not a key. */
static EVP_PKEY *
evp_from_params(const char *algorithm, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *ctx = NULL;
	EVP_PKEY *evp = NULL;

	ctx = EVP_PKEY_CTX_new_from_name(NULL, algorithm, NULL);
	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) <= 0 ||
	    EVP_PKEY_fromdata(ctx, &evp, EVP_PKEY_PUBLIC_KEY, params) <= 0)
		evp = NULL;
	EVP_PKEY_CTX_free(ctx);
	return evp;
}

static EVP_PKEY *
read_ed25519(const struct sshkey_format *format, struct cursor *c)
{
	struct cursor point;

	if (cursor_string(c, &point) < 0 || point.left != format->point)
		return NULL;
	return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, point.p,
	    point.left);
}

/* RFC 5656 §3.1.  OpenSSL checks that the point is on the curve. */
static EVP_PKEY *
read_ecdsa(const struct sshkey_format *format, struct cursor *c)
{
	struct cursor curve, point;
	char group[16];
	uint8_t bytes[133];
	OSSL_PARAM params[3];

	if (cursor_string(c, &curve) < 0 || !cursor_is(curve, format->curve) ||
	    cursor_string(c, &point) < 0 || point.left != format->point ||
	    point.left > sizeof(bytes) || point.p[0] != 4)
		return NULL;
	memcpy(bytes, point.p, point.left);
	memcpy(group, format->group, strlen(format->group) + 1);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
	    group, 0);
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
	    bytes, point.left);
	params[2] = OSSL_PARAM_construct_end();
	return evp_from_params("EC", params);
}

static bool
rsa_acceptable(const BIGNUM *n, const BIGNUM *e)
{
	return BN_num_bits(n) >= SSHKEY_RSA_MIN_BITS &&
	    BN_num_bits(n) <= SSHKEY_RSA_MAX_BITS && BN_is_odd(n) &&
	    BN_is_odd(e) && !BN_is_one(e);
}

/* RFC 4253 §6.6: e comes before n. */
static EVP_PKEY *
read_rsa(struct cursor *c)
{
	OSSL_PARAM_BLD *bld = NULL;
	OSSL_PARAM *params = NULL;
	EVP_PKEY *evp = NULL;
	BIGNUM *n = NULL, *e = NULL;
	struct cursor modulus, exponent;

	if (sshkey_mpint_get(c, &exponent) < 0 ||
	    exponent.left > RSA_EXPONENT_MAX_BYTES ||
	    sshkey_mpint_get(c, &modulus) < 0 ||
	    modulus.left > SSHKEY_RSA_MAX_BITS / 8)
		return NULL;
	n = BN_bin2bn(modulus.p, (int)modulus.left, NULL);
	e = BN_bin2bn(exponent.p, (int)exponent.left, NULL);
	bld = OSSL_PARAM_BLD_new();
	if (n == NULL || e == NULL || bld == NULL || !rsa_acceptable(n, e) ||
	    !OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) ||
	    !OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e))
		goto out;
	params = OSSL_PARAM_BLD_to_param(bld);
	if (params != NULL)
		evp = evp_from_params("RSA", params);
out:
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	BN_free(n);
	BN_free(e);
	return evp;
}

static EVP_PKEY *
read_fields(const struct sshkey_format *format, struct cursor *c)
{
	EVP_PKEY *evp;
	char application[APPLICATION_SIZE];

	if (format->type == SSHKEY_RSA)
		evp = read_rsa(c);
	else if (format->curve != NULL)
		evp = read_ecdsa(format, c);
	else
		evp = read_ed25519(format, c);
	if (evp != NULL && format->sk &&
	    cursor_text(c, application, sizeof(application)) < 0) {
		EVP_PKEY_free(evp);
		evp = NULL;
	}
	return evp;
}

struct sshkey *
sshkey_read(const struct sshkey_format *format, struct cursor *c,
    struct ht_error *e)
{
	struct sshkey *key = NULL;
	struct buf blob = BUF_INIT;
	struct cursor in = *c;
	EVP_PKEY *evp;

	evp = read_fields(format, &in);
	if (evp == NULL) {
		ht_error_set(e, HT_ERR_DATA, "not a valid %s key",
		    format->name);
		return NULL;
	}
	buf_text(&blob, format->name);
	buf_bytes(&blob, c->p, c->left - in.left);
	key = calloc(1, sizeof(*key));
	if (key == NULL || buf_failed(&blob) < 0) {
		ht_error_memory(e);
		EVP_PKEY_free(evp);
		free(key);
		buf_free(&blob);
		return NULL;
	}
	key->format = format;
	key->evp = evp;
	key->blob = blob.data;
	key->blob_len = blob.len;
	key->body = blob.len - (c->left - in.left);
	*c = in;
	return key;
}

struct sshkey *
sshkey_parse(struct cursor blob, struct ht_error *e)
{
	const struct sshkey_format *format;
	struct sshkey *key;
	struct cursor name;

	if (blob.left > SSHKEY_BLOB_MAX || cursor_string(&blob, &name) < 0) {
		ht_error_set(e, HT_ERR_DATA, "not an SSH public key");
		return NULL;
	}
	format = sshkey_format_of_key(name);
	if (format == NULL) {
		ht_error_set(e, HT_ERR_DATA, "an unsupported type of key");
		return NULL;
	}
	key = sshkey_read(format, &blob, e);
	if (key != NULL && cursor_end(&blob) < 0) {
		sshkey_free(key);
		ht_error_set(e, HT_ERR_DATA, "bytes after the public key");
		return NULL;
	}
	return key;
}

void
sshkey_free(struct sshkey *key)
{
	if (key == NULL)
		return;
	EVP_PKEY_free(key->evp);
	free(key->blob);
	free(key);
}

/* Take the next word of a line, and the blanks after it. */
static struct cursor
next_word(struct cursor *line)
{
	struct cursor word = cursor_over(line->p, 0);

	while (line->left > 0 && *line->p != ' ' && *line->p != '\t') {
		line->p++;
		line->left--;
		word.left++;
	}
	while (line->left > 0 && (*line->p == ' ' || *line->p == '\t')) {
		line->p++;
		line->left--;
	}
	return word;
}

int
sshkey_line_blob(struct cursor text, struct buf *blob, struct ht_error *e)
{
	struct cursor name, base64, decoded, inner;
	size_t start = blob->len;
	int rc;

	if (text.left > 0 && text.p[text.left - 1] == '\n')
		text.left--;
	if (text.left > 0 && text.p[text.left - 1] == '\r')
		text.left--;
	if (text.left == 0 || memchr(text.p, '\n', text.left) != NULL ||
	    memchr(text.p, '\0', text.left) != NULL)
		return ht_error_set(e, HT_ERR_DATA,
		    "not one line with a public key");
	name = next_word(&text);
	base64 = next_word(&text);
	rc = base64_decode(base64, BASE64_STANDARD, blob);
	if (rc == HT_ERR_INTERNAL)
		return ht_error_memory(e);
	if (rc < 0)
		return ht_error_set(e, rc,
		    "the second word of the line is not base64");
	decoded = buf_cursor(blob);
	if (cursor_skip(&decoded, start) < 0 ||
	    cursor_string(&decoded, &inner) < 0 || inner.left != name.left ||
	    memcmp(inner.p, name.p, name.left) != 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "the line's first word is not the type of its key");
	return 0;
}

struct sshkey *
sshkey_parse_line(struct cursor text, struct ht_error *e)
{
	struct sshkey *key = NULL;
	struct buf blob = BUF_INIT;

	if (text.left > SSHKEY_LINE_MAX)
		ht_error_set(e, HT_ERR_DATA, "too long for a public key");
	else if (sshkey_line_blob(text, &blob, e) == 0)
		key = sshkey_parse(buf_cursor(&blob), e);
	buf_free(&blob);
	return key;
}

bool
sshkey_is_sk(const struct sshkey *key)
{
	return key->format->sk;
}

struct cursor
sshkey_blob(const struct sshkey *key)
{
	return cursor_over(key->blob, key->blob_len);
}

bool
sshkey_is_blob(const struct sshkey *key, struct cursor blob)
{
	return key->blob_len == blob.left &&
	    memcmp(key->blob, blob.p, blob.left) == 0;
}

bool
sshkey_equal(const struct sshkey *a, const struct sshkey *b)
{
	return sshkey_is_blob(a, sshkey_blob(b));
}

int
sshkey_blob_fingerprint(struct cursor blob, char out[SSHKEY_FINGERPRINT_SIZE],
    struct ht_error *e)
{
	struct buf text = BUF_INIT;
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned int n = 0;
	int rc = 0;

	if (EVP_Digest(blob.p, blob.left, hash, &n, EVP_sha256(), NULL) <= 0)
		return ht_error_set(e, HT_ERR_INTERNAL, "SHA-256 failed");
	buf_format(&text, "SHA256:");
	base64_encode(hash, n, BASE64_STANDARD, &text);
	/* The base64 of 32 bytes ends in one =.  OpenSSH leaves it out. */
	if (buf_failed(&text) == 0 && text.len == SSHKEY_FINGERPRINT_SIZE) {
		memcpy(out, text.data, text.len - 1);
		out[text.len - 1] = '\0';
	} else {
		rc = ht_error_memory(e);
	}
	buf_free(&text);
	return rc;
}

int
sshkey_fingerprint_read(const char *text, uint8_t hash[SSHKEY_HASH])
{
	struct buf padded = BUF_INIT, bytes = BUF_INIT;
	int rc = HT_ERR_DATA;

	if (strncmp(text, "SHA256:", 7) == 0 &&
	    strlen(text) == SSHKEY_FINGERPRINT_SIZE - 1) {
		buf_format(&padded, "%s=", text + 7);
		rc = buf_failed(&padded);
	}
	if (rc == 0)
		rc =
		    base64_decode(buf_cursor(&padded), BASE64_STANDARD, &bytes);
	if (rc == 0 && bytes.len != SSHKEY_HASH)
		rc = HT_ERR_DATA;
	if (rc == 0)
		memcpy(hash, bytes.data, SSHKEY_HASH);
	buf_free(&padded);
	buf_free(&bytes);
	return rc;
}

int
sshkey_fingerprint(const struct sshkey *key, char out[SSHKEY_FINGERPRINT_SIZE],
    struct ht_error *e)
{
	return sshkey_blob_fingerprint(sshkey_blob(key), out, e);
}
