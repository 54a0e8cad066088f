/*
 * Who is at the other end: from a proved certificate or key to a client or an
 * administrator (DESIGN.md, "Who vouches for a client").
 */

#ifndef KEYS_KEYD_IDENTITY_H
#define KEYS_KEYD_IDENTITY_H

#include <stdint.h>

#include "keys/keyd/core.h"
#include "protocol/names.h"

struct identity {
	enum names_role role;
	char name[NAMES_SIZE]; /* of the client, or of the administrator */
	uint64_t serial;       /* of the certificate; 0 without one */
	uint8_t certificate[SSHCERT_SHA256];
	uint64_t until; /* valid_before of the certificate, or UINT64_MAX */
	char key[SSHKEY_FINGERPRINT_SIZE]; /* of an administrator without one */
	bool sk;                           /* on a security key */
	const char *door;                  /* PROTOCOL_DOOR_*; static */
	char peer[PROTOCOL_ADDRESS];
	char banner[PROTOCOL_TEXT];
};

/*
 * Whether key (the blob of a certificate or, for administrators, of a plain
 * key) makes somebody of user, coming from peer through door: signed by our
 * CA, valid now, one principal, an allowed source address, the login name
 * that goes with the role ("sign" or "admin"); at sshd-sign also the rules for
 * administrators and sk- keys.  0 with *who; or HT_ERR_DENIED with *reason one
 * word for the journal.  Says nothing of revocation: identity_stands does.
 * user may be NULL where sshd has seen to it, and peer where it is not known
 * yet: then the source address is left to who asks next.
 */
int identity_prove(struct keyd *k, struct cursor key, const char *user,
    const char *door, const char *peer, struct identity *who,
    const char **reason, struct ht_error *e);

/*
 * Whether who may still do anything: the certificate is not revoked, the
 * client exists and is not disabled.  0, or HT_ERR_DENIED with the refusal.
 */
int identity_stands(struct keyd *k, const struct identity *who,
    struct protocol_refuse *r);

/*
 * Whether who may begin something new on a connection that has been open for a
 * while: the certificate has not expired, and the administrator's key is still
 * in the configuration.  0, or HT_ERR_DENIED with the refusal.
 */
int identity_current(struct keyd *k, const struct identity *who,
    struct protocol_refuse *r);

/*
 * Put a refused login of somebody genuine into the journal.
 */
void identity_refused(struct keyd *k, const struct identity *who,
    const struct protocol_refuse *r);

/*
 * The actor that the store's functions ask for; valid as long as who.
 */
struct store_actor identity_actor(const struct identity *who);

#endif
