/*
 * htsign-shell against a keyd that is not always what it should be.  The shell
 * is the real program, in its sandbox; keyd is this process, with a key that
 * it has just made.  Whatever goes wrong: the documented exit status, one line
 * on stderr, nothing on stdout.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "authenticode/format.h"
#include "authenticode/init.h"
#include "authenticode/spc-pages.h"
#include "protocol/messages.h"
#include "tests/cfb_image.h"
#include "tests/pe_image.h"
#include "tests/peer.h"
#include "tests/run.h"
#include "tests/scratch.h"
#include "tests/signing.h"

static struct signing signer;
static int listening = -1;
static char folder[4096];

/* --- the shell ----------------------------------------------------------- */

/* The shell as sshd's forced command, with this keyd. */
static void
run_shell(struct run *run, struct peer *k, const char *command,
    const struct buf *in)
{
	const char *const argv[] = { "htsign-shell", "-r", folder, "--ticket",
		"the-ticket", NULL };
	int fd;

	run->argv = argv;
	run->command = command;
	run->in = in;
	run_start(run);
	run->argv = NULL;
	fd = accept(listening, NULL, NULL);
	assert_true(fd >= 0);
	peer_serve(k, fd);
	run_finish(run);
}

static void
sample(struct buf *out)
{
	const struct pe_image image = { PE_IMAGE_X64, false, 0, 0, 4000, 0 };

	pe_image_build(&image, out);
}

static void
sha256(const struct buf *b, uint8_t out[32])
{
	assert_int_equal(
	    EVP_Digest(b->data, b->len, out, NULL, EVP_sha256(), NULL), 1);
}

/* --- what works ---------------------------------------------------------- */

static void
full_reply(void **state)
{
	struct peer k = peer_good(&signer);
	struct run run = RUN_INIT;
	struct format_verified v;
	struct buf pe = BUF_INIT;
	struct input *in;
	uint8_t hash[32];
	struct ht_error e;

	(void)state;
	sample(&pe);
	run_shell(&run, &k, "production 'My  App' --name=app.exe", &pe);
	assert_string_equal((char *)run.err.data, "");
	assert_int_equal(run.status, 0);
	assert_string_equal(k.hello.door, "openssh");
	assert_string_equal(k.hello.ticket, "the-ticket");
	assert_string_equal(k.hello.peer, "192.0.2.1");
	assert_string_equal(k.hello.local, "192.0.2.2");
	assert_string_equal(k.begin.profile, "production");
	assert_string_equal(k.begin.description, "My  App");
	assert_string_equal(k.begin.name, "app.exe");
	assert_string_equal(k.begin.url, "http://from.environment/");
	assert_int_equal(k.fail.status, 0);
	assert_true(k.content.size == pe.len);
	sha256(&pe, hash);
	assert_memory_equal(k.input_sha256, hash, 32);
	assert_int_equal(k.spooled, pe.len);
	assert_true(k.output.size == run.out.len);
	sha256(&run.out, hash);
	assert_memory_equal(k.output_sha256, hash, 32);
	assert_true(k.delivered == run.out.len);

	in = input_memory(run.out.data, run.out.len, &e);
	assert_non_null(in);
	assert_int_equal(format_verify(format_find("pe"), in, NULL, 0, &v, &e),
	    0);
	format_verified_clear(&v);
	input_free(in);
	buf_free(&pe);
	run_free(&run);
}

static void
signature_alone(void **state)
{
	struct peer k = peer_good(&signer);
	struct run run = RUN_INIT;
	struct buf pe = BUF_INIT;
	struct pkcs7 *p7;
	uint8_t hash[32];
	struct ht_error e;

	(void)state;
	sample(&pe);
	run_shell(&run, &k, "--pkcs7 default", &pe);
	assert_string_equal((char *)run.err.data, "");
	assert_int_equal(run.status, 0);
	assert_string_equal(k.begin.profile, "");
	assert_int_equal(k.begin.reply, PROTOCOL_REPLY_PKCS7);
	/* Nothing needs the file again. */
	assert_int_equal(k.spooled, 0);
	assert_int_equal(pkcs7_parse(run.out.data, run.out.len, &p7, &e), 0);
	assert_int_equal(pkcs7_verify(p7, &e), 0);
	pkcs7_free(p7);
	sha256(&run.out, hash);
	assert_memory_equal(k.output_sha256, hash, 32);
	assert_true(k.delivered == run.out.len);
	buf_free(&pe);
	run_free(&run);
}

static void
page_hashes(void **state)
{
	struct peer k = peer_good(&signer);
	struct run run = RUN_INIT;
	struct format_verified v;
	struct buf pe = BUF_INIT;
	struct cursor content;
	struct input *in;
	struct ht_error e;

	(void)state;
	sample(&pe);
	run_shell(&run, &k, "production --page-hashes", &pe);
	assert_string_equal((char *)run.err.data, "");
	assert_int_equal(run.status, 0);
	assert_string_equal(k.begin.options, "page-hashes");
	in = input_memory(run.out.data, run.out.len, &e);
	assert_int_equal(format_verify(format_find("pe"), in, NULL, 0, &v, &e),
	    0);
	content = pkcs7_content(v.p7);
	assert_true(spc_pages_is(content.p, content.left));
	format_verified_clear(&v);
	input_free(in);
	run_free(&run);

	/* Nothing needs the file again. */
	k = peer_good(&signer);
	run_shell(&run, &k, "production --page-hashes --pkcs7", &pe);
	assert_int_equal(run.status, 0);
	assert_int_equal(k.spooled, 0);
	run_free(&run);
	buf_free(&pe);
}

/* What is asked for is for files of another format. */
static void
options_for_other_files(void **state)
{
	static const struct cfb_image_entry entries[] = {
		{ "a", CFB_IMAGE_ROOT, 70 },
	};
	struct run run = RUN_INIT;
	struct buf file = BUF_INIT;
	struct peer k;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		k = peer_good(&signer);
		k.formats = "msi,pe";
		buf_reset(&file);
		if (i == 0)
			cfb_image_build(3, entries, 1, &file);
		else
			sample(&file);
		run_shell(&run, &k,
		    i == 0 ? "production --page-hashes" : "production --msi-ex",
		    &file);
		assert_int_equal(run.status, 66);
		assert_int_equal(run.out.len, 0);
		assert_non_null(strstr((char *)run.err.data,
		    i == 0 ? "page hashes are for PE files"
		           : "MsiDigitalSignatureEx is for MSI files"));
		assert_string_equal(k.fail.code, "format");
		assert_int_equal(k.content.length, 0);
		run_free(&run);
	}
	buf_free(&file);
}

/* A package is read out of order: it goes to the spool in any case. */
static void
signature_of_a_package_alone(void **state)
{
	static const struct cfb_image_entry entries[] = {
		{ "a", CFB_IMAGE_ROOT, 700000 },
		{ "b", CFB_IMAGE_ROOT, 70 },
	};
	struct peer k = peer_good(&signer);
	struct run run = RUN_INIT;
	struct buf msi = BUF_INIT;

	(void)state;
	k.formats = "msi,pe";
	cfb_image_build(3, entries, 2, &msi);
	run_shell(&run, &k, "--pkcs7 default", &msi);
	assert_string_equal((char *)run.err.data, "");
	assert_int_equal(run.status, 0);
	assert_string_equal(k.content.format, "msi");
	assert_int_equal(k.spooled, msi.len);
	buf_free(&msi);
	run_free(&run);
}

static void
size_and_hash_that_fit(void **state)
{
	struct peer k = peer_good(&signer);
	struct run run = RUN_INIT;
	struct buf pe = BUF_INIT;
	struct buf line = BUF_INIT;
	uint8_t hash[32];
	size_t i;

	(void)state;
	sample(&pe);
	sha256(&pe, hash);
	buf_format(&line, "production --size=%zu --sha256=", pe.len);
	for (i = 0; i < sizeof(hash); i++)
		buf_format(&line, "%02x", hash[i]);
	buf_u8(&line, '\0');
	run_shell(&run, &k, (char *)line.data, &pe);
	assert_int_equal(run.status, 0);
	assert_true(k.begin.size == pe.len);
	assert_int_equal(k.begin.sha256.left, 32);
	buf_free(&line);
	buf_free(&pe);
	run_free(&run);
}

/* The sample, signed by key. */
static void
signed_sample(struct signing *key, struct buf *out)
{
	struct peer k = peer_good(key);
	struct run run = RUN_INIT;
	struct buf pe = BUF_INIT;

	sample(&pe);
	run_shell(&run, &k, "production", &pe);
	assert_int_equal(run.status, 0);
	buf_bytes(out, run.out.data, run.out.len);
	buf_free(&pe);
	run_free(&run);
}

static void
files_that_are_signed_already(void **state)
{
	static const struct {
		const char *existing;
		bool ours;
		int status;
		const char *err;
	} cases[] = {
		{ "replace", false, 0, "" },
		{ "own", true, 0, "" },
		{ "own", false, 66,
		    "htsign: request 17: the file is signed already, by "
		    "somebody else: CN=" },
		{ "refuse", true, 66,
		    "htsign: request 17: the file is signed already, and "
		    "profile production " },
		{ "nest", false, 0, "" },
		{ "unheard of", true, 70, "htsign: request 17: " },
	};
	struct buf mine = BUF_INIT, theirs = BUF_INIT;
	struct signing other;
	struct run run = RUN_INIT;
	struct ht_error e;
	struct peer k;
	size_t i;

	(void)state;
	assert_int_equal(signing_make("P-256", &other, &e), 0);
	signed_sample(&signer, &mine);
	signed_sample(&other, &theirs);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		k = peer_good(&signer);
		k.existing = cases[i].existing;
		run_shell(&run, &k, "production",
		    cases[i].ours ? &mine : &theirs);
		assert_int_equal(run.status, cases[i].status);
		assert_int_equal(strncmp((char *)run.err.data, cases[i].err,
		                     strlen(cases[i].err)),
		    0);
		if (cases[i].status == 0) {
			assert_int_equal(k.content.existing, 1);
			assert_string_equal((char *)run.err.data, "");
		} else {
			/* Not a byte of it has gone to a token. */
			assert_int_equal(k.content.length, 0);
			assert_int_equal(run.out.len, 0);
			assert_string_equal(k.fail.code,
			    cases[i].status == 66 ? "existing" : "internal");
		}
		run_free(&run);
	}
	buf_free(&mine);
	buf_free(&theirs);
	signing_clear(&other);
}

static void
a_file_that_goes_back_as_it_came(void **state)
{
	struct buf theirs = BUF_INIT;
	struct run run = RUN_INIT;
	struct peer k = peer_good(&signer);
	struct pkcs7 *p7;
	uint8_t hash[32];
	struct ht_error e;

	(void)state;
	signed_sample(&signer, &theirs);
	k.existing = "keep";
	run_shell(&run, &k, "production", &theirs);
	assert_int_equal(run.status, 0);
	assert_int_equal(
	    strncmp((char *)run.err.data,
	        "htsign: request 17: nothing was signed: the file goes back "
	        "with the signature that it has, by CN=",
	        97),
	    0);
	assert_int_equal(run.out.len, theirs.len);
	assert_memory_equal(run.out.data, theirs.data, theirs.len);
	assert_int_equal(k.content.length, 0);
	assert_string_equal(k.kept.format, "pe");
	assert_true(k.kept.size == theirs.len);
	assert_true(k.kept.output_size == theirs.len);
	assert_true(k.delivered == theirs.len);
	sha256(&theirs, hash);
	assert_memory_equal(k.input_sha256, hash, 32);
	assert_memory_equal(k.output_sha256, hash, 32);
	run_free(&run);

	k = peer_good(&signer);
	k.existing = "keep";
	run_shell(&run, &k, "--pkcs7 production", &theirs);
	assert_int_equal(run.status, 0);
	assert_int_equal(pkcs7_parse(run.out.data, run.out.len, &p7, &e), 0);
	pkcs7_free(p7);
	assert_int_equal(k.spooled, 0);
	assert_true(k.kept.size == theirs.len);
	assert_true(k.kept.output_size == run.out.len);
	assert_true(k.delivered == run.out.len);
	assert_memory_equal(k.input_sha256, hash, 32);
	sha256(&run.out, hash);
	assert_memory_equal(k.output_sha256, hash, 32);
	run_free(&run);
	buf_free(&theirs);
}

static void
help_and_profiles(void **state)
{
	const struct buf nothing = BUF_INIT;
	struct peer k = peer_good(&signer);
	struct run run = RUN_INIT;

	(void)state;
	run_shell(&run, &k, "help", &nothing);
	assert_int_equal(run.status, 0);
	assert_string_equal((char *)run.err.data, "");
	buf_u8(&run.out, '\0');
	assert_non_null(strstr((char *)run.out.data, "--sha256=HEX"));
	run_free(&run);

	run_shell(&run, &k, "profiles", &nothing);
	assert_int_equal(run.status, 0);
	assert_true(cursor_is(buf_cursor(&run.out),
	    "production  For \\x1b release (default)\ntest-signing\n"));
	run_free(&run);
}

static void
a_wait_is_told_once(void **state)
{
	struct peer k = peer_good(&signer);
	struct run run = RUN_INIT;
	struct buf pe = BUF_INIT;

	(void)state;
	sample(&pe);
	k.waits = "two are before you";
	run_shell(&run, &k, "production", &pe);
	assert_int_equal(run.status, 0);
	assert_string_equal((char *)run.err.data,
	    "htsign: request 17: waiting: two are before you\n");
	buf_free(&pe);
	run_free(&run);
}

/* --- what the client does wrong ------------------------------------------ */

static void
expect_told(const struct peer *k, uint32_t status, const char *code)
{
	assert_int_equal(k->fail.status, status);
	assert_string_equal(k->fail.code, code);
}

static void
inputs_that_are_none(void **state)
{
	static const struct {
		const char *command;
		const char *bytes;
		int status;
		const char *code;
		const char *text;
	} cases[] = {
		{ "production", "", 65, "empty",
		    "htsign: request 17: the input is empty" },
		{ "production", "This is no program.\n", 65, "not-signable",
		    "htsign: request 17: " },
		{ "production", "MZ", 65, "not-signable",
		    "htsign: request 17: " },
		{ "production 'x", "MZ", 64, "usage", "quote" },
		{ "production --nosuch", "MZ", 64, "usage", "no option" },
		{ "wait 17", "MZ", 64, "usage", "not built yet" },
	};
	struct run run = RUN_INIT;
	struct buf in = BUF_INIT;
	struct peer k;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		k = peer_good(&signer);
		buf_bytes(&in, cases[i].bytes, strlen(cases[i].bytes));
		run_shell(&run, &k, cases[i].command, &in);
		run_failed(&run, cases[i].status, cases[i].text);
		expect_told(&k, (uint32_t)cases[i].status, cases[i].code);
		buf_reset(&in);
		run_free(&run);
	}
	buf_free(&in);
}

/* Neither a command nor a byte: the greeting, and it is on record. */
static void
greeting(void **state)
{
	const struct buf nothing = BUF_INIT;
	struct peer k = peer_good(&signer);
	struct run run = RUN_INIT;
	const char *err;

	(void)state;
	run_shell(&run, &k, NULL, &nothing);
	err = (const char *)run.err.data;
	assert_int_equal(run.status, 64);
	assert_int_equal(run.out.len, 0);
	assert_non_null(strstr(err, "client ci (test)"));
	assert_non_null(strstr(err, "For \\x1b release (default)\n"));
	assert_non_null(strstr(err, "usage: "));
	assert_non_null(strstr(err, "htsign: request 17: neither"));
	expect_told(&k, 64, "empty");
	run_free(&run);
}

/* Silence is answered, and then a file may still come. */
static void
greeting_after_a_second(void **state)
{
	struct peer k = peer_good(&signer);
	struct run run = RUN_INIT;
	struct buf pe = BUF_INIT;
	pid_t child;
	int fd[2];

	(void)state;
	sample(&pe);
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)close(fd[0]);
		(void)usleep(1500000);
		_exit(write(fd[1], pe.data, pe.len) != (ssize_t)pe.len);
	}
	(void)close(fd[1]);
	run.in_fd = fd[0];
	run_shell(&run, &k, NULL, NULL);
	assert_int_equal(run.status, 0);
	assert_true(run.out.len > pe.len);
	assert_non_null(strstr((char *)run.err.data, "client ci (test)"));
	assert_null(strstr((char *)run.err.data, "request 17"));
	assert_int_equal(waitpid(child, NULL, 0), child);
	buf_free(&pe);
	run_free(&run);
}

static void
files_that_do_not_fit(void **state)
{
	struct run run = RUN_INIT;
	struct buf pe = BUF_INIT;
	struct peer k;

	(void)state;
	sample(&pe);
	k = peer_good(&signer);
	k.max_size = pe.len - 1;
	run_shell(&run, &k, "production", &pe);
	run_failed(&run, 66, "request 17");
	expect_told(&k, 66, "upload");
	run_free(&run);

	k = peer_good(&signer);
	k.formats = "cab,msi";
	run_shell(&run, &k, "production", &pe);
	run_failed(&run, 66, "does not sign PE files");
	expect_told(&k, 66, "format");
	run_free(&run);

	k = peer_good(&signer);
	run_shell(&run, &k, "production --size=1000000", &pe);
	run_failed(&run, 65, "upload was cut");
	expect_told(&k, 65, "cut");
	run_free(&run);

	k = peer_good(&signer);
	run_shell(&run, &k,
	    "production --sha256=0000000000000000000000000000000000000000"
	    "000000000000000000000000",
	    &pe);
	run_failed(&run, 65, "upload was cut");
	expect_told(&k, 65, "cut");
	run_free(&run);

	k = peer_good(&signer);
	pe.len = 300;
	run_shell(&run, &k, "production", &pe);
	run_failed(&run, 65, "request 17");
	assert_int_equal(k.fail.status, 65);
	run_free(&run);
	buf_free(&pe);
}

/* The client stops reading: no DELIVERED. */
static void
nobody_takes_the_result(void **state)
{
	const char *const argv[] = { "htsign-shell", "-r", folder, "--ticket",
		"t", NULL };
	struct peer k = peer_good(&signer);
	struct run run = RUN_INIT;
	struct buf pe = BUF_INIT;
	int fd;

	(void)state;
	sample(&pe);
	run.argv = argv;
	run.command = "production";
	run.in = &pe;
	/* A file that may not grow stands for a pipe that nobody reads. */
	assert_int_equal(symlink("/dev/full", "full"), 0);
	assert_int_equal(unlink("stdout"), 0);
	assert_int_equal(symlink("full", "stdout"), 0);
	run_start(&run);
	fd = accept(listening, NULL, NULL);
	assert_true(fd >= 0);
	peer_serve(&k, fd);
	assert_int_equal(unlink("stdout"), 0);
	scratch_write("stdout", "", 0);
	run_finish(&run);
	run_failed(&run, 69, "request 17");
	assert_true(k.output.size > pe.len);
	assert_true(k.delivered == 0);
	assert_int_equal(k.fail.status, 0);
	buf_free(&pe);
	run_free(&run);
}

/* --- what keyd does wrong ------------------------------------------------ */

static void
faults_at_every_step(void **state)
{
	static const struct {
		enum peer_fault fault;
		int status;
		const char *text;
	} faults[] = {
		{ PEER_CLOSES, 69, "htsign-keyd" },
		{ PEER_SPEAKS_OUT_OF_TURN, 70, "htsign-keyd" },
		{ PEER_SENDS_GARBAGE, 70, "htsign-keyd" },
		{ PEER_REFUSES, 77,
		    "request 17: \\x1b[2Jfrozen; try again in 30 seconds" },
	};
	struct run run = RUN_INIT;
	struct buf pe = BUF_INIT;
	struct peer k;
	size_t i;
	int step;

	(void)state;
	sample(&pe);
	for (step = PEER_AT_HELLO; step <= PEER_AT_OUTPUT; step++) {
		for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
			k = peer_good(&signer);
			k.step = (enum peer_step)step;
			k.fault = faults[i].fault;
			run_shell(&run, &k, "production", &pe);
			run_failed(&run, faults[i].status, faults[i].text);
			assert_int_equal(k.fail.status, 0);
			run_free(&run);
		}
	}
	buf_free(&pe);
}

/* A signature over other content, or none: post-flight sees it. */
static void
wrong_signatures(void **state)
{
	static const char *const commands[] = { "production",
		"production --pkcs7" };
	static const enum peer_fault faults[] = { PEER_SIGNS_SOMETHING_ELSE,
		PEER_SENDS_NO_PKCS7 };
	struct run run = RUN_INIT;
	struct buf pe = BUF_INIT;
	struct peer k;
	size_t i;

	(void)state;
	sample(&pe);
	for (i = 0; i < 4; i++) {
		k = peer_good(&signer);
		k.step = PEER_AT_CONTENT;
		k.fault = faults[i / 2];
		run_shell(&run, &k, commands[i % 2], &pe);
		run_failed(&run, 70, "does not verify");
		expect_told(&k, 70, "output");
		run_free(&run);
	}
	buf_free(&pe);
}

/* REFUSE while the upload goes on: it ends at once, not with the upload. */
static void
refused_during_the_upload(void **state)
{
	struct peer k = peer_good(&signer);
	struct run run = RUN_INIT;
	struct buf pe = BUF_INIT;
	int fd[2];

	(void)state;
	sample(&pe);
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	assert_int_equal(write(fd[1], pe.data, 1000), 1000);
	run.in_fd = fd[0];
	k.refuses_early = true;
	run_shell(&run, &k, "production", NULL);
	run_failed(&run, 77, "frozen");
	assert_int_equal(close(fd[1]), 0);
	buf_free(&pe);
	run_free(&run);
}

static void
nobody_listens(void **state)
{
	const char *const argv[] = { "htsign-shell", "-r", "/nonexistent",
		"--ticket", "t", NULL };
	const char *const login[] = { "-htsign-shell", "-c", "id", NULL };
	const struct buf nothing = BUF_INIT;
	struct run run = RUN_INIT;

	(void)state;
	run.argv = argv;
	run.in = &nothing;
	run_start(&run);
	run_finish(&run);
	run_failed(&run, 69, "htsign-keyd does not answer");
	run_free(&run);
	/* And a login shell that is asked for anything else. */
	run.argv = login;
	run_start(&run);
	run_finish(&run);
	run_failed(&run, 77, "runs nothing else");
	run_free(&run);
}

/* --- around all of them -------------------------------------------------- */

static int
set_up(void **state)
{
	struct ht_error e;

	if (authenticode_init(&e) < 0 || scratch_enter(state) != 0 ||
	    getcwd(folder, sizeof(folder)) == NULL ||
	    signing_make("RSA", &signer, &e) < 0)
		return -1;
	listening = run_listen("agent.sock");
	(void)signal(SIGPIPE, SIG_IGN);
	(void)alarm(300);
	return 0;
}

static int
tear_down(void **state)
{
	signing_clear(&signer);
	(void)close(listening);
	return scratch_leave(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_reply),
		cmocka_unit_test(signature_alone),
		cmocka_unit_test(page_hashes),
		cmocka_unit_test(options_for_other_files),
		cmocka_unit_test(signature_of_a_package_alone),
		cmocka_unit_test(size_and_hash_that_fit),
		cmocka_unit_test(files_that_are_signed_already),
		cmocka_unit_test(a_file_that_goes_back_as_it_came),
		cmocka_unit_test(help_and_profiles),
		cmocka_unit_test(a_wait_is_told_once),
		cmocka_unit_test(inputs_that_are_none),
		cmocka_unit_test(greeting),
		cmocka_unit_test(greeting_after_a_second),
		cmocka_unit_test(files_that_do_not_fit),
		cmocka_unit_test(nobody_takes_the_result),
		cmocka_unit_test(faults_at_every_step),
		cmocka_unit_test(wrong_signatures),
		cmocka_unit_test(refused_during_the_upload),
		cmocka_unit_test(nobody_listens),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
