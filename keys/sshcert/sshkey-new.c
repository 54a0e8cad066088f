#include "config.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "keys/sshcert/sshkey-format.h"
#include "keys/sshcert/sshkey.h"
#include "lib/base64.h"
#include "lib/buf.h"
#include "lib/error.h"

/* Characters of base64 in a line. */
#define LINE 70

struct sshkey_private *
sshkey_private_new(struct ht_error *e)
{
	EVP_PKEY *evp = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

	if (evp == NULL) {
		ht_error_set(e, HT_ERR_INTERNAL, "a key could not be made");
		return NULL;
	}
	return sshkey_private_of(evp, e);
}

/* Append the part that a passphrase would encrypt. */
static int
put_secret(const struct sshkey_private *key, const char *comment,
    struct buf *out)
{
	uint8_t both[2 * SSHKEY_ED25519_SEED], check[4], padding;
	size_t seed = SSHKEY_ED25519_SEED, point = SSHKEY_ED25519_SEED;
	int rc = HT_ERR_INTERNAL;

	if (RAND_bytes(check, sizeof(check)) == 1 &&
	    EVP_PKEY_get_raw_private_key(key->evp, both, &seed) == 1 &&
	    EVP_PKEY_get_raw_public_key(key->evp, both + seed, &point) == 1) {
		buf_bytes(out, check, sizeof(check));
		buf_bytes(out, check, sizeof(check));
		buf_text(out, "ssh-ed25519");
		buf_string(out, both + seed, point);
		buf_string(out, both, sizeof(both));
		buf_text(out, comment);
		for (padding = 1; out->len % 8 != 0; padding++)
			buf_u8(out, padding);
		rc = buf_failed(out);
	}
	ht_wipe(both, sizeof(both));
	return rc;
}

/* Append text in lines. */
static void
put_lines(struct cursor text, struct buf *out)
{
	struct cursor line;

	while (text.left > 0) {
		(void)cursor_bytes(&text, text.left < LINE ? text.left : LINE,
		    &line);
		buf_bytes(out, line.p, line.left);
		buf_u8(out, '\n');
	}
}

int
sshkey_private_save(const struct sshkey_private *key, const char *comment,
    struct buf *out, struct ht_error *e)
{
	struct buf secret = BUF_INIT, binary = BUF_INIT, text = BUF_INIT;
	struct cursor public = sshkey_blob(key->public);
	int rc;

	rc = put_secret(key, comment, &secret);
	buf_bytes(&binary, SSHKEY_MAGIC, sizeof(SSHKEY_MAGIC));
	buf_text(&binary, "none"); /* cipher */
	buf_text(&binary, "none"); /* key derivation */
	buf_text(&binary, "");     /* its options */
	buf_u32be(&binary, 1);
	buf_string(&binary, public.p, public.left);
	buf_string(&binary, secret.data, secret.len);
	base64_encode(binary.data, binary.len, BASE64_STANDARD, &text);
	buf_format(out, "%s\n", SSHKEY_ARMOR_BEGIN);
	put_lines(buf_cursor(&text), out);
	buf_format(out, "%s\n", SSHKEY_ARMOR_END);
	if (rc == 0 &&
	    (buf_failed(&binary) < 0 || buf_failed(&text) < 0 ||
	        buf_failed(out) < 0))
		rc = HT_ERR_INTERNAL;
	buf_free(&secret);
	buf_free(&binary);
	buf_free(&text);
	return rc == 0 ? 0
	               : ht_error_set(e, HT_ERR_INTERNAL,
	                     "a new key could not be written down");
}
