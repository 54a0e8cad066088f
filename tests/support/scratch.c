#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/scratch.h"

extern char **environ;

static char folder[] = "/tmp/htsign-test-XXXXXX";

int
scratch_enter(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *place)
{
	(void)st;
	(void)flag;
	(void)place;
	return remove(path);
}

int
scratch_leave(void **state)
{
	(void)state;
	return chdir("/") != 0 ||
	    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0;
}

int
scratch_run(const char *const *argv)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int rc, status;

	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	(void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null",
	    O_RDONLY, 0);
	(void)posix_spawn_file_actions_addopen(&actions, 1, "output",
	    O_WRONLY | O_CREAT | O_TRUNC, 0600);
	(void)posix_spawn_file_actions_adddup2(&actions, 1, 2);
	rc = posix_spawnp(&pid, argv[0], &actions, NULL,
	    (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (rc != 0)
		return -1;
	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void
scratch_read(const char *name, struct buf *out)
{
	uint8_t bytes[4096];
	ssize_t n;
	int fd;

	fd = open(name, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		buf_bytes(out, bytes, (size_t)n);
	assert_int_equal(n, 0);
	assert_int_equal(buf_failed(out), 0);
	(void)close(fd);
}

void
scratch_write(const char *name, const void *p, size_t n)
{
	int fd;

	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), (ssize_t)n);
	assert_int_equal(close(fd), 0);
}

int
scratch_output_holds(const char *text)
{
	struct buf output = BUF_INIT;
	int found;

	scratch_read("output", &output);
	buf_u8(&output, '\0');
	found = strstr((const char *)output.data, text) != NULL;
	if (!found)
		print_message("no \"%s\" in: %s\n", text,
		    (const char *)output.data);
	buf_free(&output);
	return found;
}
