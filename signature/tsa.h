/*
 * What is said to a timestamp authority and what it answers (RFC 3161): bytes
 * in, bytes out.
 */

#ifndef SIGNATURE_TSA_H
#define SIGNATURE_TSA_H

#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"
#include "signature/timestamp.h"

/* The media types of both (RFC 3161 3.4), the longest reply and token in bytes. */
#define TSA_QUERY_TYPE "application/timestamp-query"
#define TSA_REPLY_TYPE "application/timestamp-reply"
#define TSA_REPLY_MAX ((size_t)64 << 10)
#define TSA_TOKEN_MAX ((size_t)60 << 10)

/* How far genTime may be from our clock, in seconds. */
#define TSA_CLOCK 300

/*
 * Append a TimeStampReq (2.4.1) to out, which asks for the certificates, too.
 * HT_ERR_DATA if the imprint is not one of its digest.  HT_ERR_INTERNAL without
 * memory.
 */
int tsa_query(const struct timestamp_query *query, struct buf *out,
    struct ht_error *e);

/* What else a reply is held against.  Times are in seconds since 1970. */
struct tsa_rules {
	struct cursor roots; /* PEM: those of the server */
	int64_t not_before;  /* the signer's certificate is valid from */
	int64_t not_after;   /* until */
	int64_t now;
};

/*
 * Check a TimeStampResp (2.4.2): it grants, has a token of at most
 * TSA_TOKEN_MAX bytes and nothing behind it, and the token verifies
 * (timestamp_verify_reply).  genTime is within TSA_CLOCK of now and inside the
 * signer's validity.
 *
 * Returns 0 with the token, which points into the reply, and with *out, which
 * the caller frees with timestamp_clear.  HT_ERR_UNAVAILABLE if the authority
 * does not grant.  HT_ERR_DATA if a rule is broken.  HT_ERR_USAGE if the roots
 * are none.  HT_ERR_INTERNAL without memory.
 */
int tsa_reply(struct cursor reply, const struct timestamp_query *query,
    const struct tsa_rules *rules, struct cursor *token, struct timestamp *out,
    struct ht_error *e);

#endif
