#include "config.h"

#include <openssl/ts.h>

#include <string.h>

#include "signature/tsa.h"
#include "signature/der.h"
#include "signature/spc-asn1.h"

/* --- the question ------------------------------------------------------ */

static int
put_imprint(TS_REQ *request, const struct timestamp_query *query)
{
	const EVP_MD *md = spc_md(query->digest);
	TS_MSG_IMPRINT *imprint = TS_MSG_IMPRINT_new();
	X509_ALGOR *algorithm = X509_ALGOR_new();
	bool is = false;

	if (imprint != NULL && algorithm != NULL)
		is =
		    X509_ALGOR_set0(algorithm, OBJ_nid2obj(EVP_MD_get_type(md)),
		        V_ASN1_NULL, NULL) == 1 &&
		    TS_MSG_IMPRINT_set_algo(imprint, algorithm) == 1 &&
		    TS_MSG_IMPRINT_set_msg(imprint,
		        (unsigned char *)(uintptr_t)query->imprint.p,
		        (int)query->imprint.left) == 1 &&
		    TS_REQ_set_msg_imprint(request, imprint) == 1;
	X509_ALGOR_free(algorithm);
	TS_MSG_IMPRINT_free(imprint);
	return is ? 0 : HT_ERR_INTERNAL;
}

static int
put_nonce(TS_REQ *request, uint64_t nonce)
{
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	bool is = number != NULL &&
	    ASN1_INTEGER_set_uint64(number, nonce) == 1 &&
	    TS_REQ_set_nonce(request, number) == 1;

	ASN1_INTEGER_free(number);
	return is ? 0 : HT_ERR_INTERNAL;
}

int
tsa_query(const struct timestamp_query *query, struct buf *out,
    struct ht_error *e)
{
	const EVP_MD *md = spc_md(query->digest);
	unsigned char *der = NULL;
	TS_REQ *request;
	int n = -1;

	if (md == NULL || (size_t)EVP_MD_get_size(md) != query->imprint.left)
		return ht_error_set(e, HT_ERR_DATA,
		    "%zu bytes are no digest by %s", query->imprint.left,
		    query->digest);
	request = TS_REQ_new();
	if (request != NULL && TS_REQ_set_version(request, 1) == 1 &&
	    put_imprint(request, query) == 0 &&
	    put_nonce(request, query->nonce) == 0 &&
	    TS_REQ_set_cert_req(request, 1) == 1)
		n = i2d_TS_REQ(request, &der);
	TS_REQ_free(request);
	if (n <= 0)
		return spc_crypto_error(e, HT_ERR_INTERNAL,
		    "cannot make a timestamp request");
	buf_bytes(out, der, (size_t)n);
	OPENSSL_free(der);
	return buf_failed(out) < 0 ? ht_error_memory(e) : 0;
}

/* --- the answer -------------------------------------------------------- */

/* PKIStatusInfo: 0 is granted, 1 granted with changes. */
static int
check_status(struct cursor *reply, struct ht_error *e)
{
	struct der info, status;
	uint8_t value;
	int rc;

	rc = der_expect(reply, DER_SEQUENCE, &info, e);
	if (rc == 0)
		rc = der_expect(&info.value, DER_INTEGER, &status, e);
	if (rc < 0)
		return rc;
	if (status.value.left != 1 || cursor_u8(&status.value, &value) < 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "no status (RFC 3161 2.4.2)");
	if (value > 1)
		return ht_error_set(e, HT_ERR_UNAVAILABLE,
		    "status %u, it does not grant", (unsigned int)value);
	return 0;
}

static int
open_reply(struct cursor reply, struct cursor *token, struct ht_error *e)
{
	struct der outer, inner;
	int rc;

	if (reply.left > TSA_REPLY_MAX)
		return ht_error_set(e, HT_ERR_DATA, "over %zu bytes",
		    TSA_REPLY_MAX);
	rc = der_expect(&reply, DER_SEQUENCE, &outer, e);
	if (rc == 0)
		rc = check_status(&outer.value, e);
	if (rc == 0)
		rc = der_expect(&outer.value, DER_SEQUENCE, &inner, e);
	if (rc < 0)
		return rc;
	if (cursor_end(&outer.value) < 0 || cursor_end(&reply) < 0)
		return ht_error_set(e, HT_ERR_DATA,
		    "bytes left over behind the token");
	if (inner.whole.left > TSA_TOKEN_MAX)
		return ht_error_set(e, HT_ERR_DATA,
		    "a token of more than %zu bytes", TSA_TOKEN_MAX);
	*token = inner.whole;
	return 0;
}

static int
check_time(int64_t when, const struct tsa_rules *rules, struct ht_error *e)
{
	if (when < rules->now - TSA_CLOCK || when > rules->now + TSA_CLOCK)
		return ht_error_set(e, HT_ERR_DATA,
		    "its clock and ours differ by %lld seconds",
		    (long long)(when - rules->now));
	if (when < rules->not_before || when > rules->not_after)
		return ht_error_set(e, HT_ERR_DATA,
		    "genTime is outside the signer's validity");
	return 0;
}

int
tsa_reply(struct cursor reply, const struct timestamp_query *query,
    const struct tsa_rules *rules, struct cursor *token, struct timestamp *out,
    struct ht_error *e)
{
	int rc;

	memset(out, 0, sizeof(*out));
	*token = cursor_over(NULL, 0);
	rc = open_reply(reply, token, e);
	if (rc == 0)
		rc = timestamp_verify_reply(token->p, token->left, query,
		    rules->roots.p, rules->roots.left, out, e);
	if (rc == 0)
		rc = check_time(out->time, rules, e);
	if (rc < 0) {
		timestamp_clear(out);
		*token = cursor_over(NULL, 0);
	}
	return rc;
}
