/*
 * One token behind a PKCS#11 module, used through libp11: open it, log in once,
 * find keys.  Part of the token worker.
 */

#ifndef KEYS_TOKEN_MODULE_H
#define KEYS_TOKEN_MODULE_H

#include <openssl/evp.h>
#include <stdbool.h>

#include "protocol/messages.h"

struct module;

/*
 * Functions here return 0, or HT_ERR_UNAVAILABLE with *t filled in.  The worker
 * sends *t to keyd unchanged.
 *
 * module_trouble fills in *t from its arguments.  module_complaint fills it in
 * from libcrypto's error queue, where libp11 leaves its errors, and empties the
 * queue.  Both return HT_ERR_UNAVAILABLE.
 */
int module_trouble(struct protocol_token_trouble *t,
    enum protocol_trouble trouble, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int module_complaint(struct protocol_token_trouble *t, const char *what);

/*
 * Load the module at path, initialise it and find the only token with this
 * label and this serial number.  "" matches any label or serial number.  On
 * success *m is the caller's, who frees it with module_free.  On error *m is
 * NULL.  It is an error if no token matches, or more than one.
 */
int module_open(struct module **m, const char *path, const char *label,
    const char *serial, struct protocol_token_trouble *t);
void module_free(struct module *m); /* NULL is fine */

const char *module_serial(const struct module *m);
bool module_wants_login(const struct module *m);

/*
 * What the token said of its PIN when it was opened: bits PROTOCOL_PIN_*.
 */
uint8_t module_pin_flags(const struct module *m);

/*
 * Log in as the user.  Calls C_Login once, in a session that stays open.
 */
int module_login(struct module *m, const char *pin,
    struct protocol_token_trouble *t);

/*
 * Find the private key that uri names and that belongs to public.  "" names
 * every key on the token.  On success *key is the caller's, who frees it; on
 * error it is NULL.  Some tokens do not give a key's public half.  Such a key
 * is taken only if it is the only one, and no other key is known to match.
 */
int module_key(struct module *m, const char *uri, EVP_PKEY *public,
    EVP_PKEY **key, struct protocol_token_trouble *t);

#endif
