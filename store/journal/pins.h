/*
 * The PINs that were tried (DESIGN.md, "Rules that hold everywhere").  Before
 * each C_Login the caller hashes the PIN slowly with the token's salt, asks
 * whether that attempt stands, adds it and commits; a login that succeeds
 * clears the token.  What is cleared is overwritten in the file.  token is the
 * token's serial number.
 */

#ifndef STORE_JOURNAL_PINS_H
#define STORE_JOURNAL_PINS_H

#include "store/store.h"

#define PIN_SALT 16
#define PIN_HASH 32

/*
 * The salt of the attempts that stand for the token, or a new random one.
 */
int pin_salt(struct store *s, const char *token, uint8_t salt[PIN_SALT],
    struct ht_error *e);

/*
 * Whether an attempt with that hash stands uncleared: 1, 0, or negative.
 */
int pin_attempt_stands(struct store *s, const char *token,
    const uint8_t hash[PIN_HASH], struct ht_error *e);

/*
 * Add an attempt; one that stands already stays.
 */
int pin_attempt_add(struct store *s, const char *token,
    const uint8_t salt[PIN_SALT], const uint8_t hash[PIN_HASH],
    struct ht_error *e);

/*
 * Clear all attempts of a token; *count (may be NULL) is how many stood.
 */
int pin_attempt_clear(struct store *s, const char *token, uint64_t *count,
    struct ht_error *e);

#endif
