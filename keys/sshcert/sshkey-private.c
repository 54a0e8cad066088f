#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>

#include "keys/sshcert/sshkey-format.h"
#include "keys/sshcert/sshkey.h"
#include "lib/base64.h"
#include "lib/buf.h"
#include "lib/error.h"

#define POINT_MAX 133
#define SCALAR_MAX 66

/* Take the next line of a file, without its line end. */
static struct cursor
next_line(struct cursor *file)
{
	struct cursor line = cursor_over(file->p, 0);

	while (file->left > 0 && *file->p != '\n') {
		file->p++;
		file->left--;
		line.left++;
	}
	(void)cursor_skip(file, file->left > 0 ? 1 : 0);
	if (line.left > 0 && line.p[line.left - 1] == '\r')
		line.left--;
	return line;
}

/* Decode the base64 between the first and the last line. */
static int
unarmor(struct cursor file, struct buf *binary)
{
	struct buf text = BUF_INIT;
	struct cursor line;
	int rc;

	(void)next_line(&file);
	line = next_line(&file);
	while (file.left > 0 && !cursor_is(line, SSHKEY_ARMOR_END)) {
		buf_bytes(&text, line.p, line.left);
		line = next_line(&file);
	}
	rc = buf_failed(&text);
	if (rc == 0 && (!cursor_is(line, SSHKEY_ARMOR_END) || file.left > 0))
		rc = HT_ERR_DATA;
	if (rc == 0)
		rc = base64_decode(buf_cursor(&text), BASE64_STANDARD, binary);
	buf_free(&text);
	return rc;
}

static EVP_PKEY *
read_ed25519(struct cursor *c)
{
	struct cursor public, secret;

	if (cursor_string(c, &public) < 0 ||
	    public.left != SSHKEY_ED25519_SEED ||
	    cursor_string(c, &secret) < 0 ||
	    secret.left != 2 * SSHKEY_ED25519_SEED)
		return NULL;
	return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret.p,
	    SSHKEY_ED25519_SEED);
}

/* Make a key of group.  scalar is in native byte order. */
static EVP_PKEY *
ecdsa_from_parts(const char *group, struct cursor point, uint8_t *scalar,
    size_t n)
{
	EVP_PKEY_CTX *ctx;
	EVP_PKEY *evp = NULL;
	OSSL_PARAM params[4];
	uint8_t point_bytes[POINT_MAX];
	char group_name[16];

	memcpy(point_bytes, point.p, point.left);
	memcpy(group_name, group, strlen(group) + 1);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
	    group_name, 0);
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
	    point_bytes, point.left);
	params[2] =
	    OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, scalar, n);
	params[3] = OSSL_PARAM_construct_end();
	ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) <= 0 ||
	    EVP_PKEY_fromdata(ctx, &evp, EVP_PKEY_KEYPAIR, params) <= 0)
		evp = NULL;
	EVP_PKEY_CTX_free(ctx);
	return evp;
}

static EVP_PKEY *
read_ecdsa(const struct sshkey_format *format, struct cursor *c)
{
	EVP_PKEY *evp = NULL;
	BIGNUM *number;
	struct cursor curve, point, magnitude;
	uint8_t scalar[SCALAR_MAX];

	if (cursor_string(c, &curve) < 0 || !cursor_is(curve, format->curve) ||
	    cursor_string(c, &point) < 0 || point.left != format->point ||
	    sshkey_mpint_get(c, &magnitude) < 0 ||
	    magnitude.left > sizeof(scalar))
		return NULL;
	number = BN_bin2bn(magnitude.p, (int)magnitude.left, NULL);
	if (number != NULL &&
	    BN_bn2nativepad(number, scalar, sizeof(scalar)) > 0)
		evp = ecdsa_from_parts(format->group, point, scalar,
		    sizeof(scalar));
	BN_clear_free(number);
	ht_wipe(scalar, sizeof(scalar));
	return evp;
}

/* Check the comment and the padding: 1, 2, 3, … to a multiple of 8 bytes. */
static int
check_trailer(struct cursor c)
{
	struct cursor comment;
	uint8_t byte, expected;

	if (cursor_string(&c, &comment) < 0 || c.left > 7)
		return HT_ERR_DATA;
	for (expected = 1; cursor_u8(&c, &byte) == 0; expected++) {
		if (byte != expected)
			return HT_ERR_DATA;
	}
	return 0;
}

/* Read the part that a passphrase would encrypt. */
static EVP_PKEY *
read_secret(struct cursor c)
{
	const struct sshkey_format *format;
	EVP_PKEY *evp = NULL;
	struct cursor name;
	uint32_t check1, check2;

	if (c.left % 8 != 0 || cursor_u32be(&c, &check1) < 0 ||
	    cursor_u32be(&c, &check2) < 0 || check1 != check2 ||
	    cursor_string(&c, &name) < 0)
		return NULL;
	format = sshkey_format_of_key(name);
	if (format == NULL || format->sk)
		return NULL;
	if (format->type == SSHKEY_ED25519)
		evp = read_ed25519(&c);
	else if (format->curve != NULL)
		evp = read_ecdsa(format, &c);
	if (evp != NULL && check_trailer(c) < 0) {
		EVP_PKEY_free(evp);
		evp = NULL;
	}
	return evp;
}

/*
 * Read a private key in the format of OpenSSH's PROTOCOL.key.  *public is the
 * public key that the file holds.
 */
static EVP_PKEY *
read_openssh(struct cursor c, struct cursor *public, struct ht_error *e)
{
	EVP_PKEY *evp;
	struct cursor magic, cipher, kdf, options, secret;
	uint32_t keys;

	if (cursor_bytes(&c, sizeof(SSHKEY_MAGIC), &magic) < 0 ||
	    memcmp(magic.p, SSHKEY_MAGIC, sizeof(SSHKEY_MAGIC)) != 0 ||
	    cursor_string(&c, &cipher) < 0 || cursor_string(&c, &kdf) < 0 ||
	    cursor_string(&c, &options) < 0 || cursor_u32be(&c, &keys) < 0 ||
	    keys != 1 || cursor_string(&c, public) < 0 ||
	    cursor_string(&c, &secret) < 0 || cursor_end(&c) < 0) {
		ht_error_set(e, HT_ERR_DATA, "the private key is damaged");
		return NULL;
	}
	if (!cursor_is(cipher, "none") || !cursor_is(kdf, "none") ||
	    options.left != 0) {
		ht_error_set(e, HT_ERR_DATA,
		    "the private key is protected by a passphrase");
		return NULL;
	}
	evp = read_secret(secret);
	if (evp == NULL)
		ht_error_set(e, HT_ERR_DATA,
		    "not an Ed25519 or ECDSA private key");
	return evp;
}

/* Never ask for a passphrase. */
static int
no_passphrase(char *out, int size, int writing, void *cookie)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)cookie;
	return -1;
}

static EVP_PKEY *
read_pem(struct cursor file, struct ht_error *e)
{
	EVP_PKEY *evp = NULL;
	BIO *bio;

	bio = BIO_new_mem_buf(file.p, (int)file.left);
	if (bio != NULL)
		evp = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	ERR_clear_error();
	if (evp == NULL)
		ht_error_set(e, HT_ERR_DATA,
		    "not an unencrypted private key file");
	return evp;
}

static int
put_ed25519(EVP_PKEY *evp, struct buf *blob)
{
	uint8_t point[SSHKEY_ED25519_SEED];
	size_t n = sizeof(point);

	if (EVP_PKEY_get_raw_public_key(evp, point, &n) != 1)
		return HT_ERR_DATA;
	buf_text(blob, "ssh-ed25519");
	buf_string(blob, point, n);
	return buf_failed(blob);
}

static int
put_ecdsa(EVP_PKEY *evp, struct buf *blob)
{
	const struct sshkey_format *format;
	uint8_t point[POINT_MAX];
	char group[32];
	size_t n = 0;

	if (EVP_PKEY_get_utf8_string_param(evp, OSSL_PKEY_PARAM_GROUP_NAME,
	        group, sizeof(group), NULL) != 1 ||
	    EVP_PKEY_get_octet_string_param(evp, OSSL_PKEY_PARAM_PUB_KEY, point,
	        sizeof(point), &n) != 1)
		return HT_ERR_DATA;
	format = sshkey_format_of_group(group);
	if (format == NULL)
		return HT_ERR_DATA;
	buf_text(blob, format->name);
	buf_text(blob, format->curve);
	buf_string(blob, point, n);
	return buf_failed(blob);
}

/* Make the public half from evp. */
static struct sshkey *
public_half(EVP_PKEY *evp, struct ht_error *e)
{
	struct sshkey *key = NULL;
	struct buf blob = BUF_INIT;
	int rc = HT_ERR_DATA;

	if (EVP_PKEY_is_a(evp, "ED25519"))
		rc = put_ed25519(evp, &blob);
	else if (EVP_PKEY_is_a(evp, "EC"))
		rc = put_ecdsa(evp, &blob);
	if (rc == 0)
		key = sshkey_parse(buf_cursor(&blob), e);
	else
		ht_error_set(e, rc, "not an Ed25519 or NIST ECDSA private key");
	buf_free(&blob);
	return key;
}

/* Check by a signature that the halves belong together. */
static int
check_halves(const struct sshkey_private *key, struct ht_error *e)
{
	static const char words[] = "Do the halves of this key match?";
	struct buf signature = BUF_INIT;
	struct cursor data = cursor_over(words, sizeof(words));
	int rc;

	rc = sshkey_private_sign(key, data, &signature, e);
	if (rc == 0)
		rc =
		    sshkey_verify(key->public, data, buf_cursor(&signature), e);
	buf_free(&signature);
	if (rc == HT_ERR_DENIED)
		rc = ht_error_set(e, HT_ERR_DATA,
		    "the private key does not fit its public key");
	return rc;
}

struct sshkey_private *
sshkey_private_of(EVP_PKEY *evp, struct ht_error *e)
{
	struct sshkey_private *key = calloc(1, sizeof(*key));

	if (key == NULL) {
		EVP_PKEY_free(evp);
		ht_error_memory(e);
		return NULL;
	}
	key->evp = evp;
	key->public = public_half(evp, e);
	if (key->public == NULL || check_halves(key, e) < 0) {
		sshkey_private_free(key);
		return NULL;
	}
	return key;
}

struct sshkey_private *
sshkey_private_load(struct cursor file, struct ht_error *e)
{
	struct sshkey_private *key = NULL;
	struct cursor first, public = { NULL, 0 }, lines = file;
	struct buf binary = BUF_INIT;
	EVP_PKEY *evp = NULL;
	int rc;

	first = next_line(&lines);
	if (file.left > SSHKEY_FILE_MAX)
		ht_error_set(e, HT_ERR_DATA, "too long for a private key");
	else if (!cursor_is(first, SSHKEY_ARMOR_BEGIN))
		evp = read_pem(file, e);
	else if ((rc = unarmor(file, &binary)) == HT_ERR_INTERNAL)
		ht_error_memory(e);
	else if (rc < 0)
		ht_error_set(e, rc, "the private key is damaged");
	else
		evp = read_openssh(buf_cursor(&binary), &public, e);
	if (evp != NULL)
		key = sshkey_private_of(evp, e);
	if (key != NULL && public.p != NULL &&
	    !sshkey_is_blob(key->public, public)) {
		ht_error_set(e, HT_ERR_DATA,
		    "the private key does not fit its public key");
		sshkey_private_free(key);
		key = NULL;
	}
	buf_free(&binary);
	return key;
}

void
sshkey_private_free(struct sshkey_private *key)
{
	if (key == NULL)
		return;
	sshkey_free(key->public);
	EVP_PKEY_free(key->evp);
	free(key);
}

const struct sshkey *
sshkey_private_public(const struct sshkey_private *key)
{
	return key->public;
}
