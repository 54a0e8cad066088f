/*
 * Private to store/: the secret that hashes of PINs are keyed with.  pins.h says
 * where it is from.  Both functions fail with HT_ERR_INTERNAL if it is not open.
 */

#ifndef STORE_JOURNAL_PIN_KEY_H
#define STORE_JOURNAL_PIN_KEY_H

#include "store/journal/pins.h"

#define PIN_KEY_ID 8

/*
 * out is what the database has of a hash: its HMAC-SHA-256.
 */
int pin_keyed(const struct store *s, const uint8_t hash[PIN_HASH],
    uint8_t out[PIN_HASH], struct ht_error *e);

/*
 * By what an attempt names the secret.  It tells nothing of it.
 */
int pin_key_id(const struct store *s, uint8_t id[PIN_KEY_ID],
    struct ht_error *e);

#endif
