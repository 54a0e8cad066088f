/*
 * How SSH keys and signatures are laid out: what sshkey, sshcert and their
 * files share, for them alone.
 */

#ifndef KEYS_SSHCERT_SSHKEY_FORMAT_H
#define KEYS_SSHCERT_SSHKEY_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/evp.h>

#include "keys/sshcert/sshkey.h"
#include "lib/buf.h"
#include "lib/error.h"

/* PROTOCOL.certkeys: SSH_CERT_TYPE_USER. */
#define SSHKEY_CERT_USER 1

struct sshkey_format {
	const char *name;      /* of the key */
	const char *cert_name; /* of a certificate for it */
	const char *curve;     /* RFC 5656's name, or NULL */
	const char *group;     /* OpenSSL's name of the curve, or NULL */
	const char *digest;    /* that ECDSA signs with it, or NULL */
	size_t point;          /* bytes of an ECDSA point, or of a key */
	enum sshkey_type type;
	bool sk;
};

struct sshkey {
	const struct sshkey_format *format;
	EVP_PKEY *evp;
	uint8_t *blob;
	size_t blob_len;
	size_t body; /* where in the blob the fields behind the name start */
};

struct sshkey_private {
	struct sshkey *public;
	EVP_PKEY *evp;
};

/*
 * The format whose keys, or whose certificates, have this name, or whose keys
 * (but not sk- ones) are of this group of OpenSSL's; or NULL.
 */
const struct sshkey_format *sshkey_format_of_key(struct cursor name);
const struct sshkey_format *sshkey_format_of_cert(struct cursor name);
const struct sshkey_format *sshkey_format_of_group(const char *group);

/*
 * Read the fields of a key of this format off c: what follows the name in a
 * key, and the nonce in a certificate.  As sshkey_parse.
 */
struct sshkey *sshkey_read(const struct sshkey_format *format, struct cursor *c,
    struct ht_error *e);

/*
 * A positive mpint (RFC 4251 §5) in its shortest form, as its bytes without a
 * leading zero; and the other way round, from any big-endian bytes.
 */
int sshkey_mpint_get(struct cursor *c, struct cursor *magnitude);
void sshkey_mpint_put(struct buf *b, const uint8_t *p, size_t n);

/*
 * Whether blob is this key's.
 */
bool sshkey_is_blob(const struct sshkey *key, struct cursor blob);

/*
 * As sshkey_fingerprint, for a blob that was not parsed.
 */
int sshkey_blob_fingerprint(struct cursor blob,
    char out[SSHKEY_FINGERPRINT_SIZE], struct ht_error *e);

/*
 * Take the blob of a line "type base64 [comment]" apart: append the decoded
 * blob to *blob, whose own type name must be the same.  HT_ERR_DATA.
 */
int sshkey_line_blob(struct cursor text, struct buf *blob, struct ht_error *e);

#endif
