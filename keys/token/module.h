/*
 * One token behind a PKCS#11 module: open it, log in once, open sessions.  Part
 * of the token worker; keys/token/key.h has the keys.
 */

#ifndef KEYS_TOKEN_MODULE_H
#define KEYS_TOKEN_MODULE_H

#include <stdbool.h>

#include "keys/token/cryptoki.h"
#include "protocol/messages.h"

/* Only this file's functions change it. */
struct module {
	struct cryptoki *p;
	bool threads; /* it can be called by several at a time */
	ck_t slot;
	ck_t session; /* the first */
	struct cryptoki_token token;
};

/*
 * Functions here return 0, or HT_ERR_UNAVAILABLE with *t filled in.  The worker
 * sends *t to keyd unchanged.
 *
 * module_trouble fills in *t from its arguments.  module_complaint fills it in
 * from what the module returned for the call; CKR_* that keyd does not act on
 * are PROTOCOL_TROUBLE_FAILED.  Both return HT_ERR_UNAVAILABLE.
 */
int module_trouble(struct protocol_token_trouble *t,
    enum protocol_trouble trouble, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int module_complaint(struct protocol_token_trouble *t, const char *call,
    ck_t value);

/*
 * Load the module at path, initialise it, find the only token with this label
 * and this serial number, and open a session.  "" matches any label or serial
 * number.  Slots that seem empty at first are looked at again for a second.  On
 * success *m is the caller's, who frees it with module_free.  On error *m is
 * NULL.  It is an error if no token matches, or more than one.
 */
int module_open(struct module **m, const char *path, const char *label,
    const char *serial, struct protocol_token_trouble *t);
void module_free(struct module *m); /* NULL is fine */

bool module_wants_login(const struct module *m);

/*
 * What the token said of its PIN when it was opened: bits PROTOCOL_PIN_*.
 */
uint8_t module_pin_flags(const struct module *m);

/*
 * Log in as the user, for all sessions.  Calls C_Login once.
 */
int module_login(struct module *m, const char *pin,
    struct protocol_token_trouble *t);

/*
 * Open one session more.
 */
int module_session(struct module *m, ck_t *session,
    struct protocol_token_trouble *t);

#endif
