/*
 * PKCS#11 URIs (RFC 7512): which key on a token is meant.
 *
 * Known are the attributes that name a token and an object on it.  All others,
 * and the query part (it would name a module or a PIN, which the configuration
 * says elsewhere), are errors: what is not compared must not be believed.
 */

#ifndef KEYS_TOKEN_URI_H
#define KEYS_TOKEN_URI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

#define URI_VALUE 256

/* One attribute: bytes, with a NUL behind them. */
struct uri_value {
	bool given;
	size_t n;
	uint8_t bytes[URI_VALUE];
};

struct uri {
	struct uri_value token; /* label of the token */
	struct uri_value manufacturer;
	struct uri_value model;
	struct uri_value serial;
	struct uri_value object; /* label of the key, CKA_LABEL */
	struct uri_value id;     /* CKA_ID */
};

/*
 * Parse text ("pkcs11:…").  Of type only "private" is right, as it is a key to
 * sign with.  HT_ERR_USAGE with what is wrong; *uri is all zeros then.
 */
int uri_parse(const char *text, struct uri *uri, struct ht_error *e);

/*
 * Whether v says nothing, or exactly these n bytes.
 */
bool uri_fits(const struct uri_value *v, const void *bytes, size_t n);

#endif
