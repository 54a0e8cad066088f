/*
 * What is on a token, for --probe.
 */

#ifndef KEYS_TOKEN_INVENTORY_H
#define KEYS_TOKEN_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keys/token/cryptoki.h"

/* Texts are the token's, and not escaped. */
struct inventory_object {
	char label[64];
	uint8_t id[64];
	size_t nid;
	char kind[32];     /* of a key: "RSA 3072", "EC prime256v1" */
	bool signs;        /* CKA_SIGN */
	bool extractable;  /* CKA_EXTRACTABLE: it can leave the token */
	bool always;       /* CKA_ALWAYS_AUTHENTICATE: a PIN each time */
	uint8_t der[8192]; /* of a certificate */
	size_t nder;
};

/*
 * Call each(cookie, object) for the objects of this class, CKO_*, that the
 * session sees, but for those after CRYPTOKI_OBJECTS.  The object is valid during the
 * call.  Returns a CKR_*.
 */
ck_t inventory_objects(const struct cryptoki *p, ck_t session, ck_t class,
    void (*each)(void *cookie, const struct inventory_object *object),
    void *cookie);

#endif
