/*
 * A private key on a token: find it, sign with it.  Part of the token worker.
 */

#ifndef KEYS_TOKEN_KEY_H
#define KEYS_TOKEN_KEY_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

#include "keys/token/module.h"

struct key {
	ck_t object;      /* its handle, in all sessions */
	bool ec;          /* otherwise RSA */
	size_t size;      /* bytes: of the modulus, or of the curve's field */
	bool each;        /* it wants the PIN for each signature:
	                  CKA_ALWAYS_AUTHENTICATE */
	bool extractable; /* the token would give it away: CKA_EXTRACTABLE */
};

/*
 * Find the private key that uri names and that belongs to public.  "" names
 * every key on the token.  Some tokens do not give a key's public half.  Such a
 * key is taken only if it is the only one, and no other key is known to match.
 * Some tokens show no keys at all, but find them by the id of their certificate.
 * Returns 0, or HT_ERR_UNAVAILABLE with *t filled in.
 */
int key_find(const struct module *m, const char *uri, EVP_PKEY *public,
    struct key *key, struct protocol_token_trouble *t);

/* The PIN of a key that wants it each time. */
struct key_pin {
	const char *pin;                /* or NULL: there is none */
	void (*accepted)(void *cookie); /* called before the key is used */
	void *cookie;
};

/*
 * Sign n bytes of hash, which md made.  A key that wants the PIN each time gets
 * it once; it must not be used by anybody else meanwhile.  *size is the room in
 * out, and then the length of the signature.  RSA: PKCS #1 v1.5; EC: DER of
 * ECDSA-Sig-Value.
 *
 * Returns 0, or HT_ERR_UNAVAILABLE with *t filled in.  If pin->accepted was not
 * called, a trouble PIN or LOCKED says that the token has refused the PIN, and
 * UNKNOWN that nobody knows; all others that it was not tried.
 */
int key_sign(const struct module *m, ck_t session, const struct key *key,
    const struct key_pin *pin, const EVP_MD *md, const uint8_t *hash, size_t n,
    uint8_t *out, size_t *size, struct protocol_token_trouble *t);

#endif
