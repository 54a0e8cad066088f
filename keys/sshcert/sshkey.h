/*
 * SSH keys: public ones of every type that a user may have, and the private
 * ones that a CA may have.
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

/* The longest public key blob, and one-line form of it, that is read. */
#define SSHKEY_BLOB_MAX ((size_t)4 << 10)
#define SSHKEY_LINE_MAX ((size_t)8 << 10)

/* The longest private key file that is read. */
#define SSHKEY_FILE_MAX ((size_t)16 << 10)

/* RSA keys outside these sizes are refused. */
#define SSHKEY_RSA_MIN_BITS 2048
#define SSHKEY_RSA_MAX_BITS 8192

/* Room for "SHA256:", 43 characters of base64 and a NUL. */
#define SSHKEY_FINGERPRINT_SIZE 51

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
 * Read a public key: its blob, or the text "type base64 [comment]" as in a
 * .pub file (one line; a line end behind it is fine, options before it are
 * not).  The blob must be the canonical encoding of a valid key: points on
 * their curve, RSA sizes as above.  NULL and HT_ERR_DATA for anything else,
 * HT_ERR_INTERNAL without memory.  A certificate is not a key: HT_ERR_DATA.
 */
struct sshkey *sshkey_parse(struct cursor blob, struct ht_error *e);
struct sshkey *sshkey_parse_line(struct cursor text, struct ht_error *e);
void sshkey_free(struct sshkey *key); /* NULL is fine */

enum sshkey_type sshkey_type(const struct sshkey *key);

/*
 * The type's name, "ssh-ed25519", and whether the key is on a FIDO
 * authenticator (sk-).
 */
const char *sshkey_name(const struct sshkey *key);
bool sshkey_is_sk(const struct sshkey *key);

/*
 * The blob that sshkey_parse took, or would take.  Lives as long as the key.
 */
struct cursor sshkey_blob(const struct sshkey *key);

/*
 * The same key: blobs that are equal byte for byte.
 */
bool sshkey_equal(const struct sshkey *a, const struct sshkey *b);

/*
 * "SHA256:" and the unpadded base64 of the blob's SHA-256, as OpenSSH shows
 * it.  0, or HT_ERR_INTERNAL.
 */
int sshkey_fingerprint(const struct sshkey *key,
    char out[SSHKEY_FINGERPRINT_SIZE], struct ht_error *e);

/*
 * Append "type base64 comment" without a line end; comment may be NULL, and
 * must not hold control characters (HT_ERR_USAGE).
 */
int sshkey_line(const struct sshkey *key, const char *comment, struct buf *line,
    struct ht_error *e);

/*
 * Verify an SSH signature blob (string algorithm, string signature) over data.
 * RSA is taken with SHA-256 and SHA-512 only.  0; HT_ERR_DENIED if the
 * signature is wrong, damaged, or of an algorithm that does not go with the
 * key (sk- keys: always); HT_ERR_INTERNAL without memory.
 */
int sshkey_verify(const struct sshkey *key, struct cursor data,
    struct cursor signature, struct ht_error *e);

/*
 * Load an Ed25519 or ECDSA private key from the bytes of an unencrypted
 * OpenSSH private key file or an unencrypted PEM file (PKCS#8, or SEC 1 for
 * ECDSA).  NULL and HT_ERR_DATA for a damaged file or another kind of key or
 * file, HT_ERR_INTERNAL without memory.  What it copies on the way is wiped;
 * the file's bytes are the caller's to wipe.
 */
struct sshkey_private *sshkey_private_load(struct cursor file,
    struct ht_error *e);
void sshkey_private_free(struct sshkey_private *key); /* NULL is fine */

/*
 * Its public half, which lives as long as it does.
 */
const struct sshkey *sshkey_private_public(const struct sshkey_private *key);

/*
 * Append the SSH signature blob over data (without a length before it).  0, or
 * HT_ERR_INTERNAL.
 */
int sshkey_private_sign(const struct sshkey_private *key, struct cursor data,
    struct buf *signature, struct ht_error *e);

#endif
