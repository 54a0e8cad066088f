/*
 * DER value by value, for editing what others encoded without changing anything
 * else.  Structures are read with templates (signature/cms-asn1.h).
 */

#ifndef SIGNATURE_DER_H
#define SIGNATURE_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"

/* Identifier octets (X.690 8.1.2). */
#define DER_CONSTRUCTED 0x20 /* a bit of the identifier octet */
#define DER_INTEGER 0x02
#define DER_BITS 0x03
#define DER_OCTETS 0x04
#define DER_OBJECT 0x06
#define DER_SEQUENCE 0x30
#define DER_SET 0x31
#define DER_CONTEXT(n) (0xa0 + (n)) /* constructed */

struct der {
	uint8_t tag;         /* the identifier octet */
	struct cursor whole; /* identifier, length and contents octets */
	struct cursor value; /* the contents octets */
};

/*
 * Read the next value of c into *out, which points into the same memory.
 * Lengths need not be the shortest, because some signers write longer ones.
 * HT_ERR_DATA for a length that is indefinite (X.690 8.1.3.6), has more than 4
 * octets or exceeds what is left; for tag numbers above 30; and at the end.
 */
int der_next(struct cursor *c, struct der *out, struct ht_error *e);

/*
 * The same, but HT_ERR_DATA also for another identifier octet than tag.
 */
int der_expect(struct cursor *c, uint8_t tag, struct der *out,
    struct ht_error *e);

/*
 * Whether the next value of c has this identifier octet.
 */
bool der_is_next(const struct cursor *c, uint8_t tag);

/*
 * Add to *count an upper bound on the values that libcrypto finds in c, nested
 * values included.  libcrypto allocates some hundred bytes for each.
 *
 * libcrypto parses a SEQUENCE or SET even if its identifier octet says
 * primitive; such a value is refused.  A context-specific tag may be implicit.
 * Primitive octets under one count as the most values that fit into them.
 *
 * Returns 0, or HT_ERR_DATA: if *count would exceed max; for a value that does
 * not end inside the one around it; for a value 64 levels deep; and as
 * der_next, except that indefinite lengths are allowed.
 */
int der_count(struct cursor c, size_t max, size_t *count, struct ht_error *e);

/*
 * The size in octets of a value with n contents octets: identifier, length and
 * contents.
 */
size_t der_size(size_t n);

/*
 * Append the identifier octet and the length in DER of a value.  The caller
 * appends its n contents octets.
 */
void der_put_header(struct buf *b, uint8_t tag, size_t n);

/*
 * Whether a comes before b, or equals it, in the order of a SET OF in DER
 * (X.690 11.6).
 */
bool der_in_order(struct cursor a, struct cursor b);

#endif
