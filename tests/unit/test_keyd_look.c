/*
 * What keyd does about its certificates: asks htsign-fetch whether they have
 * been revoked, refuses what is, and says when they expire.  The test is
 * htsign-fetch, the shell and the token.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "keys/keyd/fetch-link.h"
#include "keys/keyd/sign-link.h"
#include "lib/proc.h"
#include "store/authority/clients.h"
#include "tests/support/core_client.h"
#include "tests/support/core_fetch.h"
#include "tests/support/core_token.h"
#include "tests/support/scratch.h"

#define DAY 86400
#define TOKEN "\x30\x03\x02\x01\x05"

/* "lone" is its own issuer. */
#define CONFIGURATION                                                          \
	"tokens = ( { name = \"near\"; file = \"$/user_key\"; } );\n"          \
	"timestamp_servers = ( { name = \"one\"; operator = \"O\";\n"          \
	"  url = \"http://o/\"; roots = \"$/roots\"; } );\n"                   \
	"profiles = (\n"                                                       \
	"  { name = \"one\"; certificates = [ \"good\" ]; },\n"                \
	"  { name = \"must\"; certificates = [ \"good\" ];\n"                  \
	"    timestamp = \"required\"; },\n"                                   \
	"  { name = \"two\"; certificates = [ \"good\", \"second\" ]; } );\n"  \
	"certificates = ( { name = \"good\"; token = \"near\";\n"              \
	"  chain = \"$/good.pem\"; }, { name = \"second\"; token = "           \
	"\"near\";\n"                                                          \
	"  chain = \"$/second.pem\"; }, { name = \"lone\"; token = "           \
	"\"near\";\n"                                                          \
	"  chain = \"$/lone.pem\"; }"

static const struct protocol_looked revoked = { PROTOCOL_LOOKED_REVOKED,
	"http://crl", SSH_CA_NOW - 60 };
static const struct protocol_looked good = { PROTOCOL_LOOKED_GOOD, "http://crl",
	0 };
static const struct protocol_looked unknown = { PROTOCOL_LOOKED_UNKNOWN,
	"no answer", 0 };

static struct signing second;

static void
make_second(void)
{
	const struct signing_how how = { "P-256", SSH_CA_NOW - DAY,
		SSH_CA_NOW + (int64_t)100 * DAY, "codeSigning", false, NULL };
	struct ht_error e;

	assert_int_equal(signing_make_how(&how, &second, &e), 0);
	scratch_write("second.pem", second.pem.data, second.pem.len - 1);
}

static void
make_lone(void)
{
	assert_int_equal(RUN("openssl", "req", "-x509", "-newkey", "ec",
	                     "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
	                     "-keyout", "lone.key", "-out", "lone.pem", "-days",
	                     "9000", "-subj", "/CN=lone", "-config",
	                     "/dev/null", "-addext",
	                     "extendedKeyUsage=codeSigning"),
	    0);
}

static int
enter(void **state)
{
	if (core_client_enter(state) != 0)
		return 1;
	make_second();
	make_lone();
	scratch_write("roots", "roots", 5);
	return 0;
}

static int
leave(void **state)
{
	signing_clear(&second);
	return core_client_leave(state);
}

static int
set_up(void **state)
{
	static const char *const granted[] = { "one", "must", "two" };
	struct ht_error e;
	size_t i;

	if (core_token_set_up(state) != 0)
		return 1;
	core_token.keys[1] = &second;
	core_configure("", CONFIGURATION " );\n");
	for (i = 0; i < sizeof(granted) / sizeof(granted[0]); i++)
		assert_int_equal(
		    client_grant(core.store, &core_actor, "ci", granted[i], &e),
		    0);
	return 0;
}

static int
tear_down(void **state)
{
	protocol_close(&core_fetch);
	memset(&core_fetch, 0, sizeof(core_fetch));
	return core_client_tear_down(state);
}

/* As keyd does it at its start, with the same journal. */
static void
start_again(void)
{
	protocol_close(&core_fetch);
	memset(&core_fetch, 0, sizeof(core_fetch));
	core_wait(0);
	fetch_free(core.fetch);
	core.fetch = fetch_new(&core);
	core_configure("", CONFIGURATION " );\n");
	fetch_look(core.fetch);
	core_settle();
}

/* htsign-fetch comes, and is asked about "good", then about "second". */
static void
come(uint32_t tags[2])
{
	union protocol_body body;

	fetch_look(core.fetch);
	core_fetch_connect(&core_fetch);
	tags[0] = core_fetch_hear(PROTOCOL_LOOK, &body);
	tags[1] = core_fetch_hear(PROTOCOL_LOOK, &body);
	assert_int_not_equal(tags[0], tags[1]);
	core_fetch_hear_nothing();
}

static void
say(uint32_t tag, const struct protocol_looked *looked)
{
	core_fetch_say(PROTOCOL_LOOKED, tag, looked);
}

static void
expect_refused(const char *profile, const char *text)
{
	struct protocol_begin begin = core_client_request(profile);
	struct keyd_client a;

	core_client_open(&a);
	core_client_say(&a, PROTOCOL_BEGIN, &begin);
	core_client_hear_no(&a, HT_ERR_REFUSED, "certificate", text);
}

static void
expect_go(const char *profile)
{
	struct protocol_begin begin = core_client_request(profile);
	struct keyd_client a;

	core_client_begin(&a, &begin);
	core_client_close(&a);
}

/* Up to the token, which has not taken it yet. */
static void
queue(struct keyd_client *a, const char *profile)
{
	struct protocol_begin begin = core_client_request(profile);
	struct protocol_content content;
	struct buf der = BUF_INIT;

	signing_content("sha256", &der);
	content = core_client_content(&der);
	core_client_begin(a, &begin);
	core_client_say_content(a, &content, &der);
	buf_free(&der);
}

/* SIGNED, with all of its PKCS#7. */
static void
hear_signature(struct keyd_client *a, const char *certificate, const char *note)
{
	union protocol_body body;
	struct msg m;

	core_client_hear(a, PROTOCOL_SIGNED, &m, &body);
	assert_string_equal(body.signed_.certificate, certificate);
	assert_string_equal(body.signed_.note, note);
	core_client_hear(a, PROTOCOL_PART, &m, &body);
	core_client_hear_nothing(a);
}

/* A certificate for which the question is too long for a message. */
static void
make_large(void)
{
	char comment[64000] = "nsComment=";
	struct buf chain = BUF_INIT;

	memset(comment + strlen(comment), 'x',
	    sizeof(comment) - 1 - strlen(comment));
	assert_int_equal(RUN("openssl", "req", "-x509", "-newkey", "ec",
	                     "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
	                     "-keyout", "ca.key", "-out", "ca.pem", "-subj",
	                     "/CN=ca", "-config", "/dev/null", "-addext",
	                     "basicConstraints=critical,CA:TRUE"),
	    0);
	assert_int_equal(
	    RUN("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
	        "ec_paramgen_curve:P-256", "-nodes", "-keyout", "large.key",
	        "-out", "large.pem", "-subj", "/CN=large", "-config",
	        "/dev/null", "-CA", "ca.pem", "-CAkey", "ca.key", "-addext",
	        "extendedKeyUsage=codeSigning", "-addext", comment),
	    0);
	scratch_read("large.pem", &chain);
	scratch_read("ca.pem", &chain);
	scratch_write("large.pem", chain.data, chain.len);
	buf_free(&chain);
}

/* --- revoked ------------------------------------------------------------- */

#define REVOKED "certificate good: has been revoked"

static void
each_certificate_is_asked_about_with_its_issuer(void **state)
{
	struct buf der = BUF_INIT;
	union protocol_body body;
	struct ht_error e;

	(void)state;
	fetch_look(core.fetch);
	core_fetch_connect(&core_fetch);
	(void)core_fetch_hear(PROTOCOL_LOOK, &body);
	assert_int_equal(chain_der(core_client_key.chain, 0, &der, &e), 0);
	assert_int_equal(body.look.certificate.left, der.len);
	assert_memory_equal(body.look.certificate.p, der.data, der.len);
	buf_reset(&der);
	assert_int_equal(chain_der(core_client_key.chain, 1, &der, &e), 0);
	assert_int_equal(body.look.issuer.left, der.len);
	assert_memory_equal(body.look.issuer.p, der.data, der.len);
	buf_free(&der);
	(void)core_fetch_hear(PROTOCOL_LOOK, &body);
	core_fetch_hear_nothing();
	assert_int_equal(core_events("signer-unknown", "it is its own issuer"),
	    1);
	assert_int_equal(
	    core_events("signer-unknown", "\"certificate\":\"lone\""), 1);
}

static void
what_is_revoked_is_refused_on_record(void **state)
{
	char hex[2 * JOURNAL_SHA256 + 32] = "\"fingerprint\":\"";
	uint8_t fingerprint[JOURNAL_SHA256];
	uint32_t tags[2];
	size_t i;

	(void)state;
	chain_fingerprint(core_client_key.chain, fingerprint);
	for (i = 0; i < sizeof(fingerprint); i++)
		(void)snprintf(hex + strlen(hex), 3, "%02x", fingerprint[i]);
	come(tags);
	expect_go("one");
	say(tags[0], &revoked);
	assert_int_equal(core_events("signer-revoked", hex), 1);
	assert_int_equal(
	    core_events("signer-revoked", "\"text\":\"http://crl\""), 1);
	assert_int_equal(
	    core_events("signer-revoked", "\"certificate\":\"good\""), 1);
	assert_int_equal(core_events("signer-revoked", "\"revoked_at\":\"2"),
	    1);
	expect_refused("one", REVOKED);
	assert_int_equal(core_events("refused", REVOKED), 1);
}

static void
of_several_the_other_signs(void **state)
{
	struct keyd_client a;
	uint32_t tags[2];
	unsigned int i;

	(void)state;
	come(tags);
	say(tags[0], &revoked);
	for (i = 0; i < 16; i++) {
		queue(&a, "two");
		core_token_take();
		core_token_answer(false);
		hear_signature(&a, "second", "");
		core_client_close(&a);
	}
	say(tags[1], &revoked);
	expect_refused("two", "certificate second: has been revoked");
}

static void
a_new_keyd_knows_it_and_asks_no_more(void **state)
{
	union protocol_body body;
	uint32_t tags[2];

	(void)state;
	come(tags);
	say(tags[0], &revoked);
	say(tags[1], &good);
	start_again();
	expect_refused("one", REVOKED);
	core_fetch_connect(&core_fetch);
	say(core_fetch_hear(PROTOCOL_LOOK, &body), &good);
	core_fetch_hear_nothing();
	expect_refused("one", REVOKED);
	assert_int_equal(core_events("signer-revoked", ""), 1);
	assert_int_equal(core_events("signer-good", ""), 1);
}

/* An answer that comes twice, and is the older one. */
static void
what_is_revoked_stays_so(void **state)
{
	uint32_t tags[2];

	(void)state;
	come(tags);
	say(tags[0], &revoked);
	say(tags[0], &good);
	core_fetch_leave();
	core_wait(10);
	expect_refused("one", REVOKED);
	assert_int_equal(core_events("signer-good", ""), 0);
	assert_int_equal(
	    core_events("signer-unknown", "\"certificate\":\"good\""), 0);
}

/* What is not on record is asked again, and refused all the same. */
static void
a_revocation_whose_record_was_undone_is_recorded_later(void **state)
{
	union protocol_body body;
	uint32_t tags[2];

	(void)state;
	come(tags);
	core.setup->certificates[0].revoked = true;
	expect_refused("one", REVOKED);
	fetch_look(core.fetch);
	core_settle();
	expect_refused("one", REVOKED);
	tags[0] = core_fetch_hear(PROTOCOL_LOOK, &body);
	(void)core_fetch_hear(PROTOCOL_LOOK, &body);
	say(tags[0], &good);
	expect_refused("one", REVOKED);
	fetch_look(core.fetch);
	core_settle();
	say(core_fetch_hear(PROTOCOL_LOOK, &body), &revoked);
	assert_int_equal(core_events("signer-revoked", ""), 1);
	assert_int_equal(core_events("signer-good", ""), 0);
}

/* One certificate, and two answers. */
static void
what_has_two_names_is_revoked_once(void **state)
{
	union protocol_body body;
	uint32_t tag;

	(void)state;
	core_configure("",
	    CONFIGURATION ", { name = \"c\"; token = \"near\"; "
	                  "chain = \"$/second.pem\"; } );\n");
	fetch_look(core.fetch);
	core_fetch_connect(&core_fetch);
	(void)core_fetch_hear(PROTOCOL_LOOK, &body);
	tag = core_fetch_hear(PROTOCOL_LOOK, &body);
	say(tag, &revoked);
	say(core_fetch_hear(PROTOCOL_LOOK, &body), &good);
	assert_true(core.setup->certificates[1].revoked);
	assert_true(core.setup->certificates[3].revoked);
	assert_int_equal(core_events("signer-revoked", ""), 1);
	assert_int_equal(core_events("signer-good", ""), 0);
}

/* --- revoked meanwhile ---------------------------------------------------- */

static void
what_waits_for_the_token_is_not_signed(void **state)
{
	struct keyd_client a;
	struct ht_error e;
	uint32_t tags[2];

	(void)state;
	come(tags);
	queue(&a, "one");
	say(tags[0], &revoked);
	assert_int_equal(core_token_authorise(1, &e), HT_ERR_REFUSED);
	assert_string_equal(e.text, REVOKED);
	core_token_give_up(&e);
	core_client_hear_no(&a, HT_ERR_REFUSED, "certificate", REVOKED);
	assert_int_equal(core_events("decided", ""), 0);
}

/* The other certificate of the profile does not stand in for it. */
static void
what_is_signed_is_not_released(void **state)
{
	const struct protocol_output output = { 1000,
		cursor_over(core_client_sha256, JOURNAL_SHA256), 0 };
	struct keyd_client a;
	uint32_t tags[2];
	char text[64];
	bool first;

	(void)state;
	come(tags);
	queue(&a, "two");
	core_token_take();
	core_token_answer(false);
	first = core_events("decided", "\"certificate\":\"good\"") == 1;
	hear_signature(&a, first ? "good" : "second",
	    first ? "certificate good expires within a day" : "");
	say(tags[first ? 0 : 1], &revoked);
	core_client_say(&a, PROTOCOL_OUTPUT, &output);
	(void)snprintf(text, sizeof(text), "certificate %s: has been revoked",
	    first ? "good" : "second");
	core_client_hear_no(&a, HT_ERR_REFUSED, "certificate", text);
	assert_int_equal(core_events("finished", ""), 1);
	assert_int_equal(core_events("failed", "has been revoked"), 1);
}

static void
what_is_stamped_is_not_handed_out(void **state)
{
	struct protocol_stamped stamped = { .server = "one",
		.time = SSH_CA_NOW,
		.serial = "0a",
		.tries = 1 };
	union protocol_body body;
	struct keyd_client a;
	uint32_t tags[2], tag;

	(void)state;
	come(tags);
	queue(&a, "must");
	core_token_take();
	core_token_answer(false);
	tag = core_fetch_hear(PROTOCOL_STAMP, &body);
	say(tags[0], &revoked);
	stamped.token = cursor_over(TOKEN, sizeof(TOKEN) - 1);
	core_fetch_say(PROTOCOL_STAMPED, tag, &stamped);
	core_client_hear_no(&a, HT_ERR_REFUSED, "certificate", REVOKED);
	assert_int_equal(core_events("stamped", ""), 1);
	assert_int_equal(core_events("refused", REVOKED), 1);
}

/* --- good and unknown ------------------------------------------------------ */

static void
a_verdict_is_recorded_once(void **state)
{
	union protocol_body body;
	uint32_t tags[2];
	unsigned int i;

	(void)state;
	come(tags);
	say(tags[0], &unknown);
	for (i = 0; i < 3; i++) {
		core_wait(3599);
		core_fetch_hear_nothing();
		core_wait(1);
		say(core_fetch_hear(PROTOCOL_LOOK, &body), &unknown);
		say(core_fetch_hear(PROTOCOL_LOOK, &body), &good);
	}
	expect_go("one");
	assert_int_equal(core_events("signer-unknown", "no answer"), 1);
	assert_int_equal(
	    core_events("signer-good", "\"certificate\":\"second\""), 1);
	core_wait(3600);
	say(core_fetch_hear(PROTOCOL_LOOK, &body), &good);
	assert_int_equal(core_events("signer-good", ""), 2);
	start_again();
	come(tags);
	say(tags[0], &good);
	say(tags[1], &unknown);
	assert_int_equal(core_events("signer-good", ""), 2);
	assert_int_equal(core_events("signer-unknown", "no answer"), 2);
	assert_int_equal(core_events("signer-unknown", ""), 3); /* "lone" */
}

/* Who comes and goes says no more than who stays. */
static void
who_comes_again_is_asked_what_has_no_answer(void **state)
{
	union protocol_body body;
	uint32_t tags[2];
	unsigned int i;

	(void)state;
	come(tags);
	say(tags[1], &good);
	for (i = 0; i < 5; i++) {
		core_fetch_leave();
		core_fetch_connect(&core_fetch);
		tags[0] = core_fetch_hear(PROTOCOL_LOOK, &body);
		core_fetch_hear_nothing();
	}
	say(tags[0], &good);
	core_fetch_leave();
	core_fetch_connect(&core_fetch);
	core_fetch_hear_nothing();
	say(tags[0], &unknown);
	assert_int_equal(core_events("signer-good", ""), 2);
	assert_int_equal(core_events("signer-unknown", "no answer"), 0);
	core_fetch_leave();
	core_wait(10);
	core_fetch_connect(&core_fetch);
	(void)core_fetch_hear(PROTOCOL_LOOK, &body);
	(void)core_fetch_hear(PROTOCOL_LOOK, &body);
	core_fetch_hear_nothing();
}

static void
without_htsign_fetch_nothing_is_refused(void **state)
{
	uint32_t tags[2];

	(void)state;
	fetch_look(core.fetch);
	core_wait(9);
	assert_int_equal(core_events("signer-unknown", ""), 0);
	core_wait(1);
	assert_int_equal(core_events("signer-unknown", "htsign-fetch is away"),
	    3);
	expect_go("one");
	core_wait(3600);
	core_wait(3600);
	assert_int_equal(core_events("signer-unknown", ""), 3);
	come(tags);
	say(tags[0], &good);
	core_fetch_leave();
	core_wait(9);
	assert_int_equal(core_events("signer-unknown", ""), 3);
	core_wait(1);
	assert_int_equal(core_events("signer-unknown", ""), 4);
	expect_go("one");
	assert_int_equal(core_events("signer-good", ""), 1);
}

/* As a reload does. */
static void
a_reload_looks_at_once(void **state)
{
	union protocol_body body;
	uint32_t tags[2];

	(void)state;
	come(tags);
	core_configure("", CONFIGURATION " );\n");
	fetch_look(core.fetch);
	core_settle();
	say(core_fetch_hear(PROTOCOL_LOOK, &body), &revoked);
	(void)core_fetch_hear(PROTOCOL_LOOK, &body);
	say(tags[1], &revoked); /* about the old configuration's */
	expect_refused("one", REVOKED);
	expect_go("two");
}

static void
what_is_no_verdict_ends_the_connection(void **state)
{
	static const struct protocol_looked bad[] = {
		{ "", "text", 0 },
		{ "goodly", "text", 0 },
		{ PROTOCOL_LOOKED_GOOD, "text", 1 },
		{ PROTOCOL_LOOKED_UNKNOWN, "text", 1 },
		{ PROTOCOL_LOOKED_REVOKED, "text", 0 },
		{ PROTOCOL_LOOKED_REVOKED, "text", UINT64_C(253402300800) },
	};
	uint32_t tags[2];
	size_t i;

	(void)state;
	for (i = 0; i <= sizeof(bad) / sizeof(bad[0]); i++) {
		come(tags);
		if (i == 0)
			say(0, &good);
		else
			say(tags[0], &bad[i - 1]);
		core_wait(0);
		assert_int_equal(core.nconnections[PROTOCOL_LINK_FETCH], 0);
		protocol_close(&core_fetch);
	}
	memset(&core_fetch, 0, sizeof(core_fetch));
	expect_go("one");
	assert_int_equal(core_events("signer-good", ""), 0);
	assert_int_equal(core_events("signer-revoked", ""), 0);
}

/* Each of 20 more is asked about, but not at once. */
static void
four_are_asked_about_at_a_time(void **state)
{
	struct buf text = BUF_INIT;
	union protocol_body body;
	uint32_t tags[PROTOCOL_LOOKS];
	size_t i;

	(void)state;
	buf_format(&text, "%s", CONFIGURATION);
	for (i = 0; i < 20; i++)
		buf_format(&text,
		    ", { name = \"c%zu\"; token = \"near\"; chain = "
		    "\"$/second.pem\"; }",
		    i);
	buf_format(&text, " );\n");
	buf_u8(&text, 0);
	core_configure("", (const char *)text.data);
	buf_free(&text);
	fetch_look(core.fetch);
	core_fetch_connect(&core_fetch);
	for (i = 0; i < PROTOCOL_LOOKS; i++)
		tags[i] = core_fetch_hear(PROTOCOL_LOOK, &body);
	core_fetch_hear_nothing();
	for (i = 0; i < 22 - PROTOCOL_LOOKS; i++) {
		say(tags[i % PROTOCOL_LOOKS], &good);
		tags[i % PROTOCOL_LOOKS] =
		    core_fetch_hear(PROTOCOL_LOOK, &body);
		core_fetch_hear_nothing();
	}
	for (i = 0; i < PROTOCOL_LOOKS; i++)
		say(tags[i], &good);
	core_fetch_hear_nothing();
	assert_int_equal(core_events("signer-good", ""), 2);
}

static void
what_is_too_large_is_not_asked_about(void **state)
{
	uint32_t tags[2];

	(void)state;
	make_large();
	core_configure("",
	    CONFIGURATION ", { name = \"large\"; token = \"near\"; "
	                  "chain = \"$/large.pem\"; } );\n");
	come(tags);
	assert_int_equal(core_events("signer-unknown", "it is too large"), 1);
	say(tags[0], &good);
	assert_int_equal(core_events("signer-good", ""), 1);
}

/* --- expiry ---------------------------------------------------------------- */

/* "second" has so many days to go, less a second. */
static void
days_before_the_end(unsigned int days)
{
	core_now =
	    ((int64_t)SSH_CA_NOW + (int64_t)(100 - days) * DAY + 1) * 1000000;
}

static void
its_end_is_said_once_for_each_threshold(void **state)
{
	static const struct {
		unsigned int days, said, last;
	} table[] = { { 91, 0, 0 }, { 90, 1, 90 }, { 89, 1, 90 }, { 31, 1, 90 },
		{ 30, 2, 30 }, { 8, 2, 30 }, { 7, 3, 7 }, { 1, 3, 7 } };
	char last[32];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		days_before_the_end(table[i].days);
		fetch_look(core.fetch);
		core_settle();
		start_again();
		assert_int_equal(
		    core_events("signer-expires", "\"certificate\":\"second\""),
		    table[i].said);
		(void)snprintf(last, sizeof(last), "\"days\":%u",
		    table[i].last);
		assert_int_equal(core_events("signer-expires", last),
		    table[i].said > 0);
	}
	assert_int_equal(core_events("signer-expires", "\"valid_before\":\"2"),
	    3);
}

/* It has been said of the one that is as short as that. */
static void
who_comes_late_hears_it_once(void **state)
{
	(void)state;
	fetch_look(core.fetch);
	core_wait(3600);
	assert_int_equal(core_events("signer-expires", ""), 1);
	assert_int_equal(core_events("signer-expires",
	                     "\"certificate\":\"good\",\"days\":7"),
	    1);
}

static void
a_signature_warns_of_the_last_week(void **state)
{
	static const struct {
		unsigned int days;
		const char *note;
	} table[] = { { 8, "" }, { 7, "certificate second expires in 6 days" },
		{ 1, "certificate second expires within a day" } };
	struct keyd_client a;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		days_before_the_end(table[i].days);
		queue(&a, "two");
		core_token_take();
		core_token_answer(false);
		hear_signature(&a, "second", table[i].note);
		core_client_close(&a);
	}
}

/* What `profiles` shows of "two". */
static void
expect_listed(const char *text)
{
	const struct protocol_hello hello = { .version = PROTOCOL_VERSION };
	union protocol_body body;
	struct cursor name, about;
	struct keyd_client a;
	struct ht_error e;
	struct msg m;
	int pair[2];

	assert_int_equal(proc_socketpair(pair, &e), 0);
	assert_int_equal(sign_link_accept(&core, pair[0], &core_client_who, &e),
	    0);
	assert_int_equal(keyd_client_bound(&a, pair[1], PROTOCOL_LINK_SIGN, &e),
	    0);
	core_client_say(&a, PROTOCOL_HELLO, &hello);
	core_client_hear(&a, PROTOCOL_WELCOME, &m, &body);
	do {
		assert_int_equal(cursor_string(&body.welcome.profiles, &name),
		    0);
		assert_int_equal(cursor_string(&body.welcome.profiles, &about),
		    0);
	} while (!cursor_is(name, "two"));
	if (text[0] == '\0')
		assert_null(memmem(about.p, about.left, "expires", 7));
	else
		assert_non_null(
		    memmem(about.p, about.left, text, strlen(text)));
	core_client_close(&a);
}

static void
profiles_says_how_long_it_can_sign(void **state)
{
	(void)state;
	expect_listed("");
	days_before_the_end(91);
	expect_listed("");
	days_before_the_end(90);
	expect_listed("(certificate second expires in 89 days)");
	core.setup->certificates[1].revoked = true;
	expect_listed("");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_certificate_is_asked_about_with_its_issuer),
		TEST(what_is_revoked_is_refused_on_record),
		TEST(of_several_the_other_signs),
		TEST(a_new_keyd_knows_it_and_asks_no_more),
		TEST(what_is_revoked_stays_so),
		TEST(a_revocation_whose_record_was_undone_is_recorded_later),
		TEST(what_has_two_names_is_revoked_once),
		TEST(what_waits_for_the_token_is_not_signed),
		TEST(what_is_signed_is_not_released),
		TEST(what_is_stamped_is_not_handed_out),
		TEST(a_verdict_is_recorded_once),
		TEST(who_comes_again_is_asked_what_has_no_answer),
		TEST(without_htsign_fetch_nothing_is_refused),
		TEST(a_reload_looks_at_once),
		TEST(what_is_no_verdict_ends_the_connection),
		TEST(four_are_asked_about_at_a_time),
		TEST(what_is_too_large_is_not_asked_about),
		TEST(its_end_is_said_once_for_each_threshold),
		TEST(who_comes_late_hears_it_once),
		TEST(a_signature_warns_of_the_last_week),
		TEST(profiles_says_how_long_it_can_sign),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
