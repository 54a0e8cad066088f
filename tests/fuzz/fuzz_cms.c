/*
 * Signatures from outside with all that is in them: nested ones, timestamps and
 * other unsigned attributes; and a token by itself.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "signature/init.h"
#include "signature/pkcs7-info.h"
#include "signature/pkcs7-nest.h"
#include "signature/pkcs7.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Above signers and authority of the corpus; nobody has its key any more. */
static const char root[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBUjCB+KADAgECAgIQADAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARyb290MCAX\n"
    "DTAwMDEwMTAwMDAwMFoYDzIxMDAwMTAxMDAwMDAwWjAPMQ0wCwYDVQQDDARyb290\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEFnJGOxf4wmmJdEpgTYusgQtZJqCt\n"
    "wP29VUauEc0GtsdTfa2Al5Luox+Gf5xGC3YFRTB4vYTv5UClf4R6wRr7C6NCMEAw\n"
    "DwYDVR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAgQwHQYDVR0OBBYEFNiUyqwk\n"
    "71SlMcRuHd9CemyGaTCDMAoGCCqGSM49BAMCA0kAMEYCIQCuw54ydbRlE2KZuxp1\n"
    "n14wVN0I1nkYpcU5xBuMtvSE+gIhALBh7Cspe5fXmXF8lF+qZrkNf1VZFBHJ96g3\n"
    "yWv8FpJe\n"
    "-----END CERTIFICATE-----\n";

/* What the corpus' tokens are of, and when its certificates are valid. */
static const char stamped[] = "stamped";
#define WHEN 1600000000

static void
try_token(const uint8_t *p, size_t n)
{
	struct timestamp claimed;
	struct timestamp timestamp;
	int readable;

	readable = timestamp_read(p, n, &claimed, NULL);
	if (timestamp_verify(p, n, stamped, sizeof(stamped) - 1, root,
	        sizeof(root) - 1, &timestamp, NULL) == 0) {
		if (readable < 0 || claimed.time != timestamp.time ||
		    strcmp(claimed.authority, timestamp.authority) != 0)
			abort();
	} else if (timestamp.authority != NULL) {
		abort();
	}
	timestamp_clear(&claimed);
	timestamp_clear(&timestamp);
}

/*
 * The smallest inner signature: what is behind the lengths is nobody's concern.
 */
static const uint8_t small[] = { 0x30, 0x25, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
	0xf7, 0x0d, 0x01, 0x07, 0x02, 0xa0, 0x18, 0x30, 0x16, 0x02, 0x01, 0x01,
	0x31, 0x00, 0x30, 0x00, 0x31, 0x0d, 0x30, 0x0b, 0x02, 0x01, 0x01, 0x30,
	0x00, 0x30, 0x00, 0x30, 0x00, 0x04, 0x00 };

/*
 * Nesting changes nothing but the nested attribute: what parsed parses, with
 * one more in it, and what verified verifies.
 */
static void
try_nest(const uint8_t *p, size_t n)
{
	struct buf out = BUF_INIT;
	struct pkcs7 *before = NULL;
	struct pkcs7 *after = NULL;
	bool fits;

	if (pkcs7_nest(small, sizeof(small), p, n, &out, NULL) < 0 &&
	    out.len > 0)
		abort();
	buf_free(&out);
	if (pkcs7_nest(p, n, small, sizeof(small), &out, NULL) < 0) {
		if (out.len > 0)
			abort();
		return;
	}
	if (out.len < n || pkcs7_parse(p, n, &before, NULL) < 0)
		goto out;
	fits = pkcs7_unsigned_count(before) < PKCS7_UNSIGNED_MAX &&
	    pkcs7_count(before, PKCS7_NESTED) < PKCS7_NESTED_MAX;
	if (pkcs7_parse(out.data, out.len, &after, NULL) < 0) {
		if (fits)
			abort();
		goto out;
	}
	if (pkcs7_count(after, PKCS7_NESTED) !=
	        pkcs7_count(before, PKCS7_NESTED) + 1 ||
	    pkcs7_verify(after, NULL) != pkcs7_verify(before, NULL))
		abort();
out:
	pkcs7_free(before);
	pkcs7_free(after);
	buf_free(&out);
}

static void
try_nested(const struct pkcs7 *p7)
{
	struct pkcs7 *nested;
	size_t i;

	for (i = 0; i < pkcs7_count(p7, PKCS7_NESTED); i++) {
		if (pkcs7_nested(p7, i, &nested, NULL) < 0)
			continue;
		(void)pkcs7_verify(nested, NULL);
		pkcs7_free(nested);
	}
}

static void
try_pkcs7(const uint8_t *p, size_t n)
{
	const struct pkcs7_unsigned *a;
	struct timestamp timestamp;
	struct pkcs7 *p7;
	size_t total = 0;
	size_t i;

	if (pkcs7_parse(p, n, &p7, NULL) < 0)
		return;
	for (i = 0; i < pkcs7_unsigned_count(p7); i++) {
		a = pkcs7_unsigned(p7, i);
		total += a->size;
		if (a->value.left > a->size || strlen(a->oid) == 0)
			abort();
		try_token(a->value.p, a->value.left);
		(void)pkcs7_countersignature(p7, a, &timestamp, NULL);
		timestamp_clear(&timestamp);
	}
	if (pkcs7_unsigned_count(p7) > PKCS7_UNSIGNED_MAX || total > n)
		abort();
	(void)pkcs7_verify(p7, NULL);
	(void)pkcs7_verify_chain_at(p7, root, sizeof(root) - 1, WHEN, NULL);
	(void)pkcs7_verify_timestamps(p7, root, sizeof(root) - 1, &timestamp,
	    NULL);
	timestamp_clear(&timestamp);
	(void)pkcs7_is_for_lifetime(p7);
	try_nested(p7);
	pkcs7_free(p7);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static bool started;
	struct ht_error e;

	if (!started && authenticode_init(&e) < 0)
		abort();
	started = true;
	try_token(p, n);
	try_nest(p, n);
	try_pkcs7(p, n);
	return 0;
}
