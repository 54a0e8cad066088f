/*
 * The layout of SSH keys and signatures.  Only sshkey and sshcert and their
 * files include this.
 */

#ifndef KEYS_SSHCERT_SSHKEY_FORMAT_H
#define KEYS_SSHCERT_SSHKEY_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/evp.h>

#include "keys/sshcert/sshkey.h"
#include "lib/buf.h"
#include "lib/error.h"

/* A private key's file, PROTOCOL.key.  A NUL follows the magic word. */
#define SSHKEY_ARMOR_BEGIN "-----BEGIN OPENSSH PRIVATE KEY-----"
#define SSHKEY_ARMOR_END "-----END OPENSSH PRIVATE KEY-----"
#define SSHKEY_MAGIC "openssh-key-v1"

#define SSHKEY_ED25519_SEED 32

/* PROTOCOL.certkeys: SSH_CERT_TYPE_USER. */
#define SSHKEY_CERT_USER 1

struct sshkey_format {
	const char *name;      /* of a key */
	const char *cert_name; /* of a certificate for such a key */
	const char *curve;     /* the name in RFC 5656, or NULL */
	const char *group;     /* OpenSSL's name of the curve, or NULL */
	const char *digest;    /* for ECDSA signatures, or NULL */
	size_t point;          /* bytes of an ECDSA point, or of a key */
	enum sshkey_type type;
	bool sk;
};

struct sshkey {
	const struct sshkey_format *format;
	EVP_PKEY *evp;
	uint8_t *blob;
	size_t blob_len;
	size_t body; /* where the fields after the name start in the blob */
};

struct sshkey_private {
	struct sshkey *public;
	EVP_PKEY *evp;
};

/*
 * Return the format with this key name, with this certificate name, or with
 * this OpenSSL group.  The last one never returns an sk- format.  NULL if there
 * is none.
 */
const struct sshkey_format *sshkey_format_of_key(struct cursor name);
const struct sshkey_format *sshkey_format_of_cert(struct cursor name);
const struct sshkey_format *sshkey_format_of_group(const char *group);

/*
 * Read the fields of a key from c.  In a key they follow the name; in a
 * certificate they follow the nonce.  Returns a new key or NULL, with errors as
 * sshkey_parse.  On error c does not move.
 */
struct sshkey *sshkey_read(const struct sshkey_format *format, struct cursor *c,
    struct ht_error *e);

/*
 * A positive mpint (RFC 4251 §5).  sshkey_mpint_get returns HT_ERR_DATA if it
 * is not the shortest form.  *magnitude is the number without a leading zero
 * byte and points into c.  sshkey_mpint_put appends n big-endian bytes as an
 * mpint; leading zeros are fine.
 */
int sshkey_mpint_get(struct cursor *c, struct cursor *magnitude);
void sshkey_mpint_put(struct buf *b, const uint8_t *p, size_t n);

/*
 * Return a new private key of evp, or NULL, with errors as sshkey_private_load.
 * evp belongs to the result; on error it is freed.
 */
struct sshkey_private *sshkey_private_of(EVP_PKEY *evp, struct ht_error *e);

/*
 * True if blob is the blob of key.
 */
bool sshkey_is_blob(const struct sshkey *key, struct cursor blob);

/*
 * Like sshkey_fingerprint, for a blob that was not parsed.
 */
int sshkey_blob_fingerprint(struct cursor blob,
    char out[SSHKEY_FINGERPRINT_SIZE], struct ht_error *e);

/*
 * Decode the line "type base64 [comment]" and append the blob to *blob.  The
 * type in the blob must be the type in the line.  Returns HT_ERR_DATA for any
 * other line, and HT_ERR_INTERNAL if there is no memory.  On error *blob may
 * hold bytes of the line.
 */
int sshkey_line_blob(struct cursor text, struct buf *blob, struct ht_error *e);

#endif
