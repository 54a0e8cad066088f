/*
 * OpenSSH user certificates: read, check and issue.
 *
 * Format: OpenSSH's PROTOCOL.certkeys.  On top of it, ours are narrower:
 * exactly one principal, "client:NAME" or "role:ROLE" with ROLE one of admin,
 * approver, auditor; the key id is NAME/SERIAL with SERIAL the certificate's
 * serial number in decimal, and for a client NAME is the client's; the only
 * critical option is source-address.
 *
 * Whether a certificate is revoked, and whether its client still exists, only
 * the store knows.  Revoke by serial number, never by hash: whoever holds an
 * ECDSA-signed certificate can turn its signature into a second valid one.
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

/* The longest certificate, as a blob, that is read. */
#define SSHCERT_MAX ((size_t)8 << 10)

#define SSHCERT_SHA256 32

/* Room for a key id: NAME, a slash, 20 digits and a NUL. */
#define SSHCERT_KEY_ID_SIZE (NAMES_SIZE + 21)

/* valid_before of a certificate that does not expire. */
#define SSHCERT_FOREVER UINT64_MAX

/*
 * Why a certificate was not taken: one word, for counting in the journal.
 * ("revoked" is the store's to add.)
 */
#define SSHCERT_MALFORMED "malformed"
#define SSHCERT_NOT_USER "not-user"      /* a host's certificate */
#define SSHCERT_KEY_ID "key-id"          /* not NAME/SERIAL */
#define SSHCERT_PRINCIPAL "principal"    /* not exactly one of ours */
#define SSHCERT_OPTION "critical-option" /* one that is not known */
#define SSHCERT_FOREIGN_CA "foreign-ca"  /* of a CA that is not ours */
#define SSHCERT_SIGNATURE "bad-signature"
#define SSHCERT_NOT_YET "not-yet-valid"
#define SSHCERT_EXPIRED "expired"
#define SSHCERT_ADDRESS "source-address"
#define SSHCERT_INTERNAL "internal" /* no memory; not its fault */

struct sshcert;

/*
 * Read a certificate from its blob (the base64 part of a -cert.pub file,
 * decoded).  Says nothing about who signed it: sshcert_check does.  NULL with
 * HT_ERR_DATA (HT_ERR_INTERNAL without memory) and *reason set to one of the
 * words above.
 */
struct sshcert *sshcert_parse(struct cursor blob, const char **reason,
    struct ht_error *e);

/*
 * The same from the text "type base64 [comment]".
 */
struct sshcert *sshcert_parse_line(struct cursor text, const char **reason,
    struct ht_error *e);
void sshcert_free(struct sshcert *cert); /* NULL is fine */

/*
 * What it says.  Pointers live as long as the certificate.
 *
 * person:	NAME of the key id: the client, or who the administrator is
 * valid:	seconds since 1970; from valid_after, and before valid_before
 * sha256:	of the whole blob
 * ca:		the blob of the key that it says it is signed with
 */
const struct names_principal *sshcert_principal(const struct sshcert *cert);
const char *sshcert_key_id(const struct sshcert *cert);
const char *sshcert_person(const struct sshcert *cert);
uint64_t sshcert_serial(const struct sshcert *cert);
uint64_t sshcert_valid_after(const struct sshcert *cert);
uint64_t sshcert_valid_before(const struct sshcert *cert);
const uint8_t *sshcert_sha256(const struct sshcert *cert);
const struct sshkey *sshcert_key(const struct sshcert *cert);
struct cursor sshcert_ca(const struct sshcert *cert);
bool sshcert_is_sk(const struct sshcert *cert);

/*
 * A CA that is trusted, and for what: for clients, or for administrators.  The
 * clients' CA never makes an administrator, nor the other way round.
 */
struct sshcert_authority {
	const struct sshkey *key;
	bool admin;
};

/*
 * In place of an address, compared as a pointer: do not look at where the
 * certificate is used from.  For htsign-principals, whom sshd does not tell;
 * the same certificate is checked again when its shell says HELLO.
 */
extern const char sshcert_any_peer[];

/*
 * Check that cert is signed by one of n authorities for its role, is valid at
 * now (seconds since 1970), and may come from peer: an IPv4 or IPv6 address as
 * text, sshcert_any_peer, or NULL if there is none (a certificate with a
 * source-address is then refused).  0, or HT_ERR_DENIED with *reason one of the
 * words above, or HT_ERR_INTERNAL.  The signature is checked before what it
 * signs, so that "expired" counts only certificates that once were good.
 */
int sshcert_check(const struct sshcert *cert,
    const struct sshcert_authority *authorities, size_t n, uint64_t now,
    const char *peer, const char **reason, struct ht_error *e);

/* What a certificate is to say. */
struct sshcert_request {
	const struct sshkey *key; /* the user's */
	struct names_principal principal;
	const char *person; /* NAME of the key id; NULL: the client's name */
	uint64_t serial;    /* unique among the CA's */
	uint64_t valid_after;
	uint64_t valid_before;
	const char *source_address; /* CIDR list, or NULL */
};

/*
 * Issue a certificate without extensions, and append it to line as text
 * without a line end: "TYPE BASE64 KEY-ID".  HT_ERR_USAGE if the request makes
 * none that sshcert_parse would take; HT_ERR_INTERNAL.
 */
int sshcert_issue(const struct sshkey_private *ca,
    const struct sshcert_request *request, struct buf *line,
    struct ht_error *e);

/*
 * Whether list is a source-address list that a certificate may carry: IPv4 and
 * IPv6 addresses or networks (ADDRESS or ADDRESS/BITS, with no bits set behind
 * the mask), joined by commas.  sshcert_address_in tells whether it holds
 * peer; IPv4-mapped addresses count as the IPv4 ones that they are.
 */
bool sshcert_addresses_valid(const char *list);
bool sshcert_address_in(const char *list, const char *peer);

#endif
