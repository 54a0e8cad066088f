/*
 * A request in keyd from its content to its signature, in whatever order the
 * world goes on meanwhile.  The token is this program.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "signature/pkcs7.h"
#include "signature/spc.h"
#include "store/authority/clients.h"
#include "store/journal/journal.h"
#include "tests/support/core_client.h"
#include "tests/support/scratch.h"

static const uint8_t bytes[JOURNAL_SHA256 + 1] = { 1, 2, 3 };
#define SHA256 cursor_over(bytes, JOURNAL_SHA256)
#define OTHER_SHA256 cursor_over(bytes + 1, JOURNAL_SHA256)

/* --- the token ----------------------------------------------------------- */

/* The one job that it was given. */
static struct {
	int refuses; /* what token_submit returns */
	bool cancels;
	unsigned int cancelled;
	const struct token_job_ops *ops; /* NULL: it has none */
	void *cookie;
	char client[NAMES_SIZE];
	struct spc_digest hash;
} token;

int __wrap_token_submit(struct token *t, const struct token_work *work,
    const struct token_job_ops *ops, void *cookie, struct token_job **job,
    struct ht_error *e);
bool __wrap_token_cancel(struct token_job *job);

int
__wrap_token_submit(struct token *t, const struct token_work *work,
    const struct token_job_ops *ops, void *cookie, struct token_job **job,
    struct ht_error *e)
{
	assert_string_equal(token_name(t), "near");
	assert_int_equal(work->key, 0);
	assert_null(token.ops);
	if (token.refuses != 0)
		return ht_error_set(e, token.refuses, "token near is away");
	token.ops = ops;
	token.cookie = cookie;
	(void)snprintf(token.client, sizeof(token.client), "%s", work->client);
	token.hash.algorithm = spc_algorithm(work->digest, NULL);
	assert_true(work->n <= sizeof(token.hash.value));
	memcpy(token.hash.value, work->hash, work->n);
	token.hash.length = work->n;
	*job = (struct token_job *)&token;
	return 0;
}

bool
__wrap_token_cancel(struct token_job *job)
{
	assert_ptr_equal(job, &token);
	token.cancelled++;
	if (token.cancels)
		token.ops = NULL;
	return token.cancels;
}

static int
authorise(unsigned int attempt, struct ht_error *e)
{
	int rc;

	assert_non_null(token.ops);
	rc = token.ops->authorise(token.cookie, attempt, e);
	core_settle();
	return rc;
}

/* The token takes the job. */
static void
take_job(void)
{
	struct ht_error e;

	assert_int_equal(authorise(1, &e), 0);
	assert_int_equal(token.ops->confirm(token.cookie, &e), 0);
}

/* The end of the job: its signature, with one bit flipped if it is bad. */
static void
answer(bool bad)
{
	const struct token_job_ops *ops = token.ops;
	struct buf signature = BUF_INIT;
	struct ht_error e;

	assert_int_equal(
	    signing_raw(&core_client_key, &token.hash, &signature, &e), 0);
	if (bad)
		signature.data[signature.len - 1] ^= 1;
	token.ops = NULL;
	ops->done(token.cookie, signature.data, signature.len, NULL);
	core_settle();
	buf_free(&signature);
}

/* Its end without one. */
static void
give_up(const struct ht_error *why)
{
	const struct token_job_ops *ops = token.ops;

	token.ops = NULL;
	ops->done(token.cookie, NULL, 0, why);
	core_settle();
}

/* --- the shell ----------------------------------------------------------- */

static struct protocol_content
content_of(const struct buf *der)
{
	struct protocol_content content;

	memset(&content, 0, sizeof(content));
	content.kind = PROTOCOL_KIND_SPC;
	(void)snprintf(content.format, sizeof(content.format), "pe");
	content.size = 1000;
	content.sha256 = SHA256;
	content.length = der == NULL ? 100 : (uint32_t)der->len;
	return content;
}

static void
say_part(struct keyd_client *a, const void *p, size_t n)
{
	const struct protocol_part part = { cursor_over(p, n) };

	core_client_say(a, PROTOCOL_PART, &part);
}

static void
say_content(struct keyd_client *a, const struct protocol_content *content,
    const struct buf *der)
{
	core_client_say(a, PROTOCOL_CONTENT, content);
	core_client_hear_nothing(a);
	say_part(a, der->data, der->len);
}

/* BEGIN and all of the content: the token has a job. */
static void
queue(struct keyd_client *a, const char *profile)
{
	struct protocol_begin begin = core_client_request(profile);
	struct protocol_content content;
	struct buf der = BUF_INIT;

	signing_content("sha256", &der);
	content = content_of(&der);
	core_client_begin(a, &begin);
	say_content(a, &content, &der);
	core_client_hear_nothing(a);
	assert_non_null(token.ops);
	buf_free(&der);
}

/* SIGNED and its PART. */
static void
hear_signature(struct keyd_client *a, struct buf *pkcs7)
{
	union protocol_body body;
	uint32_t length;
	struct msg m;

	core_client_hear(a, PROTOCOL_SIGNED, &m, &body);
	assert_string_equal(body.signed_.certificate, "good");
	length = body.signed_.length;
	core_client_hear(a, PROTOCOL_PART, &m, &body);
	assert_int_equal(body.part.bytes.left, length);
	buf_reset(pkcs7);
	buf_bytes(pkcs7, body.part.bytes.p, length);
	core_client_hear_nothing(a);
}

/* BEGIN and CONTENT, which is refused at once. */
static void
refuse(const struct protocol_begin *begin,
    const struct protocol_content *content, int code, const char *word,
    const char *text)
{
	struct keyd_client a;

	core_client_begin(&a, begin);
	core_client_say(&a, PROTOCOL_CONTENT, content);
	core_client_hear_no(&a, code, word, text);
	assert_null(core.requests);
}

static void
wait_for(struct keyd_client *a, const struct protocol_begin *begin,
    const struct protocol_content *content)
{
	core_client_begin(a, begin);
	core_client_say(a, PROTOCOL_CONTENT, content);
	core_client_hear_nothing(a);
}

static int
set_up(void **state)
{
	memset(&token, 0, sizeof(token));
	return core_client_set_up(state);
}

static void
disable_client(void)
{
	struct ht_error e;

	assert_int_equal(
	    client_set_disabled(core.store, &core_actor, "ci", true, &e), 0);
}

/* --- content ------------------------------------------------------------- */

static void
content_is_of_a_format_that_the_profile_signs(void **state)
{
	struct protocol_begin begin = core_client_request("plain");
	struct protocol_content content = content_of(NULL);
	struct keyd_client a;

	(void)state;
	memcpy(content.format, "cat", 4);
	refuse(&begin, &content, HT_ERR_REFUSED, "content",
	    "profile plain does not sign cat files");
	assert_int_equal(core_events("failed", "\"content\""), 1);
	content = content_of(NULL);
	core_client_begin(&a, &begin);
	core_configure("", "");
	core_client_say(&a, PROTOCOL_CONTENT, &content);
	core_client_hear_no(&a, HT_ERR_REFUSED, "content",
	    "profile plain does not sign pe files");
}

static void
content_has_its_kind_and_its_size(void **state)
{
	static const char no[] =
	    "content of a kind or a size that is not signed";
	static const struct {
		const char *profile, *format;
		uint8_t kind;
		uint32_t most; /* 0: there is none */
	} cases[] = {
		{ "other", "pe", PROTOCOL_KIND_SPC, PROTOCOL_PAGES_MAX },
		{ "other", "msi", PROTOCOL_KIND_SPC, PROTOCOL_CONTENT_MAX },
		{ "other", "pe", PROTOCOL_KIND_CTL, 0 },
		{ "lists", "cat", PROTOCOL_KIND_CTL, 1000 },
		{ "lists", "cat", PROTOCOL_KIND_SPC, 0 },
	};
	struct protocol_begin begin;
	struct protocol_content content = content_of(NULL);
	struct keyd_client a;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin = core_client_request(cases[i].profile);
		(void)snprintf(content.format, sizeof(content.format), "%s",
		    cases[i].format);
		content.kind = cases[i].kind;
		content.length = cases[i].most + 1;
		refuse(&begin, &content, HT_ERR_INTERNAL, "content", no);
		content.length = 0;
		refuse(&begin, &content, HT_ERR_INTERNAL, "content", no);
		if (cases[i].most == 0)
			continue;
		content.length = cases[i].most;
		wait_for(&a, &begin, &content);
		core_client_close(&a);
	}
	content = content_of(NULL);
	content.sha256.left--;
	begin = core_client_request("other");
	refuse(&begin, &content, HT_ERR_INTERNAL, "content", no);
}

static void
what_was_announced_stands(void **state)
{
	static const char no[] = "the file is not the one that was announced";
	struct protocol_begin begin = core_client_request("plain");
	struct protocol_content content = content_of(NULL);
	struct keyd_client a;

	(void)state;
	begin.size = 999;
	refuse(&begin, &content, HT_ERR_DATA, "cut", no);
	begin.size = 1000;
	begin.sha256 = OTHER_SHA256;
	refuse(&begin, &content, HT_ERR_DATA, "cut", no);
	begin.sha256 = SHA256;
	wait_for(&a, &begin, &content);
	core_client_close(&a);
}

static void
content_comes_in_parts_and_not_beyond(void **state)
{
	static const char more[] = "more content than was announced";
	struct protocol_begin begin = core_client_request("plain");
	struct protocol_content content;
	struct buf der = BUF_INIT;
	struct keyd_client a;

	(void)state;
	signing_content("sha256", &der);
	content = content_of(&der);
	wait_for(&a, &begin, &content);
	say_part(&a, der.data, 1);
	assert_null(token.ops);
	say_part(&a, der.data + 1, der.len - 1);
	assert_non_null(token.ops);
	/* All of it is there: one more is out of turn. */
	token.cancels = true;
	say_part(&a, "x", 1);
	core_client_hear_end(&a);
	assert_null(token.ops);
	wait_for(&a, &begin, &content);
	say_part(&a, der.data, 1);
	say_part(&a, der.data, der.len);
	core_client_hear_no(&a, HT_ERR_INTERNAL, "content", more);
	wait_for(&a, &begin, &content);
	say_part(&a, "", 0);
	core_client_hear_no(&a, HT_ERR_INTERNAL, "content", more);
	assert_null(token.ops);
	buf_free(&der);
}

static void
content_comes_within_half_a_minute(void **state)
{
	struct protocol_begin begin = core_client_request("plain");
	struct protocol_content content = content_of(NULL);
	struct keyd_client a;

	(void)state;
	wait_for(&a, &begin, &content);
	say_part(&a, bytes, 1);
	core_wait(29);
	core_client_hear_nothing(&a);
	core_wait(1);
	core_client_hear_no(&a, HT_ERR_UNAVAILABLE, "stalled",
	    "htsign-shell did not send all of the content in time");
	assert_int_equal(core_events("failed", "\"stalled\""), 1);
}

static void
what_is_no_content_is_not_signed(void **state)
{
	struct protocol_begin begin = core_client_request("plain");
	struct protocol_content content;
	struct buf der = BUF_INIT;
	struct keyd_client a;

	(void)state;
	signing_content("sha256", &der);
	content = content_of(&der);
	der.data[0] ^= 1;
	core_client_begin(&a, &begin);
	core_client_say(&a, PROTOCOL_CONTENT, &content);
	say_part(&a, der.data, der.len);
	assert_null(token.ops);
	assert_int_equal(core_events("failed", "\"content\""), 1);
	assert_int_equal(core_events("failed", "\"exit\":65"), 1);
	core_client_close(&a);
	buf_free(&der);
}

/* --- room ---------------------------------------------------------------- */

#define MOST PROTOCOL_PAGES_MAX

/* A request that holds room for so much content. */
static void
hold(struct keyd_client *a, uint32_t length)
{
	struct protocol_begin begin = core_client_request("other");
	struct protocol_content content = content_of(NULL);

	content.length = length;
	wait_for(a, &begin, &content);
}

static void
expect_no_room(uint32_t length, const char *text)
{
	struct protocol_begin begin = core_client_request("other");
	struct protocol_content content = content_of(NULL);
	union protocol_body body;
	struct keyd_client a;
	struct msg m;

	content.length = length;
	core_client_begin(&a, &begin);
	core_client_say(&a, PROTOCOL_CONTENT, &content);
	core_client_hear(&a, PROTOCOL_REFUSE, &m, &body);
	assert_int_equal(body.refuse.status, -HT_ERR_TEMPORARY);
	assert_string_equal(body.refuse.code, "room");
	assert_string_equal(body.refuse.text, text);
	assert_int_equal(body.refuse.retry, 10);
	core_client_hear_end(&a);
}

static void
be_client(const char *name)
{
	struct ht_error e;

	assert_int_equal(
	    client_add(core.store, &core_actor, name, NULL, 3600, &e), 0);
	assert_int_equal(
	    client_grant(core.store, &core_actor, name, "other", &e), 0);
	(void)snprintf(core_client_who.name, sizeof(core_client_who.name), "%s",
	    name);
}

static void
a_client_has_half_of_what_the_others_leave(void **state)
{
	static const char no[] =
	    "ci has as much large content in work as there is room for";
	const uint32_t rest = KEYD_CONTENT / 2 - 3 * MOST;
	struct keyd_client a[8];
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++)
		hold(&a[i], MOST);
	expect_no_room(rest + 1, no);
	hold(&a[3], rest);
	expect_no_room(PROTOCOL_CONTENT_MAX + 1, no);
	/* What is little needs no room. */
	hold(&a[4], PROTOCOL_CONTENT_MAX);
	be_client("cd");
	hold(&a[5], MOST);
	hold(&a[6], KEYD_CONTENT / 4 - MOST);
	be_client("ce");
	expect_no_room(MOST,
	    "the endpoint has as much large content in work as there is room "
	    "for");
	hold(&a[7], KEYD_CONTENT / 8);
	for (i = 4; i < 8; i++)
		core_client_close(&a[i]);
	/* Who goes gives it back. */
	core_client_close(&a[0]);
	(void)snprintf(core_client_who.name, sizeof(core_client_who.name),
	    "ci");
	hold(&a[0], MOST);
	for (i = 0; i < 4; i++)
		core_client_close(&a[i]);
	assert_int_equal(core_events("refused", "\"room\""), 3);
}

/* --- the way to the token ------------------------------------------------ */

static void
a_request_is_signed_and_delivered(void **state)
{
	const struct protocol_output output = { JOURNAL_SIZE_MAX, SHA256 };
	const struct protocol_delivered delivered = { JOURNAL_SIZE_MAX };
	struct buf der = BUF_INIT, pkcs7 = BUF_INIT;
	union protocol_body body;
	struct ht_error e;
	struct keyd_client a;
	struct msg m;

	(void)state;
	signing_content("sha256", &der);
	queue(&a, "plain");
	assert_string_equal(token.client, "ci");
	assert_int_equal(core_events("decided", ""), 0);
	take_job();
	assert_int_equal(core_events("decided", "\"attempt\":1"), 1);
	assert_int_equal(core_events("decided", "\"size\":1000"), 1);
	assert_int_equal(core_events("decided", "\"010203"), 1);
	assert_int_equal(core_events("decided", "5a5a5a"), 1);
	assert_int_equal(core_events("decided", "\"good\""), 1);
	assert_int_equal(core_events("decided", "\"near\""), 1);
	assert_int_equal(core_events("decided", "\"pe\""), 1);
	assert_int_equal(core_events("decided", "\"old_signature\":false"), 1);
	answer(false);
	assert_int_equal(core_events("signed", ""), 1);
	hear_signature(&a, &pkcs7);
	assert_int_equal(
	    pkcs7_postflight(pkcs7.data, pkcs7.len, der.data, der.len, &e), 0);
	core_client_say(&a, PROTOCOL_OUTPUT, &output);
	assert_int_equal(core_events("finished", "\"010203"), 1);
	core_client_hear(&a, PROTOCOL_RELEASE, &m, &body);
	assert_int_equal(body.number.number, 1);
	core_client_say(&a, PROTOCOL_DELIVERED, &delivered);
	assert_int_equal(core_events("delivered", ""), 1);
	core_wait(60); /* for no timer of it */
	core_client_hear_nothing(&a);
	core_client_close(&a);
	assert_null(core.requests);
	buf_free(&der);
	buf_free(&pkcs7);
}

static bool
holds(const struct buf *b, const void *what, size_t n)
{
	return memmem(b->data, b->len, what, n) != NULL;
}
#define HOLDS(b, text) holds(b, text, sizeof(text) - 1)

/* Under this profile, with this description and URL. */
static void
sign_as(const char *profile, const char *algorithm, const char *description,
    const char *url, struct buf *pkcs7)
{
	struct protocol_begin begin = core_client_request(profile);
	struct protocol_content content;
	struct buf der = BUF_INIT;
	struct keyd_client a;

	(void)snprintf(begin.description, sizeof(begin.description), "%s",
	    description);
	(void)snprintf(begin.url, sizeof(begin.url), "%s", url);
	signing_content(algorithm, &der);
	content = content_of(&der);
	content.existing = 1;
	core_client_begin(&a, &begin);
	say_content(&a, &content, &der);
	assert_string_equal(token.hash.algorithm, algorithm);
	take_job();
	assert_int_equal(core_events("decided", "\"old_signature\":true"), 1);
	answer(false);
	hear_signature(&a, pkcs7);
	core_client_close(&a);
	buf_free(&der);
}

#define COMMERCIAL "\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x16"
#define INDIVIDUAL "\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x15"
#define SIGNING_TIME "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x05"

static void
the_signature_says_what_the_profile_and_the_request_say(void **state)
{
	struct buf pkcs7 = BUF_INIT;

	(void)state;
	sign_as("plain", "sha256", "", "", &pkcs7);
	assert_true(HOLDS(&pkcs7, "Ours"));
	assert_true(HOLDS(&pkcs7, INDIVIDUAL));
	assert_false(HOLDS(&pkcs7, COMMERCIAL));
	assert_false(HOLDS(&pkcs7, SIGNING_TIME));
	core_client_tear_down(state);
	set_up(state);
	sign_as("plain", "sha256", "Mine", "http://my/", &pkcs7);
	assert_true(HOLDS(&pkcs7, "Mine"));
	assert_false(HOLDS(&pkcs7, "Ours"));
	assert_true(HOLDS(&pkcs7, "http://my/"));
	core_client_tear_down(state);
	set_up(state);
	sign_as("rich", "sha384", "", "", &pkcs7);
	assert_true(HOLDS(&pkcs7, COMMERCIAL));
	assert_true(HOLDS(&pkcs7, SIGNING_TIME));
	assert_true(HOLDS(&pkcs7, "260528202640Z")); /* SSH_CA_NOW */
	assert_true(HOLDS(&pkcs7, "https://example.org/"));
	core_client_tear_down(state);
	set_up(state);
	sign_as("rich", "sha384", "", "http://my/", &pkcs7);
	assert_false(HOLDS(&pkcs7, "https://example.org/"));
	buf_free(&pkcs7);
}

/* Content that is whole, and refused before the token hears of it. */
static void
expect_not_queued(const struct protocol_begin *begin,
    const struct protocol_content *content, const struct buf *der, int code,
    const char *word, const char *text)
{
	struct keyd_client a;

	core_client_begin(&a, begin);
	say_content(&a, content, der);
	core_client_hear_no(&a, code, word, text);
	assert_null(token.ops);
	assert_null(core.requests);
}

static void
what_the_profile_does_not_sign_is_not_queued(void **state)
{
	struct protocol_begin begin = core_client_request("plain");
	struct buf der = BUF_INIT, longer = BUF_INIT;
	struct protocol_content content;

	(void)state;
	signing_content("sha256", &der);
	signing_content("sha384", &longer);
	content = content_of(&der);
	content.size = 1001;
	expect_not_queued(&begin, &content, &der, HT_ERR_REFUSED, "content",
	    "the file is larger than profile plain allows");
	content = content_of(&longer);
	expect_not_queued(&begin, &content, &longer, HT_ERR_REFUSED, "content",
	    "profile plain signs sha256, not sha384");
	content = content_of(&der);
	token.refuses = HT_ERR_UNAVAILABLE;
	expect_not_queued(&begin, &content, &der, HT_ERR_UNAVAILABLE, "token",
	    "token near is away");
	assert_int_equal(core_events("failed", ""), 3);
	buf_free(&der);
	buf_free(&longer);
}

static void
the_verdict_is_asked_for_again_when_the_content_has_come(void **state)
{
	struct protocol_begin begin = core_client_request("plain");
	struct protocol_content content;
	struct buf der = BUF_INIT;
	struct keyd_client a;

	(void)state;
	signing_content("sha256", &der);
	content = content_of(&der);
	core_client_begin(&a, &begin);
	core_client_say(&a, PROTOCOL_CONTENT, &content);
	disable_client();
	say_part(&a, der.data, der.len);
	core_client_hear_no(&a, HT_ERR_DENIED, "disabled",
	    "client ci is disabled");
	assert_int_equal(core_events("refused", "\"disabled\""), 1);
	assert_null(token.ops);
	/* Or the profile does not sign that format any more. */
	core_client_tear_down(state);
	set_up(state);
	core_client_begin(&a, &begin);
	core_client_say(&a, PROTOCOL_CONTENT, &content);
	core_configure("",
	    "tokens = ( { name = \"near\"; file = \"$/user_key\"; } );\n"
	    "certificates = ( { name = \"good\"; token = \"near\";\n"
	    "  chain = \"$/good.pem\"; } );\n"
	    "profiles = ( { name = \"plain\"; certificates = [ \"good\" ];\n"
	    "  formats = [ \"cab\" ]; } );\n");
	say_part(&a, der.data, der.len);
	core_client_hear_no(&a, HT_ERR_REFUSED, "content",
	    "profile plain does not sign pe files");
	buf_free(&der);
}

static void
a_package_is_signed_by_its_publisher(void **state)
{
	struct protocol_begin begin = core_client_request("other");
	struct protocol_content content;
	struct buf der = BUF_INIT;
	struct keyd_client a;

	(void)state;
	signing_content("sha256", &der);
	content = content_of(&der);
	(void)snprintf(content.publisher, sizeof(content.publisher),
	    "CN=Somebody");
	core_client_begin(&a, &begin);
	say_content(&a, &content, &der);
	assert_null(token.ops);
	assert_int_equal(core_events("failed", "\"exit\":66"), 1);
	core_client_close(&a);
	(void)snprintf(content.publisher, sizeof(content.publisher),
	    "CN=Test Signer");
	core_client_begin(&a, &begin);
	say_content(&a, &content, &der);
	assert_non_null(token.ops);
	token.cancels = true;
	core_client_close(&a);
	content.publisher[0] = '\0';
	memcpy(content.format, "appx", sizeof("appx"));
	expect_not_queued(&begin, &content, &der, HT_ERR_DATA, "content",
	    "the package does not name its publisher");
	buf_free(&der);
}

static void
the_verdict_is_asked_for_again_at_the_token(void **state)
{
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	queue(&a, "plain");
	disable_client();
	assert_int_equal(authorise(1, &e), HT_ERR_DENIED);
	assert_string_equal(e.text, "client ci is disabled");
	assert_int_equal(core_events("decided", ""), 0);
	give_up(&e);
	core_client_hear_no(&a, HT_ERR_DENIED, "disabled",
	    "client ci is disabled");
	assert_int_equal(core_events("refused", "\"disabled\""), 1);
}

static void
the_verdict_is_asked_for_again_after_the_commit(void **state)
{
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	queue(&a, "plain");
	assert_int_equal(authorise(1, &e), 0);
	disable_client();
	assert_int_equal(token.ops->confirm(token.cookie, &e), HT_ERR_DENIED);
	give_up(&e);
	core_client_hear_no(&a, HT_ERR_DENIED, "disabled",
	    "client ci is disabled");
	assert_int_equal(core_events("decided", ""), 1);
	assert_int_equal(core_events("refused", "\"disabled\""), 1);
}

/* A configuration in which the profile signs with what is in that file. */
static void
configure_certificate(const char *name, const char *file)
{
	char text[512];

	(void)snprintf(text, sizeof(text),
	    "tokens = ( { name = \"near\"; file = \"$/user_key\"; } );\n"
	    "certificates = ( { name = \"%s\"; token = \"near\";\n"
	    "  chain = \"$/%s\"; } );\n"
	    "profiles = ( { name = \"plain\"; certificates = [ \"%s\" ]; } );",
	    name, file, name);
	core_configure("", text);
}

static void
a_certificate_that_was_replaced_does_not_sign(void **state)
{
	static const char no[] = "certificate good is not in use any more";
	const struct signing_how how = { "P-256", SSH_CA_NOW - 1000,
		SSH_CA_NOW + 1000, "codeSigning", false };
	struct signing another;
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	assert_int_equal(signing_make_how(&how, &another, &e), 0);
	scratch_write("another.pem", another.pem.data, another.pem.len - 1);
	signing_clear(&another);
	queue(&a, "plain");
	configure_certificate("good", "good.pem");
	assert_int_equal(authorise(1, &e), 0);
	configure_certificate("better", "good.pem");
	assert_int_equal(token.ops->confirm(token.cookie, &e),
	    HT_ERR_UNAVAILABLE);
	assert_string_equal(e.text, no);
	configure_certificate("good", "another.pem");
	assert_int_equal(token.ops->confirm(token.cookie, &e),
	    HT_ERR_UNAVAILABLE);
	assert_string_equal(e.text, no);
	give_up(&e);
	core_client_hear_no(&a, HT_ERR_UNAVAILABLE, "certificate", no);
}

static void
what_a_token_lost_is_on_record_and_handed_over_again(void **state)
{
	struct buf pkcs7 = BUF_INIT;
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	queue(&a, "plain");
	take_job();
	token.ops->lost(token.cookie, "the worker died");
	assert_int_equal(core_events("maybe-signed", "the worker died"), 1);
	assert_int_equal(authorise(2, &e), 0);
	assert_int_equal(core_events("decided", "\"attempt\":2"), 1);
	answer(false);
	hear_signature(&a, &pkcs7);
	core_client_close(&a);
	assert_int_equal(core_events("aborted", ""), 1);
	buf_free(&pkcs7);
}

static void
a_token_that_fails_is_a_failure(void **state)
{
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	queue(&a, "plain");
	take_job();
	(void)ht_error_set(&e, HT_ERR_UNAVAILABLE, "unplugged");
	give_up(&e);
	core_client_hear_no(&a, HT_ERR_UNAVAILABLE, "token", "unplugged");
	assert_int_equal(core_events("failed", "\"token\""), 1);
	assert_int_equal(core_events("signed", ""), 0);
}

static void
a_bad_signature_is_a_failure(void **state)
{
	union protocol_body body;
	struct keyd_client a;
	struct msg m;

	(void)state;
	queue(&a, "plain");
	take_job();
	answer(true);
	core_client_hear(&a, PROTOCOL_REFUSE, &m, &body);
	assert_string_equal(body.refuse.code, "signature");
	core_client_hear_end(&a);
	assert_int_equal(core_events("failed", "\"signature\""), 1);
	assert_int_equal(core_events("signed", ""), 0);
}

/* --- meanwhile ----------------------------------------------------------- */

static void
who_waits_is_told(void **state)
{
	union protocol_body body;
	struct keyd_client a;
	struct msg m;

	(void)state;
	queue(&a, "plain");
	core_wait(1);
	core_client_hear_nothing(&a);
	core_wait(1);
	core_client_hear(&a, PROTOCOL_WAIT, &m, &body);
	assert_string_equal(body.wait.reason, "queue");
	assert_string_equal(body.wait.text, "waiting for token near");
	core_wait(19);
	core_client_hear_nothing(&a);
	core_wait(1);
	core_client_hear(&a, PROTOCOL_WAIT, &m, &body);
	take_job();
	answer(false);
	core_client_hear(&a, PROTOCOL_SIGNED, &m, &body);
	core_client_hear(&a, PROTOCOL_PART, &m, &body);
	core_wait(40);
	core_client_hear_nothing(&a);
	core_client_close(&a);
}

static void
a_cut_ends_what_the_token_does_not_have(void **state)
{
	struct keyd_client a;

	(void)state;
	token.cancels = true;
	queue(&a, "plain");
	core_client_close(&a);
	assert_int_equal(token.cancelled, 1);
	assert_int_equal(core_events("aborted", "was cut"), 1);
	assert_null(core.requests);
}

static void
a_cut_waits_for_the_token_that_has_it(void **state)
{
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	queue(&a, "plain");
	take_job();
	core_client_close(&a);
	assert_int_equal(core_events("aborted", ""), 0);
	core_wait(30); /* nobody is there to be told */
	answer(false);
	assert_int_equal(core_events("signed", ""), 1);
	assert_int_equal(core_events("aborted", "was cut"), 1);
	assert_null(core.requests);
	queue(&a, "plain");
	take_job();
	core_client_close(&a);
	(void)ht_error_set(&e, HT_ERR_UNAVAILABLE, "unplugged");
	give_up(&e);
	assert_int_equal(core_events("failed", "unplugged"), 1);
	assert_null(core.requests);
	assert_int_equal(token.cancelled, 0);
}

static void
fail_with(struct keyd_client *a, uint32_t status)
{
	const struct protocol_fail fail = { status, "stdin", HT_NO_OFFSET,
		"cut off" };

	core_client_say(a, PROTOCOL_FAIL, &fail);
}

static void
a_failure_ends_what_the_token_does_not_have(void **state)
{
	union protocol_body body;
	struct keyd_client a;
	struct msg m;

	(void)state;
	token.cancels = true;
	queue(&a, "plain");
	fail_with(&a, 65);
	core_client_hear(&a, PROTOCOL_NOTED, &m, &body);
	assert_int_equal(core_events("failed", "\"exit\":65"), 1);
	core_wait(30);
	core_client_hear_nothing(&a);
	core_client_close(&a);
	assert_int_equal(token.cancelled, 1);
	assert_int_equal(core_events("aborted", ""), 0);
}

static void
a_failure_waits_for_the_token_that_has_it(void **state)
{
	union protocol_body body;
	struct keyd_client a;
	struct msg m;

	(void)state;
	queue(&a, "plain");
	take_job();
	fail_with(&a, 65);
	core_wait(30); /* who said that is told no more */
	core_client_hear_nothing(&a);
	assert_int_equal(core_events("failed", ""), 0);
	answer(false);
	core_client_hear(&a, PROTOCOL_NOTED, &m, &body);
	core_client_hear_nothing(&a);
	assert_int_equal(core_events("signed", ""), 1);
	assert_int_equal(core_events("failed", "\"exit\":65"), 1);
	core_client_close(&a);
	/* Also where the token has only just been told, and with no status. */
	queue(&a, "plain");
	fail_with(&a, 0);
	core_client_hear_nothing(&a);
	take_job();
	answer(false);
	core_client_hear(&a, PROTOCOL_NOTED, &m, &body);
	assert_int_equal(core_events("failed", "\"exit\":70"), 1);
	core_client_close(&a);
}

/* --- the output ---------------------------------------------------------- */

static void
queue_and_sign(struct keyd_client *a)
{
	struct buf pkcs7 = BUF_INIT;

	queue(a, "plain");
	take_job();
	answer(false);
	hear_signature(a, &pkcs7);
	buf_free(&pkcs7);
}

static void
output_that_makes_no_sense_is_cut_off(void **state)
{
	struct protocol_output output = { 1, SHA256 };
	struct keyd_client a;

	(void)state;
	output.sha256.left--;
	queue_and_sign(&a);
	core_client_say(&a, PROTOCOL_OUTPUT, &output);
	core_client_hear_end(&a);
	output.sha256 = SHA256;
	output.size = JOURNAL_SIZE_MAX + 1;
	queue_and_sign(&a);
	core_client_say(&a, PROTOCOL_OUTPUT, &output);
	core_client_hear_end(&a);
	assert_int_equal(core_events("finished", ""), 0);
	assert_int_equal(core_events("aborted", "was cut"), 2);
}

static void
what_is_finished_leaves_only_if_the_client_still_may(void **state)
{
	struct protocol_output output = { 1, SHA256 };
	struct keyd_client a;

	(void)state;
	queue_and_sign(&a);
	disable_client();
	core_client_say(&a, PROTOCOL_OUTPUT, &output);
	core_client_hear_no(&a, HT_ERR_DENIED, "disabled",
	    "client ci is disabled");
	assert_int_equal(core_events("finished", ""), 1);
	assert_int_equal(core_events("failed", "\"disabled\""), 1);
}

int
main(void)
{
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, set_up, core_client_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(content_is_of_a_format_that_the_profile_signs),
		TEST(content_has_its_kind_and_its_size),
		TEST(what_was_announced_stands),
		TEST(content_comes_in_parts_and_not_beyond),
		TEST(content_comes_within_half_a_minute),
		TEST(what_is_no_content_is_not_signed),
		TEST(a_client_has_half_of_what_the_others_leave),
		TEST(a_request_is_signed_and_delivered),
		TEST(the_signature_says_what_the_profile_and_the_request_say),
		TEST(what_the_profile_does_not_sign_is_not_queued),
		TEST(the_verdict_is_asked_for_again_when_the_content_has_come),
		TEST(a_package_is_signed_by_its_publisher),
		TEST(the_verdict_is_asked_for_again_at_the_token),
		TEST(the_verdict_is_asked_for_again_after_the_commit),
		TEST(a_certificate_that_was_replaced_does_not_sign),
		TEST(what_a_token_lost_is_on_record_and_handed_over_again),
		TEST(a_token_that_fails_is_a_failure),
		TEST(a_bad_signature_is_a_failure),
		TEST(who_waits_is_told),
		TEST(a_cut_ends_what_the_token_does_not_have),
		TEST(a_cut_waits_for_the_token_that_has_it),
		TEST(a_failure_ends_what_the_token_does_not_have),
		TEST(a_failure_waits_for_the_token_that_has_it),
		TEST(output_that_makes_no_sense_is_cut_off),
		TEST(what_is_finished_leaves_only_if_the_client_still_may),
	};

	return cmocka_run_group_tests(tests, core_client_enter,
	    core_client_leave);
}
