/*
 * One token behind a PKCS#11 module, by way of libp11: open, log in once, find
 * keys.  Part of the token worker.
 */

#ifndef KEYS_TOKEN_MODULE_H
#define KEYS_TOKEN_MODULE_H

#include <openssl/evp.h>
#include <stdbool.h>

#include "protocol/messages.h"

struct module;

/*
 * What went wrong is told to keyd as it is: functions here return 0, or
 * HT_ERR_UNAVAILABLE with *t filled.  module_trouble sets kind and text,
 * module_complaint takes them from what libp11 left in libcrypto's error
 * queue, which is empty then.
 */
int module_trouble(struct protocol_token_trouble *t,
    enum protocol_trouble trouble, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int module_complaint(struct protocol_token_trouble *t, const char *what);

/*
 * Load the module at path, initialise it, and find the one token that has this
 * label and this serial number ("" is any).
 */
int module_open(struct module **m, const char *path, const char *label,
    const char *serial, struct protocol_token_trouble *t);
void module_free(struct module *m); /* NULL is fine */

const char *module_serial(const struct module *m);
bool module_wants_login(const struct module *m);

/*
 * Log in as the user: one C_Login, in a session that stays open.
 */
int module_login(struct module *m, const char *pin,
    struct protocol_token_trouble *t);

/*
 * The private key that uri names ("" names all) and whose public key is that
 * of public: *key is the caller's.  A key whose public half the token does not
 * tell counts if no other fits.
 */
int module_key(struct module *m, const char *uri, EVP_PKEY *public,
    EVP_PKEY **key, struct protocol_token_trouble *t);

#endif
