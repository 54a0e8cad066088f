/*
 * A request in keyd whose profile keeps files.  The test is the shell, the token,
 * and htsign-pump with its children.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keys/keyd/archive.h"
#include "keys/keyd/pump-link.h"
#include "keys/keyd/quota.h"
#include "lib/proc.h"
#include "store/authority/clients.h"
#include "store/journal/journal.h"
#include "tests/support/core_client.h"
#include "tests/support/core_token.h"

#define SIZE 1000 /* that of core_client_content */
#define DAY 86400

static const char configuration[] =
    "tokens = ( { name = \"near\"; file = \"$/user_key\"; } );\n"
    "certificates = ( { name = \"good\"; token = \"near\";\n"
    "  chain = \"$/good.pem\"; } );\n"
    "archive_days = 10; archive_max = 4000;\n"
    "profiles = (\n"
    "  { name = \"input\"; certificates = [ \"good\" ]; max_size = 5000;\n"
    "    archive = \"input\"; },\n"
    "  { name = \"both\"; certificates = [ \"good\" ]; max_size = 5000;\n"
    "    archive = \"both\"; } );\n";

/* What the child of the pump says; keyd believes it. */
static const uint8_t sha256[JOURNAL_SHA256] = { 0xab, 0xcd };
#define NAME                                                                   \
	"archive/abcd0000000000000000000000000000000000000000000000000000"     \
	"00000000"

static struct protocol_link pump;

struct asked {
	struct keyd_client shell;
	struct protocol_link report;
	int file;
};

static int
set_up(void **state)
{
	struct ht_error e;
	int pair[2];

	if (core_token_set_up(state) != 0)
		return 1;
	core_configure("", configuration);
	(void)mkdir("archive", 0700); /* that of the test before may be there */
	(void)unlink(NAME);
	core.archive =
	    archive_new(&core, open("archive", O_RDONLY | O_DIRECTORY));
	assert_non_null(core.archive);
	archive_start(core.archive);
	assert_int_equal(
	    client_grant(core.store, &core_actor, "ci", "input", &e), 0);
	assert_int_equal(
	    client_grant(core.store, &core_actor, "ci", "both", &e), 0);
	assert_int_equal(proc_socketpair(pair, &e), 0);
	pump_configured(core.pump);
	pump_spawned(core.pump, pair[0]);
	assert_int_equal(
	    protocol_open(&pump, pair[1], PROTOCOL_LINK_PUMP, true, &e), 0);
	core_settle();
	return 0;
}

static int
tear_down(void **state)
{
	protocol_close(&pump);
	core_wait(0);
	return core_client_tear_down(state);
}

static void
say(struct asked *a, enum protocol_type type, const void *body)
{
	struct ht_error e;

	assert_int_equal(protocol_send(&a->report, type, 0, body, NULL, 0, &e),
	    0);
	core_turn();
}

/* BEGIN, until the shell has GO and the child its file. */
static void
begin(struct asked *a, const char *profile, bool recipe)
{
	const struct protocol_begin what = core_client_request(profile);
	union protocol_body body;
	struct ht_error e;
	struct msg m;

	core_client_open(&a->shell);
	core_client_say(&a->shell, PROTOCOL_BEGIN, &what);
	assert_int_equal(protocol_wait(&pump, &m, &body, 0, &e), 1);
	assert_int_equal(m.type, PROTOCOL_PUMP);
	assert_string_equal(body.pump.clamd, "");
	assert_int_equal(m.nfds, 3);
	(void)close(m.fd[0]);
	a->file = m.fd[1];
	assert_int_equal(
	    protocol_open(&a->report, m.fd[2], PROTOCOL_LINK_REPORT, true, &e),
	    0);
	core_client_hear(&a->shell, PROTOCOL_GO, &m, &body);
	assert_int_equal(body.go.recipe, recipe);
	msg_close_fds(&m);
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

/* What the child says at its end. */
static void
say_pumped(struct asked *a)
{
	const struct protocol_pumped pumped = { SIZE,
		cursor_over(sha256, sizeof(sha256)) };
	struct protocol_verdict verdict;

	memset(&verdict, 0, sizeof(verdict));
	say(a, PROTOCOL_PUMPED, &pumped);
	say(a, PROTOCOL_VERDICT, &verdict);
	core_wait(0);
}

/* As far as the signature. */
static void
sign(struct asked *a, const char *profile)
{
	union protocol_body body;
	struct msg m;

	begin(a, profile, strcmp(profile, "both") == 0);
	assert_int_equal(write(a->file, "bytes", 5), 5);
	say_content(a);
	say_pumped(a);
	core_token_take();
	core_token_answer(false);
	core_client_hear(&a->shell, PROTOCOL_SIGNED, &m, &body);
	core_client_hear(&a->shell, PROTOCOL_PART, &m, &body);
	core_wait(0);
}

static void
forget(struct asked *a)
{
	(void)close(a->file);
	protocol_close(&a->report);
}

static void
end(struct asked *a)
{
	core_client_close(&a->shell);
	forget(a);
}

/* How many files are kept. */
static size_t
held(const char *client, uint64_t *own)
{
	struct ht_error e;
	uint64_t all;

	assert_int_equal(
	    journal_archive_held(core.store, client, &all, own, &e), 0);
	return (size_t)all;
}

static void
the_file_is_kept_before_it_is_signed(void **state)
{
	char bytes[8] = "";
	struct asked a;
	uint64_t own;
	int fd;

	(void)state;
	begin(&a, "input", false);
	assert_int_equal(write(a.file, "bytes", 5), 5);
	say_content(&a);
	assert_int_equal(access(NAME, F_OK), -1);
	say_pumped(&a);
	fd = open(NAME, O_RDONLY);
	assert_int_equal(read(fd, bytes, sizeof(bytes)), 5);
	assert_string_equal(bytes, "bytes");
	(void)close(fd);
	assert_int_equal(core_events("archived",
	                     "{\"what\":\"input\",\"size\":1000,"
	                     "\"sha256\":\"abcd00"),
	    1);
	assert_non_null(core_token.ops);
	assert_int_equal(held("ci", &own), SIZE);
	assert_int_equal(own, SIZE);
	core_token_take();
	core_token_answer(false);
	end(&a);
}

static void
what_cannot_be_kept_is_not_signed(void **state)
{
	const struct protocol_unkept unkept = { "the disk is full" };
	struct asked a;
	uint64_t own;

	(void)state;
	begin(&a, "input", false);
	say_content(&a);
	say(&a, PROTOCOL_UNKEPT, &unkept);
	core_client_hear_no(&a.shell, HT_ERR_UNAVAILABLE, "pump",
	    "the disk is full");
	forget(&a);
	/* The folder is gone. */
	begin(&a, "input", false);
	say_content(&a);
	assert_int_equal(rmdir("archive"), 0);
	say_pumped(&a);
	core_client_hear_no(&a.shell, HT_ERR_UNAVAILABLE, "archive",
	    "the file cannot be kept: No such file or directory");
	forget(&a);
	assert_null(core_token.ops);
	assert_int_equal(core_events("archived", ""), 0);
	assert_int_equal(held("ci", &own), 0);
}

/* A client has half of what the others leave. */
static void
there_is_room_for_every_client(void **state)
{
	struct protocol_begin what = core_client_request("input");
	struct ht_error e;
	struct asked a;

	(void)state;
	assert_int_equal(archive_room(core.archive, "ci", 2000, &e), 0);
	assert_int_equal(archive_room(core.archive, "ci", 2001, &e),
	    HT_ERR_UNAVAILABLE);
	sign(&a, "input");
	end(&a);
	assert_int_equal(archive_room(core.archive, "ci", 1001, &e),
	    HT_ERR_UNAVAILABLE);
	assert_int_equal(archive_room(core.archive, "ci", 1000, &e), 0);
	assert_int_equal(archive_room(core.archive, "other", 1500, &e), 0);
	assert_int_equal(archive_room(core.archive, "other", 1501, &e),
	    HT_ERR_UNAVAILABLE);
	/* The same bytes count once. */
	sign(&a, "input");
	end(&a);
	assert_int_equal(archive_room(core.archive, "ci", 1000, &e), 0);
	what.size = 1001;
	core_client_open(&a.shell);
	core_client_say(&a.shell, PROTOCOL_BEGIN, &what);
	core_client_hear_no(&a.shell, HT_ERR_UNAVAILABLE, "archive",
	    "there is no room in the archive for more files of ci: an "
	    "administrator can set archive_max or archive_days");
}

static void
the_recipe_is_kept_with_the_output(void **state)
{
	struct protocol_output output = { 1200,
		cursor_over(sha256, sizeof(sha256)), 7 };
	struct journal_archive found;
	union protocol_body body;
	struct ht_error e;
	struct asked a;
	struct msg m;

	(void)state;
	sign(&a, "both");
	core_client_say(&a.shell, PROTOCOL_OUTPUT, &output);
	core_client_say_part(&a.shell, (const uint8_t *)"rec", 3);
	assert_int_equal(core_events("finished", ""), 0);
	core_client_say_part(&a.shell, (const uint8_t *)"ipe.", 4);
	core_client_hear(&a.shell, PROTOCOL_RELEASE, &m, &body);
	assert_int_equal(core_events("finished", "\"size\":1200"), 1);
	end(&a);
	memset(&found, 0, sizeof(found));
	assert_int_equal(journal_archive_find(core.store, 1, &found, &e), 0);
	assert_true(found.kept && found.released);
	assert_int_equal(found.output_size, 1200);
	assert_int_equal(found.recipe.len, 7);
	assert_memory_equal(found.recipe.data, "recipe.", 7);
	assert_string_equal(found.pruned, "");
	buf_free(&found.recipe);
}

static void
a_recipe_is_charged(void **state)
{
	static const uint8_t bytes[50000];
	struct protocol_output output = { 1200,
		cursor_over(sha256, sizeof(sha256)), 8 * sizeof(bytes) };
	union protocol_body body;
	struct asked a;
	struct msg m;
	int i;

	(void)state;
	sign(&a, "both");
	quota_charge(core.quota, "ci", 0, QUOTA_BYTES - output.length);
	assert_int_equal(quota_wait(core.quota, "ci"), 0);
	core_client_say(&a.shell, PROTOCOL_OUTPUT, &output);
	for (i = 0; i < 8; i++)
		core_client_say_part(&a.shell, bytes, sizeof(bytes));
	core_client_hear(&a.shell, PROTOCOL_RELEASE, &m, &body);
	assert_true(quota_wait(core.quota, "ci") > 0);
	end(&a);
}

/* A recipe where none is wanted, none where one is, one that does not fit. */
static void
other_recipes_are_cut_off(void **state)
{
	static const struct {
		const char *profile;
		uint32_t length;
	} cases[] = { { "input", 1 }, { "both", 0 },
		{ "both", PROTOCOL_RECIPE_MAX + 1 } };
	struct protocol_output output = { 1200,
		cursor_over(sha256, sizeof(sha256)), 0 };
	struct asked a;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sign(&a, cases[i].profile);
		output.length = cases[i].length;
		core_client_say(&a.shell, PROTOCOL_OUTPUT, &output);
		core_client_hear_end(&a.shell);
		forget(&a);
	}
	sign(&a, "both");
	output.length = 3;
	core_client_say(&a.shell, PROTOCOL_OUTPUT, &output);
	core_client_say_part(&a.shell, (const uint8_t *)"four", 4);
	core_client_hear_end(&a.shell);
	forget(&a);
	assert_int_equal(core_events("finished", ""), 0);
	assert_int_equal(core_events("aborted", ""), 4);
	/* It does not come in time. */
	sign(&a, "both");
	core_client_say(&a.shell, PROTOCOL_OUTPUT, &output);
	core_wait(30);
	core_client_hear_no(&a.shell, HT_ERR_UNAVAILABLE, "stalled",
	    "htsign-shell did not send all of the recipe in time");
	forget(&a);
}

/* Let the archive look for what is old. */
static void
look(void)
{
	core_wait(3600);
	core_wait(1);
	core_wait(1);
}

static void
an_old_file_is_pruned(void **state)
{
	struct journal_archive found;
	struct ht_error e;
	struct asked a;
	uint64_t own;

	(void)state;
	sign(&a, "both");
	core_now += 11 * (int64_t)DAY * 1000000;
	look();
	assert_int_equal(access(NAME, F_OK), 0); /* its request is open */
	end(&a);
	look();
	assert_int_equal(access(NAME, F_OK), -1);
	assert_int_equal(core_events("pruned", "kept for 10 days"), 1);
	assert_int_equal(held("ci", &own), 0);
	memset(&found, 0, sizeof(found));
	assert_int_equal(journal_archive_find(core.store, 1, &found, &e), 0);
	assert_non_null(strstr(found.pruned, "Z, kept for 10 days"));
	buf_free(&found.recipe);
	/* So it is if the table is made anew. */
	assert_int_equal(journal_rebuild(core.store, &core_actor, &own, &e), 0);
	assert_int_equal(held("ci", &own), 0);
	look();
	assert_int_equal(core_events("pruned", ""), 1);
}

static void
a_file_of_no_request_is_removed(void **state)
{
	static const char other[] = "archive/notes";
	int fd = open(NAME, O_WRONLY | O_CREAT, 0600);

	(void)state;
	assert_true(fd >= 0);
	(void)close(fd);
	(void)close(open(other, O_WRONLY | O_CREAT, 0600));
	archive_free(core.archive);
	core.archive =
	    archive_new(&core, open("archive", O_RDONLY | O_DIRECTORY));
	archive_start(core.archive);
	assert_int_equal(access(NAME, F_OK), -1);
	assert_int_equal(access(other, F_OK), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_file_is_kept_before_it_is_signed),
		TEST(what_cannot_be_kept_is_not_signed),
		TEST(there_is_room_for_every_client),
		TEST(the_recipe_is_kept_with_the_output),
		TEST(a_recipe_is_charged),
		TEST(other_recipes_are_cut_off),
		TEST(an_old_file_is_pruned),
		TEST(a_file_of_no_request_is_removed),
	};

	return cmocka_run_group_tests(tests, core_client_enter,
	    core_client_leave);
}
