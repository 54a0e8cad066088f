#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/builddir.h"
#include "tests/support/run.h"
#include "tests/support/scratch.h"

#define SHELL HT_BUILDDIR "/htsign-shell/htsign-shell"
#define ADMIN HT_BUILDDIR "/htsign-admin/htsign-admin"

static int
open_scratch(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

void
run_start(struct run *run)
{
	int in = run->in_fd, out, err;

	out = open_scratch("stdout");
	err = open_scratch("stderr");
	if (in < 0) {
		scratch_write("stdin", run->in->data, run->in->len);
		in = open("stdin", O_RDONLY | O_CLOEXEC);
	}
	assert_true(in >= 0);
	run->pid = fork();
	assert_true(run->pid >= 0);
	if (run->pid == 0) {
		(void)signal(SIGPIPE, SIG_DFL);
		(void)alarm(60);
		(void)setenv("SSH_CONNECTION", "192.0.2.1 5 192.0.2.2 22", 1);
		(void)setenv("HTSIGN_URL", "http://from.environment/", 1);
		if (run->command != NULL)
			(void)setenv("SSH_ORIGINAL_COMMAND", run->command, 1);
		(void)dup2(in, 0);
		(void)dup2(out, 1);
		(void)dup2(err, 2);
		execv(strcmp(run->argv[0], "htsign-admin") == 0 ? ADMIN : SHELL,
		    (char *const *)(uintptr_t)run->argv);
		_exit(127);
	}
	(void)close(in);
	(void)close(out);
	(void)close(err);
}

void
run_finish(struct run *run)
{
	int status;

	assert_int_equal(waitpid(run->pid, &status, 0), run->pid);
	if (!WIFEXITED(status))
		fail_msg("the shell ended on signal %d", WTERMSIG(status));
	run->status = WEXITSTATUS(status);
	scratch_read("stdout", &run->out);
	scratch_read("stderr", &run->err);
	buf_u8(&run->err, '\0');
}

void
run_free(struct run *run)
{
	buf_free(&run->out);
	buf_free(&run->err);
}

void
run_failed(const struct run *run, int status, const char *text)
{
	const char *err = (const char *)run->err.data;

	if (run->status != status || strstr(err, text) == NULL ||
	    strncmp(err, "htsign: ", 8) != 0 ||
	    strchr(err, '\n') != err + strlen(err) - 1)
		fail_msg("status %d: %s", run->status, err);
	assert_int_equal(run->out.len, 0);
}

int
run_listen(const char *name)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un un;

	memset(&un, 0, sizeof(un));
	un.sun_family = AF_UNIX;
	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", name);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(fd, 5), 0);
	return fd;
}
