/*
 * What a timestamp authority is asked, and every answer that is none.
 */

#include "config.h"

#include <openssl/evp.h>
#include <openssl/ts.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "signature/tsa.h"
#include "protocol/messages.h"
#include "signature/der.h"
#include "signature/init.h"
#include "tests/support/mutate.h"
#include "tests/support/tsa.h"

/* Nothing here depends on when it runs. */
#define FROM 1000000000
#define TO 1100000000
#define WHEN 1050000000
#define NONCE 0xfedcba9876543210

static const char stamped[] = "what has been signed";

static struct tsa good;
static uint8_t imprint[64];
static struct timestamp_query query = { "sha256", { imprint, 32 }, NONCE };
static struct tsa_rules rules = { .not_before = FROM,
	.not_after = TO,
	.now = WHEN };

static int
make_authority(void **state)
{
	static const struct tsa_how how = { .not_before = FROM,
		.not_after = TO };
	struct ht_error e;

	(void)state;
	if (authenticode_init(&e) < 0)
		return -1;
	tsa_make(&how, &good);
	(void)EVP_Digest(stamped, sizeof(stamped), imprint, NULL, EVP_sha256(),
	    NULL);
	rules.roots = buf_cursor(&good.root);
	return 0;
}

static int
free_authority(void **state)
{
	(void)state;
	tsa_clear(&good);
	return 0;
}

/* TimeStampResp with this status around a token. */
static void
wrap(unsigned int status, const struct buf *token, struct buf *out)
{
	der_put_header(out, DER_SEQUENCE, 5 + token->len);
	der_put_header(out, DER_SEQUENCE, 3);
	der_put_header(out, DER_INTEGER, 1);
	buf_u8(out, (uint8_t)status);
	buf_bytes(out, token->data, token->len);
}

static void
reply_with(const struct tsa *tsa, const struct tsa_token *what, struct buf *out)
{
	struct buf token = BUF_INIT;

	tsa_stamp(tsa, what, stamped, sizeof(stamped), &token);
	wrap(0, &token, out);
	buf_free(&token);
}

static int
check(const struct buf *reply, struct cursor *token, struct timestamp *out,
    struct ht_error *e)
{
	int rc;

	ht_error_clear(e);
	rc = tsa_reply(buf_cursor(reply), &query, &rules, token, out, e);
	if (rc < 0) {
		assert_int_equal(token->left, 0);
		assert_null(out->authority);
		assert_int_equal(e->code, rc);
	}
	return rc;
}

static void
bytes_accepted(const struct buf *reply)
{
	struct timestamp timestamp;
	struct cursor token;
	struct ht_error e;

	if (check(reply, &token, &timestamp, &e) < 0)
		fail_msg("refused: %s", e.text);
	assert_int_equal(token.p[0], DER_SEQUENCE);
	assert_string_equal(timestamp.serial, "2a");
	timestamp_clear(&timestamp);
}

static void
bytes_refused(const struct buf *reply, int code, const char *why)
{
	struct timestamp timestamp;
	struct cursor token;
	struct ht_error e;

	assert_int_equal(check(reply, &token, &timestamp, &e), code);
	if (strstr(e.text, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
}

static void
accepted(const struct tsa_token *what)
{
	struct buf reply = BUF_INIT;

	reply_with(&good, what, &reply);
	bytes_accepted(&reply);
	buf_free(&reply);
}

static void
refused(const struct tsa *tsa, const struct tsa_token *what, const char *why)
{
	struct buf reply = BUF_INIT;

	reply_with(tsa, what, &reply);
	bytes_refused(&reply, HT_ERR_DATA, why);
	buf_free(&reply);
}

/* --- the question ------------------------------------------------------ */

static void
question_says_all(void **state)
{
	struct buf der = BUF_INIT;
	const unsigned char *p;
	struct ht_error e;
	uint64_t nonce;
	TS_REQ *request;

	(void)state;
	assert_int_equal(tsa_query(&query, &der, &e), 0);
	p = der.data;
	request = d2i_TS_REQ(NULL, &p, (long)der.len);
	assert_non_null(request);
	assert_ptr_equal(p, der.data + der.len);
	assert_int_equal(TS_REQ_get_version(request), 1);
	assert_true(TS_REQ_get_cert_req(request));
	assert_int_equal(
	    ASN1_INTEGER_get_uint64(&nonce, TS_REQ_get_nonce(request)), 1);
	assert_true(nonce == NONCE);
	assert_memory_equal(ASN1_STRING_get0_data(TS_MSG_IMPRINT_get_msg(
	                        TS_REQ_get_msg_imprint(request))),
	    imprint, 32);
	TS_REQ_free(request);
	buf_free(&der);
}

static void
question_about_no_digest(void **state)
{
	struct timestamp_query bad = query;
	struct buf der = BUF_INIT;
	struct ht_error e;

	(void)state;
	bad.imprint.left = 31;
	assert_int_equal(tsa_query(&bad, &der, &e), HT_ERR_DATA);
	bad = query;
	bad.digest = "sha384";
	assert_int_equal(tsa_query(&bad, &der, &e), HT_ERR_DATA);
	bad.digest = "sha1";
	bad.imprint.left = 20;
	assert_int_equal(tsa_query(&bad, &der, &e), HT_ERR_DATA);
	assert_int_equal(der.len, 0);
	buf_free(&der);
}

/* --- the answer -------------------------------------------------------- */

static void
good_answers(void **state)
{
	struct tsa_token what = { .time = WHEN, .nonce = NONCE };

	(void)state;
	accepted(&what);
	what.time = WHEN + TSA_CLOCK;
	accepted(&what);
	what.time = WHEN - TSA_CLOCK;
	accepted(&what);
	what.time = WHEN;
	what.algorithm = "sha512";
	accepted(&what);
	/* As Microsoft's. */
	what.attribute_certificates = "1";
	what.bound = "sa";
	accepted(&what);
}

static void
statuses(void **state)
{
	static const struct tsa_token what = { .time = WHEN, .nonce = NONCE };
	struct buf token = BUF_INIT, none = BUF_INIT, reply = BUF_INIT;

	(void)state;
	tsa_stamp(&good, &what, stamped, sizeof(stamped), &token);
	wrap(1, &token, &reply);
	bytes_accepted(&reply);
	buf_reset(&reply);
	wrap(2, &token, &reply);
	bytes_refused(&reply, HT_ERR_UNAVAILABLE, "status 2");
	buf_reset(&reply);
	wrap(5, &none, &reply);
	bytes_refused(&reply, HT_ERR_UNAVAILABLE, "status 5");
	/* It grants, and gives nothing. */
	buf_reset(&reply);
	wrap(0, &none, &reply);
	bytes_refused(&reply, HT_ERR_DATA, "");
	buf_free(&token);
	buf_free(&reply);
}

static void
another_question(void **state)
{
	struct tsa_token what = { .time = WHEN, .nonce = NONCE };
	struct buf token = BUF_INIT, reply = BUF_INIT;

	(void)state;
	what.nonce = NONCE + 1;
	refused(&good, &what, "nonce");
	what.nonce = 0;
	refused(&good, &what, "nonce");
	what.nonce = NONCE;
	what.imprint = "sha512";
	refused(&good, &what, "sha512 instead of sha256");
	what.imprint = "sha1";
	refused(&good, &what, "not of SHA-256");
	what.imprint = NULL;
	tsa_stamp(&good, &what, "other data", 10, &token);
	wrap(0, &token, &reply);
	bytes_refused(&reply, HT_ERR_DATA, "another signature");
	buf_free(&token);
	buf_free(&reply);
}

static void
wrong_times(void **state)
{
	struct tsa_token what = { .time = WHEN, .nonce = NONCE };

	(void)state;
	what.time = WHEN + 3600;
	refused(&good, &what, "differ by 3600 seconds");
	what.time = WHEN - TSA_CLOCK - 1;
	refused(&good, &what, "differ by -301 seconds");
	what.time = WHEN;
	rules.not_after = WHEN - 1;
	refused(&good, &what, "signer's validity");
	rules.not_after = TO;
	rules.not_before = WHEN + 1;
	refused(&good, &what, "signer's validity");
	rules.not_before = FROM;
}

static void
bad_authorities(void **state)
{
	static const struct tsa_token what = { .time = WHEN, .nonce = NONCE };
	static const struct {
		struct tsa_how how;
		const char *why;
	} cases[] = {
		{ { FROM, TO, NULL, NULL, NULL }, "chain is not valid" },
		{ { FROM, WHEN - 1, NULL, NULL, NULL }, "expired" },
		{ { FROM, TO, "timeStamping", NULL, NULL }, "critical" },
		{ { FROM, TO, "critical,timeStamping,codeSigning", NULL, NULL },
		    "RFC 3161 2.3" },
		{ { FROM, TO, "critical,codeSigning", NULL, NULL },
		    "RFC 3161 2.3" },
		{ { FROM, TO, NULL, "codeSigning", NULL },
		    "does not allow timestamps" },
	};
	struct tsa tsa;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		tsa_make(&cases[i].how, &tsa);
		/* The first one is unknown here. */
		if (i > 0)
			rules.roots = buf_cursor(&tsa.root);
		refused(&tsa, &what, cases[i].why);
		rules.roots = buf_cursor(&good.root);
		tsa_clear(&tsa);
	}
}

static void
bad_tokens(void **state)
{
	struct tsa_token what = { .time = WHEN, .nonce = NONCE };

	(void)state;
	what.algorithm = "sha1";
	refused(&good, &what, "digest algorithm");
	what.algorithm = NULL;
	what.without_certificates = true;
	refused(&good, &what, "one signer with its certificate");
	what.without_certificates = false;
	what.without_binding = true;
	refused(&good, &what, "");
	what.without_binding = false;
	what.long_serial = true;
	refused(&good, &what, "160 bits");
}

static void
bytes_left_over(void **state)
{
	static const struct tsa_token what = { .time = WHEN, .nonce = NONCE };
	struct buf token = BUF_INIT, reply = BUF_INIT;

	(void)state;
	reply_with(&good, &what, &reply);
	buf_u8(&reply, 0);
	bytes_refused(&reply, HT_ERR_DATA, "left over");
	buf_reset(&reply);
	tsa_stamp(&good, &what, stamped, sizeof(stamped), &token);
	buf_bytes(&token, "\x05", 2);
	wrap(0, &token, &reply);
	bytes_refused(&reply, HT_ERR_DATA, "left over");
	buf_free(&token);
	buf_free(&reply);
}

static void
too_long(void **state)
{
	static const struct tsa_token what = { .time = WHEN,
		.nonce = NONCE,
		.extensions = 7700 };
	struct buf reply = BUF_INIT;

	(void)state;
	reply_with(&good, &what, &reply);
	bytes_refused(&reply, HT_ERR_DATA, "more than 61440 bytes");
	buf_zeros(&reply, TSA_REPLY_MAX);
	bytes_refused(&reply, HT_ERR_DATA, "over 65536 bytes");
	buf_reset(&reply);
	bytes_refused(&reply, HT_ERR_DATA, "");
	buf_free(&reply);
}

/* --- damage ------------------------------------------------------------ */

static void
cut_off(void **state)
{
	static const struct tsa_token what = { .time = WHEN, .nonce = NONCE };
	struct buf reply = BUF_INIT, part = BUF_INIT;
	size_t n;

	(void)state;
	reply_with(&good, &what, &reply);
	for (n = 0; n < reply.len; n++) {
		buf_reset(&part);
		buf_bytes(&part, reply.data, n);
		bytes_refused(&part, HT_ERR_DATA, "");
	}
	buf_free(&reply);
	buf_free(&part);
}

/* Some bits are in places that nobody signs.  What matters is that it ends. */
static void
mutated(void **state)
{
	static const struct tsa_token what = { .time = WHEN, .nonce = NONCE };
	struct buf reply = BUF_INIT, bad = BUF_INIT;
	unsigned long i, n = mutate_count();
	struct timestamp timestamp;
	struct cursor token;
	uint64_t seed = 1;
	size_t used;

	(void)state;
	reply_with(&good, &what, &reply);
	for (i = 0; i < n; i++) {
		buf_reset(&bad);
		buf_bytes(&bad, reply.data, reply.len);
		used = mutate(&seed, bad.data, bad.len);
		if (tsa_reply(cursor_over(bad.data, used), &query, &rules,
		        &token, &timestamp, NULL) == 0)
			timestamp_clear(&timestamp);
	}
	buf_free(&reply);
	buf_free(&bad);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(question_says_all),
		cmocka_unit_test(question_about_no_digest),
		cmocka_unit_test(good_answers),
		cmocka_unit_test(statuses),
		cmocka_unit_test(another_question),
		cmocka_unit_test(wrong_times),
		cmocka_unit_test(bad_authorities),
		cmocka_unit_test(bad_tokens),
		cmocka_unit_test(bytes_left_over),
		cmocka_unit_test(too_long),
		cmocka_unit_test(cut_off),
		cmocka_unit_test(mutated),
	};

	return cmocka_run_group_tests(tests, make_authority, free_authority);
}
