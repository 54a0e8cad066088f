/*
 * DER as it stands, one value after another: for editing what others encoded,
 * of which nothing may change but what has to.  Reading structures is done
 * with templates (signature/cms-asn1.h).
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
 * Take the next value off c; *out points into the same memory.  Lengths need
 * not be the shortest, as some signers write them.  HT_ERR_DATA for a length
 * that is left open (indefinite, X.690 8.1.3.6) or beyond what there is, for
 * tag numbers above 30, and at the end.
 */
int der_next(struct cursor *c, struct der *out, struct ht_error *e);

/*
 * The same, for a value that must have this identifier octet.
 */
int der_expect(struct cursor *c, uint8_t tag, struct der *out,
    struct ht_error *e);

/*
 * Whether the next value has this identifier octet.
 */
bool der_is_next(const struct cursor *c, uint8_t tag);

/*
 * Add to *count how many values libcrypto may find in c, those inside others
 * included; it makes some hundred bytes of each.  It takes a SEQUENCE or SET
 * for one also where the identifier octet says that it is primitive: such a one
 * is refused, and under a context-specific tag, which may be implicit, the
 * octets count as the most values that fit.  HT_ERR_DATA if *count would be
 * more than max, for a value that does not end in the one that it is in, or
 * that is 64 deep; or as der_next, but that a length may be left open.
 */
int der_count(struct cursor c, size_t max, size_t *count, struct ht_error *e);

/*
 * How many octets a value of n contents octets has in all.
 */
size_t der_size(size_t n);

/*
 * Append identifier and length octets for n contents octets that follow, the
 * length as DER has it.
 */
void der_put_header(struct buf *b, uint8_t tag, size_t n);

/*
 * Whether a comes before b, or is the same, in the order of a SET OF in DER
 * (X.690 11.6).
 */
bool der_in_order(struct cursor a, struct cursor b);

#endif
