/*
 * A request in keyd, but for its signature: how it begins, what may be kept,
 * and every way in which it ends (test_keyd_sign.c has the rest).
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/authority/clients.h"
#include "store/journal/journal.h"
#include "keys/keyd/spools.h"
#include "tests/support/core_client.h"
#include "tests/support/scratch.h"

static const uint8_t bytes[JOURNAL_SHA256 + 1] = { 1, 2, 3 };
#define SHA256 cursor_over(bytes, JOURNAL_SHA256)
#define OTHER_SHA256 cursor_over(bytes + 1, JOURNAL_SHA256)

/* Open a connection, and BEGIN, which is refused. */
static void
refuse(const struct protocol_begin *begin, int code, const char *word,
    const char *text)
{
	unsigned int before = core_events("refused", "");
	struct keyd_client a;

	core_client_open(&a);
	core_client_say(&a, PROTOCOL_BEGIN, begin);
	core_client_hear_no(&a, code, word, text);
	assert_int_equal(core_events("refused", ""), before + 1);
}

/* --- BEGIN --------------------------------------------------------------- */

static void
go_says_what_the_profile_says(void **state)
{
	struct protocol_begin begin = core_client_request("other");
	uint8_t fingerprint[PROTOCOL_FINGERPRINT];
	union protocol_body body;
	struct keyd_client a;
	struct stat st;
	struct msg m;

	(void)state;
	(void)snprintf(begin.description, sizeof(begin.description), "My App");
	(void)snprintf(begin.url, sizeof(begin.url), "https://example.org/");
	(void)snprintf(begin.name, sizeof(begin.name), "a.exe");
	(void)snprintf(begin.options, sizeof(begin.options), "page-hashes");
	core_client_open(&a);
	core_client_say(&a, PROTOCOL_BEGIN, &begin);
	core_client_hear(&a, PROTOCOL_GO, &m, &body);
	assert_int_equal(body.go.number, 1);
	assert_string_equal(body.go.profile, "other");
	assert_string_equal(body.go.digest, "sha256");
	assert_int_equal(body.go.max_size, 1 << 20);
	assert_int_equal(body.go.max_ctl, 256 << 10);
	assert_string_equal(body.go.existing, "own");
	assert_non_null(strstr(body.go.formats, "msi"));
	chain_fingerprint(core_client_key.chain, fingerprint);
	assert_int_equal(body.go.own.left, sizeof(fingerprint));
	assert_memory_equal(body.go.own.p, fingerprint, sizeof(fingerprint));
	assert_int_equal(fstat(m.fd[0], &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(write(m.fd[0], "x", 1), 1);
	(void)close(m.fd[0]);
	assert_int_equal(core_events("asked", "My App"), 1);
	assert_int_equal(core_events("asked", "https://example.org/"), 1);
	assert_int_equal(core_events("asked", "a.exe"), 1);
	assert_int_equal(core_events("asked", "page-hashes"), 1);
	assert_int_equal(core_events("asked", "\"full\""), 1);
	assert_int_equal(core_events("asked", "192.0.2.7"), 1);
	assert_int_equal(core_events("asked", "\"other\""), 1);
	core_client_close(&a);
}

static void
go_says_no_certificates_where_none_is_asked_for(void **state)
{
	struct protocol_begin begin = core_client_request("lists");
	union protocol_body body;
	struct keyd_client a;
	struct msg m;

	(void)state;
	begin.reply = PROTOCOL_REPLY_PKCS7;
	core_client_open(&a);
	core_client_say(&a, PROTOCOL_BEGIN, &begin);
	core_client_hear(&a, PROTOCOL_GO, &m, &body);
	assert_string_equal(body.go.existing, "refuse");
	assert_string_equal(body.go.formats, "cat");
	assert_int_equal(body.go.max_ctl, 1000);
	assert_int_equal(body.go.own.left, 0);
	(void)close(m.fd[0]);
	assert_int_equal(core_events("asked", "\"pkcs7\""), 1);
	core_client_close(&a);
}

static void
policy_is_asked_and_a_no_is_on_record(void **state)
{
	struct protocol_begin begin = core_client_request("secret");

	(void)state;
	refuse(&begin, HT_ERR_DENIED, "profile",
	    "profile secret is not granted to ci");
	begin = core_client_request("nothing");
	refuse(&begin, HT_ERR_DENIED, "profile",
	    "profile nothing is not granted to ci");
	assert_int_equal(core_events("asked", "\"nothing\""), 1);
	assert_int_equal(core_events("refused", "\"exit\":77"), 2);
	begin = core_client_request("");
	refuse(&begin, HT_ERR_USAGE, "no-default",
	    "ci has no default profile: name one");
	begin = core_client_request("plain");
	core_client_who.until = SSH_CA_NOW;
	refuse(&begin, HT_ERR_DENIED, "expired",
	    "certificate ci/7 has expired");
}

static void
the_default_is_recorded_by_its_name(void **state)
{
	struct protocol_begin begin = core_client_request("");
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	assert_int_equal(
	    client_change(core.store, &core_actor, "ci", "plain", 3600, &e), 0);
	core_client_begin(&a, &begin);
	assert_int_equal(core_events("asked", "\"plain\""), 1);
	core_client_close(&a);
}

static void
a_size_is_refused_from_the_first_byte_too_many(void **state)
{
	struct protocol_begin begin = core_client_request("plain");
	struct keyd_client a;

	(void)state;
	begin.size = 1000;
	core_client_begin(&a, &begin);
	core_client_close(&a);
	begin.size = 1001;
	refuse(&begin, HT_ERR_REFUSED, "size",
	    "1001 bytes are more than the 1000 that profile plain allows");
}

static void
a_sha256_has_32_bytes(void **state)
{
	struct protocol_begin begin = core_client_request("plain");
	struct keyd_client a;

	(void)state;
	begin.sha256 = SHA256;
	core_client_begin(&a, &begin);
	core_client_close(&a);
	begin.sha256.left = 1;
	refuse(&begin, HT_ERR_USAGE, "sha256", "a SHA-256 has 32 bytes");
	begin.sha256.left = JOURNAL_SHA256 + 1;
	refuse(&begin, HT_ERR_USAGE, "sha256", "a SHA-256 has 32 bytes");
}

static void
an_endpoint_that_ends_begins_nothing(void **state)
{
	struct protocol_begin begin = core_client_request("plain");
	union protocol_body body;
	struct keyd_client a;
	struct msg m;

	(void)state;
	core_client_open(&a);
	core.ending = true;
	core_client_say(&a, PROTOCOL_BEGIN, &begin);
	core_client_hear(&a, PROTOCOL_REFUSE, &m, &body);
	assert_int_equal(body.refuse.status, -HT_ERR_TEMPORARY);
	assert_string_equal(body.refuse.code, "ending");
	assert_int_equal(body.refuse.retry, 10);
	assert_int_equal(body.refuse.number, 1);
	core_client_hear_end(&a);
}

static void
a_client_has_as_many_open_requests_as_the_profile_says(void **state)
{
	struct protocol_begin begin = core_client_request("plain");
	const struct protocol_fail fail = { 65, "format", HT_NO_OFFSET, "" };
	struct ht_error e;
	union protocol_body body;
	struct keyd_client a, b, c;
	struct msg m;

	(void)state;
	core_client_begin(&a, &begin);
	core_client_begin(&b, &begin);
	core_client_open(&c);
	core_client_say(&c, PROTOCOL_BEGIN, &begin);
	core_client_hear(&c, PROTOCOL_REFUSE, &m, &body);
	assert_int_equal(body.refuse.status, -HT_ERR_TEMPORARY);
	assert_string_equal(body.refuse.code, "queue");
	assert_string_equal(body.refuse.text,
	    "2 requests of ci are open already");
	assert_int_equal(body.refuse.retry, 5);
	core_client_hear_end(&c);
	/* Another client's do not count. */
	assert_int_equal(
	    client_add(core.store, &core_actor, "cd", NULL, 3600, &e), 0);
	assert_int_equal(
	    client_grant(core.store, &core_actor, "cd", "plain", &e), 0);
	memcpy(core_client_who.name, "cd", 3);
	core_client_begin(&c, &begin);
	core_client_close(&c);
	/* Nor one that has ended. */
	memcpy(core_client_who.name, "ci", 3);
	core_client_say(&a, PROTOCOL_FAIL, &fail);
	core_client_hear(&a, PROTOCOL_NOTED, &m, &body);
	core_client_begin(&c, &begin);
	core_client_close(&a);
	core_client_close(&b);
	core_client_close(&c);
}

static unsigned int
descriptors(void)
{
	unsigned int n = 0;
	int fd;

	for (fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* keyd does not keep the spool that it gives away, once the shell is gone. */
static void
no_descriptor_is_left(void **state)
{
	struct protocol_begin begin = core_client_request("plain");
	unsigned int before = descriptors();
	struct keyd_client a;

	(void)state;
	core_client_begin(&a, &begin);
	core_client_close(&a);
	core_wait(2);
	assert_int_equal(descriptors(), before);
}

static void
without_a_spool_there_is_no_go(void **state)
{
	struct protocol_begin begin = core_client_request("plain");
	struct keyd_client a;

	(void)state;
	spools_free(core.spools);
	core.spools = spools_new(core.loop, -1);
	core_client_open(&a);
	core_client_say(&a, PROTOCOL_BEGIN, &begin);
	core_client_hear_no(&a, HT_ERR_UNAVAILABLE, "spool",
	    "there is no room for uploads");
	assert_int_equal(core_events("failed", "\"spool\""), 1);
}

/* --- FAIL ---------------------------------------------------------------- */

static void
fail_with(struct keyd_client *a, uint32_t status, uint64_t offset,
    uint64_t number)
{
	const struct protocol_fail fail = { status, "format", offset, "no MZ" };
	union protocol_body body;
	struct msg m;

	core_client_say(a, PROTOCOL_FAIL, &fail);
	core_client_hear(a, PROTOCOL_NOTED, &m, &body);
	assert_int_equal(body.number.number, number);
}

static void
a_request_that_made_no_sense_has_a_number(void **state)
{
	struct protocol_begin begin = core_client_request("plain");
	struct keyd_client a;

	(void)state;
	core_client_open(&a);
	fail_with(&a, 64, HT_NO_OFFSET, 1);
	assert_int_equal(core_events("asked", "\"ci\""), 1);
	assert_int_equal(core_events("failed", "no MZ"), 1);
	assert_int_equal(core_events("failed", "\"exit\":64"), 1);
	assert_null(core.requests);
	core_client_close(&a);
	core_client_begin(&a, &begin);
	fail_with(&a, 65, 17, 2);
	assert_int_equal(core_events("failed", "\"offset\":17"), 1);
	/* And once more, where one has ended. */
	fail_with(&a, 65, 18, 3);
	assert_int_equal(core_events("failed", "\"offset\":18"), 1);
	core_client_close(&a);
	assert_int_equal(core_events("aborted", ""), 0);
}

static void
a_status_that_is_none_counts_as_ours(void **state)
{
	struct keyd_client a;

	(void)state;
	core_client_open(&a);
	fail_with(&a, 64, HT_NO_OFFSET, 1);
	assert_int_equal(core_events("failed", "\"exit\":64"), 1);
	fail_with(&a, 78, HT_NO_OFFSET, 2);
	assert_int_equal(core_events("failed", "\"exit\":78"), 1);
	fail_with(&a, 63, HT_NO_OFFSET, 3);
	assert_int_equal(core_events("failed", "\"exit\":70"), 1);
	fail_with(&a, 79, HT_NO_OFFSET, 4);
	assert_int_equal(core_events("failed", "\"exit\":70"), 2);
	fail_with(&a, 65, JOURNAL_SIZE_MAX, 5);
	assert_int_equal(core_events("failed", "\"offset\""), 1);
	fail_with(&a, 65, JOURNAL_SIZE_MAX + 1, 6);
	assert_int_equal(core_events("failed", "\"offset\""), 1);
	core_client_close(&a);
}

static void
a_cut_is_on_record_once(void **state)
{
	struct protocol_begin begin = core_client_request("plain");
	struct keyd_client a, b;

	(void)state;
	core_client_begin(&a, &begin);
	core_client_begin(&b, &begin);
	core_client_close(&a);
	assert_int_equal(core_events("aborted", "the connection was cut"), 1);
	assert_non_null(core.requests);
	core_client_close(&b);
	assert_int_equal(core_events("aborted", "the connection was cut"), 2);
	assert_null(core.requests);
	/* In the other order, too. */
	core_client_begin(&a, &begin);
	core_client_begin(&b, &begin);
	core_client_close(&b);
	core_client_close(&a);
	assert_null(core.requests);
}

/* --- what no shell of ours says ------------------------------------------ */

static void
expect_unsaid(const struct protocol_begin *begin)
{
	unsigned int before = core_events("asked", "");
	struct keyd_client a;

	core_client_open(&a);
	core_client_say(&a, PROTOCOL_BEGIN, begin);
	core_client_hear_end(&a);
	assert_int_equal(core_events("asked", ""), before);
}

/* A BEGIN of which one text is not what a shell makes of a request line. */
static void
what_no_shell_says_is_not_recorded(void **state)
{
	static const struct {
		size_t at;
		const char *text;
	} cases[] = {
		{ offsetof(struct protocol_begin, options), "page-hash" },
		{ offsetof(struct protocol_begin, options), "msi-ex " },
		{ offsetof(struct protocol_begin, options),
		    "msi-ex page-hashes" },
		{ offsetof(struct protocol_begin, name), "a/b.exe" },
		{ offsetof(struct protocol_begin, name), "a\\b.exe" },
		{ offsetof(struct protocol_begin, name), "a\nb" },
		{ offsetof(struct protocol_begin, name), "\xff" },
		{ offsetof(struct protocol_begin, description), "\x1b[2J" },
		{ offsetof(struct protocol_begin, description), "\xc2\x9b" },
		{ offsetof(struct protocol_begin, description),
		    "\xed\xa0\x80" },
		{ offsetof(struct protocol_begin, url), "https://\x7f" },
		{ offsetof(struct protocol_begin, profile), "Other" },
		{ offsetof(struct protocol_begin, profile), "a\nb" },
	};
	struct protocol_begin begin;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin = core_client_request("other");
		memcpy((char *)&begin + cases[i].at, cases[i].text,
		    strlen(cases[i].text) + 1);
		expect_unsaid(&begin);
	}
	begin = core_client_request("other");
	begin.reply = PROTOCOL_REPLY_PKCS7 + 1;
	expect_unsaid(&begin);
}

static void
a_failure_of_another_name_is_not_recorded(void **state)
{
	const struct protocol_fail fail = { 65, "made-up", HT_NO_OFFSET, "" };
	struct keyd_client a;

	(void)state;
	core_client_open(&a);
	core_client_say(&a, PROTOCOL_FAIL, &fail);
	core_client_hear_end(&a);
	assert_int_equal(core_events("failed", ""), 0);
}

/* --- KEPT ---------------------------------------------------------------- */

static const struct protocol_kept signed_file = { "pe", 100,
	{ bytes, JOURNAL_SHA256 }, 100, { bytes, JOURNAL_SHA256 } };

/* BEGIN and KEPT, to which there is no answer but a closed connection. */
static void
expect_cut(const struct protocol_begin *begin, const struct protocol_kept *kept)
{
	struct keyd_client a;

	core_client_begin(&a, begin);
	core_client_say(&a, PROTOCOL_KEPT, kept);
	core_client_hear_end(&a);
	assert_int_equal(core_events("kept", ""), 0);
}

static void
expect_not_kept(const struct protocol_begin *begin,
    const struct protocol_kept *kept, int code, const char *text)
{
	struct keyd_client a;

	core_client_begin(&a, begin);
	core_client_say(&a, PROTOCOL_KEPT, kept);
	core_client_hear_no(&a, code, "kept", text);
	assert_int_equal(core_events("kept", ""), 0);
}

/* KEPT, RELEASE, DELIVERED. */
static void
expect_kept(const struct protocol_begin *begin,
    const struct protocol_kept *kept)
{
	const struct protocol_delivered delivered = { kept->output_size };
	unsigned int before = core_events("delivered", "");
	union protocol_body body;
	struct keyd_client a;
	struct msg m;

	core_client_begin(&a, begin);
	core_client_say(&a, PROTOCOL_KEPT, kept);
	core_client_hear(&a, PROTOCOL_RELEASE, &m, &body);
	assert_int_equal(body.number.number, before + 1);
	core_client_say(&a, PROTOCOL_DELIVERED, &delivered);
	assert_int_equal(core_events("delivered", ""), before + 1);
	core_client_close(&a);
	assert_int_equal(core_events("undelivered", ""), 0);
	assert_null(core.requests);
}

static void
a_file_is_kept_as_it_came(void **state)
{
	struct protocol_begin begin = core_client_request("keep");
	struct protocol_kept file = signed_file;

	(void)state;
	expect_kept(&begin, &file);
	assert_int_equal(core_events("kept", "\"pe\""), 1);
	begin.size = file.size;
	begin.sha256 = file.sha256;
	expect_kept(&begin, &file);
	begin = core_client_request("keep");
	file.size = file.output_size = 1000;
	expect_kept(&begin, &file);
	/* As PKCS#7 it is a part of the file. */
	begin.reply = PROTOCOL_REPLY_PKCS7;
	file.output_sha256 = OTHER_SHA256;
	expect_kept(&begin, &file);
	file.output_size = 10;
	expect_kept(&begin, &file);
}

static void
what_cannot_be_as_it_came_is_cut_off(void **state)
{
	struct protocol_begin begin = core_client_request("keep");
	struct protocol_kept file = signed_file;

	(void)state;
	file.output_size = 101;
	expect_cut(&begin, &file);
	file.output_size = 99;
	expect_cut(&begin, &file);
	file = signed_file;
	file.output_sha256 = OTHER_SHA256;
	expect_cut(&begin, &file);
	file = signed_file;
	file.sha256.left--;
	expect_cut(&begin, &file);
	file = signed_file;
	file.output_sha256.left--;
	expect_cut(&begin, &file);
	begin.reply = PROTOCOL_REPLY_PKCS7;
	file = signed_file;
	file.output_size = 101;
	expect_cut(&begin, &file);
	/* Under a profile that keeps nothing. */
	begin = core_client_request("other");
	expect_cut(&begin, &signed_file);
}

static void
what_the_profile_would_not_take_is_not_kept(void **state)
{
	static const char no[] = "profile keep does not take such a file";
	struct protocol_begin begin = core_client_request("keep");
	struct protocol_kept file = signed_file;
	struct keyd_client a;

	(void)state;
	memcpy(file.format, "cab", sizeof("cab"));
	expect_not_kept(&begin, &file, HT_ERR_REFUSED, no);
	file = signed_file;
	file.size = file.output_size = 1001;
	expect_not_kept(&begin, &file, HT_ERR_REFUSED, no);
	begin.size = 99;
	expect_not_kept(&begin, &signed_file, HT_ERR_DATA,
	    "the file is not the one that was announced");
	begin = core_client_request("keep");
	begin.sha256 = OTHER_SHA256;
	expect_not_kept(&begin, &signed_file, HT_ERR_DATA,
	    "the file is not the one that was announced");
	/* A profile that is gone. */
	begin = core_client_request("keep");
	core_client_begin(&a, &begin);
	core_configure("", "");
	core_client_say(&a, PROTOCOL_KEPT, &signed_file);
	core_client_hear_no(&a, HT_ERR_REFUSED, "kept", no);
}

static void
what_is_kept_leaves_only_if_the_client_still_may(void **state)
{
	struct protocol_begin begin = core_client_request("keep");
	struct ht_error e;
	struct keyd_client a;

	(void)state;
	core_client_begin(&a, &begin);
	assert_int_equal(
	    client_set_disabled(core.store, &core_actor, "ci", true, &e), 0);
	core_client_say(&a, PROTOCOL_KEPT, &signed_file);
	core_client_hear_no(&a, HT_ERR_DENIED, "disabled",
	    "client ci is disabled");
	assert_int_equal(core_events("failed", "\"disabled\""), 1);
}

static void
what_did_not_arrive_is_undelivered(void **state)
{
	struct protocol_begin begin = core_client_request("keep");
	const struct protocol_delivered less = { 99 };
	union protocol_body body;
	struct keyd_client a;
	struct msg m;

	(void)state;
	core_client_begin(&a, &begin);
	core_client_say(&a, PROTOCOL_KEPT, &signed_file);
	core_client_hear(&a, PROTOCOL_RELEASE, &m, &body);
	core_client_close(&a);
	assert_int_equal(core_events("undelivered", "was cut"), 1);
	core_client_begin(&a, &begin);
	core_client_say(&a, PROTOCOL_KEPT, &signed_file);
	core_client_hear(&a, PROTOCOL_RELEASE, &m, &body);
	core_client_say(&a, PROTOCOL_DELIVERED, &less);
	core_client_hear_end(&a);
	assert_int_equal(core_events("undelivered", "was cut"), 2);
	assert_int_equal(core_events("delivered", ""), 0);
}

/* --- what ends without a word of the shell's ------------------------------ */

/* The client is disabled: its shells hear that, wherever they are. */
static void
who_is_disabled_hears_it_at_once(void **state)
{
	const struct protocol_begin begin = core_client_request("other");
	const struct protocol_revoked what = { .name = "ci" };
	static const char text[] = "client ci is disabled";
	struct keyd_client greeted, open, other;
	struct ht_error e;

	(void)state;
	assert_int_equal(
	    client_add(core.store, &core_actor, "cd", NULL, 3600, &e), 0);
	core_client_open(&greeted);
	core_client_begin(&open, &begin);
	(void)snprintf(core_client_who.name, sizeof(core_client_who.name),
	    "cd");
	core_client_open(&other);
	core_client_disable();
	keyd_revoked(&core, &what);
	core_settle();
	core_client_hear_no(&greeted, HT_ERR_DENIED, "disabled", text);
	core_client_hear_no(&open, HT_ERR_DENIED, "disabled", text);
	core_client_hear_nothing(&other);
	core_client_close(&other);
	assert_int_equal(core_events("refused", "\"disabled\""), 1);
	assert_int_equal(core_events("aborted", ""), 0);
}

static void
who_asks_nothing_has_to_go(void **state)
{
	const struct protocol_begin begin = core_client_request("other");
	struct keyd_client idle, open;

	(void)state;
	core_client_open(&idle);
	core_client_begin(&open, &begin);
	core_wait(14);
	core_client_hear_nothing(&idle);
	core_wait(2);
	core_client_hear_end(&idle);
	core_wait(600);
	core_client_hear_nothing(&open);
	core_client_close(&open);
	assert_int_equal(core.links.held, 0);
}

static void
many_connections_of_one_leave_a_round_to_others(void **state)
{
	const struct protocol_begin begin = core_client_request("other");
	struct keyd_client many[KEYD_TURN + 2], another;
	union protocol_body body;
	struct ht_error e;
	struct msg m;
	size_t i;

	(void)state;
	for (i = 0; i < KEYD_TURN + 2; i++)
		core_client_open(&many[i]);
	assert_int_equal(
	    client_add(core.store, &core_actor, "zoe", NULL, 3600, &e), 0);
	assert_int_equal(
	    client_grant(core.store, &core_actor, "zoe", "other", &e), 0);
	(void)snprintf(core_client_who.name, sizeof(core_client_who.name),
	    "zoe");
	core_client_open(&another);
	for (i = 0; i < KEYD_TURN + 2; i++)
		assert_int_equal(protocol_send(&many[i].link, PROTOCOL_BEGIN, 9,
		                     &begin, NULL, 0, &e),
		    0);
	core_client_say(&another, PROTOCOL_BEGIN, &begin);
	assert_int_equal(core_events("asked", ""), KEYD_TURN + 1);
	core_client_hear(&another, PROTOCOL_GO, &m, &body);
	msg_close_fds(&m);
	core_client_close(&another); /* which is a round */
	assert_int_equal(core_events("asked", ""), KEYD_TURN + 3);
	for (i = 0; i < KEYD_TURN + 2; i++)
		keyd_client_close(&many[i]);
	core_wait(0);
	core_wait(0);
}

int
main(void)
{
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, core_client_set_up,              \
	    core_client_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(go_says_what_the_profile_says),
		TEST(go_says_no_certificates_where_none_is_asked_for),
		TEST(policy_is_asked_and_a_no_is_on_record),
		TEST(the_default_is_recorded_by_its_name),
		TEST(a_size_is_refused_from_the_first_byte_too_many),
		TEST(a_sha256_has_32_bytes),
		TEST(an_endpoint_that_ends_begins_nothing),
		TEST(a_client_has_as_many_open_requests_as_the_profile_says),
		TEST(no_descriptor_is_left),
		TEST(without_a_spool_there_is_no_go),
		TEST(what_no_shell_says_is_not_recorded),
		TEST(a_failure_of_another_name_is_not_recorded),
		TEST(a_request_that_made_no_sense_has_a_number),
		TEST(a_status_that_is_none_counts_as_ours),
		TEST(a_cut_is_on_record_once),
		TEST(a_file_is_kept_as_it_came),
		TEST(what_cannot_be_as_it_came_is_cut_off),
		TEST(what_the_profile_would_not_take_is_not_kept),
		TEST(what_is_kept_leaves_only_if_the_client_still_may),
		TEST(what_did_not_arrive_is_undelivered),
		TEST(who_is_disabled_hears_it_at_once),
		TEST(who_asks_nothing_has_to_go),
		TEST(many_connections_of_one_leave_a_round_to_others),
	};

	return cmocka_run_group_tests(tests, core_client_enter,
	    core_client_leave);
}
