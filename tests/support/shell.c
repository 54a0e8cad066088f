#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "signature/init.h"
#include "tests/support/pe_image.h"
#include "tests/support/scratch.h"
#include "tests/support/shell.h"

struct signing shell_signer;
char shell_folder[4096];
int shell_socket = -1;

static int
start(void **state, const char *kind)
{
	struct ht_error e;

	if (authenticode_init(&e) < 0 || scratch_enter(state) != 0 ||
	    getcwd(shell_folder, sizeof(shell_folder)) == NULL ||
	    signing_make(kind, &shell_signer, &e) < 0)
		return -1;
	shell_socket = run_listen("agent.sock");
	(void)signal(SIGPIPE, SIG_IGN);
	(void)alarm(300);
	return 0;
}

int
shell_start(void **state)
{
	return start(state, "RSA");
}

int
shell_start_p256(void **state)
{
	return start(state, "P-256");
}

int
shell_stop(void **state)
{
	signing_clear(&shell_signer);
	(void)close(shell_socket);
	return scratch_leave(state);
}

void
shell_run(struct run *run, struct peer *k, const char *command,
    const struct buf *in)
{
	const char *const argv[] = { "htsign-shell", "-r", shell_folder,
		"--ticket", "the-ticket", NULL };
	int fd;

	run->argv = argv;
	run->command = command;
	run->in = in;
	run_start(run);
	run->argv = NULL;
	fd = accept(shell_socket, NULL, NULL);
	assert_true(fd >= 0);
	peer_serve(k, fd);
	run_finish(run);
}

void
shell_told(const struct peer *k, uint32_t status, const char *code)
{
	assert_int_equal(k->fail.status, status);
	assert_string_equal(k->fail.code, code);
}

void
shell_sample(struct buf *out)
{
	const struct pe_image image = { PE_IMAGE_X64, false, 0, 0, 4000, 0 };

	pe_image_build(&image, out);
}
