/*
 * htsign-shell with an administrator's command, on the machine itself.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "htsign-shell/admin.h"
#include "tests/support/peer.h"
#include "tests/support/run.h"
#include "tests/support/scratch.h"

static int listening = -1;
static char folder[4096];

static struct peer
good(void)
{
	struct peer k = peer_good(NULL);

	k.admin = true;
	return k;
}

static void
begin(struct run *run, const char *command)
{
	const char *const argv[] = { "htsign-shell", "--admin", "-r", folder,
		"-c", command, NULL };
	const char *const none[] = { "htsign-shell", "--admin", "-r", folder,
		NULL };

	run->argv = command != NULL ? argv : none;
	run_start(run);
	run->argv = NULL;
}

static void
serve(struct run *run, struct peer *k)
{
	int fd = accept(listening, NULL, NULL);

	assert_true(fd >= 0);
	peer_serve(k, fd);
	run_finish(run);
}

/* Run command with text on its stdin. */
static void
run_with(struct run *run, struct peer *k, const char *command, const void *p,
    size_t n)
{
	struct buf in = BUF_INIT;

	buf_bytes(&in, p, n);
	run->in = &in;
	begin(run, command);
	serve(run, k);
	run->in = NULL;
	buf_free(&in);
}

static void
end(struct run *run, struct peer *k)
{
	run_free(run);
	buf_free(&k->words);
	buf_free(&k->input);
}

static void
expect_words(const struct peer *k, const char *const *words)
{
	struct cursor all = buf_cursor(&k->words);
	struct cursor word;

	for (; *words != NULL; words++) {
		assert_int_equal(cursor_string(&all, &word), 0);
		assert_true(cursor_is(word, *words));
	}
	assert_int_equal(all.left, 0);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void
words_and_output(void **state)
{
	struct peer k = good();
	struct run run = RUN_INIT;

	(void)state;
	(void)snprintf(k.done.text, sizeof(k.done.text), "added\n");
	run_with(&run, &k, "client add 'c i' --x", "not read", 8);
	assert_int_equal(run.status, 0);
	assert_true(cursor_is(buf_cursor(&run.out), "printed\n"));
	assert_string_equal((char *)run.err.data, "htsign: added\\x0a\n");
	assert_string_equal(k.hello.door, "local");
	expect_words(&k, WORDS("client", "add", "c i", "--x"));
	assert_int_equal(k.input.len, 0);
	end(&run, &k);
}

static void
words_of_htsign_admin(void **state)
{
	const char *const argv[] = { "htsign-admin", "-r", folder, "client",
		"add 'c", "i'", "-c", NULL };
	const struct buf in = BUF_INIT;
	struct peer k = good();
	struct run run = RUN_INIT;

	(void)state;
	run.argv = argv;
	run.in = &in;
	run_start(&run);
	serve(&run, &k);
	assert_int_equal(run.status, 0);
	assert_string_equal(k.hello.door, "local");
	expect_words(&k, WORDS("client", "add", "c i", "-c"));
	end(&run, &k);
}

static void
statuses(void **state)
{
	static const struct {
		uint32_t said;
		int status;
	} cases[] = { { 64, 64 }, { 77, 77 }, { 1, 70 }, { 128, 70 },
		{ 255, 70 }, { 256, 70 }, { UINT32_MAX, 70 } };
	struct run run = RUN_INIT;
	struct peer k;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		k = good();
		k.done.status = cases[i].said;
		(void)snprintf(k.done.text, sizeof(k.done.text), "no such");
		run_with(&run, &k, "log", "", 0);
		assert_int_equal(run.status, cases[i].status);
		assert_string_equal((char *)run.err.data, "htsign: no such\n");
		end(&run, &k);
	}
}

static void
no_command(void **state)
{
	struct peer k = good();
	struct run run = RUN_INIT;

	(void)state;
	run_with(&run, &k, NULL, "", 0);
	assert_int_equal(run.status, 64);
	assert_int_equal(run.out.len, 0);
	assert_string_equal((char *)run.err.data,
	    "printed\nhtsign: no command\n");
	expect_words(&k, WORDS("help"));
	end(&run, &k);
}

static void
a_key_on_stdin(void **state)
{
	static const char key[] = "ssh-ed25519 AAAA\n";
	static uint8_t large[ADMIN_INPUT_MAX + 1];
	struct run run = RUN_INIT;
	struct peer k = good();

	(void)state;
	run_with(&run, &k, "issue ci", key, sizeof(key) - 1);
	assert_int_equal(run.status, 0);
	assert_true(cursor_is(buf_cursor(&k.input), key));
	end(&run, &k);

	k = good();
	run_with(&run, &k, "issue ci", large, ADMIN_INPUT_MAX);
	assert_int_equal(run.status, 0);
	assert_int_equal(k.input.len, ADMIN_INPUT_MAX);
	end(&run, &k);

	k = good();
	run_with(&run, &k, "issue ci", large, ADMIN_INPUT_MAX + 1);
	run_failed(&run, 64, "longer than");
	assert_int_equal(k.words.len, 0);
	end(&run, &k);
}

static void
a_pin_on_stdin(void **state)
{
	static const struct {
		const char *in;
		const char *pin;
	} cases[] = { { "1234", "1234" }, { "1234\n", "1234" },
		{ "1234\r\n", "1234" }, { " 12 34 \n", " 12 34 " },
		{ "1234\nmore\n", "1234" } };
	/* The PIN of the configuration. */
	static const char *const none[] = { "", "\n", "\r\n", "\n1234" };
	struct run run = RUN_INIT;
	struct peer k;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		k = good();
		run_with(&run, &k, "unlock token", cases[i].in,
		    strlen(cases[i].in));
		assert_int_equal(run.status, 0);
		assert_true(cursor_is(buf_cursor(&k.input), cases[i].pin));
		end(&run, &k);
	}
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		k = good();
		run_with(&run, &k, "unlock token", none[i], strlen(none[i]));
		assert_int_equal(run.status, 0);
		assert_true(cursor_is(buf_cursor(&k.input), ""));
		end(&run, &k);
	}
}

/* A terminal: its two ends. */
static void
open_terminal(int fd[2])
{
	fd[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(fd[0] >= 0);
	assert_int_equal(grantpt(fd[0]), 0);
	assert_int_equal(unlockpt(fd[0]), 0);
	fd[1] = open(ptsname(fd[0]), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(fd[1] >= 0);
}

static bool
echoes(int fd)
{
	struct termios t;

	assert_int_equal(tcgetattr(fd, &t), 0);
	return (t.c_lflag & ECHO) != 0;
}

static void
a_pin_is_not_shown(void **state)
{
	struct run run = RUN_INIT;
	struct peer k = good();
	char shown[64];
	pid_t typist;
	int fd[2], tries;
	ssize_t n;

	(void)state;
	open_terminal(fd);
	run.in_fd = dup(fd[1]);
	assert_true(echoes(fd[1]));
	begin(&run, "unlock token");
	/* Whoever types waits until the terminal shows nothing. */
	typist = fork();
	assert_true(typist >= 0);
	if (typist == 0) {
		for (tries = 0; echoes(fd[1]) && tries < 500; tries++)
			(void)usleep(10000);
		_exit(write(fd[0], "987654\n", 7) != 7);
	}
	serve(&run, &k);
	assert_int_equal(waitpid(typist, NULL, 0), typist);
	assert_int_equal(run.status, 0);
	assert_true(cursor_is(buf_cursor(&k.input), "987654"));
	assert_string_equal((char *)run.err.data, "PIN: \n");
	assert_true(echoes(fd[1]));
	assert_int_equal(fcntl(fd[0], F_SETFL, O_NONBLOCK), 0);
	n = read(fd[0], shown, sizeof(shown));
	assert_true(n <= 0 || memchr(shown, '9', (size_t)n) == NULL);
	assert_int_equal(close(fd[0]), 0);
	assert_int_equal(close(fd[1]), 0);
	end(&run, &k);
}

static void
keyd_fails(void **state)
{
	static const struct {
		enum peer_fault fault;
		int status;
		const char *text;
	} faults[] = {
		{ PEER_CLOSES, 69, "htsign-keyd" },
		{ PEER_SENDS_GARBAGE, 70, "htsign-keyd" },
		{ PEER_REFUSES, 77, "frozen" },
	};
	static const enum peer_step steps[] = { PEER_AT_HELLO,
		PEER_AT_COMMAND };
	struct run run = RUN_INIT;
	struct peer k;
	size_t i;

	(void)state;
	for (i = 0; i < 6; i++) {
		k = good();
		k.step = steps[i / 3];
		k.fault = faults[i % 3].fault;
		run_with(&run, &k, "log", "", 0);
		run_failed(&run, faults[i % 3].status, faults[i % 3].text);
		end(&run, &k);
	}
}

static int
set_up(void **state)
{
	if (scratch_enter(state) != 0 || getcwd(folder, sizeof(folder)) == NULL)
		return -1;
	listening = run_listen("admin.sock");
	(void)signal(SIGPIPE, SIG_IGN);
	(void)alarm(300);
	return 0;
}

static int
tear_down(void **state)
{
	(void)close(listening);
	return scratch_leave(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_and_output),
		cmocka_unit_test(words_of_htsign_admin),
		cmocka_unit_test(statuses),
		cmocka_unit_test(no_command),
		cmocka_unit_test(a_key_on_stdin),
		cmocka_unit_test(a_pin_on_stdin),
		cmocka_unit_test(a_pin_is_not_shown),
		cmocka_unit_test(keyd_fails),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
