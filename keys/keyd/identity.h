/*
 * Who is at the other end: turns a proved certificate or key into a client or
 * an administrator (DESIGN.md, section 4).
 */

#ifndef KEYS_KEYD_IDENTITY_H
#define KEYS_KEYD_IDENTITY_H

#include <stdint.h>

#include "keys/keyd/core.h"
#include "protocol/names.h"

struct identity {
	enum names_role role;
	char name[NAMES_SIZE]; /* the client's or administrator's */
	uint64_t serial;       /* the certificate's; 0 without one */
	uint8_t certificate[SSHCERT_SHA256];
	char profile[NAMES_SIZE]; /* the only one of the certificate, or "" */
	uint32_t uses;            /* decided requests that it is for, or 0 */
	char fingerprint[SSHKEY_FINGERPRINT_SIZE]; /* of the key, or "" */
	uint64_t until; /* the certificate's valid_before, or UINT64_MAX */
	char key[SSHKEY_FINGERPRINT_SIZE]; /* a plain key's, or "" */
	bool sk;                           /* on a security key */
	const char *door;                  /* PROTOCOL_DOOR_*; not copied */
	char peer[PROTOCOL_ADDRESS];
	uint16_t port; /* the peer's, or 0; the caller fills it in */
	char banner[PROTOCOL_TEXT];
};

/*
 * Find out who proved key and comes from peer through door.  key is the blob of
 * a certificate.  For administrators it may be the blob of a plain key.
 *
 * A certificate must be signed by our CA and be valid now.  It must have one
 * principal, and allow peer as its source address.  A plain key must be in the
 * configuration.  user, the login name, must go with the role ("sign" or
 * "admin").  At sshd-sign the rules for administrators and sk- keys apply, too.
 *
 * user may be NULL if sshd has checked it.  peer may be NULL if it is not known
 * yet; the source address is then unchecked, and the caller must ask again
 * later.
 *
 * On success fills in *who.  Errors: HT_ERR_DENIED; HT_ERR_INTERNAL if there is
 * no memory.  On error *reason is one word for the journal, and *who is not to
 * be used.  Does not look at revocation; identity_stands does.
 */
int identity_prove(struct keyd *k, struct cursor key, const char *user,
    const char *door, const char *peer, struct identity *who,
    const char **reason, struct ht_error *e);

/*
 * Fill in *r, the refusal of a login with a reason of identity_prove, and return
 * its code: HT_ERR_INTERNAL for SSHCERT_INTERNAL, otherwise HT_ERR_DENIED.
 */
int identity_unproved(const char *reason, struct protocol_refuse *r);

/*
 * Check that who may still do anything: the key is not revoked, and of a client
 * neither is the certificate, and the client exists and is not disabled.  A
 * certificate that is not in our store passes: another endpoint with the same CA
 * issued it.  Errors: HT_ERR_DENIED; HT_ERR_INTERNAL if the store
 * cannot be read.  On error *r is the refusal.
 */
int identity_stands(struct keyd *k, const struct identity *who,
    struct protocol_refuse *r);

/*
 * Check that who may begin something new on a connection that is already open.
 * The certificate must not have expired.  An administrator's plain key must
 * still be in the configuration.  Returns 0, or HT_ERR_DENIED with *r set to
 * the refusal.
 */
int identity_current(struct keyd *k, const struct identity *who,
    struct protocol_refuse *r);

/*
 * Count that the login of a genuine identity was refused (failures.h).
 */
void identity_refused(struct keyd *k, const struct identity *who,
    const struct protocol_refuse *r);

/*
 * Return the actor for the store's functions.  It borrows from who.
 */
struct store_actor identity_actor(const struct identity *who);

#endif
