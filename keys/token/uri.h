/*
 * PKCS#11 URIs (RFC 7512): which key on a token is meant.
 *
 * The parser knows the attributes that name a token or an object on a token.
 * Any other attribute is an error, because we would not compare it.  The query
 * part is an error, too: it would name a module or a PIN, and those belong in
 * the configuration.
 */

#ifndef KEYS_TOKEN_URI_H
#define KEYS_TOKEN_URI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

#define URI_VALUE 256

/* The value of one attribute, NUL-terminated. */
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
 * Parse text ("pkcs11:…").  The attribute "type" must be "private", because
 * the key is for signing.  Returns HT_ERR_USAGE if text is not such a URI; *uri
 * is all zeros then.
 */
int uri_parse(const char *text, struct uri *uri, struct ht_error *e);

/*
 * True if v was not given, or if it is exactly these n bytes.
 */
bool uri_fits(const struct uri_value *v, const void *bytes, size_t n);

#endif
