/*
 * htsign-shell where something goes wrong, by its client or by a keyd that is
 * not what it should be.  Whatever it is: the documented exit status, one line
 * on stderr, nothing on stdout.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/scratch.h"
#include "tests/support/shell.h"

/* --- what the client does wrong ------------------------------------------ */

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
		k = peer_good(&shell_signer);
		buf_bytes(&in, cases[i].bytes, strlen(cases[i].bytes));
		shell_run(&run, &k, cases[i].command, &in);
		run_failed(&run, cases[i].status, cases[i].text);
		shell_told(&k, (uint32_t)cases[i].status, cases[i].code);
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
	struct peer k = peer_good(&shell_signer);
	struct run run = RUN_INIT;
	const char *err;

	(void)state;
	shell_run(&run, &k, NULL, &nothing);
	err = (const char *)run.err.data;
	assert_int_equal(run.status, 64);
	assert_int_equal(run.out.len, 0);
	assert_non_null(strstr(err, "client ci (test)"));
	assert_non_null(strstr(err, "For \\x1b release (default)\n"));
	assert_non_null(strstr(err, "usage: "));
	assert_non_null(strstr(err, "htsign: request 17: there is no command"));
	shell_told(&k, 64, "empty");
	run_free(&run);
}

/* Silence is answered, and then a file may still come. */
static void
greeting_after_a_second(void **state)
{
	struct peer k = peer_good(&shell_signer);
	struct run run = RUN_INIT;
	struct buf pe = BUF_INIT;
	pid_t child;
	int fd[2];

	(void)state;
	shell_sample(&pe);
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
	shell_run(&run, &k, NULL, NULL);
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
	shell_sample(&pe);
	k = peer_good(&shell_signer);
	k.max_size = pe.len - 1;
	shell_run(&run, &k, "production", &pe);
	run_failed(&run, 66, "request 17");
	shell_told(&k, 66, "upload");
	run_free(&run);

	k = peer_good(&shell_signer);
	k.formats = "cab,msi";
	shell_run(&run, &k, "production", &pe);
	run_failed(&run, 66, "does not sign PE files");
	shell_told(&k, 66, "format");
	run_free(&run);

	k = peer_good(&shell_signer);
	shell_run(&run, &k, "production --size=1000000", &pe);
	run_failed(&run, 65, "upload was cut");
	shell_told(&k, 65, "cut");
	run_free(&run);

	k = peer_good(&shell_signer);
	shell_run(&run, &k, "production --size=10", &pe);
	run_failed(&run, 65, "bytes arrived, not 10");
	assert_null(strstr((char *)run.err.data, "cut"));
	shell_told(&k, 65, "cut");
	run_free(&run);

	k = peer_good(&shell_signer);
	shell_run(&run, &k,
	    "production --sha256=0000000000000000000000000000000000000000"
	    "000000000000000000000000",
	    &pe);
	run_failed(&run, 65, "upload was cut");
	shell_told(&k, 65, "cut");
	run_free(&run);

	k = peer_good(&shell_signer);
	pe.len = 300;
	shell_run(&run, &k, "production", &pe);
	run_failed(&run, 65, "request 17");
	assert_int_equal(k.fail.status, 65);
	run_free(&run);
	buf_free(&pe);
}

/* The client stops reading: no DELIVERED. */
static void
nobody_takes_the_result(void **state)
{
	const char *const argv[] = { "htsign-shell", "-r", shell_folder,
		"--ticket", "t", NULL };
	struct peer k = peer_good(&shell_signer);
	struct run run = RUN_INIT;
	struct buf pe = BUF_INIT;
	int fd;

	(void)state;
	shell_sample(&pe);
	run.argv = argv;
	run.command = "production";
	run.in = &pe;
	/* A file that may not grow stands for a pipe that nobody reads. */
	assert_int_equal(symlink("/dev/full", "full"), 0);
	assert_int_equal(unlink("stdout"), 0);
	assert_int_equal(symlink("full", "stdout"), 0);
	run_start(&run);
	fd = accept(shell_socket, NULL, NULL);
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
	shell_sample(&pe);
	for (step = PEER_AT_HELLO; step <= PEER_AT_OUTPUT; step++) {
		for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
			k = peer_good(&shell_signer);
			k.step = (enum peer_step)step;
			k.fault = faults[i].fault;
			shell_run(&run, &k, "production", &pe);
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
	shell_sample(&pe);
	for (i = 0; i < 4; i++) {
		k = peer_good(&shell_signer);
		k.step = PEER_AT_CONTENT;
		k.fault = faults[i / 2];
		shell_run(&run, &k, commands[i % 2], &pe);
		run_failed(&run, 70, "does not verify");
		shell_told(&k, 70, "output");
		run_free(&run);
	}
	buf_free(&pe);
}

/* REFUSE while the upload goes on: it ends at once, not with the upload. */
static void
refused_during_the_upload(void **state)
{
	struct peer k = peer_good(&shell_signer);
	struct run run = RUN_INIT;
	struct buf pe = BUF_INIT;
	int fd[2];

	(void)state;
	shell_sample(&pe);
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	assert_int_equal(write(fd[1], pe.data, 1000), 1000);
	run.in_fd = fd[0];
	k.refuses_early = true;
	shell_run(&run, &k, "production", NULL);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
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

	return cmocka_run_group_tests(tests, shell_start_p256, shell_stop);
}
