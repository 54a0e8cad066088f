/*
 * What a token says of itself and of what is on it, for --probe.
 */

#ifndef KEYS_TOKEN_INVENTORY_H
#define KEYS_TOKEN_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keys/token/cryptoki.h"
#include "lib/error.h"

/* Texts are the token's, and not escaped. */
struct inventory_token {
	char label[33];
	char manufacturer[33];
	char model[17];
	char serial[17];
	char firmware[8]; /* "2.6" */
	ck_t flags;       /* CKF_* */
};

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
 * Load the module at path, and do not initialize it.  The result is the
 * module's own, and stays for as long as the process.  NULL if the file is no
 * PKCS#11 module; e is HT_ERR_UNAVAILABLE then.
 */
struct cryptoki *inventory_load(const char *path, struct ht_error *e);

/*
 * What the token in a slot says of itself.  Returns a CKR_*.
 */
ck_t inventory_token(const struct cryptoki *p, ck_t slot,
    struct inventory_token *token);

/*
 * Call each(cookie, object) for the objects of this class, CKO_*, that the
 * session sees, but for those after the 64th.  The object is valid during the
 * call.  Returns a CKR_*.
 */
ck_t inventory_objects(const struct cryptoki *p, ck_t session, ck_t class,
    void (*each)(void *cookie, const struct inventory_object *object),
    void *cookie);

#endif
