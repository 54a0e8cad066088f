/*
 * OpenSSH user certificates: read, check and issue.
 *
 * The format is OpenSSH's PROTOCOL.certkeys.  Our certificates are narrower:
 * - There is exactly one principal: "client:NAME" or "role:ROLE".
 * - ROLE is admin, approver or auditor.
 * - The key id is NAME/SERIAL.
 * - SERIAL is the certificate's serial number in decimal.
 * - For a client, NAME in the key id is the client's name.
 * - The only critical option is source-address.
 * - Of extensions whose names end in "@htsign" there are two, for clients only:
 *   profile@htsign, the one profile that the certificate is for, and uses@htsign,
 *   for how many requests it is, 1 to UINT32_MAX in decimal digits, and never
 *   with serial 0.  They restrict, so another such name is refused.  They are no
 *   critical options because OpenSSH's sshd refuses those that it does not know.
 *   All other extensions are ignored.
 *
 * Only the store knows whether a certificate is revoked and whether its client
 * still exists.  Revoke by serial number, never by hash.  The holder of an
 * ECDSA-signed certificate can turn its signature into a second valid one, and
 * the hash changes with it.
 */

#ifndef KEYS_SSHCERT_SSHCERT_H
#define KEYS_SSHCERT_SSHCERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keys/sshcert/sshkey.h"
#include "lib/buf.h"
#include "lib/error.h"
#include "protocol/names.h"

/* The longest certificate that is read, in bytes of its blob. */
#define SSHCERT_MAX ((size_t)8 << 10)

#define SSHCERT_SHA256 32

/* Room for a key id: NAME, a slash, 20 digits and a NUL. */
#define SSHCERT_KEY_ID_SIZE (NAMES_SIZE + 21)

/* valid_before of a certificate that does not expire. */
#define SSHCERT_FOREVER UINT64_MAX

/*
 * Why a certificate is refused: one word, under which the journal counts it.
 * The store adds "revoked".
 */
#define SSHCERT_MALFORMED "malformed"
#define SSHCERT_NOT_USER "not-user"      /* a host's certificate */
#define SSHCERT_KEY_ID "key-id"          /* not NAME/SERIAL */
#define SSHCERT_PRINCIPAL "principal"    /* not exactly one of ours */
#define SSHCERT_OPTION "critical-option" /* an unknown one */
#define SSHCERT_EXTENSION "extension"    /* of ours, unknown or wrong */
#define SSHCERT_FOREIGN_CA "foreign-ca"  /* of another CA */
#define SSHCERT_SIGNATURE "bad-signature"
#define SSHCERT_NOT_YET "not-yet-valid"
#define SSHCERT_EXPIRED "expired"
#define SSHCERT_ADDRESS "source-address"
#define SSHCERT_INTERNAL "internal" /* no memory */

struct sshcert;

/*
 * Read a certificate from its blob, which is the decoded base64 part of a
 * -cert.pub file.  The blob is copied.  Does not check who signed it;
 * sshcert_check does that.  The caller frees the result with sshcert_free.  On
 * error returns NULL and sets *reason to one of the words above.  Errors:
 * HT_ERR_DATA; HT_ERR_INTERNAL if there is no memory.
 */
struct sshcert *sshcert_parse(struct cursor blob, const char **reason,
    struct ht_error *e);
void sshcert_free(struct sshcert *cert); /* NULL is fine */

/*
 * What the certificate says.  Pointers are valid as long as the certificate.
 *
 * person:	NAME of the key id: the client or the administrator
 * valid_before:	when it is not valid any more; seconds since 1970
 * profile:	the only profile, or "" if there is no such limit
 * uses:	for how many requests, or 0 if there is no such limit
 * key:		the holder's
 * sha256:	of the whole blob
 * ca:		the blob of the CA key that the certificate names
 */
const struct names_principal *sshcert_principal(const struct sshcert *cert);
const char *sshcert_person(const struct sshcert *cert);
uint64_t sshcert_serial(const struct sshcert *cert);
uint64_t sshcert_valid_before(const struct sshcert *cert);
const char *sshcert_profile(const struct sshcert *cert);
uint32_t sshcert_uses(const struct sshcert *cert);
const struct sshkey *sshcert_key(const struct sshcert *cert);
const uint8_t *sshcert_sha256(const struct sshcert *cert);
struct cursor sshcert_ca(const struct sshcert *cert);
bool sshcert_is_sk(const struct sshcert *cert);

/*
 * A trusted CA.  admin says whether it vouches for administrators or for
 * clients; one CA never vouches for both.
 */
struct sshcert_authority {
	const struct sshkey *key;
	bool admin;
};

/*
 * Pass this in place of an address to leave the source address unchecked.  It
 * is compared as a pointer.  htsign-principals needs it, because sshd does not
 * tell it the address.  keyd checks the certificate again when the shell says
 * HELLO.
 */
extern const char sshcert_any_peer[];

/*
 * Check that one of n authorities signed cert for its role.  cert must be valid
 * at now (seconds since 1970), and may be used from peer.  peer is an IPv4 or
 * IPv6 address as text, or sshcert_any_peer.  NULL means that there is no
 * address; a certificate with a source-address is then refused.
 *
 * Returns HT_ERR_DENIED, or HT_ERR_INTERNAL if there is no memory.  *reason is
 * then one of the words above.  The signature is checked before the times, so
 * "expired" counts only certificates that our CA signed.
 */
int sshcert_check(const struct sshcert *cert,
    const struct sshcert_authority *authorities, size_t n, uint64_t now,
    const char *peer, const char **reason, struct ht_error *e);

/* What to put into a new certificate. */
struct sshcert_request {
	const struct sshkey *key; /* the user's */
	struct names_principal principal;
	const char *person; /* NAME of the key id; NULL: the client's */
	uint64_t serial;    /* unique for the CA */
	uint64_t valid_after;
	uint64_t valid_before;
	const char *source_address; /* CIDR list or NULL */
	const char *profile;        /* the only one, or NULL */
	uint32_t uses;              /* for so many requests, or 0 */
};

/*
 * Issue a certificate without others' extensions.  Appends the text "TYPE BASE64
 * KEY-ID" to line, without a line end.  Errors: HT_ERR_USAGE if sshcert_parse
 * would refuse the certificate; HT_ERR_INTERNAL if signing fails or there is no
 * memory.  On error line may hold a part of the text.
 */
int sshcert_issue(const struct sshkey_private *ca,
    const struct sshcert_request *request, struct buf *line,
    struct ht_error *e);

/*
 * sshcert_addresses_valid: true if list is a source-address list that a
 * certificate may carry.  It holds IPv4 and IPv6 addresses or networks,
 * separated by commas.  An entry is ADDRESS or ADDRESS/BITS; the bits after the
 * prefix are zero.
 *
 * sshcert_address_in: true if list is valid and contains peer, a single
 * address.  An IPv4-mapped IPv6 address counts as the IPv4 address.  A zone
 * ("%eth0") of peer is ignored.
 */
bool sshcert_addresses_valid(const char *list);
bool sshcert_address_in(const char *list, const char *peer);

#endif
