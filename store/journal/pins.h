/*
 * The PINs that were tried and never cleared (DESIGN.md, section 10).
 *
 * Before each C_Login the caller hashes the PIN slowly with the token's salt
 * and calls pin_attempt_stands.  The file has only an HMAC of that hash.  If an attempt stands, it decides whether the
 * PIN may be tried again.  It calls pin_attempt_add and store_commit, then logs
 * in.  After that it calls pin_attempt_clear or pin_attempt_refused.  Cleared
 * attempts are overwritten in the file.  token is the serial number of the
 * token, or its name if it has none.  Errors of the engine: store.h.
 */

#ifndef STORE_JOURNAL_PINS_H
#define STORE_JOURNAL_PINS_H

#include "store/store.h"

#define PIN_SALT 16
#define PIN_HASH 32

/*
 * Open the secret that hashes are keyed with: a file of 32 random bytes at path,
 * which is made, with mode 0600, if it is not there.  So who can only read the
 * database cannot try PINs on the hashes.  Call this before any function below
 * that takes a hash.  It keys the hashes that an older version left, and commits.
 *
 * HT_ERR_USAGE if others can read the file or it is no such secret; the text
 * says what to do.  HT_ERR_UNAVAILABLE if there is no room to make it.
 * HT_ERR_INTERNAL if it cannot be read or made.
 */
int pin_key_open(struct store *s, const char *path, struct ht_error *e);

/* What is known of an attempt that stands. */
struct pin_attempt {
	uint8_t flags;    /* the token's PROTOCOL_PIN_*, before it */
	uint64_t unknown; /* this attempt, and those right before it, of which
	                     nobody knows how they ended; 0: it was refused */
	bool lost;        /* hashed with a secret that is lost: it may have been
	                     with any PIN, so it stands for all */
};

/*
 * The salt of the token's attempts that stand, or a new random one if none
 * stands.
 */
int pin_salt(struct store *s, const char *token, uint8_t salt[PIN_SALT],
    struct ht_error *e);

/*
 * Whether an attempt with that hash stands, or one whose secret is lost: 1, 0,
 * or a negative HT_ERR_*.  *a is the attempt, or zeros.
 */
int pin_attempt_stands(struct store *s, const char *token,
    const uint8_t hash[PIN_HASH], struct pin_attempt *a, struct ht_error *e);

/*
 * Add an attempt, or replace the one with that hash.
 */
int pin_attempt_add(struct store *s, const char *token,
    const uint8_t salt[PIN_SALT], const uint8_t hash[PIN_HASH],
    const struct pin_attempt *a, struct ht_error *e);

/*
 * The token has refused a PIN: all its attempts that stand count as refused.
 */
int pin_attempt_refused(struct store *s, const char *token, struct ht_error *e);

/*
 * Clear all attempts of a token.  *count is how many stood; count may be NULL.
 */
int pin_attempt_clear(struct store *s, const char *token, uint64_t *count,
    struct ht_error *e);

#endif
