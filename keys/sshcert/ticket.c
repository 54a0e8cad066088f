#include "config.h"

#include <inttypes.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "keys/sshcert/ticket.h"
#include "lib/base64.h"
#include "lib/buf.h"
#include "lib/error.h"

/*
 * The bytes of a ticket: u8 version, string principal, u64 serial, 32 bytes
 * SHA-256 of the certificate, u64 expires, 16 bytes nonce.  Then follows the
 * HMAC-SHA256 over all of them.
 */
#define TICKET_VERSION 2
#define MAC_SIZE 32

static int
put_mac(const uint8_t key[TICKET_KEY_SIZE], struct cursor claims,
    uint8_t mac[MAC_SIZE], struct ht_error *e)
{
	unsigned int n = 0;

	if (HMAC(EVP_sha256(), key, TICKET_KEY_SIZE, claims.p, claims.left, mac,
	        &n) == NULL ||
	    n != MAC_SIZE)
		return ht_error_set(e, HT_ERR_INTERNAL, "HMAC-SHA256 failed");
	return 0;
}

int
ticket_make(const uint8_t key[TICKET_KEY_SIZE], const struct sshcert *cert,
    uint64_t now, char text[TICKET_TEXT_SIZE], struct ht_error *e)
{
	struct buf bytes = BUF_INIT, encoded = BUF_INIT;
	char principal[NAMES_PRINCIPAL_SIZE];
	uint8_t mac[MAC_SIZE], nonce[TICKET_NONCE];
	int rc = 0;

	names_principal_format(sshcert_principal(cert), principal);
	buf_u8(&bytes, TICKET_VERSION);
	buf_text(&bytes, principal);
	buf_u64be(&bytes, sshcert_serial(cert));
	buf_bytes(&bytes, sshcert_sha256(cert), SSHCERT_SHA256);
	buf_u64be(&bytes, now + TICKET_LIFETIME);
	if (RAND_bytes(nonce, sizeof(nonce)) != 1)
		rc = ht_error_set(e, HT_ERR_INTERNAL, "no random numbers");
	buf_bytes(&bytes, nonce, sizeof(nonce));
	if (rc == 0)
		rc = put_mac(key, buf_cursor(&bytes), mac, e);
	if (rc < 0)
		goto out;
	buf_bytes(&bytes, mac, sizeof(mac));
	base64_encode(bytes.data, bytes.len, BASE64_URL, &encoded);
	buf_u8(&encoded, '\0');
	if (buf_failed(&bytes) < 0 || buf_failed(&encoded) < 0 ||
	    encoded.len > TICKET_TEXT_SIZE) {
		rc = ht_error_set(e, HT_ERR_INTERNAL, "no room for a ticket");
		goto out;
	}
	memcpy(text, encoded.data, encoded.len);
out:
	buf_free(&encoded);
	buf_free(&bytes);
	return rc;
}

static int
read_claims(struct cursor claims, struct ticket *t)
{
	struct cursor hash, nonce;
	char principal[NAMES_PRINCIPAL_SIZE];
	uint8_t version;

	if (cursor_u8(&claims, &version) < 0 || version != TICKET_VERSION ||
	    cursor_text(&claims, principal, sizeof(principal)) < 0 ||
	    names_principal_parse(principal, &t->principal, NULL) < 0 ||
	    cursor_u64be(&claims, &t->serial) < 0 ||
	    cursor_bytes(&claims, sizeof(t->certificate), &hash) < 0 ||
	    cursor_u64be(&claims, &t->expires) < 0 ||
	    cursor_bytes(&claims, sizeof(t->nonce), &nonce) < 0)
		return HT_ERR_DATA;
	memcpy(t->certificate, hash.p, hash.left);
	memcpy(t->nonce, nonce.p, nonce.left);
	return cursor_end(&claims);
}

/* Check the MAC before the claims: claims that are not ours are not parsed. */
static int
open_bytes(const uint8_t key[TICKET_KEY_SIZE], struct cursor bytes,
    struct ticket *t, const char **reason, struct ht_error *e)
{
	struct cursor claims, mac;
	uint8_t expected[MAC_SIZE];
	int rc;

	if (bytes.left < MAC_SIZE ||
	    cursor_bytes(&bytes, bytes.left - MAC_SIZE, &claims) < 0 ||
	    cursor_bytes(&bytes, MAC_SIZE, &mac) < 0)
		return ht_error_set(e, HT_ERR_DENIED, "the ticket is cut off");
	rc = put_mac(key, claims, expected, e);
	if (rc < 0)
		return rc;
	*reason = TICKET_FORGED;
	if (CRYPTO_memcmp(expected, mac.p, MAC_SIZE) != 0)
		return ht_error_set(e, HT_ERR_DENIED,
		    "the ticket was not made here since the last start");
	*reason = TICKET_MALFORMED;
	if (read_claims(claims, t) < 0)
		return ht_error_set(e, HT_ERR_DENIED,
		    "the ticket is of another version");
	return 0;
}

int
ticket_open(const uint8_t key[TICKET_KEY_SIZE], const char *text,
    struct ticket *t, const char **reason, struct ht_error *e)
{
	struct buf bytes = BUF_INIT;
	struct ticket found;
	size_t n = strnlen(text, TICKET_TEXT_SIZE);
	int rc;

	memset(&found, 0, sizeof(found));
	*reason = TICKET_MALFORMED;
	rc = n == TICKET_TEXT_SIZE
	    ? HT_ERR_DATA
	    : base64_decode(cursor_over(text, n), BASE64_URL, &bytes);
	if (rc == 0)
		rc = open_bytes(key, buf_cursor(&bytes), &found, reason, e);
	else if (rc == HT_ERR_INTERNAL)
		rc = ht_error_memory(e);
	else
		rc = ht_error_set(e, HT_ERR_DENIED, "the ticket is damaged");
	buf_free(&bytes);
	if (rc == HT_ERR_INTERNAL)
		*reason = SSHCERT_INTERNAL;
	if (rc < 0)
		return rc;
	*t = found;
	*reason = NULL;
	return 0;
}

bool
ticket_fresh(const struct ticket *t, uint64_t now)
{
	return now < t->expires && t->expires - now <= TICKET_LIFETIME;
}

bool
ticket_matches(const struct ticket *t, const struct sshcert *cert)
{
	return CRYPTO_memcmp(t->certificate, sshcert_sha256(cert),
	           SSHCERT_SHA256) == 0;
}
