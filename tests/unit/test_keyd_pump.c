/*
 * A request in keyd whose profile has files scanned.  The test is the shell, the
 * token, and htsign-pump with its children.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "keys/keyd/pump-link.h"
#include "lib/proc.h"
#include "store/authority/clients.h"
#include "store/journal/journal.h"
#include "tests/support/core_client.h"
#include "tests/support/core_token.h"

#define SIZE 1000
#define DATABASE "ClamAV 1.4.3/27000/some day"

static const char configuration[] =
    "tokens = ( { name = \"near\"; file = \"$/user_key\"; } );\n"
    "certificates = ( { name = \"good\"; token = \"near\";\n"
    "  chain = \"$/good.pem\"; } );\n"
    "clamav_socket = \"/clamd\"; clamav_max_size = \"5K\";\n"
    "clamav_max_age = 2; clamav_parallel = 3;\n"
    "profiles = (\n"
    "  { name = \"must\"; certificates = [ \"good\" ]; max_size = \"1M\";\n"
    "    clamav = \"required\"; deadline = 50; },\n"
    "  { name = \"try\"; certificates = [ \"good\" ];\n"
    "    clamav = \"attempt\"; },\n"
    "  { name = \"keep\"; certificates = [ \"good\" ];\n"
    "    clamav = \"required\"; existing = \"keep\"; },\n"
    "  { name = \"plain\"; certificates = [ \"good\" ]; } );\n";

/* The SHA-256 that htsign-pump reports; not that of any CONTENT here. */
static const uint8_t pumped_sha256[JOURNAL_SHA256] = { 0xab, 0xcd };

static struct protocol_link pump;

/* More requests than a socket holds questions. */
#define FLOOD 600

/* --- htsign-pump --------------------------------------------------------- */

/* What keyd asks.  fds are *report and *pipe, unless pipe is NULL. */
static void
pump_hear(enum protocol_type type, union protocol_body *body,
    struct protocol_link *report, int *pipe)
{
	struct ht_error e;
	struct msg m;

	if (protocol_wait(&pump, &m, body, 0, &e) != 1)
		fail_msg("%s", e.text);
	assert_int_equal(m.type, type);
	assert_int_equal(m.nfds, pipe == NULL ? 1 : 2);
	if (pipe != NULL)
		*pipe = m.fd[0];
	assert_int_equal(protocol_open(report, m.fd[m.nfds - 1],
	                     PROTOCOL_LINK_REPORT, true, &e),
	    0);
}

static void
pump_hear_nothing(void)
{
	union protocol_body body;
	struct ht_error e;
	struct msg m;

	assert_int_equal(protocol_next(&pump, &m, &body, &e), 0);
}

static void
say(struct protocol_link *report, enum protocol_type type, const void *body)
{
	struct ht_error e;

	if (protocol_send(report, type, 0, body, NULL, 0, &e) != 0)
		fail_msg("%s", e.text);
	core_turn();
}

static void
say_pumped(struct protocol_link *report, uint64_t size)
{
	const struct protocol_pumped pumped = { size,
		cursor_over(pumped_sha256, sizeof(pumped_sha256)) };

	say(report, PROTOCOL_PUMPED, &pumped);
}

static void
say_verdict(struct protocol_link *report, const char *verdict, const char *text)
{
	struct protocol_verdict v;

	memset(&v, 0, sizeof(v));
	(void)snprintf(v.verdict, sizeof(v.verdict), "%s", verdict);
	(void)snprintf(v.text, sizeof(v.text), "%s", text);
	(void)snprintf(v.database, sizeof(v.database), DATABASE);
	say(report, PROTOCOL_VERDICT, &v);
	core_wait(0);
	protocol_close(report);
}

/* clamd is tested, with this outcome and a database so many days old. */
static void
say_tested(const char *trouble, int days)
{
	struct protocol_tested tested;
	struct protocol_link report;
	union protocol_body body;

	pump_hear(PROTOCOL_TEST, &body, &report, NULL);
	assert_string_equal(body.test.clamd, "/clamd");
	assert_int_equal(body.test.scan_max, 5 << 10);
	memset(&tested, 0, sizeof(tested));
	(void)snprintf(tested.trouble, sizeof(tested.trouble), "%s", trouble);
	tested.date = (uint64_t)(SSH_CA_NOW - days * (int64_t)86400);
	say(&report, PROTOCOL_TESTED, &tested);
	core_wait(0);
	protocol_close(&report);
}

static void
pump_start(void)
{
	struct ht_error e;
	int pair[2];

	assert_int_equal(proc_socketpair(pair, &e), 0);
	pump_configured(core.pump);
	pump_spawned(core.pump, pair[0]);
	core_settle();
	assert_int_equal(
	    protocol_open(&pump, pair[1], PROTOCOL_LINK_PUMP, true, &e), 0);
}

static int
set_up(void **state)
{
	static const char *const granted[] = { "must", "try" };
	struct ht_error e;
	size_t i;

	if (core_token_set_up(state) != 0)
		return 1;
	core_configure("", configuration);
	for (i = 0; i < sizeof(granted) / sizeof(granted[0]); i++)
		assert_int_equal(
		    client_grant(core.store, &core_actor, "ci", granted[i], &e),
		    0);
	pump_start();
	return 0;
}

static int
tear_down(void **state)
{
	protocol_close(&pump);
	return core_client_tear_down(state);
}

/* --- the shell ----------------------------------------------------------- */

/* A request, with its child of the pump. */
struct asked {
	struct keyd_client shell;
	int pipe; /* of the shell */
	int end;  /* of the child */
	struct protocol_link report;
};

static void
hear_go(struct asked *a)
{
	union protocol_body body;
	struct msg m;

	core_client_hear(&a->shell, PROTOCOL_GO, &m, &body);
	assert_int_equal(m.nfds, 2);
	(void)close(m.fd[0]);
	a->pipe = m.fd[1];
}

static void
begin(struct asked *a, const struct protocol_begin *what)
{
	union protocol_body body;

	core_client_open(&a->shell);
	core_client_say(&a->shell, PROTOCOL_BEGIN, what);
	pump_hear(PROTOCOL_PUMP, &body, &a->report, &a->end);
	assert_string_equal(body.pump.clamd, "/clamd");
	assert_int_equal(body.pump.scan_max, 5 << 10);
	hear_go(a);
}

static void
begin_by(struct asked *a, const char *profile)
{
	const struct protocol_begin what = core_client_request(profile);

	begin(a, &what);
}

static void
say_content(struct asked *a)
{
	struct protocol_content content;
	struct buf der = BUF_INIT;

	signing_content("sha256", &der);
	content = core_client_content(&der);
	content.sha256.left = 0;
	core_client_say_content(&a->shell, &content, &der);
	buf_free(&der);
}

static void
forget(struct asked *a)
{
	(void)close(a->pipe);
	(void)close(a->end);
	protocol_close(&a->report);
}

static void
end(struct asked *a)
{
	core_client_close(&a->shell);
	forget(a);
}

/* --- tests --------------------------------------------------------------- */

static void
what_came_through_the_pipe_is_on_record(void **state)
{
	char piece[8] = "";
	struct asked a;

	(void)state;
	say_tested("", 1);
	begin_by(&a, "must");
	assert_int_equal(write(a.pipe, "bytes", 5), 5);
	assert_int_equal(read(a.end, piece, sizeof(piece)), 5);
	assert_string_equal(piece, "bytes");
	(void)close(a.pipe);
	assert_int_equal(read(a.end, piece, sizeof(piece)), 0);
	say_content(&a);
	assert_null(core_token.ops);
	say_pumped(&a.report, SIZE);
	assert_null(core_token.ops);
	say_verdict(&a.report, PROTOCOL_VERDICT_CLEAN, "");
	core_token_take();
	assert_int_equal(
	    core_events("pumped", "{\"size\":1000,\"sha256\":\"abcd0000"), 1);
	assert_int_equal(core_events("pumped",
	                     "\"scan\":\"clean\",\"database\":\"" DATABASE),
	    1);
	assert_int_equal(core_events("decided", "\"sha256\":\"abcd0000"), 1);
	core_token_answer(false);
	a.pipe = -1;
	end(&a);
}

static void
the_verdict_may_come_first(void **state)
{
	struct asked a;

	(void)state;
	say_tested("", 0);
	begin_by(&a, "must");
	say_pumped(&a.report, SIZE);
	say_verdict(&a.report, PROTOCOL_VERDICT_CLEAN, "");
	assert_int_equal(core_events("pumped", ""), 0);
	say_content(&a);
	assert_non_null(core_token.ops);
	end(&a);
}

/* The shell speaks of another file than it has passed on. */
static void
sizes_must_agree(void **state)
{
	struct asked a;

	(void)state;
	say_tested("", 0);
	begin_by(&a, "must");
	say_content(&a);
	say_pumped(&a.report, SIZE + 1);
	say_verdict(&a.report, PROTOCOL_VERDICT_CLEAN, "");
	core_client_hear_no(&a.shell, HT_ERR_INTERNAL, "pump",
	    "htsign-shell has read another file than it passed on");
	assert_int_equal(core_events("decided", ""), 0);
	forget(&a);
}

static void
the_announced_sha256_is_the_pumps(void **state)
{
	struct protocol_begin what = core_client_request("must");
	struct asked a;

	(void)state;
	say_tested("", 0);
	what.sha256 = cursor_over(core_client_sha256, JOURNAL_SHA256);
	begin(&a, &what);
	say_content(&a);
	say_pumped(&a.report, SIZE);
	say_verdict(&a.report, PROTOCOL_VERDICT_CLEAN, "");
	core_client_hear_no(&a.shell, HT_ERR_DATA, "cut",
	    "the file is not the one that was announced");
	forget(&a);
	what.sha256 = cursor_over(pumped_sha256, JOURNAL_SHA256);
	begin(&a, &what);
	say_content(&a);
	say_pumped(&a.report, SIZE);
	say_verdict(&a.report, PROTOCOL_VERDICT_CLEAN, "");
	assert_non_null(core_token.ops);
	end(&a);
}

/* A shell that sends a SHA-256 of its own is none of ours. */
static void
a_sha256_of_the_shell_is_not_taken(void **state)
{
	struct protocol_content content = core_client_content(NULL);
	struct asked a;

	(void)state;
	say_tested("", 0);
	begin_by(&a, "must");
	core_client_say(&a.shell, PROTOCOL_CONTENT, &content);
	core_client_hear_no(&a.shell, HT_ERR_INTERNAL, "content",
	    "content of a kind or a size that is never signed");
	forget(&a);
}

static void
a_virus_is_refused(void **state)
{
	static const char *const profiles[] = { "must", "try" };
	struct asked a;
	size_t i;

	(void)state;
	say_tested("it finds nothing", 0);
	for (i = 1; i < 2; i++) {
		begin_by(&a, profiles[i]);
		say_content(&a);
		say_pumped(&a.report, SIZE);
		say_verdict(&a.report, PROTOCOL_VERDICT_VIRUS, "Bad.Thing");
		core_client_hear_no(&a.shell, HT_ERR_REFUSED, "virus",
		    "the file has a virus: Bad.Thing");
		assert_int_equal(core_events("refused", "Bad.Thing"), i);
		assert_int_equal(core_events("decided", ""), 0);
		forget(&a);
	}
}

static void
what_is_not_scanned_is_not_signed(void **state)
{
	struct asked a;

	(void)state;
	say_tested("", 0);
	begin_by(&a, "must");
	say_content(&a);
	say_pumped(&a.report, SIZE);
	say_verdict(&a.report, PROTOCOL_VERDICT_UNSCANNED, "why");
	core_client_hear_no(&a.shell, HT_ERR_UNAVAILABLE, "scan",
	    "the file was not scanned: why");
	assert_int_equal(core_events("pumped", "\"scan\":\"unscanned\""), 1);
	forget(&a);
}

static void
attempted_it_is_signed_and_said(void **state)
{
	union protocol_body body;
	struct asked a;
	struct msg m;

	(void)state;
	say_tested("", 0);
	begin_by(&a, "try");
	say_content(&a);
	say_pumped(&a.report, SIZE);
	say_verdict(&a.report, PROTOCOL_VERDICT_UNSCANNED, "why");
	core_token_take();
	core_token_answer(false);
	core_client_hear(&a.shell, PROTOCOL_SIGNED, &m, &body);
	assert_non_null(strstr(body.signed_.note, "not scanned: why"));
	end(&a);
}

/* No verdict at all is neither clean nor a virus. */
static void
an_empty_verdict_is_none(void **state)
{
	struct asked a;

	(void)state;
	say_tested("", 0);
	begin_by(&a, "must");
	say_content(&a);
	say_pumped(&a.report, SIZE);
	say_verdict(&a.report, "", "");
	core_client_hear_no(&a.shell, HT_ERR_UNAVAILABLE, "scan",
	    "the file was not scanned: ");
	forget(&a);
}

static void
without_a_report_nothing_is_signed(void **state)
{
	static const char *const profiles[] = { "must", "try" };
	struct asked a;
	size_t i;

	(void)state;
	say_tested("", 0);
	for (i = 0; i < 2; i++) {
		begin_by(&a, profiles[i]);
		say_content(&a);
		if (i == 1)
			say_pumped(&a.report, SIZE);
		protocol_close(&a.report);
		core_wait(0);
		core_client_hear_no(&a.shell, HT_ERR_UNAVAILABLE, "pump",
		    "htsign-pump has ended");
		forget(&a);
	}
}

/* What one child says is said of one request. */
static void
reports_are_not_mixed_up(void **state)
{
	struct asked a, b;

	(void)state;
	say_tested("", 0);
	begin_by(&a, "must");
	begin_by(&b, "must");
	say_content(&a);
	say_content(&b);
	say_pumped(&a.report, SIZE);
	say_verdict(&a.report, PROTOCOL_VERDICT_VIRUS, "Bad.Thing");
	core_client_hear_nothing(&b.shell);
	say_pumped(&b.report, SIZE);
	say_verdict(&b.report, PROTOCOL_VERDICT_CLEAN, "");
	assert_non_null(core_token.ops);
	core_client_hear_no(&a.shell, HT_ERR_REFUSED, "virus",
	    "the file has a virus: Bad.Thing");
	forget(&a);
	end(&b);
}

static void
the_pipe_must_end_in_time(void **state)
{
	struct asked a;

	(void)state;
	say_tested("", 0);
	begin_by(&a, "must");
	say_content(&a);
	core_wait(29);
	core_client_hear(&a.shell, PROTOCOL_WAIT, &(struct msg){ 0 },
	    &(union protocol_body){ 0 });
	core_wait(2);
	core_client_hear_no(&a.shell, HT_ERR_UNAVAILABLE, "stalled",
	    "htsign-shell did not send all of the content in time");
	forget(&a);
}

static void
the_verdict_must_come_in_time(void **state)
{
	union protocol_body body;
	struct asked a;
	struct msg m;

	(void)state;
	say_tested("", 0);
	begin_by(&a, "must");
	say_content(&a);
	say_pumped(&a.report, SIZE);
	core_wait(40);
	core_client_hear(&a.shell, PROTOCOL_WAIT, &m, &body);
	assert_string_equal(body.wait.reason, "scan");
	core_wait(11);
	core_client_hear_no(&a.shell, HT_ERR_UNAVAILABLE, "deadline",
	    "it has taken longer than profile must allows: try again");
	forget(&a);
}

static void
who_waits_for_a_place_is_told(void **state)
{
	const struct protocol_begin what = core_client_request("must");
	union protocol_body body;
	struct asked a, other, b;
	struct msg m;

	(void)state;
	say_tested("", 0);
	begin_by(&a, "must");
	begin_by(&other, "must");
	core_client_open(&b.shell);
	core_client_say(&b.shell, PROTOCOL_BEGIN, &what);
	core_client_hear_nothing(&b.shell);
	pump_hear_nothing();
	core_wait(3);
	core_client_hear(&b.shell, PROTOCOL_WAIT, &m, &body);
	assert_string_equal(body.wait.reason, "scan");
	assert_string_equal(body.wait.text,
	    "waiting for a place at the virus scanner");
	end(&a);
	core_wait(0);
	pump_hear(PROTOCOL_PUMP, &body, &b.report, &b.end);
	hear_go(&b);
	end(&b);
	end(&other);
}

static void
the_first_test_is_waited_for(void **state)
{
	const struct protocol_begin what = core_client_request("must");
	union protocol_body body;
	struct asked a;

	(void)state;
	core_client_open(&a.shell);
	core_client_say(&a.shell, PROTOCOL_BEGIN, &what);
	core_client_hear_nothing(&a.shell);
	say_tested("", 0);
	pump_hear(PROTOCOL_PUMP, &body, &a.report, &a.end);
	hear_go(&a);
	end(&a);
}

static void
begin_and_end(void)
{
	struct asked a;

	begin_by(&a, "must");
	end(&a);
	core_wait(0);
}

static void
expect_refusal(const char *text)
{
	const struct protocol_begin what = core_client_request("must");
	struct keyd_client a;

	core_client_open(&a);
	core_client_say(&a, PROTOCOL_BEGIN, &what);
	core_client_hear_no(&a, HT_ERR_UNAVAILABLE, "scan", text);
}

static void
a_clamd_that_fails_its_test_is_not_used(void **state)
{
	(void)state;
	say_tested("it does not find it", 0);
	expect_refusal("clamd cannot be used: it does not find it");
	core_wait(61);
	say_tested("", 3);
	expect_refusal("clamd cannot be used: its database is older than "
	               "clamav_max_age");
	core_wait(61);
	say_tested("", -2);
	expect_refusal("clamd cannot be used: its database is of the future");
	core_wait(61);
	say_tested("", 0);
	core_wait(3599);
	pump_hear_nothing();
	core_wait(2);
	say_tested("", 0);
}

static void
a_test_that_does_not_end_has_failed(void **state)
{
	struct protocol_link report;
	union protocol_body body;

	(void)state;
	say_tested("", 0);
	core_wait(3601);
	pump_hear(PROTOCOL_TEST, &body, &report, NULL);
	core_wait(599);
	begin_and_end();
	core_wait(2);
	expect_refusal("clamd cannot be used: its test does not end");
	protocol_close(&report);
	core_wait(61);
	say_tested("", 0);
	begin_and_end();
}

static size_t
files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	(void)closedir(dir);
	return n;
}

/* What is sent to a pump that hangs holds descriptors, so that has an end. */
static void
a_pump_that_does_not_read_gets_no_more(void **state)
{
	const struct protocol_begin what = core_client_request("must");
	union protocol_body body;
	struct ht_error e;
	struct asked a;
	struct msg m;
	size_t before, n;

	(void)state;
	say_tested("", 0);
	begin_and_end();
	before = files();
	for (n = 0; n < FLOOD; n++) {
		core_client_open(&a.shell);
		core_client_say(&a.shell, PROTOCOL_BEGIN, &what);
		core_client_close(&a.shell);
		core_wait(0);
	}
	core_wait(2); /* for the spools */
	assert_true(files() < before + 20);
	core_client_open(&a.shell);
	core_client_say(&a.shell, PROTOCOL_BEGIN, &what);
	core_client_hear_nothing(&a.shell);
	while (protocol_wait(&pump, &m, &body, 0, &e) == 1) {
		msg_close_fds(&m);
		core_wait(0);
	}
	core_client_hear(&a.shell, PROTOCOL_GO, &m, &body);
	msg_close_fds(&m);
	core_client_close(&a.shell);
}

static void
its_ok_is_worth_nothing(void **state)
{
	struct asked a;

	(void)state;
	say_tested("it does not find it", 0);
	begin_by(&a, "try");
	say_content(&a);
	say_pumped(&a.report, SIZE);
	say_verdict(&a.report, PROTOCOL_VERDICT_CLEAN, "");
	assert_int_equal(core_events("pumped", "\"scan\":\"unscanned\""), 1);
	end(&a);
}

/* The database grows old while keyd waits for the next test. */
static void
age_is_of_now(void **state)
{
	struct asked a;

	(void)state;
	say_tested("", 2);
	begin_by(&a, "try");
	say_content(&a);
	say_pumped(&a.report, SIZE);
	core_now += 1000000;
	say_verdict(&a.report, PROTOCOL_VERDICT_CLEAN, "");
	assert_int_equal(core_events("pumped", "\"scan\":\"unscanned\""), 1);
	end(&a);
}

static void
what_goes_back_as_it_came_is_scanned(void **state)
{
	struct protocol_kept kept = { .format = "pe",
		.size = SIZE,
		.output_size = SIZE };
	union protocol_body body;
	struct asked a;
	struct msg m;

	(void)state;
	say_tested("", 0);
	kept.sha256 = cursor_over(pumped_sha256, JOURNAL_SHA256);
	kept.output_sha256 = kept.sha256;
	begin_by(&a, "keep");
	core_client_say(&a.shell, PROTOCOL_KEPT, &kept);
	core_client_hear_nothing(&a.shell);
	say_pumped(&a.report, SIZE);
	say_verdict(&a.report, PROTOCOL_VERDICT_CLEAN, "");
	core_client_hear(&a.shell, PROTOCOL_RELEASE, &m, &body);
	assert_int_equal(core_events("kept", "\"sha256\":\"abcd0000"), 1);
	end(&a);
	kept.sha256 = cursor_over(core_client_sha256, JOURNAL_SHA256);
	kept.output_sha256 = kept.sha256;
	begin_by(&a, "keep");
	core_client_say(&a.shell, PROTOCOL_KEPT, &kept);
	say_pumped(&a.report, SIZE);
	say_verdict(&a.report, PROTOCOL_VERDICT_CLEAN, "");
	core_client_hear_no(&a.shell, HT_ERR_INTERNAL, "pump",
	    "htsign-shell has read another file than it passed on");
	forget(&a);
}

/* A child whose request has ended hears so, and ends. */
static void
nobody_waits_for_who_has_gone(void **state)
{
	union protocol_body body;
	struct ht_error e;
	struct asked a;
	struct msg m;

	(void)state;
	say_tested("", 0);
	begin_by(&a, "must");
	core_client_close(&a.shell);
	core_wait(0);
	assert_int_equal(protocol_next(&a.report, &m, &body, &e),
	    HT_ERR_UNAVAILABLE);
	forget(&a);
}

static void
other_profiles_need_no_pump(void **state)
{
	const struct protocol_begin what = core_client_request("plain");
	union protocol_body body;
	struct keyd_client a;
	struct msg m;

	(void)state;
	core_client_open(&a);
	core_client_say(&a, PROTOCOL_BEGIN, &what);
	core_client_hear(&a, PROTOCOL_GO, &m, &body);
	assert_int_equal(m.nfds, 1);
	msg_close_fds(&m);
	core_client_close(&a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_came_through_the_pipe_is_on_record),
		TEST(the_verdict_may_come_first),
		TEST(sizes_must_agree),
		TEST(the_announced_sha256_is_the_pumps),
		TEST(a_sha256_of_the_shell_is_not_taken),
		TEST(a_virus_is_refused),
		TEST(what_is_not_scanned_is_not_signed),
		TEST(attempted_it_is_signed_and_said),
		TEST(an_empty_verdict_is_none),
		TEST(without_a_report_nothing_is_signed),
		TEST(reports_are_not_mixed_up),
		TEST(the_pipe_must_end_in_time),
		TEST(the_verdict_must_come_in_time),
		TEST(who_waits_for_a_place_is_told),
		TEST(the_first_test_is_waited_for),
		TEST(a_clamd_that_fails_its_test_is_not_used),
		TEST(a_test_that_does_not_end_has_failed),
		TEST(a_pump_that_does_not_read_gets_no_more),
		TEST(its_ok_is_worth_nothing),
		TEST(age_is_of_now),
		TEST(what_goes_back_as_it_came_is_scanned),
		TEST(nobody_waits_for_who_has_gone),
		TEST(other_profiles_need_no_pump),
	};

	return cmocka_run_group_tests(tests, core_client_enter,
	    core_client_leave);
}
