/*
 * SSH keys: public keys of every type that a user may have, and private keys of
 * the types that a CA may have.
 *
 * Formats: RFC 4253 §6.6 (RSA), RFC 5656 §3.1 (ECDSA), RFC 8332 (rsa-sha2),
 * RFC 8709 (Ed25519), OpenSSH's PROTOCOL.u2f (sk-) and PROTOCOL.key (private
 * key files).
 */

#ifndef KEYS_SSHCERT_SSHKEY_H
#define KEYS_SSHCERT_SSHKEY_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/buf.h"
#include "lib/error.h"

/* The longest public key that is read, as a blob and as a line. */
#define SSHKEY_BLOB_MAX ((size_t)4 << 10)
#define SSHKEY_LINE_MAX ((size_t)8 << 10)

/* The longest private key file that is read. */
#define SSHKEY_FILE_MAX ((size_t)16 << 10)

/* RSA keys outside these sizes are refused. */
#define SSHKEY_RSA_MIN_BITS 2048
#define SSHKEY_RSA_MAX_BITS 8192

/* Room for "SHA256:", 43 characters of base64 and a NUL. */
#define SSHKEY_FINGERPRINT_SIZE 51

/* The bytes of a fingerprint. */
#define SSHKEY_HASH 32

enum sshkey_type {
	SSHKEY_ED25519,
	SSHKEY_ECDSA_P256,
	SSHKEY_ECDSA_P384,
	SSHKEY_ECDSA_P521,
	SSHKEY_RSA,
	SSHKEY_SK_ED25519,
	SSHKEY_SK_ECDSA_P256
};

struct sshkey;         /* a public key */
struct sshkey_private; /* a key that can sign: Ed25519 or ECDSA */

/*
 * Read a public key.  sshkey_parse reads a blob.  sshkey_parse_line reads the
 * text "type base64 [comment]", as in a .pub file.  The text is one line; a
 * line end after it is fine, options before it are not.
 *
 * The blob must be the canonical encoding of a valid key.  ECDSA points must be
 * on their curve, RSA keys within the sizes above.  A certificate is not a key.
 *
 * The input is copied; the caller frees the result with sshkey_free.  Returns
 * NULL on error: HT_ERR_DATA for other input, HT_ERR_INTERNAL if there is no
 * memory.
 */
struct sshkey *sshkey_parse(struct cursor blob, struct ht_error *e);
struct sshkey *sshkey_parse_line(struct cursor text, struct ht_error *e);
void sshkey_free(struct sshkey *key); /* NULL is fine */

/*
 * True if the key is on a FIDO authenticator (sk-).
 */
bool sshkey_is_sk(const struct sshkey *key);

/*
 * Return the blob of the key, in the form that sshkey_parse reads.  Valid as
 * long as key.
 */
struct cursor sshkey_blob(const struct sshkey *key);

/*
 * True if the blobs of both keys are the same, byte for byte.
 */
bool sshkey_equal(const struct sshkey *a, const struct sshkey *b);

/*
 * Write "SHA256:" and the SHA-256 of the blob in unpadded base64, as OpenSSH
 * shows it.  out is NUL-terminated.  Returns HT_ERR_INTERNAL if there is no
 * memory.
 */
int sshkey_fingerprint(const struct sshkey *key,
    char out[SSHKEY_FINGERPRINT_SIZE], struct ht_error *e);

/*
 * Read the text that sshkey_fingerprint writes, and no other: HT_ERR_DATA, or
 * HT_ERR_INTERNAL if there is no memory.  On error hash does not change.
 */
int sshkey_fingerprint_read(const char *text, uint8_t hash[SSHKEY_HASH]);

/*
 * Verify an SSH signature blob (string algorithm, string signature) over data.
 * RSA signatures must use SHA-256 or SHA-512.  An sk- key never verifies.
 * Returns HT_ERR_DENIED if the signature is wrong or damaged, or its algorithm
 * does not go with the key; HT_ERR_INTERNAL if there is no memory.
 */
int sshkey_verify(const struct sshkey *key, struct cursor data,
    struct cursor signature, struct ht_error *e);

/*
 * Load an Ed25519 or ECDSA private key from the bytes of an unencrypted file.
 * The file is an OpenSSH private key or PEM: PKCS#8, or SEC 1 for ECDSA.  The
 * caller frees the result with sshkey_private_free, and wipes file.  The
 * function's own copies of the secret are wiped.
 *
 * Returns NULL on error: HT_ERR_DATA if the file is damaged, too long or
 * encrypted, or holds another kind of key; HT_ERR_INTERNAL if there is no
 * memory.
 */
struct sshkey_private *sshkey_private_load(struct cursor file,
    struct ht_error *e);
void sshkey_private_free(struct sshkey_private *key); /* NULL is fine */

/*
 * Make a new Ed25519 key.  The caller frees it with sshkey_private_free.  Returns
 * NULL and HT_ERR_INTERNAL if there is no memory or random number.
 */
struct sshkey_private *sshkey_private_new(struct ht_error *e);

/*
 * Append the file of an Ed25519 key to out: OpenSSH's format (PROTOCOL.key),
 * without a passphrase.  The function's own copies are wiped; the caller wipes
 * out.  comment is for people.  Returns HT_ERR_INTERNAL if there is no memory or
 * random number.
 */
int sshkey_private_save(const struct sshkey_private *key, const char *comment,
    struct buf *out, struct ht_error *e);

/*
 * Return the public half.  Valid as long as key.
 */
const struct sshkey *sshkey_private_public(const struct sshkey_private *key);

/*
 * Append the SSH signature blob over data, without a length before it.  Returns
 * HT_ERR_INTERNAL if signing fails or there is no memory.
 */
int sshkey_private_sign(const struct sshkey_private *key, struct cursor data,
    struct buf *signature, struct ht_error *e);

#endif
